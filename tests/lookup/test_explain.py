"""Why one user has a verdict: asked again, every step says what the run recorded, or it says where not."""

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from accounts import NOW, SETTINGS, Account, make_account, purchases

from workbench import display, runs
from workbench.campaigns import control
from workbench.display.lookup import explained_html, explained_text
from workbench.errors import DestinationError, NotFoundError, StoreError
from workbench.export.ledger import Run, RunState
from workbench.export.sandbox import Receiver, parse_answers
from workbench.lookup import Answer, Explained, explain_run
from workbench.lookup.explained import step_of
from workbench.workspace import open_workspace

WITHOUT_IDS = SETTINGS.replace('customer_id = "user_id"\n', 'mobile_number = "phone"\n').replace(
    'unsubscribed = "unsubscribed"', 'unsubscribed = "unsubscribed"\nrequired = ["email_opt_in"]'
)
AT = datetime.now(UTC)


def world(home: Path, seed: int, text: str = WITHOUT_IDS, **campaign: Any) -> Account:
    """120 people of whom 100 bought; few addresses, so that many share one; flags, notes and names at random."""
    chance = random.Random(seed)
    account = make_account(home / f"home-{seed}", text)
    people = [
        {
            "user_id": f"{n:05d}",
            "email": chance.choice(
                [f"p{n}@example.com", f"P{chance.randrange(120)}@example.com ", "nan", None]
            ),
            "phone": chance.choice([None, None, f"+1202555{n:04d}", f"+1202555{chance.randrange(120):04d}"]),
            "unsubscribed": chance.choice([False, False, False, None, True]),
            "email_opt_in": chance.choice([True, True, True, None, False]),
            "name": chance.choice(["Ann", "Bob", "Stop", None]),
            "note": "x" * chance.choice([1, 1, 1, 5000]),
        }
        for n in range(120)
    ]
    account.ingest("profiles", people)
    account.ingest("events", purchases(100))
    account.save_segment("buyers", {"kind": "did", "events": ["Purchase"]})
    account.save_campaign("hello", "buyers", **campaign)
    return account


CAMPAIGN = {
    "control": {"share": 0.2, "custom": ["loyalty"]},
    "cap": {"per_run": 3},
    "content": {
        "attributes": ["note"],
        "values": {
            "hi": '{% if Profile.name == "Stop" %}{% abort "told to" %}{% endif %}Hi {{ Profile.name }}'
        },
    },
}


def grouped(home: Path, seed: int) -> Account:
    """A world with a system group, a custom one, and two people who are never in control."""
    account = make_account(home / f"home-{seed}", f"{WITHOUT_IDS}\n[frequency]\nmessages = 1\ndays = 7\n")
    groups = account.workspace.groups
    groups.add("system", 0.05, now=AT - timedelta(hours=2))
    groups.add("loyalty", 0.05, custom=True, now=AT - timedelta(hours=1))
    for n in range(6):
        groups.flag(f"{n:05d}", now=AT - timedelta(hours=1))
    return world(home, seed, f"{WITHOUT_IDS}\n[frequency]\nmessages = 1\ndays = 7\n", **CAMPAIGN)


def executed(account: Account, now: datetime = AT) -> Run:
    """Plan and send ``hello``."""
    return runs.execute(account.workspace, runs.plan(account.workspace, "hello", as_of=NOW, now=now)).run


def frame(account: Account, run: Run) -> pl.DataFrame:
    """The frozen audience."""
    return pl.read_parquet(account.workspace.settings.directory / run.audience_path)


def step(found: Explained, name: str) -> tuple[str, str, str | None]:
    """Answer, sentence and difference of a step."""
    (one,) = [item for item in found.steps if item.name == name]
    return str(one.answer), one.sentence, one.differs


@pytest.mark.parametrize("seed", [0, *(pytest.param(n, marks=pytest.mark.long) for n in range(1, 4))])
def test_asked_again_every_user_of_a_run_has_the_verdict_that_was_frozen(
    tmp_path: Path, receiver: Receiver, seed: int
) -> None:
    """Duplicates, consent, groups, values, limits and a cap: each step agrees, and the one that stops gave the reason."""
    account = grouped(tmp_path, seed)
    account.save_campaign("before", "buyers", cap={"per_run": 3})
    earlier = runs.plan(account.workspace, "before", as_of=NOW, now=AT - timedelta(hours=1))
    runs.execute(account.workspace, earlier)
    run = executed(account)
    seen = set()
    for row in frame(account, run).iter_rows(named=True):
        found = explain_run(account.workspace, run.run_id, row["user_id"])
        assert found.differences == ()
        assert found.agrees is True
        assert (found.verdict, found.reason, found.held_by) == (row["verdict"], row["reason"], row["held_by"])
        stopped = found.stopped_by.name if found.stopped_by else None
        assert stopped == step_of(row["reason"])
        seen.add(stopped or row["verdict"])
    kinds = {
        "send", "holdout", "duplicate identity", "reachable", "unsubscribed", "consent", "frequency caps", "render", "lint",
        "cap",
    }  # fmt: skip
    assert seen == kinds if seed == 0 else seen <= kinds


