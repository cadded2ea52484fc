"""Curve: the size for every threshold is the size of the segment with that threshold."""

import json
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np
import pytest
from accounts import NOW, Account
from segments.test_property import ask_world, drawn, load
from segments.trees import dids, evenly, trees
from segments.worlds import worlds

from workbench.errors import InputError, SegmentError
from workbench.reach import Curve, curve, reach
from workbench.segments import codec
from workbench.segments.behaviours import Did
from workbench.segments.build import did, did_all, in_segment, user
from workbench.segments.model import Segment
from workbench.segments.predicates import Operator
from workbench.segments.vectors import suppose
from workbench.segments.vectors.values import movable

# How many purchases each of ten people made; the last one has a profile and no event at all.
COUNTS = (1, 1, 1, 2, 2, 3, 5, 5, 8, 0)


@pytest.fixture
def buyers(account: Account) -> Account:
    """Ten people; a purchase costs 10 and its number: 10, 11, 12, …; every second person is in Norway."""
    account.ingest(
        "profiles",
        [{"user_id": f"{n}", "country": "NO" if n % 2 else "US"} for n in range(len(COUNTS))],
    )
    rows = [
        {"user_id": f"{n}", "event": "Purchase", "ts": "2026-06-30T12:00:00Z", "price": 10 + number}
        for n, count in enumerate(COUNTS)
        for number in range(count)
    ]
    account.ingest("events", [*rows, {**rows[0], "event": "View"}])
    return account


def steps(found: Curve) -> list[tuple[float, int]]:
    """Threshold and users; the current one is told apart by its own test."""
    return found.steps.select("threshold", "users").rows()


def test_a_count_has_a_step_for_every_number_that_occurs(buyers: Account) -> None:
    """At least t purchases, for t of 1, 2, 3, 5, 8 and beyond; users without one are never in."""
    found = curve(buyers.workspace, did("Purchase").at_least(3).named("some"), as_of=NOW)
    assert steps(found) == [(1, 9), (2, 6), (3, 4), (5, 3), (8, 1), (9, 0)]
    assert found.steps.filter("current")["threshold"].to_list() == [3]
    assert (found.threshold, found.users, found.always, found.swing) == (3, 4, 0, 9)
    assert [(near.value, near.users) for near in found.near] == [(2, 2), (3, 1), (5, 2)]
    assert (found.name, found.condition) == ("some", 'did "Purchase" at least 3 times')
    assert found.around(1).select("threshold", "current").rows() == [(2, False), (3, True), (5, False)]
    assert found.beside() == [(2, 6), (5, 3)]
    assert found.compared == "count >="


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (did("Purchase").more_than(2), [(0, 9), (1, 6), (2, 4), (3, 3), (5, 1), (8, 0)]),
        (did("Purchase").at_most(2), [(1, 3), (2, 5), (3, 6), (5, 8), (8, 9)]),
        (did("Purchase").at_most(2).including_zero(), [(0, 1), (1, 4), (2, 6), (3, 7), (5, 9), (8, 10)]),
        (did("Purchase").fewer_than(3), [(2, 3), (3, 5), (5, 6), (8, 8), (9, 9)]),
        (did("Purchase").exactly(2), [(1, 3), (2, 2), (3, 1), (5, 2), (8, 1)]),
        (did("Purchase").sum("price") >= 21, [(10, 9), (21, 6), (33, 4), (60, 3), (108, 1)]),
        (did("Purchase").average("price") > 10.4, [(10, 6), (10.4, 6), (10.5, 4), (11, 3), (12, 1), (13.5, 0)]),
        (did("Purchase").maximum("price") <= 12, [(10, 3), (11, 5), (12, 6), (14, 8), (17, 9)]),
        (~did("Purchase").at_least(2), [(1, 1), (2, 4), (3, 6), (5, 7), (8, 9), (9, 10)]),
        (did_all("Purchase", "View").at_least(1), [(1, 1), (2, 0)]),
    ],
)  # fmt: skip
def test_every_operator_and_function(
    buyers: Account, expression: Any, expected: list[tuple[float, int]]
) -> None:
    """Read off COUNTS by hand; a *not* turns the curve round."""
    assert steps(curve(buyers.workspace, expression.named("asked"), as_of=NOW)) == expected


