"""Diff: each user who moved has one cause, and it is the right one."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from accounts import NOW, Account, make_account
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from reach.guilty import GROUPS, Person, Tree, cause, holds
from reach.tagged import has, letter, tag

from workbench.errors import InputError, NotFoundError
from workbench.reach import Diff, diff
from workbench.segments.build import bucket, did, in_segment, user
from workbench.segments.model import AllOf, AnyOf, Condition, Not, Segment
from workbench.segments.sentence import sentence

EARLIER = NOW - timedelta(days=30)


def told(found: Diff) -> list[tuple[str, str | None, int, int]]:
    """The causes, without what a condition said before it changed."""
    return [(item.sentence, item.change, item.entered, item.left) for item in found.causes]


def test_a_stricter_threshold_is_responsible_for_those_who_left(shop: Account) -> None:
    """A changed condition says what it was; the ids come with their cause."""
    more = [
        {"user_id": f"{n:05d}", "event": "Purchase", "ts": "2026-06-30T13:00:00Z", "price": 10}
        for n in range(400)
    ]
    shop.ingest("events", more)
    once, twice = did("Purchase").named("once"), did("Purchase").at_least(2).named("twice")
    found = diff(shop.workspace, once, twice, as_of=NOW)
    assert (found.before.users, found.after.users) == (1000, 400)
    assert (found.stayed, found.entered, found.left) == (400, 0, 600)
    assert told(found) == [('did "Purchase" at least 2 times', "changed", 0, 600)]
    assert found.causes[0].was == 'did "Purchase"'
    gone = found.users("left")
    assert gone.columns == ["user_id", "cause"]
    assert gone["user_id"].to_list() == [f"{n:05d}" for n in range(400, 1000)]
    assert gone["cause"].unique().to_list() == ['did "Purchase" at least 2 times']
    assert found.users("stayed").row(0) == ("00000", None)
    assert found.users("entered").height == 0


def test_added_and_removed_conditions_of_and(account: Account) -> None:
    """A new condition keeps out, a removed one lets in; what did not change is listed with zeros."""
    tag(account, {"1": "ab", "2": "ac", "3": "abc", "4": "a", "5": "bc"})
    before, after = (has("a") & has("b")).named("one"), (has("a") & has("c")).named("two")
    found = diff(account.workspace, before, after, as_of=NOW)
    assert told(found) == [
        ('tags contains any "a"', "unchanged", 0, 0), ('tags contains any "c"', "changed", 1, 1),
    ]  # fmt: skip
    wider = diff(account.workspace, before, letter("a"), as_of=NOW)
    assert told(wider) == [
        ('tags contains any "a"', "unchanged", 0, 0), ('tags contains any "b"', "removed", 2, 0),
    ]  # fmt: skip
    narrower = diff(account.workspace, letter("a"), before, as_of=NOW)
    assert told(narrower) == [
        ('tags contains any "a"', "unchanged", 0, 0), ('tags contains any "b"', "added", 0, 2),
    ]  # fmt: skip


def test_a_branch_of_or_that_is_gone_is_responsible(account: Account) -> None:
    """Who was in by it alone left because of it, not because of the condition that never held for them."""
    tag(account, {"1": "a", "2": "b", "3": "ab"})
    either = (has("a") | has("b")).named("either")
    assert told(diff(account.workspace, either, letter("a"), as_of=NOW)) == [
        ('tags contains any "a"', "unchanged", 0, 0), ('tags contains any "b"', "removed", 0, 1),
    ]  # fmt: skip
    assert told(diff(account.workspace, letter("a"), either, as_of=NOW)) == [
        ('tags contains any "a"', "unchanged", 0, 0), ('tags contains any "b"', "added", 1, 0),
    ]  # fmt: skip


def test_two_new_conditions_that_both_refuse_are_responsible_together(account: Account) -> None:
    """No single one would let the user in; a condition whose removal could only let in is not to blame."""
    tag(account, {"1": "a", "2": "ab", "3": "ac", "4": "abc"})
    before, after = (has("a") & bucket(0, 999)).named("one"), (has("a") & has("b") & has("c")).named("two")
    found = diff(account.workspace, before, after, as_of=NOW)
    assert told(found) == [
        ('tags contains any "a"', "unchanged", 0, 0),
        ('tags contains any "b"', "added", 0, 1),
        ('tags contains any "c"', "added", 0, 1),
        ("is in user bucket 0 to 999", "removed", 0, 0),
        ("several conditions together", None, 0, 1),
    ]
    assert found.users("left").rows() == [
        ("1", "several conditions together"), ("2", 'tags contains any "c"'), ("3", 'tags contains any "b"'),
    ]  # fmt: skip


def test_the_same_segment_at_two_instants(account: Account) -> None:
    """What differs between the instants is responsible; who had no profile then entered with it."""
    tag(account, {"1": "ab", "2": "a", "3": "b"}, at=EARLIER)
    tag(account, {"1": "a", "2": "ab", "4": "ab"}, at=NOW - timedelta(days=1))
    both = (has("a") & has("b")).named("both")
    found = diff(account.workspace, both, both, as_of=NOW, as_of_before=NOW - timedelta(days=10))
    assert told(found) == [
        ('tags contains any "a"', "unchanged", 0, 0),
        ('tags contains any "b"', "unchanged", 1, 1),
        ("no profile at that instant", None, 1, 0),
    ]
    assert found.users("entered").rows() == [
        ("2", 'tags contains any "b"'), ("4", "no profile at that instant"),
    ]  # fmt: skip
    back = diff(account.workspace, both, both, as_of=NOW - timedelta(days=10), as_of_before=NOW)
    assert (back.entered, back.left) == (1, 2)
    assert told(back)[-1] == ("no profile at that instant", None, 0, 1)


def test_a_condition_under_not_reads_with_it(account: Account) -> None:
    """Turned round it is another condition: changed, and responsible for all who moved."""
    tag(account, {"1": "ab", "2": "a", "3": "b"})
    found = diff(
        account.workspace,
        (has("a") & has("b")).named("with"),
        (has("a") & ~has("b")).named("less"),
        as_of=NOW,
    )
    assert told(found)[1] == ('not (tags contains any "b")', "changed", 1, 1)
    assert found.causes[1].was == 'tags contains any "b"'


def test_versions_of_a_saved_segment_and_the_segments_inside(account: Account) -> None:
    """The conditions of a segment inside another are asked too."""
    tag(account, {"1": "ab", "2": "a", "3": "b"})
    workspace = account.workspace
    scope = workspace.scope(workspace.lake.at())
    workspace.segments.save(has("b").named("inner"), scope, now=NOW)
    workspace.segments.save(has("a").named("outer"), scope, now=NOW)
    workspace.segments.save((has("a") & in_segment("inner")).named("outer"), scope, now=NOW)
    found = diff(workspace, ("outer", 1), "outer", as_of=NOW)
    assert (found.before.name, found.after.name) == ("outer v1", "outer")
    assert told(found) == [
        ('tags contains any "a"', "unchanged", 0, 0), ('tags contains any "b"', "added", 0, 1),
    ]  # fmt: skip
    with pytest.raises(NotFoundError, match='segment "outer" has no version 3'):
        diff(workspace, ("outer", 3), "outer", as_of=NOW)


def test_the_future_is_refused_on_both_sides(account: Account) -> None:
    """Nothing is recorded by then."""
    tag(account, {"1": "a"})
    for instants in (
        {"as_of": NOW.replace(year=2900)},
        {"as_of": NOW, "as_of_before": NOW.replace(year=2900)},
    ):
        with pytest.raises(InputError, match="lies in the future"):
            diff(account.workspace, letter("a"), letter("a"), **instants)


class Crowd:
    """An account and its people, who are printed by nobody."""

    def __init__(self, account: Account, people: list[tuple[str, Person, Person]]) -> None:
        """Keep both."""
        self.account, self.people = account, people


ATTRIBUTES = ("p", "q", "r", "s")
numbers = st.tuples(st.sampled_from(ATTRIBUTES), st.integers(1, 3))
trees = st.recursive(
    numbers,
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(("all", "any")), st.lists(inner, min_size=1, max_size=3)),
        st.tuples(st.just("not"), inner),
    ),
    max_leaves=6,
)


def changed(draw: Callable[..., object], tree: Tree) -> Tree:
    """A tree with small edits: another number, a part less, a part more, the other group."""
    if tree[0] == "not":
        return ("not", changed(draw, tree[1])) if draw(st.integers(0, 4)) else tree[1]
    if tree[0] in GROUPS:
        parts = [changed(draw, part) for part in tree[1]]
        edit = draw(st.integers(0, 9))
        if edit == 0 and len(parts) > 1:
            parts = parts[1:]
        elif edit == 1:
            parts = [*parts, draw(numbers)]
        return ("any" if edit == 2 else "all" if edit == 3 else tree[0], parts)
    return (tree[0], draw(st.integers(1, 3))) if not draw(st.integers(0, 3)) else tree


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Tree, Tree]:
    """Two trees: mostly one and an edit of it, else two of their own."""
    before = draw(trees)
    return before, changed(draw, before) if draw(st.integers(0, 3)) else draw(trees)


def built(tree: Tree) -> Condition:
    """The same tree of the workbench."""
    if tree[0] == "not":
        return Not(condition=built(tree[1]))
    if tree[0] in GROUPS:
        parts = tuple(built(part) for part in tree[1])
        return AllOf(conditions=parts) if tree[0] == "all" else AnyOf(conditions=parts)
    return (user(tree[0]) >= tree[1]).condition


def text(found: Tree | str) -> str:
    """What the workbench calls a cause."""
    words = {"several": "several conditions together", "no profile": "no profile at that instant"}
    return words[found] if isinstance(found, str) else sentence(built(found))


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Crowd:
    """64 people, each with numbers at two instants; some have a profile at one of them only."""
    account = make_account(tmp_path_factory.mktemp("crowd"))
    people: list[tuple[str, Person, Person]] = []
    for n in range(64):
        first = {name: n >> 2 * place & 3 for place, name in enumerate(ATTRIBUTES[:3])} | {"s": n % 4}
        then = {name: (value + n // (place + 3)) % 4 for place, (name, value) in enumerate(first.items())}
        people.append((f"{n:02d}", None if n % 9 == 0 else first, then))
    rows = [{"user_id": name, "at": EARLIER.isoformat(), **first} for name, first, _ in people if first]
    rows += [{"user_id": name, "at": NOW.isoformat(), **then} for name, _, then in people if then]
    account.ingest("profiles", rows, recorded="at")
    return Crowd(account, people)


@seed(1)
@settings(max_examples=250, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(both=pairs(), instants=st.sampled_from(((EARLIER, NOW), (NOW, NOW), (NOW, EARLIER))))
def test_each_user_has_the_cause_that_plain_python_finds(
    crowd: Crowd,
    both: tuple[Tree, Tree],
    instants: tuple[datetime, datetime],
) -> None:
    """Random trees and their edits, at one instant and at two: same users, same causes, sums that add up."""
    account, people = crowd.account, crowd.people
    sides = [
        Segment(name=name, condition=built(tree))
        for tree, name in zip(both, ("before", "after"), strict=True)
    ]
    found = diff(account.workspace, *sides, as_of=instants[1], as_of_before=instants[0])
    expected: dict[str, dict[str, str]] = {"entered": {}, "left": {}}
    stayed = set()
    for name, first, then in people:
        seen = tuple(first if at == EARLIER else then for at in instants)
        was, now = holds(both[0], seen[0]), holds(both[1], seen[1])
        if was != now:
            refusing = 0 if now else 1
            expected["entered" if now else "left"][name] = text(cause(both, seen, refusing))
        elif was:
            stayed.add(name)
    for move in ("entered", "left"):
        assert dict(found.users(move).iter_rows()) == expected[move], (both, move)
        counted = Counter(expected[move].values())
        assert {c.sentence: getattr(c, move) for c in found.causes if getattr(c, move)} == counted
        assert getattr(found, move) == len(expected[move])
    assert set(found.users("stayed")["user_id"]) == stayed
    assert found.before.users + found.entered - found.left == found.after.users
