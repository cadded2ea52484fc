"""What the tests of the trail share: every change once, what the trail says of it, and how it is tampered with."""

from datetime import UTC, datetime
from typing import Any

import pytest
from accounts import BUYERS, NOW, Account

from workbench import runs
from workbench.errors import DestinationError
from workbench.export.sandbox import Receiver, parse_answers
from workbench.store.ingest import import_list
from workbench.workspace import Workspace

AT = datetime.now(UTC)
GUARDS = ("audit_not_changed", "audit_not_removed", "audit_in_order")


def said(workspace: Workspace, **filters: Any) -> list[tuple[str, str]]:
    """What was done, and to what."""
    return [(entry.what, entry.subject) for entry in workspace.trail.entries(**filters)]


def unguarded(workspace: Workspace, *statements: str) -> None:
    """Change the table as somebody who may drop its triggers does."""
    with workspace.database.transaction() as sql:
        for guard in GUARDS:
            sql.exec_driver_sql(f"DROP TRIGGER IF EXISTS {guard}")
        for statement in statements:
            sql.exec_driver_sql(statement)


def do_run(workspace: Workspace) -> str:
    """Send ``hello``; return the id of the run."""
    return runs.execute(workspace, runs.plan(workspace, "hello", as_of=NOW, now=AT)).run.run_id


def do_everything(shop: Account, receiver: Receiver) -> str:
    """Change whatever can be changed once; return the id of the run."""
    workspace = shop.workspace
    shop.save_segment("spare", BUYERS)
    workspace.segments.archive("spare", now=NOW)
    shop.save_campaign("other", "buyers", alert_to=["json://user:s3cret@127.0.0.1:9/"])
    workspace.campaigns.archive("other", now=NOW)
    (shop.home / "vips.csv").write_text("user_id\n00001\n00002\n", encoding="utf-8")
    import_list(workspace.lake, workspace.settings, "vips", str(shop.home / "vips.csv"), now=NOW)
    workspace.groups.add("system", 0.05, now=NOW)
    workspace.groups.add("vip", 0.03, custom=True, now=NOW)
    workspace.groups.remove("vip", now=NOW)
    workspace.groups.flag("00001", now=NOW)
    workspace.groups.unflag("00001")
    workspace.testers.add("00002", now=NOW)
    workspace.testers.remove("00002")
    receiver.play(parse_answers("ok, 503*2"))
    with pytest.raises(DestinationError):
        runs.execute(workspace, runs.plan(workspace, "hello", as_of=NOW, now=AT))
    run = workspace.ledger.newest()[0].run_id
    receiver.play(parse_answers("ok, 400"))
    runs.resume(workspace, run)
    runs.redrive(workspace, run, runs.rejected(workspace, run), now=AT, because="the event is planned now")
    runs.stop(workspace, run, because="wrong text")
    return run


DONE = [
    ("trail begun", "trail"), ("segment saved", "buyers"), ("campaign saved", "hello"), ("segment saved", "spare"),
    ("segment archived", "spare"), ("campaign saved", "other"), ("campaign archived", "other"),
    ("list imported", "vips"), ("control group added", "system"), ("control group added", "vip"),
    ("control group removed", "vip"), ("user flagged never in control", "00001"),
    ("user unflagged never in control", "00001"), ("test profile flagged", "00002"),
    ("test profile unflagged", "00002"), ("run reserved", "hello-20260701T120000Z"),
    ("run started", "hello-20260701T120000Z"), ("run interrupted", "hello-20260701T120000Z"),
    ("run resumed", "hello-20260701T120000Z"), ("run ended", "hello-20260701T120000Z"),
    ("rejected given back", "hello-20260701T120000Z"), ("run stopped", "hello-20260701T120000Z"),
    ("run ended", "hello-20260701T120000Z"),
]  # fmt: skip