def first(account: Account, run: Run, **wanted: Any) -> str:
    """The id of the first user of the audience whose row has these values."""
    found = frame(account, run).filter(**wanted)
    return str(found["user_id"][0])


def test_each_group_is_said_with_what_md5sum_gives(shop: Account, receiver: Receiver) -> None:
    """The held-out user's digest is below a tenth in hex; the string, the digest and the threshold are there."""
    run = executed(shop)
    held = first(shop, run, verdict="holdout")
    found = explain_run(shop.workspace, run.run_id, held)
    (draw,) = found.draws
    assert (draw.held_by, draw.hashed, draw.below, draw.share, draw.inside) == (
        "campaign", f"test-salt/control/hello:{held}", "1999999a", 0.1, True,
    )  # fmt: skip
    assert draw.digest == control.key("test-salt/control/hello", held)
    assert step(found, "control") == (
        "held out",
        "Held out by the first group that the user is in: campaign.",
        None,
    )
    assert step(found, "cap")[0] == step(found, "dispatch")[0] == "not asked"
    assert found.summary == f"User {held} was held out (campaign), and would have been sent to."


def test_the_first_behind_the_cap_has_the_place_after_it(shop: Account, receiver: Receiver) -> None:
    """Ordered by hash, the 500th of the target is sent to and the 501st is not."""
    run = executed(shop)
    salt = f"test-salt/cap/{run.run_id}"
    target = frame(shop, run).filter(arm="target")["user_id"].to_list()
    ordered = sorted(target, key=lambda user: control.key(salt, user, 16))
    last, behind = (explain_run(shop.workspace, run.run_id, user) for user in ordered[499:501])
    many = len(target)
    assert step(last, "cap")[:2] == (
        "passes", f"Place 500 of {many} who could be sent to, in hash order; the cap is 500.",
    )  # fmt: skip
    assert step(behind, "cap")[:2] == (
        "stops", f"Place 501 of {many} who could be sent to, in hash order; the cap is 500.",
    )  # fmt: skip
    assert behind.cap_key == control.key(salt, ordered[500], 16)
    assert behind.not_reached == ("dispatch",)


def test_whoever_did_not_qualify_is_told_by_which_condition(shop: Account, receiver: Receiver) -> None:
    """A user with a profile and no purchase; one that the lake does not have; one that it has got since."""
    shop.ingest("profiles", [{"user_id": "visitor", "email": "v@example.com"}])
    run = executed(shop)
    found = explain_run(shop.workspace, run.run_id, "visitor")
    assert (found.verdict, found.agrees, found.reached[0].answer) == ("not qualified", True, Answer.STOPS)
    assert found.reached[0].lines == ('no: did "Purchase" in the last 7 days (0 events match)',)
    assert len(found.not_reached) == 11
    with pytest.raises(NotFoundError, match=r'no user "visiter" in the lake\. Did you mean "visitor"\?'):
        explain_run(shop.workspace, run.run_id, "visiter")
    shop.ingest("profiles", [{"user_id": "newcomer", "email": "n@example.com"}])
    with pytest.raises(NotFoundError, match="came into the lake after hello-"):
        explain_run(shop.workspace, run.run_id, "newcomer")


def test_what_came_after_the_run_changes_nothing(shop: Account, receiver: Receiver) -> None:
    """New consent, a new group, new versions of campaign and segment: the run is asked as it was."""
    run = executed(shop)
    user = first(shop, run, verdict="send")
    shop.ingest(
        "profiles", [{"user_id": user, "email": None, "country": "US", "unsubscribed": True}], recorded="now"
    )
    shop.workspace.groups.add("system", 0.05, salt="all", now=AT + timedelta(hours=1))
    shop.save_campaign("hello", "buyers", control={"share": 0.9}, cap={"per_run": 1})
    found = explain_run(shop.workspace, run.run_id, user)
    assert (found.agrees, [draw.held_by for draw in found.draws]) == (True, ["campaign"])
    assert step(found, "unsubscribed")[1] == "unsubscribed is false, as known at the send."
    assert step(found, "dispatch")[0] == "passes"


