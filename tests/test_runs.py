"""The path: what a plan says, what execute does, and that it happens once."""

import json
import resource
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from accounts import NOW, Account

from workbench import runs
from workbench.campaigns import control
from workbench.errors import BusyError, CredentialsError, DestinationError, InputError, StoreError
from workbench.export.ledger import RequestState, Run, RunState
from workbench.export.sandbox import Receiver, accepted, parse_answers, report
from workbench.workspace import open_workspace


def interrupted(shop: Account, receiver: Receiver, answers: str = "503*2") -> Run:
    """Start the run of ``hello`` and let it fail on the way."""
    receiver.play(parse_answers(answers))
    with pytest.raises(DestinationError):
        runs.execute(shop.workspace, runs.plan(shop.workspace, "hello", as_of=NOW))
    return shop.workspace.ledger.newest()[0]


def test_a_plan_gives_every_qualified_user_one_verdict(shop: Account) -> None:
    """1,000 qualified: about a tenth held out, 500 sent, the rest over the cap; nothing is lost."""
    plan = runs.plan(shop.workspace, "hello", as_of=NOW, now=NOW)
    held_out = sum(control.key("test-salt/control/hello", f"{n:05d}") < "1999999a" for n in range(1000))
    counts = {(row["verdict"], row["reason"]): row["users"] for row in plan.waterfall.to_dicts()}
    assert counts == {
        ("send", None): 500,
        ("holdout", None): held_out,
        ("not sent", "campaign limit for the run"): 500 - held_out,
    }
    assert 70 < held_out < 130
    assert plan.waterfall["users"].sum() == plan.qualified == 1000


def test_a_plan_writes_nothing(shop: Account) -> None:
    """The state folder holds the same files, with the same bytes, before and after."""

    def state() -> dict[str, bytes]:
        folder = shop.workspace.settings.directory
        return {
            str(p): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file() and p.suffix != ".db-shm"
        }

    before = state()
    runs.plan(shop.workspace, "hello", as_of=NOW, now=NOW)
    assert state() == before


def test_what_arrives_is_the_audience_row_by_row(shop: Account, receiver: Receiver, tmp_path: Path) -> None:
    """Each ``send`` row of the snapshot is one stored batch with its id and its e-mail; nobody else arrives."""
    plan = runs.plan(shop.workspace, "hello", as_of=NOW, now=datetime.now(UTC))
    receipt = runs.execute(shop.workspace, plan)
    audience = pl.read_parquet(shop.workspace.settings.directory / receipt.run.audience_path)
    sends = audience.filter(pl.col("verdict") == "send")
    stored = {batch["source_request_id"]: batch for batch in accepted(tmp_path / "sandbox")}
    assert sends.height == 500
    assert set(stored) == set(sends["source_request_id"])
    for row in sends.iter_rows(named=True):
        batch = stored[row["source_request_id"]]
        number = int(row["user_id"])
        assert batch["user_identities"] == {
            "customer_id": f"{number:05d}",
            "email": f"user{number}@example.com",
        }
        assert batch["environment"] == "development"
        assert batch["events"][0]["data"]["custom_attributes"]["run_id"] == receipt.run.run_id
        assert batch["events"][0]["data"]["timestamp_unixtime_ms"] == int(plan.send_at.timestamp() * 1000)
    assert audience.filter(pl.col("verdict") != "send")["source_request_id"].null_count() == 500
    assert audience.filter(pl.col("arm") == "control").filter(pl.col("request").is_not_null()).is_empty()


def test_the_receiver_warns_of_nothing(shop: Account, receiver: Receiver, tmp_path: Path) -> None:
    """Not one batch was dropped, cut or warned about."""
    runs.execute(shop.workspace, runs.plan(shop.workspace, "hello", as_of=NOW))
    found = report(tmp_path / "sandbox")
    assert (found.accepted, found.duplicates, found.dropped, found.warnings, found.cut) == (
        500,
        0,
        (),
        (),
        (),
    )


def test_an_occurrence_is_sent_once(shop: Account, receiver: Receiver, tmp_path: Path) -> None:
    """The second execution sends nobody, without a receiver and without a key."""
    plan = runs.plan(shop.workspace, "hello", as_of=NOW)
    first = runs.execute(shop.workspace, plan)
    receiver.stop()
    again = runs.execute(shop.workspace, runs.plan(shop.workspace, "hello"))
    assert (first.sent_now, again.sent_now) == (500, 0)
    assert again.run == first.run
    assert report(tmp_path / "sandbox").accepted == 500


