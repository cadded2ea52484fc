"""An account in which everything was changed once."""

from pathlib import Path

import pytest
from accounts import Account, copied, receiving
from audit.changes import do_everything


@pytest.fixture(scope="session")
def lived_made(shop_made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that every ``lived`` is a copy of."""
    folder = tmp_path_factory.mktemp("lived")
    with receiving(folder) as receiver:
        account = copied(shop_made, folder / "home")
        do_everything(account, receiver)
        account.workspace.database.close()
    return account.home


@pytest.fixture
def lived(lived_made: Path, tmp_path: Path) -> Account:
    """The shop after ``do_everything``: its trail has every entry of ``DONE``."""
    return copied(lived_made, tmp_path / "home")