def test_consent_is_asked_again_as_known_at_the_send(shop: Account, receiver: Receiver) -> None:
    """Unsubscribed between the question and the send: the run left the user out, and asked again it does so too."""
    later = [{"user_id": "00001", "email": "user1@example.com", "country": "US", "unsubscribed": True}]
    shop.ingest("profiles", later, now=NOW + timedelta(hours=1), recorded="now")
    run = executed(shop)
    found = explain_run(shop.workspace, run.run_id, "00001")
    assert (found.reason, found.agrees) == ("unsubscribed", True)
    assert step(found, "unsubscribed") == ("stops", "unsubscribed is true, as known at the send.", None)


def test_a_group_that_was_removed_since_is_asked_as_it_stood(shop: Account, receiver: Receiver) -> None:
    """Groups are rows with a beginning and an end, the run lies between them."""
    groups = shop.workspace.groups
    groups.add("system", 0.05, now=AT - timedelta(hours=2))
    groups.add("vip", 0.05, custom=True, now=AT - timedelta(hours=2))
    groups.remove("vip", now=AT - timedelta(hours=1))
    assert [group.name for group in groups.stood(AT - timedelta(minutes=90)).groups] == ["system", "vip"]
    assert [group.name for group in groups.stood(AT).groups] == ["system"]
    assert groups.stood(AT - timedelta(hours=3)).groups == ()
    groups.flag("00001", now=AT)
    assert (groups.stood(AT - timedelta(hours=1)).never, groups.stood(AT).never) == ((), ("00001",))


def test_a_flag_that_was_set_back_is_a_difference(shop: Account, receiver: Receiver) -> None:
    """The run let a flagged user go; without the flag the group would hold the user out, and that is said."""
    inside = next(
        f"{n:05d}" for n in range(1000) if control.key("test-salt/control/hello", f"{n:05d}") < "1999999a"
    )
    shop.workspace.groups.flag(inside, now=AT - timedelta(hours=1))
    run = executed(shop)
    before = explain_run(shop.workspace, run.run_id, inside)
    assert (before.agrees, before.arm) == (True, "target")
    shop.workspace.groups.unflag(inside)
    after = explain_run(shop.workspace, run.run_id, inside)
    assert (after.agrees, after.arm, step(after, "control")[0]) == (False, "target", "passes")
    (difference,) = after.differences
    assert difference.startswith("control: asked again, held out by campaign; the run recorded target.")


def test_settings_that_changed_since_are_a_difference(shop: Account, receiver: Receiver) -> None:
    """With another consent flag required, a user who was sent to would not be; the verdict stays the run's."""
    run = executed(shop)
    user = first(shop, run, verdict="send")
    text = shop.config.read_text().replace("[consent]", '[consent]\nrequired = ["unsubscribed"]')
    shop.config.write_text(text)
    found = explain_run(open_workspace(shop.config), run.run_id, user)
    assert (found.verdict, found.agrees) == ("send", False)
    assert found.differences == ("consent: asked again, it stops; the run let it pass",)


def test_another_salt_and_a_lake_that_is_gone_are_said(shop: Account, receiver: Receiver) -> None:
    """The frozen row is shown, nothing is guessed, and agreement is neither true nor false."""
    run = executed(shop)
    user = first(shop, run, reason="campaign limit for the run")
    shop.config.write_text(shop.config.read_text().replace("test-salt", "other-salt"))
    salted = explain_run(open_workspace(shop.config), run.run_id, user)
    assert (salted.agrees, salted.draws, salted.not_recomputed) == (
        None, (), "[account] salt is not the one of the run",
    )  # fmt: skip
    assert step(salted, "cap") == ("stops", "campaign limit for the run, as the run recorded.", None)
    for path in (shop.workspace.settings.directory / "lake" / "profiles").rglob("*.parquet"):
        path.unlink()
    found = explain_run(shop.workspace, run.run_id, user)
    assert found.agrees is None
    assert "cannot be read" in str(found.not_recomputed)
    assert step(found, "reachable") == ("passes", "Passed, as the run recorded.", None)
    assert step(found, "cap")[1].startswith("Place ")


def test_an_audience_that_was_changed_is_not_believed(shop: Account, receiver: Receiver) -> None:
    """One verdict rewritten on disk: an error, not an explanation."""
    run = executed(shop)
    path = shop.workspace.settings.directory / run.audience_path
    changed = frame(shop, run).with_columns(verdict=pl.lit("send"))
    path.chmod(0o600)
    changed.write_parquet(path)
    with pytest.raises(StoreError, match="is not what was frozen"):
        explain_run(shop.workspace, run.run_id, "00001")
    path.unlink()
    with pytest.raises(StoreError, match="cannot be read: No such file"):
        explain_run(shop.workspace, run.run_id, "00001")


