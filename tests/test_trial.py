"""A test send goes to chosen profiles, marked, and never to whom the campaign holds out."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from accounts import BUYERS, NOW, Account, purchases

from workbench import display, runs, trial
from workbench.campaigns import control
from workbench.errors import BusyError, CampaignError, DestinationError, InputError, NotFoundError
from workbench.export.ledger import Purpose, RunState
from workbench.export.sandbox import Receiver, accepted, parse_answers
from workbench.stats import report
from workbench.trial import Trial
from workbench.workspace import open_workspace


def held_out(campaign: str, user: str) -> bool:
    """Whether the campaign's own tenth holds a user out."""
    return control.key(f"test-salt/control/{campaign}", user) < "1999999a"


USERS = [f"{n:05d}" for n in range(1000)]
HELD = [user for user in USERS if held_out("hello", user)]
FREE = [user for user in USERS if not held_out("hello", user)]


def verdicts(found: Trial) -> dict[str, tuple[str, str | None]]:
    """Verdict and reason by user."""
    rows = found.users.iter_rows(named=True)
    return {row["user_id"]: (row["verdict"], row["reason"]) for row in rows}


def arrived(tmp_path: Path) -> dict[str, dict[str, Any]]:
    """The attributes of what the receiver holds, by customer id."""
    return {
        batch["user_identities"].get("customer_id", batch["user_identities"].get("email")):
            batch["events"][0]["data"]["custom_attributes"]
        for batch in accepted(tmp_path / "sandbox")
    }  # fmt: skip


@pytest.fixture
def now() -> datetime:
    """Tests freeze real instants: the receiver warns of old events."""
    return datetime.now(UTC)


def test_what_arrives_is_marked(shop: Account, receiver: Receiver, tmp_path: Path) -> None:
    """Two users, the campaign's content, ``test`` and the arm of that name; the run is a test's."""
    shop.save_campaign("hello", "buyers", control={"share": 0.1}, content={"values": {"a": "b"}})
    found = trial.send(shop.workspace, "hello", users=FREE[:2], as_of=NOW)
    run = found.receipt.run
    assert arrived(tmp_path) == {
        user: {
            "campaign_id": "hello", "campaign_name": "Hello", "campaign_version": 2, "run_id": run.run_id,
            "arm": "test", "test": True, "a": "b",
        }
        for user in FREE[:2]
    }  # fmt: skip
    assert run.run_id == f"hello-test-{run.occurrence:%Y%m%dT%H%M%S.%fZ}"
    assert (run.purpose, run.state, found.receipt.sent_now) == (Purpose.TEST, RunState.COMPLETED, 2)
    assert found.users.to_dicts()[0] == {
        "user_id": FREE[0], "verdict": "send", "reason": None, "held_by": None, "outcome": "accepted",
    }  # fmt: skip


def test_whoever_is_held_out_gets_nothing(shop: Account, receiver: Receiver, tmp_path: Path) -> None:
    """Of forty held-out users none is sent to, and each is labelled with the group."""
    found = trial.send(shop.workspace, "hello", users=[*HELD[:40], FREE[0]], as_of=NOW)
    assert {found for user, found in verdicts(found).items() if user in HELD} == {("holdout", None)}
    assert list(arrived(tmp_path)) == [FREE[0]]
    assert set(found.users.filter(pl.col("verdict") == "holdout")["held_by"]) == {"campaign"}
    assert found.users.filter(pl.col("verdict") == "holdout")["outcome"].null_count() == 40


def test_a_group_of_the_account_holds_out_too(shop: Account, receiver: Receiver, tmp_path: Path) -> None:
    """A member of the system group gets no test of a campaign without a control group of its own."""
    groups = shop.workspace.groups
    groups.add("system", 0.05, now=NOW)
    groups.add("loyal", 0.05, custom=True, now=NOW)
    shop.save_campaign("all", "buyers", control={"custom": ["loyal"]})
    member = {
        name: next(u for u in USERS if control.key(f"test-salt/group/{name}", u) < control.threshold(0.05))
        for name in ("system", "loyal")
    }
    found = trial.send(shop.workspace, "all", users=list(member.values()), as_of=NOW)
    assert dict(found.users.select("user_id", "held_by").iter_rows()) == {
        member["system"]: "system", member["loyal"]: "custom: loyal",
    }  # fmt: skip
    assert arrived(tmp_path) == {}
    assert (found.receipt.sent_now, found.receipt.run.state) == (0, RunState.COMPLETED)


