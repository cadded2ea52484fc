"""Completion of names inside quotes, in the completer that a notebook's kernel uses."""

from collections.abc import Iterator

import pytest
from accounts import Account
from IPython.core.interactiveshell import InteractiveShell

import workbench


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    """A shell with the extension loaded."""
    shell = InteractiveShell.instance()
    workbench.load_ipython_extension(shell)
    yield shell
    InteractiveShell.clear_instance()


def offered(shell: InteractiveShell, code: str) -> list[str]:
    """What the Tab key offers at the end of a cell."""
    return [item.text for item in shell.Completer.completions(code, len(code))]


@pytest.mark.filterwarnings("ignore::IPython.core.completer.ProvisionalCompleterWarning")
@pytest.mark.parametrize(
    ("code", "names"),
    [
        ('did("', ["Purchase"]), ('x = 1\ndid("pur', ["Purchase"]), ("did('Purchase', \"Pu", ["Purchase"]),
        ('did("Purchase").where(prop("pr', ["price"]), ('user("count', ["country"]), ('in_segment("', ["buyers"]),
        ('did("Purchase").sum("p', ["price"]), ('device("app_', ["app_version"]),
    ],
)  # fmt: skip
def test_quotes_offer_the_names_of_their_kind(
    shell: InteractiveShell, shop: Account, code: str, names: list[str]
) -> None:
    """By the function in front; whatever the case of what was typed."""
    shell.user_ns["account"] = shop.workspace
    found = offered(shell, code)
    assert [name for name in found if name in names] == names
    assert len([name for name in found if name[0] != names[0][0]]) == 0 or code.endswith('("')


@pytest.mark.filterwarnings("ignore::IPython.core.completer.ProvisionalCompleterWarning")
def test_without_a_workspace_nothing_is_offered(shell: InteractiveShell) -> None:
    """Other completions go on as before."""
    assert "Purchase" not in offered(shell, 'did("Pur')
    assert offered(shell, "import workb") == ["workbench"]
