"""Control groups of the account: their rules, whom they hold out, and that nobody held out is sent to."""

import hashlib
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from accounts import BUYERS, NOW, Account, make_account, people, purchases
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workbench import runs
from workbench.campaigns.groups import Group, Kind
from workbench.errors import BusyError, CampaignError, InputError, NotFoundError
from workbench.export.sandbox import Receiver
from workbench.store.tables import control_groups


def key(salt: str, n: int) -> str:
    """The first 8 hex digits of a user's md5 under a salt, by the standard library."""
    return hashlib.md5(f"{salt}:{n:05d}".encode()).hexdigest()[:8]


def labels(frame: pl.DataFrame) -> dict[int, str | None]:
    """Who held each user out, by user code."""
    return dict(frame.select("user_code", "held_by").iter_rows())


@pytest.fixture
def club(shop: Account) -> Account:
    """The shop with a system group (5 %) and two custom ones (5 % and 4 %), and a campaign that has all."""
    groups = shop.workspace.groups
    groups.add("system", 0.05, now=NOW)
    groups.add("vip", 0.05, custom=True, now=NOW)
    groups.add("loyal", 0.04, custom=True, now=NOW)
    control = {"share": 0.1, "custom": ["vip", "loyal"]}
    shop.save_campaign("hello", "buyers", control=control, cap={"per_run": 500})
    return shop


@pytest.mark.parametrize("share", [0.0199, 0.0501, 0, 1, -0.05, float("nan"), float("inf")])
def test_a_group_has_two_to_five_per_cent(account: Account, share: float) -> None:
    """Smaller ones show nothing, larger ones cost too much; nothing is clipped."""
    with pytest.raises(InputError, match=r"outside 0\.02 to 0\.05 of all users"):
        account.workspace.groups.add("system", share, now=NOW)
    assert account.workspace.groups.standing().groups == ()


def test_the_limits_are_included(account: Account) -> None:
    """2 % and 5 % are allowed."""
    account.workspace.groups.add("system", 0.02, now=NOW)
    account.workspace.groups.add("vip", 0.05, custom=True, now=NOW)
    assert [group.share for group in account.workspace.groups.standing().groups] == [0.02, 0.05]


def test_there_is_one_system_group_and_up_to_ten_custom_ones(account: Account) -> None:
    """A custom group needs the system group; the eleventh and a second system group are refused."""
    groups = account.workspace.groups
    with pytest.raises(InputError, match="needs a system group first"):
        groups.add("vip", 0.05, custom=True, now=NOW)
    groups.add("system-2026", 0.05, now=NOW)
    with pytest.raises(InputError, match='"system-2026" is the system group, and there is one'):
        groups.add("system", 0.05, now=NOW)
    for n in range(10):
        groups.add(f"custom-{n}", 0.02, custom=True, now=NOW)
    with pytest.raises(InputError, match="there are 10 custom groups, which is the most"):
        groups.add("custom-10", 0.02, custom=True, now=NOW)
    standing = groups.standing()
    assert (standing.system.name, len(standing.custom)) == ("system-2026", 10)


def test_a_group_is_kept_as_it_was_made(account: Account) -> None:
    """Share, salt, instant and person; the salt is the account's, unless one is brought along."""
    groups = account.workspace.groups
    assert groups.add("system", 0.05, now=NOW) == Group(
        name="system", kind=Kind.SYSTEM, share=0.05, salt="test-salt/group/system", created_at=NOW, created_by="tester"
    )  # fmt: skip
    groups.add("old", 0.03, custom=True, salt="elsewhere", now=NOW)
    assert {group.name: group.salt for group in groups.standing().groups} == {
        "system": "test-salt/group/system", "old": "elsewhere",
    }  # fmt: skip


@pytest.mark.parametrize("salt", ["", "x" * 201])
def test_a_salt_has_a_length(account: Account, salt: str) -> None:
    """An empty salt would be the same as that of everybody else's."""
    with pytest.raises(InputError, match="a salt has 1 to 200 characters"):
        account.workspace.groups.add("system", 0.05, salt=salt, now=NOW)


@pytest.mark.parametrize("name", ["", "VIP", "a b", "-a", "ä", "a" * 61])
def test_a_name_is_plain(account: Account, name: str) -> None:
    """It is part of labels and of the hashed string."""
    with pytest.raises(InputError, match="is not a name of a group"):
        account.workspace.groups.add(name, 0.05, now=NOW)


