"""A dry run writes what a send would send, and leaves no other trace."""

import hashlib
import json
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from accounts import NOW, Account

from workbench import display, runs
from workbench.errors import DestinationError, InputError, StoreError
from workbench.export.sandbox import Receiver, parse_answers, report
from workbench.runs import DryRun

VALUES = {"text": "Hi {{ Profile.country | downcase }}, it is {{ now | date: '%H:%M:%S' }}", "points": 7}
TEMPLATES: dict[str, Any] = {
    "content": {"attributes": ["country"], "values": VALUES},
    "control": {"share": 0.1},
}


def bodies(shop: Account, receipt: runs.Receipt) -> bytes:
    """The frozen requests of a run."""
    return (shop.workspace.settings.directory / receipt.run.bodies_path).read_bytes()


def state(shop: Account) -> dict[str, bytes]:
    """Every file of the state folder but those of dry runs."""
    folder = shop.workspace.settings.directory
    return {
        str(path): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix != ".db-shm" and "dry-runs" not in path.parts
    }


@pytest.mark.parametrize(
    ("campaign", "occurrence"),
    [({}, None), (TEMPLATES, None), (TEMPLATES, NOW - timedelta(days=3)), ({"cap": {"per_run": 130}}, None)],
)
def test_a_real_send_writes_the_same_bytes(
    shop: Account, receiver: Receiver, tmp_path: Path, campaign: dict[str, Any], occurrence: datetime | None
) -> None:
    """Requests and audience of a dry run are, byte by byte, those of the run of the same plan, made later."""
    shop.save_campaign("greet", "buyers", **campaign)
    plan = runs.plan(shop.workspace, "greet", occurrence=occurrence, as_of=NOW, now=datetime.now(UTC))
    found = runs.dry_run(shop.workspace, plan, tmp_path / "dry")
    receipt = runs.execute(shop.workspace, plan)
    assert (tmp_path / "dry" / "requests.jsonl").read_bytes() == bodies(shop, receipt)
    audience = (shop.workspace.settings.directory / receipt.run.audience_path).read_bytes()
    assert (tmp_path / "dry" / "audience.parquet").read_bytes() == audience
    assert found.sha256 == hashlib.sha256(bodies(shop, receipt)).hexdigest()
    requests = shop.workspace.ledger.requests(receipt.run.run_id)
    assert (found.users, found.batches) == (plan.to_send, plan.to_send)
    assert (found.requests, found.bytes) == (len(requests), sum(request.length for request in requests))
    assert receipt.sent_now == plan.to_send > 100


def test_the_same_instants_give_the_same_bytes_again(shop: Account) -> None:
    """A plan made anew with the written instants writes the bytes anew; a millisecond later it does not."""
    shop.save_campaign("greet", "buyers", **TEMPLATES)

    def written(now: datetime) -> str:
        plan = runs.plan(shop.workspace, "greet", as_of=NOW, now=now)
        return runs.dry_run(shop.workspace, plan).sha256

    now = NOW + timedelta(hours=1)
    assert written(now) == written(now) != written(now + timedelta(milliseconds=1))


def test_nothing_but_the_folder_is_left(shop: Account) -> None:
    """No receiver, no key: no row, no occurrence, no file elsewhere; the folder is its owner's alone."""
    before = state(shop)
    plan = runs.plan(shop.workspace, "hello", as_of=NOW, now=NOW)
    clock = datetime(2026, 7, 2, 8, 30, 15, 42, tzinfo=UTC)
    found = runs.dry_run(shop.workspace, plan, clock=lambda: clock)
    directory = shop.workspace.settings.directory
    assert state(shop) == before
    assert found.folder == directory / "dry-runs" / "hello-20260701T120000Z" / "20260702T083015.000042Z"
    assert sorted(path.name for path in found.folder.iterdir()) == [
        "audience.parquet", "dry-run.json", "requests.jsonl",
    ]  # fmt: skip
    assert stat.S_IMODE(found.folder.stat().st_mode) == 0o700
    assert shop.workspace.ledger.newest(tests=True) == []
    assert runs.plan(shop.workspace, "hello", as_of=NOW, now=NOW).already is None
    assert (found.existing, found.same, found.remarks) == (None, None, ())
    told = json.loads((found.folder / "dry-run.json").read_text())
    assert (told["as_of"], told["now"], told["users"], told["sha256"]) == (
        "2026-07-01T12:00:00Z", "2026-07-01T12:00:00Z", 500, found.sha256,
    )  # fmt: skip
    assert pl.read_parquet(found.folder / "audience.parquet").height == 1000