def test_another_occurrence_is_another_run(shop: Account, receiver: Receiver) -> None:
    """The same control users are held out again; who comes first under the cap is drawn anew."""
    folder = shop.workspace.settings.directory
    frames = []
    for day in (1, 2):
        plan = runs.plan(shop.workspace, "hello", occurrence=datetime(2026, 7, day, tzinfo=UTC), as_of=NOW)
        frames.append(pl.read_parquet(folder / runs.execute(shop.workspace, plan).run.audience_path))
    first, second = (
        {v: set(f.filter(pl.col("verdict") == v)["user_id"]) for v in ("send", "holdout")} for f in frames
    )
    assert first["holdout"] == second["holdout"]
    assert first["send"] != second["send"]


def test_a_cap_of_400_lies_inside_a_cap_of_500(shop: Account) -> None:
    """Caps are nested: the order is the hash's, not a draw of its own."""
    larger = runs.plan(shop.workspace, "hello", as_of=NOW, now=NOW).verdicts
    shop.save_campaign("hello", "buyers", control={"share": 0.1}, cap={"per_run": 400})
    smaller = runs.plan(shop.workspace, "hello", as_of=NOW, now=NOW).verdicts
    sends = [set(frame.filter(pl.col("verdict") == "send")["user_code"]) for frame in (smaller, larger)]
    assert (len(sends[0]), len(sends[1])) == (400, 500)
    assert sends[0] < sends[1]


def test_a_receiver_that_is_down_leaves_a_run_to_resume(
    shop: Account, receiver: Receiver, tmp_path: Path
) -> None:
    """One request arrives, the next one fails: the run stops there; resume sends the other 400, once."""
    run = interrupted(shop, receiver, "ok, 503*2")
    users = shop.workspace.ledger.totals(run.run_id)
    assert run.state is RunState.INTERRUPTED
    assert "may or may not have taken the request (503" in str(run.note)
    assert (users[RequestState.ACCEPTED], users[RequestState.UNKNOWN], users[RequestState.RESERVED]) == (
        100,
        100,
        300,
    )
    resumed = runs.resume(shop.workspace, run.run_id)
    assert (resumed.sent_now, resumed.run.state) == (400, RunState.COMPLETED)
    assert report(tmp_path / "sandbox").accepted == 500


