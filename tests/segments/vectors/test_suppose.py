"""What a tree would answer otherwise, over masks that are written out."""

import numpy as np

from workbench.segments.build import Expression, did, did_all, in_segment, user
from workbench.segments.model import Segment
from workbench.segments.resolve import Fixed
from workbench.segments.vectors import suppose

A, B, C = did("A"), did("B"), user("c") == 1
# Four users: one column each.
ANSWERS = {
    A.condition: np.array([True, True, False, False]),
    B.condition: np.array([True, False, True, False]),
    C.condition: np.array([False, False, True, True]),
}


def bits(mask: suppose.Mask) -> str:
    """A mask as text."""
    return "".join(str(int(holds)) for holds in mask)


def answered(expression: Expression) -> str:
    """Answer an expression over the four users."""
    return bits(suppose.answered(expression.condition, ANSWERS, 4))


def test_groups_are_answered_from_their_leaves() -> None:
    """And, or, not; empty groups are everybody and nobody."""
    assert [answered(item) for item in (A & B, A | B, ~A & C, ~(A | C))] == ["1000", "1110", "0011", "0000"]
    assert [bits(suppose.answered(item, ANSWERS, 4)) for item in (suppose.TRUE, suppose.FALSE)] == [
        "1111",
        "0000",
    ]


def test_a_leaf_is_turned_round_wherever_it_stands() -> None:
    """Both places of A change together: with A turned, the whole is B or C among the others."""
    tree = ((A & B) | (A & C)).condition
    assert bits(suppose.answered(tree, ANSWERS, 4)) == "1000"
    assert bits(suppose.flipped(tree, ANSWERS, A.condition, 4)) == "0011"


def test_leaves_read_with_the_not_before_them() -> None:
    """In the order of the tree, each once; a not over a group is not theirs."""
    tree = ((~A & B) | ~(C & B) | ~A).condition
    assert suppose.leaves(tree) == ((~A).condition, B.condition, C.condition)
    assert [suppose.bare(leaf) for leaf in suppose.leaves(tree)] == [item.condition for item in (A, B, C)]


def test_a_leaf_is_taken_out_with_the_groups_that_it_leaves_empty() -> None:
    """Of the whole nothing may be left."""
    tree = (A & ~(B | ~B) & C).condition
    assert suppose.without(tree, B.condition) == (A & C).condition
    assert suppose.without((~A).condition, A.condition) is None


def test_places_follow_the_counts_and_open_segments() -> None:
    """What is refused comes last; the inside of a segment stands where the segment does."""
    resolver = Fixed({"inner": Segment(name="inner", condition=(B | C).condition)})
    both = did_all("A", "B")
    tree = (~A & in_segment("inner") & both).condition
    opened = suppose.opened(tree, resolver)
    found = list(suppose.places(tree, resolver))
    assert [path for path, _ in found] == [(1, 0), (1, 1), (1,), (1,), None, None, (2,), (0, 0), ()]
    assert [leaf for path, leaf in found if path == (0, 0)] == [A.condition]
    assert suppose.put(opened, (1, 1), A.condition) == (~A & (B | A) & both).condition
    assert suppose.put(opened, (0, 0), B.condition) == (~B & (B | C) & both).condition