def test_sums_and_averages_are_compared_with_room(account: Account) -> None:
    """0.1 + 0.2 and 0.3 are one threshold; five thirds reach the threshold that they are rounded to."""
    account.ingest("profiles", [{"user_id": name, "country": "NO"} for name in "abcde"])
    prices: dict[str, tuple[float, ...]] = {"a": (1, 2, 2), "b": (0.1, 0.2), "c": (0.3,), "d": (1e-9,)}
    account.ingest(
        "events",
        [
            {"user_id": name, "event": "Purchase", "ts": "2026-06-30T12:00:00Z", "price": price}
            for name, paid in prices.items()
            for price in paid
        ],
    )
    summed = curve(account.workspace, (did("Purchase").sum("price") >= 0.3).named("asked"), as_of=NOW)
    assert steps(summed) == [(0, 4), (0.3, 3), (5, 1)]
    assert [(near.value, near.users) for near in summed.near] == [(0, 1), (0.3, 2), (5, 1)]
    exact = did("Purchase").sum("price").equals(0.3).including_zero()
    assert steps(curve(account.workspace, exact.named("asked"), as_of=NOW)) == [(0, 2), (0.3, 2), (5, 1)]
    average = curve(account.workspace, (did("Purchase").average("price") >= 1).named("asked"), as_of=NOW)
    assert steps(average) == [(0, 4), (0.15, 3), (0.3, 2), (1, 1), (1.666666667, 1)]


def test_others_hold_while_one_moves(buyers: Account) -> None:
    """Norwegians are in anyway, so only the five others swing."""
    asked = ((user("country") == "NO") | (did("Purchase").at_least(2))).named("asked")
    found = curve(buyers.workspace, asked, as_of=NOW)
    assert steps(found) == [(1, 10), (2, 8), (5, 7), (8, 6), (9, 5)]
    assert (found.always, found.swing, found.users) == (5, 5, 8)
    assert [(near.value, near.users) for near in found.near] == [(1, 2), (2, 1), (5, 1)]


def test_the_set_threshold_is_there_even_where_nothing_changes(buyers: Account) -> None:
    """At least 4 reaches as many as at least 5; nobody has exactly 4."""
    found = curve(buyers.workspace, did("Purchase").at_least(4).named("asked"), as_of=NOW)
    assert found.steps.filter("current").rows() == [(4, 3, True)]
    assert found.beside() == [(3, 4), (8, 1)]
    assert [(near.value, near.users) for near in found.near] == [(3, 1), (4, 0), (5, 2)]


def test_a_condition_is_chosen_by_its_place_in_the_counts(buyers: Account) -> None:
    """Also one of a segment inside; what is negated in an *and* comes after the others."""
    buyers.save_segment("inner", {"kind": "did", "events": ["Purchase"], "measure": {"values": [2]}})
    asked = (~did("Purchase").at_least(8) & in_segment("inner")).named("asked")
    sentences = [item.sentence for item in reach(buyers.workspace, asked, as_of=NOW).counts.conditions]
    assert sentences[:3] == [
        'did "Purchase" at least 2 times', 'is in segment "inner"', 'did "Purchase" at least 8 times',
    ]  # fmt: skip
    assert steps(curve(buyers.workspace, asked, 0, as_of=NOW)) == [(1, 8), (2, 5), (3, 3), (5, 2), (6, 0)]
    assert steps(curve(buyers.workspace, asked, 2, as_of=NOW)) == [(2, 0), (3, 2), (5, 3), (8, 5), (9, 6)]