def test_an_address_of_a_held_out_profile_gets_nothing(
    shop: Account, receiver: Receiver, tmp_path: Path
) -> None:
    """A tester with the e-mail address of a held-out profile, in other case, not in the segment itself."""
    shop.ingest(
        "profiles",
        [
            {"user_id": "me", "email": f" USER{int(HELD[0])}@example.com"},
            {"user_id": "you", "email": "you@x.com"},
        ],
        recorded="history",
    )
    found = trial.send(shop.workspace, "hello", users=["me", "you"], as_of=NOW)
    assert not held_out("hello", "me")
    assert not held_out("hello", "you")
    assert verdicts(found) == {"me": ("not sent", "duplicate identity"), "you": ("send", None)}
    assert list(arrived(tmp_path)) == ["you"]


def test_who_cannot_be_sent_to_has_the_reason(shop: Account, receiver: Receiver, tmp_path: Path) -> None:
    """Unsubscribed, a text that cannot be rendered, a value that is too long: each with its words."""
    shop.ingest(
        "profiles",
        [
            {"user_id": "gone", "email": "gone@x.com", "unsubscribed": True, "city": "Rome", "note": "x"},
            {"user_id": "bare", "email": "bare@x.com", "note": "x"},
            {"user_id": "long", "email": "long@x.com", "city": "Rome", "note": "x" * 4097},
            {"user_id": "fine", "email": "fine@x.com", "city": "Rome", "note": "x"},
        ],
        recorded="history",
    )
    content = {"attributes": ["note"], "values": {"t": "{{ Profile.city }}"}}
    shop.save_campaign("plain", "buyers", content=content)
    found = trial.send(shop.workspace, "plain", users=["gone", "bare", "long", "fine"], as_of=NOW)
    assert verdicts(found) == {
        "gone": ("not sent", "unsubscribed"),
        "bare": ("not sent", "render error: Profile.city missing"),
        "long": ("not sent", "invalid profile: note over 4096 characters"),
        "fine": ("send", None),
    }
    assert list(arrived(tmp_path)) == ["fine"]
    assert found.receipt.waterfall["users"].sum() == found.receipt.run.qualified == 4


def test_caps_and_safety_check_do_not_apply(shop: Account, receiver: Receiver) -> None:
    """A cap of one user and a check that blocks every run: both users get the test."""
    shop.save_campaign(
        "tight",
        "buyers",
        cap={"per_run": 1},
        safety_check={"fewer_than": 5000},
        alert_to=["json://127.0.0.1:9/x"],
    )
    assert runs.plan(shop.workspace, "tight", as_of=NOW, now=NOW).blocked
    assert trial.send(shop.workspace, "tight", users=["00001", "00002"], as_of=NOW).receipt.sent_now == 2


def test_without_names_the_test_profiles_are_meant(shop: Account, receiver: Receiver, tmp_path: Path) -> None:
    """Nobody flagged is an error that says how; flagged ones are sent to, named ones instead of them."""
    with pytest.raises(InputError, match="no test profile is flagged: workbench testers add USER_ID"):
        trial.plan(shop.workspace, "hello", as_of=NOW)
    for user in FREE[:2]:
        shop.workspace.testers.add(user, now=NOW)
    trial.send(shop.workspace, "hello", as_of=NOW)
    assert sorted(arrived(tmp_path)) == FREE[:2]
    found = trial.send(shop.workspace, "hello", users=[FREE[5], FREE[5]], as_of=NOW)
    assert found.users["user_id"].to_list() == [FREE[5]]


def test_an_identity_finds_its_profiles(shop: Account) -> None:
    """Case and blanks make no other address; ids are exact; every profile with it is meant."""
    shop.ingest("profiles", [{"user_id": "twin", "email": "user8@example.com"}], recorded="history")

    def chosen(*identities: tuple[str, str]) -> list[int]:
        plan = trial.plan(shop.workspace, "hello", identities=identities, as_of=NOW)
        return plan.verdicts["user_code"].to_list()

    assert chosen(("email", " User7@EXAMPLE.com ")) == [7]
    assert chosen(("email", "user8@example.com")) == [8, 1000]
    assert chosen(("customer_id", "00009"), ("email", "user9@example.com")) == [9]
    with pytest.raises(NotFoundError):
        chosen(("customer_id", "TWIN"))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({"users": ["00001", "nobody"]}, 'no profile of user "nobody" is known by 2026-07-01'),
        ({"identities": [("emial", "a@b.c")]}, r'identity 1: the settings map no identity "emial"\. Did you mean "email"'),
        ({"identities": [("mpid", "1")]}, 'no identity "mpid". Mapped are: "customer_id", "email"'),
        ({"identities": [("email", "secret@b.c")]}, "identity 1: no profile known by 2026-07-01"),
        ({"identities": [("email", "")]}, "identity 1: no profile"),
        ({"identities": [("email", "nan")]}, "identity 1: no profile"),
        ({"users": USERS[:51]}, "51 users are named, a test goes to at most 50"),
    ],
)  # fmt: skip
def test_names_that_lead_nowhere_are_refused(
    shop: Account, receiver: Receiver, tmp_path: Path, names: Any, message: str
) -> None:
    """No request, no run, and no address in the error."""
    with pytest.raises(InputError, match=message) as caught:
        trial.send(shop.workspace, "hello", **names, as_of=NOW)
    assert "secret" not in str(caught.value)
    assert shop.workspace.ledger.newest(tests=True) == []
    assert arrived(tmp_path) == {}