def test_a_folder_that_holds_something_is_left_alone(shop: Account, tmp_path: Path) -> None:
    """A file, and a folder with one, are refused; an empty folder becomes private; its neighbours stay."""
    plan = runs.plan(shop.workspace, "hello", as_of=NOW, now=NOW)
    (tmp_path / "out").mkdir()
    (tmp_path / "out.tmp").mkdir()
    (tmp_path / "out.tmp" / "precious").write_text("x")
    for folder in (tmp_path / "out.tmp", tmp_path / "out.tmp" / "precious"):
        with pytest.raises(InputError, match="a dry run is written to a folder of its own"):
            runs.dry_run(shop.workspace, plan, folder)
    found = runs.dry_run(shop.workspace, plan, tmp_path / "out")
    assert stat.S_IMODE(found.folder.stat().st_mode) == 0o700
    assert (tmp_path / "out.tmp" / "precious").read_text() == "x"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "out", "out.tmp"]


def test_a_blocked_plan_says_so(shop: Account) -> None:
    """No body, the reason, and nobody is alerted: the run would be blocked, it is not."""
    shop.save_campaign(
        "safe", "buyers", safety_check={"more_than": 10}, alert_to=["json://127.0.0.1:9/never"]
    )
    found = runs.dry_run(shop.workspace, runs.plan(shop.workspace, "safe", as_of=NOW, now=NOW))
    assert (found.users, found.requests, found.bytes) == (0, 0, 0)
    assert found.remarks[0].startswith("blocked by the safety check: ")
    assert (found.folder / "requests.jsonl").read_bytes() == b""
    assert shop.workspace.ledger.newest() == []


def test_an_occurrence_with_a_run_is_compared_with_it(
    shop: Account, receiver: Receiver, tmp_path: Path
) -> None:
    """At the run's own instants the lake gives the frozen bytes again; at others it says that they differ."""
    receiver.play(parse_answers("ok, 503*2"))
    with pytest.raises(DestinationError):
        runs.execute(shop.workspace, runs.plan(shop.workspace, "hello", as_of=NOW))
    (run,) = shop.workspace.ledger.newest()
    again = runs.dry_run(
        shop.workspace, runs.plan(shop.workspace, "hello", as_of=run.as_of, now=run.created_at)
    )
    assert again.existing is not None
    assert (again.same, again.existing.left) == (True, 4)
    assert "a send sends what is left of its frozen bodies, 4 requests" in again.remarks[0]
    other = runs.dry_run(shop.workspace, runs.plan(shop.workspace, "hello", as_of=NOW))
    assert (other.same, "other bytes than these" in other.remarks[0]) == (False, True)
    assert shop.workspace.ledger.newest() == [run]
    assert runs.resume(shop.workspace, run.run_id).sent_now == 400
    assert report(tmp_path / "sandbox").accepted == 500


def test_a_run_whose_bodies_were_changed_is_told(shop: Account, receiver: Receiver) -> None:
    """What is claimed to be sent is read, not believed."""
    receipt = runs.execute(shop.workspace, runs.plan(shop.workspace, "hello", as_of=NOW))
    path = shop.workspace.settings.directory / receipt.run.bodies_path
    path.write_bytes(path.read_bytes().replace(b"development", b"production!", 1))
    with pytest.raises(StoreError, match="request 1 of hello-"):
        runs.dry_run(shop.workspace, runs.plan(shop.workspace, "hello", as_of=NOW))


def test_a_cell_shows_counts(shop: Account) -> None:
    """The numbers, the instants and the folder; no person."""
    found = runs.dry_run(shop.workspace, runs.plan(shop.workspace, "hello", as_of=NOW, now=NOW))
    text, markup, _ = display.SHOWN[DryRun]
    assert text(found).startswith("dry run of hello-20260701T120000Z: 500 users in 5 requests, ")
    assert "<td>Users</td>" in markup(found)
    assert found.sha256 in markup(found)
    assert "example.com" not in markup(found) + text(found) + repr(found)