def test_which_condition_is_asked_when_it_is_not_clear(buyers: Account) -> None:
    """The message names those that have a threshold, or says that none has."""
    several = (did("Purchase").at_least(2) & (user("country") == "NO") & ~did("View").at_least(3)).named(
        "asked"
    )
    named = r'those that have one are 0: did "Purchase" at least 2 times; 2: did "View" at least 3 times'
    with pytest.raises(InputError, match=f"choose the condition whose threshold moves: {named}"):
        curve(buyers.workspace, several, as_of=NOW)
    with pytest.raises(
        InputError, match=rf'condition 1 \(country is "NO"\) has no threshold that can move; {named}'
    ):
        curve(buyers.workspace, several, 1, as_of=NOW)
    with pytest.raises(InputError, match=rf"the segment has conditions 0 to 3, not 4; {named}"):
        curve(buyers.workspace, several, 4, as_of=NOW)
    with pytest.raises(InputError, match="no condition of the segment has one"):
        curve(buyers.workspace, (user("country") == "NO").named("asked"), as_of=NOW)
    between = did("Purchase").times_between(2, 4).named("asked")
    with pytest.raises(InputError, match="no condition of the segment has one"):
        curve(buyers.workspace, between, as_of=NOW)
    with pytest.raises(InputError, match="lies in the future"):
        curve(buyers.workspace, several, 0, as_of=NOW.replace(year=2900))


def size(account: Account, tree: Any, as_of: datetime) -> int:
    """Ask a tree, which may be one that nobody would save."""
    workspace = account.workspace
    return int(
        workspace.ask(Segment(name="asked", condition=tree), workspace.lake.at(), as_of).qualified.sum()
    )


def read(found: Curve, threshold: float) -> set[int]:
    """What a curve says of a threshold between two of its steps."""
    rows = steps(found)
    if found.measure.operator is Operator.EQUALS:
        return {next((users for value, users in rows if value == threshold), found.always)}
    if found.measure.operator in {Operator.AT_LEAST, Operator.LESS}:
        beyond = [users for value, users in rows if value >= threshold][:1]
    else:
        beyond = [users for value, users in rows if value <= threshold][-1:]
    return set(beyond) or {found.always, found.always + found.swing}


def moved(account: Account, tree: dict[str, Any], as_of: datetime) -> None:
    """Compare the curve of each condition that has a threshold with the segment asked anew."""
    segment = codec.from_json({"name": "asked", "condition": tree})
    resolver = account.workspace.segments
    whole = suppose.opened(segment.condition, resolver)
    listed = list(suppose.places(segment.condition, resolver))
    asked = account.workspace.ask(segment, account.workspace.lake.at(), as_of)
    assert [leaf for _, leaf in listed] == [held.condition for held in asked.conditions]
    for number, (path, leaf) in enumerate(listed):
        if path is None or not movable(leaf):
            continue
        assert isinstance(leaf, Did)
        with suppress(SegmentError):
            found = curve(account.workspace, segment, number, as_of=as_of)
            known = found.steps["threshold"].to_numpy()
            between = [*(known[1:] + known[:-1]) / 2, known[0] - 1.5, known[-1] + 1.5]
            for threshold in [*known[:10], *between[-10:]]:
                other = replace(leaf, measure=replace(leaf.measure, values=(float(threshold),)))
                expected = size(account, suppose.put(whole, path, other), as_of)
                told = json.dumps({"tree": tree, "as_of": as_of.isoformat(), "threshold": threshold})
                if threshold in known:
                    assert found.steps.filter(threshold=threshold)["users"].to_list() == [expected], told
                else:
                    assert expected in read(found, threshold), told
            assert found.users == int(np.count_nonzero(asked.qualified))


def test_a_curve_is_the_segment_with_another_threshold(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Random trees over random people: at each step, and between two of them."""
    kind = evenly(dids(), trees(names=("inner", "outer")))
    for number, world in enumerate(drawn(worlds(), 2, 21)):
        account = load(tmp_path_factory.mktemp("world"), world)
        ask_world(lambda tree, as_of, account=account: moved(account, tree, as_of), number, 60, kind)