def test_a_shared_identity_is_no_way_to_send_to_everybody(account: Account) -> None:
    """An address of 51 profiles is more than a test may go to."""
    rows = [{"user_id": f"{n}", "email": "desk@example.com"} for n in range(51)]
    account.ingest("profiles", rows)
    account.ingest("events", purchases(1))
    account.save_segment("buyers", BUYERS)
    account.save_campaign("hello", "buyers")
    with pytest.raises(InputError, match="more than 50 profiles have these identities"):
        trial.plan(account.workspace, "hello", identities=[("email", "desk@example.com")], as_of=NOW)


def test_numbers_and_the_next_run_are_untouched(
    shop: Account, receiver: Receiver, tmp_path: Path, now: datetime
) -> None:
    """Before, between and after runs: overview, last run, occurrence, cap order and bytes are as without tests."""
    workspace = shop.workspace

    def told() -> list[object]:
        found = report.overview(workspace.ledger, account="t", zone=workspace.zone, now=NOW)
        frame = report.runs_frame(workspace.ledger)
        last = workspace.ledger.latest("hello"), workspace.ledger.previous("hello", NOW + timedelta(days=900))
        return [found.runs.to_dicts(), found.waterfall.to_dicts(), frame.to_dicts(), last]

    def dry() -> str:
        return runs.dry_run(workspace, runs.plan(workspace, "hello", as_of=NOW, now=now)).sha256

    empty, bytes_before = told(), dry()
    trial.send(workspace, "hello", users=FREE[:3], as_of=NOW)
    assert (told(), dry()) == (empty, bytes_before)
    plan = runs.plan(workspace, "hello", as_of=NOW, now=now)
    receipt = runs.execute(workspace, plan)
    assert (plan.run_id, plan.already, receipt.sent_now) == ("hello-20260701T120000Z", None, 500)
    before = told()
    found = trial.send(workspace, "hello", users=FREE[:3], as_of=NOW)
    assert (told(), found.receipt.sent_now) == (before, 3)
    assert runs.execute(workspace, runs.plan(workspace, "hello", as_of=NOW)).sent_now == 0
    purposes = sorted(run.purpose for run in workspace.ledger.newest(tests=True))
    assert purposes == [Purpose.CAMPAIGN, Purpose.TEST, Purpose.TEST]


def test_the_safety_check_compares_with_no_test(shop: Account, receiver: Receiver) -> None:
    """A test of one user between two runs is not the previous run of 1,000."""
    shop.save_campaign("safe", "buyers", safety_check={"change": 0.5}, alert_to=["json://127.0.0.1:9/x"])
    workspace = shop.workspace
    runs.execute(workspace, runs.plan(workspace, "safe", as_of=NOW))
    trial.send(workspace, "safe", users=["00001"], as_of=NOW)
    plan = runs.plan(workspace, "safe", occurrence=datetime.now(UTC), as_of=NOW)
    assert (plan.blocked, plan.qualified) == (None, 1000)


def test_two_tests_of_one_instant_are_two(
    shop: Account, receiver: Receiver, tmp_path: Path, now: datetime
) -> None:
    """The same whole second, the same users: both arrive, under ids of their own, and neither is a run's."""
    second = now.replace(microsecond=0)
    found = [trial.send(shop.workspace, "hello", users=FREE[:1], as_of=NOW, now=second) for _ in range(2)]
    ids = [item.receipt.run.run_id for item in found]
    assert [item.receipt.run.occurrence.microsecond for item in found] == [1, 2]
    assert [item.receipt.sent_now for item in found] == [1, 1]
    assert len(list(accepted(tmp_path / "sandbox"))) == len(set(ids)) == 2
    real = runs.plan(shop.workspace, "hello", occurrence=second, as_of=NOW, now=now)
    assert (real.already, real.run_id in ids) == (None, False)
    assert runs.execute(shop.workspace, real).sent_now == 500