@pytest.mark.parametrize(
    ("name", "custom"), [("vip", False), ("systems", False), ("system", True), ("system-2", True)]
)
def test_a_forgotten_custom_does_not_hold_everybody_out(account: Account, name: str, custom: bool) -> None:
    """The system group is known by its name, and custom groups are not called so."""
    with pytest.raises(InputError, match='the system group is called "system" or "system-'):
        account.workspace.groups.add(name, 0.03, custom=custom, now=NOW)


def test_a_name_is_never_used_again(account: Account) -> None:
    """The members of a name never change: neither by a second group nor after a removal."""
    groups = account.workspace.groups
    groups.add("system", 0.05, now=NOW)
    groups.add("vip", 0.05, custom=True, now=NOW)
    for _ in range(2):
        with pytest.raises(InputError, match="names are never used twice, shares never change"):
            groups.add("vip", 0.02, custom=True, now=NOW)
        if "vip" in groups.standing().custom:
            groups.remove("vip", now=NOW)
    assert list(groups.standing().custom) == []


def test_a_group_that_is_needed_is_not_removed(club: Account, receiver: Receiver) -> None:
    """By a custom group, a saved campaign or a run that held users out by it; the message names it."""
    workspace = club.workspace
    with pytest.raises(InputError, match='remove "loyal", "vip" first'):
        workspace.groups.remove("system", now=NOW)
    with pytest.raises(InputError, match='"vip" is held out by campaign "hello"'):
        workspace.groups.remove("vip", now=NOW)
    run = runs.execute(workspace, runs.plan(workspace, "hello", as_of=NOW)).run
    club.save_campaign("hello", "buyers", control={"share": 0.1})
    with pytest.raises(InputError, match=f'held users out of run "{run.run_id}"'):
        workspace.groups.remove("vip", now=NOW)
    workspace.groups.add("free", 0.02, custom=True, now=NOW)
    workspace.groups.remove("free", now=NOW)
    with pytest.raises(NotFoundError, match=r'unknown control group "vipp"\. Did you mean "vip"?'):
        workspace.groups.remove("vipp", now=NOW)
    assert list(workspace.groups.standing().custom) == ["loyal", "vip"]


def test_the_system_group_is_held_by_every_campaign(shop: Account) -> None:
    """A campaign that says nothing about it uses it; one that leaves it out with a reason does not."""
    groups = shop.workspace.groups
    groups.add("system", 0.05, now=NOW)
    with pytest.raises(InputError, match='"system" is held out by campaign "hello"'):
        groups.remove("system", now=NOW)
    shop.save_campaign("hello", "buyers", control={"system": False, "without_system": "legal notice"})
    groups.remove("system", now=NOW)
    assert groups.standing().groups == ()


