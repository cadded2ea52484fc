"""A receiver that fails in the middle of a send, on both databases: every user exactly once, and the record is true."""

from pathlib import Path

import pytest
from accounts import NOW, Account
from command_line import Run
from fire import check, check_shown

from workbench import runs
from workbench.errors import CredentialsError, DestinationError
from workbench.export.ledger import RequestState
from workbench.export.sandbox import Receiver, parse_answers, report
from workbench.rehearsal.faults import chosen
from workbench.workspace import open_workspace

# What the receiver has of a request is dropped when it comes again; what it has nothing of is not repeated.
TAKEN = {"late-202", "500-after", "reset-after"}
FAULTS = ["late-202", "500-after", "html", "reset-before", "reset-after", "key-revoked"]
DATABASES = ["shop", pytest.param("team", marks=pytest.mark.postgres)]


@pytest.mark.parametrize("kind", DATABASES)
@pytest.mark.parametrize("name", FAULTS)
def test_every_user_once_whatever_the_receiver_does(
    request: pytest.FixtureRequest, receiver: Receiver, run: Run, tmp_path: Path, kind: str, name: str
) -> None:
    """The first request has the fault, then two in the middle until the run stops; resumed to its end."""
    account: Account = request.getfixturevalue(kind)
    settings = account.config.read_text(encoding="utf-8").replace("in_flight = 1", "in_flight = 2")
    patience = 1 if name == "late-202" else 20
    account.config.write_text(
        settings.replace("read_timeout = 2", f"read_timeout = {patience}"), encoding="utf-8"
    )
    workspace = open_workspace(account.config)
    (fault,) = chosen([name])
    receiver.play(parse_answers(fault.script(requests=5, in_flight=2)))
    stopped: list[type[Exception]] = []
    while not stopped or workspace.ledger.newest()[0].state != "completed":
        try:
            runs.execute(workspace, runs.plan(workspace, "hello", as_of=NOW))
        except DestinationError as error:
            stopped.append(type(error))
            doubtful = workspace.ledger.totals(workspace.ledger.newest()[0].run_id)[RequestState.UNKNOWN]
            assert bool(doubtful) == (name != "key-revoked")
        assert len(stopped) < 10
    assert set(stopped) == {CredentialsError if name == "key-revoked" else DestinationError}
    assert bool(report(tmp_path / "sandbox").duplicates) == (name in TAKEN)
    run_id = check(Account(home=account.home, workspace=workspace), tmp_path / "sandbox")
    check_shown(run, account, run_id)
    workspace.database.close()