def test_two_plans_of_one_instant_do_not_hide_each_other(
    shop: Account, receiver: Receiver, now: datetime
) -> None:
    """Whoever comes second is told to send again, not shown the other one's receipt."""
    first, second = (
        trial.plan(shop.workspace, "hello", users=[user], as_of=NOW, now=now) for user in FREE[:2]
    )
    assert first.run_id == second.run_id
    trial.execute(shop.workspace, first)
    with pytest.raises(BusyError, match="is another test send, to others; nothing was sent"):
        trial.execute(shop.workspace, second)
    assert trial.execute(shop.workspace, first).receipt.sent_now == 0


def test_a_test_is_resumed_once(shop: Account, receiver: Receiver, tmp_path: Path) -> None:
    """The receiver fails, resume sends the same bytes, a second resume sends nobody; nobody is alerted."""
    shop.save_campaign("hello", "buyers", control={"share": 0.1}, alert_to=["json://127.0.0.1:9/x"])
    receiver.play(parse_answers("503*2"))
    with pytest.raises(DestinationError, match=r"workbench resume hello-test-"):
        trial.send(shop.workspace, "hello", users=FREE[:2], as_of=NOW)
    (run,) = shop.workspace.ledger.newest(tests=True)
    assert shop.workspace.ledger.alerts(run.run_id) == []
    sent = [runs.resume(shop.workspace, run.run_id).sent_now for _ in range(2)]
    assert (sent, sorted(arrived(tmp_path))) == ([2, 0], FREE[:2])


def test_a_group_is_removed_though_a_test_met_it(shop: Account, receiver: Receiver) -> None:
    """No report needs what a test held out."""
    groups = shop.workspace.groups
    groups.add("system", 0.05, now=NOW)
    groups.add("loyal", 0.05, custom=True, now=NOW)
    shop.save_campaign("hello", "buyers", control={"custom": ["loyal"]})
    member = next(u for u in USERS if control.key("test-salt/group/loyal", u) < control.threshold(0.05))
    found = trial.send(shop.workspace, "hello", users=[member], as_of=NOW)
    assert found.users["held_by"].to_list() == ["custom: loyal"]
    shop.save_campaign("hello", "buyers")
    groups.remove("loyal", now=NOW)
    assert groups.standing().custom == {}


def test_a_campaign_that_no_longer_fits_is_not_tried(shop: Account, receiver: Receiver) -> None:
    """A test goes through the checks of a send: a cap that the settings no longer allow."""
    shop.save_campaign("tiny", "buyers", cap={"per_run": 5})
    shop.config.write_text(shop.config.read_text().replace("allow_small_cap = true", ""))
    with pytest.raises(CampaignError, match="5 is below 100"):
        trial.plan(open_workspace(shop.config), "tiny", users=["00001"], as_of=NOW)


def test_another_salt_is_refused(shop: Account, receiver: Receiver) -> None:
    """It would send a test to those whom the campaign's runs hold out."""
    runs.execute(shop.workspace, runs.plan(shop.workspace, "hello", as_of=NOW))
    shop.config.write_text(shop.config.read_text().replace("test-salt", "test-salt-2"))
    with pytest.raises(InputError, match="would hold out other users"):
        trial.plan(open_workspace(shop.config), "hello", users=["00001"], as_of=NOW)


def test_the_ledger_keeps_the_two_kinds_of_occurrences_apart(shop: Account, receiver: Receiver) -> None:
    """A test at a whole second, and a run at a fraction of one, are refused where occurrences are taken."""
    run = trial.send(shop.workspace, "hello", users=FREE[:1], as_of=NOW).receipt.run
    for wrong in (replace(run, occurrence=NOW), replace(run, purpose=Purpose.CAMPAIGN)):
        with pytest.raises(ValueError, match="is not an occurrence of a"):
            shop.workspace.ledger.reserve(wrong, [])


def test_a_cell_shows_each_profile(shop: Account, receiver: Receiver) -> None:
    """One row a profile with its verdict; ids are text, never markup."""
    shop.ingest("profiles", [{"user_id": "<b>me", "email": "me@x.com"}], recorded="history")
    found = trial.send(shop.workspace, "hello", users=["<b>me", HELD[0]], as_of=NOW)
    text, markup, _ = display.SHOWN[Trial]
    assert text(found).endswith(": 1 of 2 sent now (development)")
    assert "&lt;b&gt;me" in markup(found)
    assert HELD[0] in markup(found)
    assert HELD[0] not in repr(found)
