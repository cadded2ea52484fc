"""Sizes and overlaps of control groups, against counts by hand."""

import hashlib

import pytest
from accounts import NOW, Account, people

from workbench.campaigns.group_overlap import GroupReport, Pair, report


def reported(account: Account, salts: dict[str, str] | None = None) -> GroupReport:
    """The report over the lake."""
    connection = account.workspace.lake.at().connect()
    found = report(connection, account.workspace.groups.standing(), salts)
    connection.close()
    return found


def members(salt: str, below: str, users: int) -> set[int]:
    """Who is in a group, by the standard library."""
    keys = {n: hashlib.md5(f"{salt}:{n:05d}".encode()).hexdigest()[:8] for n in range(users)}
    return {n for n in keys if keys[n] < below}


def test_sizes_and_overlaps_are_counted(account: Account) -> None:
    """2,000 users, three groups, one flagged member: each number as by hand, and none beyond chance."""
    account.ingest("profiles", people(2000))
    groups = account.workspace.groups
    groups.add("system", 0.05, now=NOW)
    groups.add("vip", 0.05, custom=True, now=NOW)
    groups.add("loyal", 0.04, custom=True, now=NOW)
    expected = {
        "system": members("test-salt/group/system", "0ccccccd", 2000),
        "vip": members("test-salt/group/vip", "0ccccccd", 2000),
        "loyal": members("test-salt/group/loyal", "0a3d70a4", 2000),
    }
    flagged = min(expected["system"])
    groups.flag(f"{flagged:05d}", now=NOW)
    expected = {name: users - {flagged} for name, users in expected.items()}
    found = reported(account)
    assert (found.users, found.never, found.warnings) == (2000, 1, ())
    assert {size.group.name: size.users for size in found.sizes} == {n: len(u) for n, u in expected.items()}
    for pair in found.pairs:
        first, second = expected[pair.first], expected[pair.second]
        assert pair.users == len(first & second)
        assert pair.expected == pytest.approx(len(first) * len(second) / 2000)
        assert not pair.beyond_chance
    assert len(found.pairs) == 3


def test_two_groups_with_one_salt_are_reported(account: Account) -> None:
    """The smaller one lies inside the larger one, far beyond chance; a campaign's salt is one, too."""
    account.ingest("profiles", people(2000))
    groups = account.workspace.groups
    groups.add("system", 0.05, salt="elsewhere", now=NOW)
    groups.add("vip", 0.03, custom=True, salt="elsewhere", now=NOW)
    groups.add("other", 0.03, custom=True, salt="test-salt/control/hello", now=NOW)
    found = reported(account, {"hello": "test-salt/control/hello", "bye": "test-salt/control/bye"})
    shared = len(members("elsewhere", "07ae147b", 2000))
    pair = next(pair for pair in found.pairs if {pair.first, pair.second} == {"system", "vip"})
    assert (pair.users, pair.beyond_chance) == (shared, True)
    assert found.warnings[:2] == (
        'group "system" and group "vip" have the same salt: the smaller one lies inside the larger one',
        'group "other" and campaign "hello" have the same salt: the smaller one lies inside the larger one',
    )
    assert found.warnings[2].startswith(f'"system" and "vip" share {shared} users, where chance gives 3')


def test_without_users_or_groups_nothing_is_claimed(account: Account) -> None:
    """Zero users leave no room for chance: no number of standard errors, and no warning."""
    assert reported(account) == GroupReport(users=0, sizes=(), pairs=(), never=0, warnings=())
    account.workspace.groups.add("system", 0.05, now=NOW)
    account.workspace.groups.add("vip", 0.05, custom=True, now=NOW)
    found = reported(account)
    assert found.pairs == (Pair(first="system", second="vip", users=0, expected=0.0, standard_errors=None),)
    assert found.warnings == ()


@pytest.mark.parametrize(("errors", "beyond"), [(4.0, False), (4.1, True), (-4.1, True), (None, False)])
def test_beyond_chance_is_more_than_four_standard_errors(errors: float | None, beyond: bool) -> None:
    """Up or down; without a number nothing is said."""
    pair = Pair(first="a", second="b", users=1, expected=1.0, standard_errors=errors)
    assert pair.beyond_chance == beyond
