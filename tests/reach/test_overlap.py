"""Overlap: every user counted once, whatever the number of segments."""

from itertools import combinations

import polars as pl
import pytest
from accounts import BUYERS, NOW, Account
from reach.tagged import letter, tag

from workbench.errors import InputError, NotFoundError, SegmentError
from workbench.reach import Overlap, overlap
from workbench.segments.build import did

PEOPLE = {"1": "a", "2": "ab", "3": "abc", "4": "abc", "5": "c", "6": "", "7": "bc"}


@pytest.fixture
def three(account: Account) -> Overlap:
    """The overlap of a, b and c."""
    tag(account, PEOPLE)
    return overlap(account.workspace, [letter("a"), letter("b"), letter("c")], as_of=NOW)


def test_every_combination_is_counted_exactly(three: Overlap) -> None:
    """Users in exactly these, users in all of these whatever else; the most first, none left out."""
    found = three.combinations.with_columns(pl.col("segments").list.join(""))
    assert found.columns == ["segments", "users", "at_least"]
    assert found.rows() == [
        ("abc", 2, 2), ("a", 1, 4), ("c", 1, 4), ("ab", 1, 3), ("bc", 1, 3), ("b", 0, 4), ("ac", 0, 2),
    ]  # fmt: skip


def test_sizes_union_and_nobody(three: Overlap) -> None:
    """Seven people, one of them in no segment."""
    assert [(item.name, item.users) for item in three.segments] == [("a", 4), ("b", 4), ("c", 4)]
    assert (three.union, three.none, three.everyone) == (6, 1, 7)
    assert three.segments[0].sentence == 'tags contains any "a"'


def test_pairs_have_shares_of_both_and_of_either(three: Overlap) -> None:
    """Jaccard is both over either; the larger pair first."""
    assert three.pairs.rows() == [
        ("a", "b", 3, 3 / 5, 3 / 4, 3 / 4), ("b", "c", 3, 3 / 5, 3 / 4, 3 / 4), ("a", "c", 2, 2 / 6, 2 / 4, 2 / 4),
    ]  # fmt: skip


def test_a_share_of_nobody_is_none(account: Account) -> None:
    """An empty segment has no share; the other's is 0."""
    tag(account, PEOPLE)
    found = overlap(account.workspace, [letter("a"), letter("z")], as_of=NOW)
    assert found.pairs.rows() == [("a", "z", 0, 0.0, 0.0, None)]
    nobody = overlap(account.workspace, [letter("y"), letter("z")], as_of=NOW)
    assert nobody.pairs.rows() == [("y", "z", 0, None, None, None)]
    assert (nobody.union, nobody.none) == (0, 7)


def test_twelve_segments_add_up_to_everyone(account: Account) -> None:
    """4,095 combinations, each compared with sets."""
    letters = "abcdefghijkl"
    people = {
        f"{n:03d}": "".join(c for i, c in enumerate(letters) if n * 37 % 101 >> i % 7 & 1) for n in range(120)
    }
    tag(account, people)
    found = overlap(account.workspace, [letter(c) for c in letters], as_of=NOW)
    assert found.combinations.height == 4095
    assert found.combinations["users"].sum() + found.none == 120
    counted = {tuple(row[0]): row[1:] for row in found.combinations.iter_rows()}
    for size in (1, 2, 11, 12):
        for chosen in combinations(letters, size):
            exactly = sum(set(tags) == set(chosen) for tags in people.values())
            at_least = sum(set(tags) >= set(chosen) for tags in people.values())
            assert counted[chosen] == (exactly, at_least), chosen


def test_saved_segments_come_by_name_and_by_version(shop: Account) -> None:
    """Two versions of one segment are two segments; users without a profile are nobody."""
    shop.ingest(
        "events", [{"user_id": "ghost", "event": "Purchase", "ts": "2026-06-30T12:00:00Z", "price": 10}]
    )
    shop.save_segment("buyers", {**BUYERS, "measure": {"operator": ">=", "values": [2]}})
    found = overlap(shop.workspace, ["buyers", ("buyers", 1)], as_of=NOW)
    assert [(item.name, item.users) for item in found.segments] == [("buyers", 0), ("buyers v1", 1000)]
    assert found.everyone == 1000


def test_what_cannot_be_compared_is_said(shop: Account) -> None:
    """One segment, thirteen, the same twice, an unknown one, a broken one, the future."""
    workspace = shop.workspace
    with pytest.raises(InputError, match="an overlap is of 2 to 12 segments, not of 1"):
        overlap(workspace, ["buyers"], as_of=NOW)
    with pytest.raises(InputError, match="not of 13"):
        overlap(workspace, ["buyers"] * 13, as_of=NOW)
    with pytest.raises(InputError, match='segment "buyers" is named twice'):
        overlap(workspace, ["buyers", "buyers"], as_of=NOW)
    with pytest.raises(NotFoundError, match=r'unknown segment "buyer"\. Did you mean "buyers"'):
        overlap(workspace, ["buyers", "buyer"], as_of=NOW)
    with pytest.raises(SegmentError, match='unknown event "Purchse"'):
        overlap(workspace, ["buyers", did("Purchse").named("typo")], as_of=NOW)
    with pytest.raises(InputError, match="lies in the future"):
        overlap(workspace, ["buyers", letter("a")], as_of=NOW.replace(year=2900))
    with pytest.raises(InputError, match="has no time zone"):
        overlap(workspace, ["buyers", letter("a")], as_of=NOW.replace(tzinfo=None))