def test_two_who_add_at_once_get_one_group(account: Account) -> None:
    """Ten system groups at the same time: one is there, nine are refused with a sentence."""
    outcomes: list[str] = []

    def add(n: int) -> None:
        try:
            account.workspace.groups.add(f"system-{n}", 0.05, now=NOW)
            outcomes.append("added")
        except (InputError, BusyError):
            outcomes.append("refused")

    threads = [threading.Thread(target=add, args=(n,)) for n in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["added"] + ["refused"] * 9
    assert len(account.workspace.groups.standing().groups) == 1


def test_twenty_profiles_are_never_in_control(account: Account) -> None:
    """Flagging twice is once; the twenty-first is refused; an unflagged one makes room."""
    groups = account.workspace.groups
    for n in range(20):
        groups.flag(f"{n}", now=NOW)
        groups.flag(f"{n}", now=NOW)
    with pytest.raises(InputError, match="20 profiles are never in control, which is the most"):
        groups.flag("20", now=NOW)
    groups.unflag("0")
    groups.flag("20", now=NOW)
    with pytest.raises(NotFoundError, match="is not flagged"):
        groups.unflag("0")
    assert set(groups.standing().never) == {str(n) for n in range(1, 21)}


def test_a_user_is_labelled_once(club: Account) -> None:
    """System before custom, custom in the campaign's order, the campaign's own from the rest: recomputed by hand."""
    frame = runs.plan(club.workspace, "hello", as_of=NOW, now=NOW).verdicts
    order = [
        ("system", "test-salt/group/system", "0ccccccd"), ("custom: vip", "test-salt/group/vip", "0ccccccd"),
        ("custom: loyal", "test-salt/group/loyal", "0a3d70a4"), ("campaign", "test-salt/control/hello", "1999999a"),
    ]  # fmt: skip
    expected = {
        n: next((label for label, salt, below in order if key(salt, n) < below), None) for n in range(1000)
    }
    assert labels(frame) == expected
    counts = {label: list(expected.values()).count(label) for label, *_ in order}
    assert all(counts.values())
    in_two = [n for n in range(1000) if sum(key(salt, n) < below for _, salt, below in order) > 1]
    assert in_two


def test_the_order_of_custom_groups_is_the_campaigns(club: Account) -> None:
    """Named the other way round, whoever is in both is labelled by the other one; the held out are the same."""
    first = labels(runs.plan(club.workspace, "hello", as_of=NOW, now=NOW).verdicts)
    control = {"share": 0.1, "custom": ["loyal", "vip"]}
    club.save_campaign("hello", "buyers", control=control, cap={"per_run": 500})
    second = labels(runs.plan(club.workspace, "hello", as_of=NOW, now=NOW).verdicts)
    assert {n for n in first if first[n]} == {n for n in second if second[n]}
    both = [
        n for n in range(1000)
        if key("test-salt/group/vip", n) < "0ccccccd" and key("test-salt/group/loyal", n) < "0a3d70a4"
        and not key("test-salt/group/system", n) < "0ccccccd"
    ]  # fmt: skip
    assert both
    assert {first[n] for n in both} == {"custom: vip"}
    assert {second[n] for n in both} == {"custom: loyal"}


def test_the_waterfall_tells_the_groups_apart_and_adds_up(club: Account) -> None:
    """Held out by system, custom and campaign, in this order, beside those who are sent to."""
    plan = runs.plan(club.workspace, "hello", as_of=NOW, now=NOW)
    found = plan.waterfall.filter(pl.col("verdict") == "holdout")
    assert found["held_by"].to_list() == ["system", "custom: loyal", "custom: vip", "campaign"]
    assert plan.waterfall["users"].sum() == plan.qualified == 1000
    by_label = plan.verdicts.filter(pl.col("verdict") == "holdout")["held_by"].value_counts()
    assert dict(by_label.iter_rows()) == dict(found.select("held_by", "users").iter_rows())


def test_a_campaign_can_leave_the_system_group_out_and_says_why(club: Account) -> None:
    """Without a reason it is refused, and a reason without leaving it out is, too."""
    for control, path in (
        ({"system": False}, "control > without_system: say why"),
        ({"system": False, "without_system": "  "}, "control > without_system: say why"),
        ({"without_system": "x"}, "control > without_system: gives a reason"),
        ({"custom": ["vipp"]}, 'unknown control group "vipp". Did you mean "vip"?'),
        ({"custom": ["vip", "vip"]}, '"vip" is there twice'),
        ({"custom": ["system"]}, '"system" is the system group'),
    ):
        with pytest.raises(CampaignError) as caught:
            club.save_campaign("other", "buyers", control=control)
        assert path in str(caught.value)
    club.save_campaign("other", "buyers", control={"system": False, "without_system": "order mail"})
    frame = runs.plan(club.workspace, "other", as_of=NOW, now=NOW).verdicts
    assert set(frame["arm"]) == {"target"}


def test_a_system_group_that_is_asked_for_must_be_there(shop: Account) -> None:
    """``system: true`` without one would promise a control that nobody is in."""
    with pytest.raises(CampaignError, match="the account has no system group"):
        shop.save_campaign("other", "buyers", control={"system": True})


def test_a_removed_group_stops_a_campaign_that_names_it(club: Account) -> None:
    """A plan checks the groups again, also for a campaign that was saved before."""
    with club.workspace.database.transaction() as sql:
        sql.execute(control_groups.update().where(control_groups.c.name == "vip").values(removed_at=NOW))
    with pytest.raises(CampaignError, match='unknown control group "vip"'):
        runs.plan(club.workspace, "hello", as_of=NOW, now=NOW)


def test_a_flagged_profile_is_never_held_out(club: Account) -> None:
    """One user of each group is flagged: four are in the target arm, and nobody else moves."""
    before = labels(runs.plan(club.workspace, "hello", as_of=NOW, now=NOW).verdicts)
    flagged = [
        next(n for n in before if before[n] == label)
        for label in ("system", "custom: vip", "custom: loyal", "campaign")
    ]
    for n in flagged:
        club.workspace.groups.flag(f"{n:05d}", now=NOW)
    after = labels(runs.plan(club.workspace, "hello", as_of=NOW, now=NOW).verdicts)
    assert after == before | dict.fromkeys(flagged)


def test_nobody_held_out_by_any_group_is_sent_to_through_a_second_profile(tmp_path: Path) -> None:
    """500 pairs share an address and only the second profile qualifies: sent to only where neither is held out."""
    account = make_account(tmp_path / "home")
    rows = [{**row, "email": f"pair{n % 500}@example.com"} for n, row in enumerate(people(1000))]
    account.ingest("profiles", rows)
    account.ingest("events", purchases(1000)[500:])
    account.save_segment("buyers", BUYERS)
    account.workspace.groups.add("system", 0.05, now=NOW)
    account.workspace.groups.add("vip", 0.05, custom=True, now=NOW)
    account.save_campaign("hello", "buyers", control={"share": 0.2, "custom": ["vip"]})
    frame = runs.plan(account.workspace, "hello", as_of=NOW, now=NOW).verdicts
    below = {"test-salt/group/system": "0ccccccd", "test-salt/group/vip": "0ccccccd", "test-salt/control/hello": "33333333"}  # fmt: skip
    held_out = {n for n in range(1000) if any(key(salt, n) < limit for salt, limit in below.items())}
    sent = set(frame.filter(pl.col("verdict") == "send")["user_code"])
    assert sent == {n for n in range(500, 1000) if n not in held_out and n - 500 not in held_out}


def test_groups_stay_across_runs_and_grow_with_the_users(club: Account, receiver: Receiver) -> None:
    """Two occurrences hold the same users out; 1,000 new users change no label of the old ones."""
    frames = []
    for day in (1, 2):
        plan = runs.plan(club.workspace, "hello", occurrence=datetime(2026, 7, day, tzinfo=UTC), as_of=NOW)
        frames.append(runs.execute(club.workspace, plan).run)
    folder = club.workspace.settings.directory
    first, second = (labels(pl.read_parquet(folder / run.audience_path)) for run in frames)
    assert first == second
    assert {row["held_by"] for row in frames[0].verdicts} == {
        None, "system", "custom: vip", "custom: loyal", "campaign",
    }  # fmt: skip
    club.ingest("profiles", people(2000)[1000:])
    club.ingest("events", purchases(2000)[1000:])
    third = labels(runs.plan(club.workspace, "hello", as_of=NOW).verdicts)
    assert {n: third[n] for n in first} == first
    new = [third[n] for n in range(1000, 2000)]
    assert 25 <= new.count("system") <= 80


sets = st.fixed_dictionaries(
    {
        "custom": st.permutations(["vip", "loyal"]).flatmap(lambda order: st.integers(0, 2).map(lambda n: order[:n])),
        "share": st.sampled_from([None, 0.02, 0.1, 0.5]),
        "system": st.booleans(),
        "cap": st.sampled_from([None, 50]),
    }
)  # fmt: skip


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sets)
def test_whatever_the_groups_are_the_arms_are_those_of_the_hashes(
    club: Account, chosen: dict[str, Any]
) -> None:
    """Every user has one verdict; nobody held out is sent to; more groups or a larger share only hold more out."""
    control = {"custom": chosen["custom"]} | ({"share": chosen["share"]} if chosen["share"] else {})
    control |= {} if chosen["system"] else {"system": False, "without_system": "test"}
    club.save_campaign(
        "any", "buyers", control=control, cap={"per_run": chosen["cap"]} if chosen["cap"] else {}
    )
    plan = runs.plan(club.workspace, "any", as_of=NOW, now=NOW)
    frame = plan.verdicts
    below = {"test-salt/group/system": "0ccccccd"} if chosen["system"] else {}
    below |= {
        f"test-salt/group/{name}": {"vip": "0ccccccd", "loyal": "0a3d70a4"}[name] for name in chosen["custom"]
    }
    limits = {0.02: "051eb852", 0.1: "1999999a", 0.5: "80000000"}
    below |= {"test-salt/control/any": limits[chosen["share"]]} if chosen["share"] else {}
    held_out = {n for n in range(1000) if any(key(salt, n) < limit for salt, limit in below.items())}
    assert frame.height == 1000 == plan.waterfall["users"].sum()
    assert set(frame.filter(pl.col("held_by").is_not_null())["user_code"]) == held_out
    assert set(frame.filter(pl.col("verdict") == "holdout")["user_code"]) == held_out
    assert (frame["arm"] == "control").equals(frame["held_by"].is_not_null())
    assert frame.filter(pl.col("verdict") == "send").height == min(
        1000 - len(held_out), chosen["cap"] or 1000
    )
