"""An account with a run that has everything that a run may have."""

from pathlib import Path

import pytest
from accounts import copied, receiving
from audiences import club, gold, sent
from proof.tampering import Tampered

from workbench.export.sandbox import parse_answers


@pytest.fixture(scope="session")
def club_made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that every ``tampered`` is a copy of."""
    folder = tmp_path_factory.mktemp("club")
    with receiving(folder) as receiver:
        account = club(folder, range(280), of=280, control={"share": 0.1})
        sent(account, 0)
        gold(account, range(60, 280), 1, of=280)
        receiver.play(parse_answers("ok, 400"))
        sent(account, 1)
        account.workspace.database.close()
    return account.home


@pytest.fixture
def tampered(club_made: Path, tmp_path: Path) -> Tampered:
    """A copy of the account, opened."""
    account = copied(club_made, tmp_path / "home")
    run, before = account.workspace.ledger.newest()
    return Tampered(account=account, run=run, before=before)