def test_a_blocked_run_stops_everybody_at_the_safety_check(shop: Account) -> None:
    """Both arms, with the arm still said."""
    shop.save_campaign(
        "hello",
        "buyers",
        control={"share": 0.1},
        safety_check={"more_than": 10},
        alert_to=["json://127.0.0.1:9"],
    )
    run = executed(shop)
    assert run.state is RunState.BLOCKED
    held = next(
        f"{n:05d}" for n in range(1000) if control.key("test-salt/control/hello", f"{n:05d}") < "1999999a"
    )
    found = explain_run(shop.workspace, run.run_id, held)
    assert (found.agrees, found.reason, found.held_by) == (True, "safety check", "campaign")
    assert step(found, "safety check")[:2] == (
        "stops",
        "1,000 users qualify, more than 10: nobody is sent to.",
    )
    assert step(found, "control")[0] == "held out"
    assert "duplicate identity" in found.not_reached


def test_a_request_that_was_not_taken_waits(shop: Account, receiver: Receiver) -> None:
    """The first request was answered 400, the second one 503 until the run gave up."""
    receiver.play(parse_answers("400, 503*2"))
    with pytest.raises(DestinationError):
        executed(shop)
    run = shop.workspace.ledger.newest()[0]
    rejected, unknown, reserved = (
        explain_run(shop.workspace, run.run_id, first(shop, run, request=number)) for number in (1, 2, 3)
    )
    assert step(rejected, "dispatch")[0] == "stops"
    assert "was rejected after 1 attempt; run interrupted." in step(rejected, "dispatch")[1]
    assert (step(unknown, "dispatch")[0], step(reserved, "dispatch")[0]) == ("waits", "waits")
    assert "waits to be sent, after 0 attempts" in step(reserved, "dispatch")[1]


def test_no_address_is_shown(tmp_path: Path, receiver: Receiver) -> None:
    """Of a duplicate the other's id and the name of the identity, never its value; ids are escaped."""
    account = grouped(tmp_path, 0)
    run = executed(account)
    for reason in ("duplicate identity", "not reachable", None):
        rows = frame(account, run).filter(pl.col("reason").eq_missing(reason))["user_id"].to_list()[:4]
        for user in rows:
            found = explain_run(account.workspace, run.run_id, user)
            shown = f"{found!r} {explained_html(found)} {explained_text(found)} {found.steps}"
            assert "example.com" not in shown
            assert "+1202" not in shown
            assert user not in repr(found)
    duplicate = explain_run(account.workspace, run.run_id, first(account, run, reason="duplicate identity"))
    assert "is shared with" in str(duplicate.stopped_by)


def test_a_cell_shows_the_steps_escaped(shop: Account, receiver: Receiver) -> None:
    """The verdict, a mark before each step, and an id that is markup stays text."""
    shop.ingest("profiles", [{"user_id": "<b>x", "email": "x@example.com"}])
    run = executed(shop)
    page = explained_html(explain_run(shop.workspace, run.run_id, "<b>x"))
    assert "User &lt;b&gt;x did not qualify" in page
    assert "<b>x" not in page
    assert page.count("<li>") == 2
    assert "Not reached</span>" in page
    assert display.SHOWN[Explained][1] is explained_html


def test_a_message_through_another_profile_of_the_address_is_told(tmp_path: Path, receiver: Receiver) -> None:
    """User 0 had it; user 1 has the address in other letters: the cap stops that one too, and says through whom."""
    account = make_account(tmp_path / "home", f"{SETTINGS}\n[frequency]\nmessages = 1\ndays = 7\n")
    account.ingest(
        "profiles",
        [
            {"user_id": "00000", "email": "ann@example.com", "unsubscribed": False},
            {"user_id": "00001", "email": "Ann@Example.com", "unsubscribed": False},
        ],
    )
    account.ingest("events", purchases(1))
    account.save_segment("buyers", {"kind": "did", "events": ["Purchase"]})
    account.save_campaign("first", "buyers")
    first_run = runs.execute(
        account.workspace,
        runs.plan(account.workspace, "first", as_of=NOW, now=AT - timedelta(hours=1)),
    ).run
    account.ingest("events", [{**purchases(2)[1], "event": "Search"}])
    account.save_segment("searchers", {"kind": "did", "events": ["Search"]})
    account.save_campaign("hello", "searchers")
    run = executed(account)
    found = explain_run(account.workspace, run.run_id, "00001")
    assert (found.verdict, found.reason, found.agrees) == ("not sent", "global frequency cap", True)
    (told,) = [item.lines for item in found.steps if item.name == "frequency caps"]
    sent_at = (AT - timedelta(hours=1)).astimezone(ZoneInfo("America/New_York"))
    assert f"{sent_at:%Z}" in {"EDT", "EST"}
    assert told == (
        f"{sent_at:%Y-%m-%d %H:%M %Z} through 00000, who shares an address, had a message of {first_run.run_id}",
    )