def test_a_refused_connection_is_not_an_unknown_outcome(
    shop: Account, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Nobody listens: the run stops at the first request, all 500 stay reserved, and the error says resume."""
    url = receiver.url
    receiver.stop()
    with pytest.raises(DestinationError, match="workbench resume hello-"):
        runs.execute(shop.workspace, runs.plan(shop.workspace, "hello", as_of=NOW))
    run = shop.workspace.ledger.newest()[0]
    assert run.state is RunState.INTERRUPTED
    assert shop.workspace.ledger.totals(run.run_id)[RequestState.RESERVED] == 500
    assert url == shop.workspace.settings.mparticle_url
    with Receiver(tmp_path / "later", key="test-key", secret="test-secret") as later:
        monkeypatch.setenv("WORKBENCH_MPARTICLE_URL", later.url)
        assert runs.resume(shop.workspace, run.run_id).sent_now == 500
    assert report(tmp_path / "later").accepted == 500


def test_a_lost_answer_is_sent_again_with_the_same_bytes(
    shop: Account, receiver: Receiver, tmp_path: Path
) -> None:
    """The receiver took the first request and dropped the connection: it sees the bytes twice, keeps them once."""
    receiver.play(parse_answers("drop-after"))
    receipt = runs.execute(shop.workspace, runs.plan(shop.workspace, "hello", as_of=NOW))
    found = report(tmp_path / "sandbox")
    assert (receipt.sent_now, found.accepted, found.duplicates) == (500, 500, 100)
    digests = [line.sha256 for line in found.last_requests]
    assert (len(digests), len(set(digests))) == (6, 5)


def test_a_wrong_key_stops_at_once(
    shop: Account, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """One request is refused, no second one is tried; with the right key resume sends all."""
    monkeypatch.setenv("WORKBENCH_MPARTICLE_SECRET", "wrong")
    with pytest.raises(CredentialsError, match="refused the key") as caught:
        runs.execute(shop.workspace, runs.plan(shop.workspace, "hello", as_of=NOW))
    assert "wrong" not in str(caught.value)
    assert report(tmp_path / "sandbox").requests == 1
    run = shop.workspace.ledger.newest()[0]
    assert (run.state, shop.workspace.ledger.totals(run.run_id)[RequestState.RESERVED]) == (
        RunState.INTERRUPTED,
        500,
    )
    monkeypatch.setenv("WORKBENCH_MPARTICLE_SECRET", "test-secret")
    assert runs.resume(shop.workspace, run.run_id).sent_now == 500


def test_without_a_key_nothing_is_reserved(shop: Account) -> None:
    """The occurrence stays free: no run, no files."""
    with pytest.raises(CredentialsError, match="WORKBENCH_MPARTICLE_KEY and WORKBENCH_MPARTICLE_SECRET"):
        runs.execute(shop.workspace, runs.plan(shop.workspace, "hello", as_of=NOW))
    assert shop.workspace.ledger.newest() == []
    assert not list(shop.workspace.settings.directory.rglob("audience.parquet"))


def test_a_rejected_request_is_recorded_and_the_rest_goes_on(
    shop: Account, receiver: Receiver, tmp_path: Path
) -> None:
    """A 400 is final for its 100 users; the other 400 are accepted and the run is complete."""
    receiver.play(parse_answers("ok, 400"))
    receipt = runs.execute(shop.workspace, runs.plan(shop.workspace, "hello", as_of=NOW))
    assert receipt.run.state is RunState.COMPLETED
    assert (receipt.users[RequestState.ACCEPTED], receipt.users[RequestState.REJECTED]) == (400, 100)
    assert receipt.not_sent == {"rejected by mParticle": 100}
    assert report(tmp_path / "sandbox").accepted == 400


def test_a_second_process_finds_the_run_held(shop: Account, receiver: Receiver) -> None:
    """While one process holds the run, another one is told so and sends nothing."""
    run = interrupted(shop, receiver)
    with shop.workspace.ledger.hold(run.run_id), pytest.raises(BusyError, match="another process"):
        runs.resume(shop.workspace, run.run_id)


def test_tampered_bytes_are_not_sent(shop: Account, receiver: Receiver, tmp_path: Path) -> None:
    """A frozen request that was changed on disk stops the run before it leaves."""
    run = interrupted(shop, receiver)
    bodies = shop.workspace.settings.directory / run.bodies_path
    bodies.write_bytes(bodies.read_bytes().replace(b"user1@", b"usex1@").replace(b"user2", b"usex2"))
    before = report(tmp_path / "sandbox").accepted
    with pytest.raises(StoreError, match="is not what was frozen"):
        runs.resume(shop.workspace, run.run_id)
    assert report(tmp_path / "sandbox").accepted == before


def test_a_plan_of_the_future_is_refused(shop: Account) -> None:
    """Nothing is recorded by then, so the answer could only be wrong."""
    with pytest.raises(InputError, match="lies in the future"):
        runs.plan(shop.workspace, "hello", as_of=datetime(2027, 1, 1, tzinfo=UTC), now=NOW)


def test_the_receipt_holds_no_person(shop: Account, receiver: Receiver) -> None:
    """Receipt and plan print counts and ids of runs, never an address."""
    plan = runs.plan(shop.workspace, "hello", as_of=NOW)
    receipt = runs.execute(shop.workspace, plan)
    assert "@example.com" not in repr(plan) + repr(receipt)
    assert "@example.com" not in json.dumps(receipt.run.verdicts)


def test_a_full_disk_reserves_nothing(shop: Account, receiver: Receiver) -> None:
    """A write fails half-way through the frozen requests: one line, no run, no folder that could be believed."""
    plan = runs.plan(shop.workspace, "hello", as_of=NOW)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
    try:
        with pytest.raises(StoreError, match="the run's files cannot be written: File too large"):
            runs.execute(shop.workspace, plan)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert shop.workspace.ledger.newest() == []
    assert not [path for path in (shop.workspace.settings.directory / "runs").rglob("*") if path.is_file()]
    assert runs.execute(shop.workspace, plan).sent_now == 500


def test_a_doubtful_request_is_not_sent_under_another_key(
    shop: Account, receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MParticle recognises a repeated request under the same key only: another one would double 100 users."""
    run = interrupted(shop, receiver, "drop-after, 403")
    users = shop.workspace.ledger.totals(run.run_id)
    assert (users[RequestState.UNKNOWN], users[RequestState.RESERVED]) == (100, 400)
    monkeypatch.setenv("WORKBENCH_MPARTICLE_KEY", "another")
    with pytest.raises(InputError, match="unknown outcome under another key"):
        runs.resume(shop.workspace, run.run_id)
    monkeypatch.setenv("WORKBENCH_MPARTICLE_KEY", "test-key")
    assert runs.resume(shop.workspace, run.run_id).sent_now == 500
    found = report(tmp_path / "sandbox")
    assert (found.accepted, found.duplicates) == (500, 100)


def test_a_wrong_address_loses_nobody(
    shop: Account, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A 404 says that this is not mParticle: all 500 stay reserved, and arrive once the URL is right."""
    url = shop.workspace.settings.mparticle_url
    monkeypatch.setenv("WORKBENCH_MPARTICLE_URL", url.replace("/v2", "/v3"))
    with pytest.raises(DestinationError, match="not mParticle's address"):
        runs.execute(shop.workspace, runs.plan(shop.workspace, "hello", as_of=NOW))
    run = shop.workspace.ledger.newest()[0]
    assert shop.workspace.ledger.totals(run.run_id)[RequestState.RESERVED] == 500
    monkeypatch.setenv("WORKBENCH_MPARTICLE_URL", url)
    assert runs.resume(shop.workspace, run.run_id).sent_now == 500


def test_a_rehearsal_is_not_the_real_send(shop: Account, receiver: Receiver) -> None:
    """An occurrence sent to this machine is refused for production, with a sentence, not answered with 0."""
    runs.execute(shop.workspace, runs.plan(shop.workspace, "hello", as_of=NOW))
    text = shop.config.read_text().replace("[mparticle]", '[mparticle]\nenvironment = "production"')
    shop.config.write_text(text)
    real = open_workspace(shop.config)
    with pytest.raises(InputError, match="was for development at localhost, the settings say production"):
        runs.execute(real, runs.plan(real, "hello", as_of=NOW))


def test_another_salt_is_refused(shop: Account, receiver: Receiver) -> None:
    """It would send to those who were held out."""
    runs.execute(shop.workspace, runs.plan(shop.workspace, "hello", as_of=NOW))
    shop.config.write_text(shop.config.read_text().replace("test-salt", "test-salt-2"))
    with pytest.raises(InputError, match="would hold out other users"):
        runs.plan(open_workspace(shop.config), "hello", as_of=NOW)


def test_whoever_unsubscribed_since_is_not_sent_to(shop: Account) -> None:
    """The question is asked as of July, consent is read at the send: ten users said no in between."""
    changed = [{"user_id": f"{n:05d}", "unsubscribed": True} for n in range(10)]
    shop.ingest("profiles", changed, now=datetime(2026, 7, 2, tzinfo=UTC), recorded="now")
    later = runs.plan(shop.workspace, "hello", as_of=NOW, now=datetime(2026, 7, 3, tzinfo=UTC))
    before = runs.plan(shop.workspace, "hello", as_of=NOW, now=NOW)
    assert later.verdicts.filter(pl.col("reason") == "unsubscribed").height == 10
    assert before.verdicts.filter(pl.col("reason") == "unsubscribed").height == 0


def test_an_occurrence_that_is_not_due_is_refused(shop: Account) -> None:
    """A mistyped year sends nobody."""
    with pytest.raises(InputError, match="is not due yet"):
        runs.plan(shop.workspace, "hello", occurrence=datetime(2036, 7, 1, tzinfo=UTC), as_of=NOW, now=NOW)


@pytest.mark.parametrize(
    "text", ["0001-01-01T00:00:00+09:00", "1899-12-31T00:00:00+00:00", "9999-12-31T23:59:59-05:00"]
)
def test_an_occurrence_of_no_usual_year_is_refused(shop: Account, text: str) -> None:
    """A run is named after its instant, in four digits of the year."""
    with pytest.raises(
        InputError, match=r"occurrence \d+-\d\d-\d\d: give an instant of the years 1900 to 2999"
    ):
        runs.plan(shop.workspace, "hello", occurrence=datetime.fromisoformat(text), as_of=NOW, now=NOW)


def test_without_an_occurrence_the_last_one_is_meant(shop: Account, receiver: Receiver) -> None:
    """A campaign that was sent for an occurrence is not sent again by leaving the occurrence out."""
    first = datetime(2026, 6, 30, tzinfo=UTC)
    runs.execute(shop.workspace, runs.plan(shop.workspace, "hello", occurrence=first, as_of=NOW))
    again = runs.execute(shop.workspace, runs.plan(shop.workspace, "hello"))
    assert (again.sent_now, again.was_complete, again.run.occurrence) == (0, True, first)


def test_an_old_run_is_not_sent(shop: Account, receiver: Receiver, tmp_path: Path) -> None:
    """A run frozen 40 days ago: mParticle would drop its events silently, so nothing is claimed to be sent."""
    then = datetime.now(UTC) - timedelta(days=40)
    plan = runs.plan(shop.workspace, "hello", as_of=NOW, now=then)
    with pytest.raises(InputError, match="40 days ago"):
        runs.execute(shop.workspace, plan)
    assert report(tmp_path / "sandbox").requests == 0


def test_state_is_private(account: Account) -> None:
    """The folder that holds people is closed to other users of the machine."""
    assert account.workspace.settings.directory.stat().st_mode & 0o077 == 0
