"""Every problem at once, each with its path; nothing is dropped, guessed or widened."""

from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from workbench.errors import SegmentError
from workbench.segments import codec
from workbench.segments.behaviours import Did
from workbench.segments.check import check
from workbench.segments.model import Not, Segment
from workbench.segments.predicates import Function, Measure, Operator, Predicate
from workbench.segments.resolve import Fixed
from workbench.segments.scope import Scope
from workbench.segments.traits import InSegment, UserProperty
from workbench.segments.windows import Dates, DaysAgo, Last
from workbench.store.catalogue import Catalogue, EventType, Property

CATALOGUE = Catalogue(
    version=1,
    events={
        "Purchase": EventType(name="Purchase", rows=3, properties=frozenset({"price", "size", "paid", "tags", "at"})),
        "View": EventType(name="View", rows=3, properties=frozenset({"size"})),
        "Any Event": EventType(name="Any Event", rows=0, properties=frozenset()),
    },
    properties={
        name: Property(name=name, type=kind, column=f"p_{name}")  # type: ignore[arg-type]
        for name, kind in {
            "price": "number", "size": "text", "paid": "boolean", "tags": "list", "at": "instant",
        }.items()
    },
    attributes={
        "age": Property(name="age", type="number", column="p_age"),
        "country": Property(name="country", type="text", column="p_country"),
    },
)  # fmt: skip


def scope(resolver: Fixed) -> Scope:
    """The catalogue above, and the segments of a test."""
    return Scope(catalogue=CATALOGUE, zone=ZoneInfo("UTC"), salt="test", resolver=resolver)


def found(condition: dict[str, Any], **others: dict[str, Any]) -> list[str]:
    """Check a tree given as JSON values and return its problems as text."""
    segments = {name: codec.from_json({"name": name, "condition": tree}) for name, tree in others.items()}
    return checked(codec.from_json({"name": "asked", "condition": condition}), segments)


def checked(
    segment: Segment, segments: dict[str, Segment] | None = None, as_of: datetime | None = None
) -> list[str]:
    """Check a segment and return its problems as text."""
    try:
        check(segment, scope(Fixed({segment.name: segment, **(segments or {})})), as_of)
    except SegmentError as error:
        return [str(problem) for problem in error.problems]
    return []


def did(**fields: Any) -> dict[str, Any]:
    """A purchase."""
    return {"kind": "did", "events": ["Purchase"], **fields}


def user(name: str, operator: str, *values: object) -> dict[str, Any]:
    """A user property."""
    return {"kind": "user", "predicate": {"property": name, "operator": operator, "values": list(values)}}


def where(name: str, operator: str, *values: object) -> dict[str, Any]:
    """A purchase with one filter."""
    return did(where=[{"property": name, "operator": operator, "values": list(values)}])


def test_all_problems_come_at_once_with_their_paths() -> None:
    """Five faults in one tree are five lines, in the order of the tree."""
    tree = {
        "kind": "all",
        "conditions": [
            {"kind": "did", "events": ["purchse"]},
            {"kind": "any", "conditions": []},
            {"kind": "not", "condition": user("contry", "=", "US")},
            where("price", "contains", "5"),
            {"kind": "segment", "segment": "nobody"},
        ],
    }
    assert found(tree) == [
        'all > 1st condition > did: unknown event "purchse". Did you mean "Purchase"?',
        "all > 2nd condition > any: an empty group matches nobody or everybody; add a condition",
        'all > 3rd condition > not > user: unknown user property "contry". Did you mean "country"?',
        'all > 4th condition > did > 1st filter: "price" is a number; "contains" does not apply to it (=, !=, >, >=, <, <=, between, in, not in, exists, does not exist do)',
        'all > 5th condition > segment: unknown segment "nobody".',
    ]


@pytest.mark.parametrize(
    ("condition", "problem"),
    [
        (where("price", "=", "5"), "did > 1st filter: \"price\" is a number, '5' is not"),
        (where("price", "=", True), 'did > 1st filter: "price" is a number, True is not'),
        (where("size", "=", 5), 'did > 1st filter: "size" is a text, 5 is not'),
        (where("paid", "=", 1), 'did > 1st filter: "paid" is a boolean, 1 is not'),
        (where("size", "in", "a", 1, 2.5), 'did > 1st filter: "size" is a text, 1 is not'),
        (where("price", "in"), 'did > 1st filter: "in" takes 1 to 10,000 values, got 0'),
        (where("price", ">", 1, 2), 'did > 1st filter: ">" takes 1 values, got 2'),
        (where("price", "exists", 1), 'did > 1st filter: "exists" takes 0 values, got 1'),
        (where("price", "between", 1), 'did > 1st filter: "between" takes 2 values, got 1'),
        (where("price", "between", 2, 1), "did > 1st filter: between 2 and 1: the first is larger"),
        (where("price", "=", 2**53 + 1), "did > 1st filter: 9007199254740993 is beyond 2^53: numbers are not exact there"),
        (where("price", "=", 10**400), f"did > 1st filter: {10**400} is beyond 2^53: numbers are not exact there"),
        (where("colour", "=", "red"), 'did > 1st filter: unknown property of "Purchase" "colour".'),
        (where("Size", "=", "L"), 'did > 1st filter: unknown property of "Purchase" "Size". Did you mean "size"?'),
        (did(events=["View"], measure={"function": "sum", "property": "price"}),
         'did > measure: "price" is not a property of "View".'),
        (did(measure={"function": "sum", "property": "size"}), 'did > measure: sum needs a number, "size" is a text'),
        (did(measure={"function": "sum"}), "did > measure: sum needs a property"),
        (did(measure={"property": "price"}), 'did > measure: count takes no property, got "price"'),
        (did(measure={"values": [-1]}), "did > measure: a count is never below 0, got -1"),
        (did(measure={"operator": "contains"}), 'did > measure: "contains" does not compare numbers'),
        (did(measure={"operator": "<", "values": [1]}),
         "did: matches nobody: users without events are left out unless include_zero is set"),
        (did(measure={"operator": "between", "values": [0, 0]}),
         "did: matches nobody: users without events are left out unless include_zero is set"),
        (did(measure={"function": "minimum", "property": "price"}, include_zero=True),
         "did: without any event there is no minimum; include_zero does not apply"),
        (did(events=[]), "did: names no event"),
        (did(window={"kind": "last", "count": 0}), "did > window: the last 0 days: give 1 to 36,500"),
        (did(window={"kind": "last", "count": 10**9, "unit": "years"}),
         "did > window: the last 1000000000 years: give 1 to 100"),
        (did(window={"kind": "days ago", "farthest": 1, "nearest": 2}),
         "did > window: between 1 and 2 days ago: farthest first, none below 0"),
        (did(window={"kind": "days ago", "farthest": 10**9, "nearest": 2}),
         "did > window: 1000000000 days ago: give at most 36,500"),
        (did(window={"kind": "dates"}), "did > window: names no date"),
        (did(window={"kind": "dates", "first": "2026-02-02", "last": "2026-02-01"}),
         "did > window: from 2026-02-02 to 2026-02-01: the first is later"),
        (did(window={"kind": "dates", "last": "9999-12-31"}),
         "did > window: 9999-12-31 is not in the years 1900 to 2999"),
        ({"kind": "all", "conditions": []}, "all: an empty group matches nobody or everybody; add a condition"),
    ],
)  # fmt: skip
def test_a_problem_says_what_and_where(condition: dict[str, Any], problem: str) -> None:
    """One faulty tree, one sentence."""
    assert found(condition)[0] == problem


def test_a_value_that_is_not_finite_is_refused() -> None:
    """NaN compares with nothing, infinity with everything; neither is asked."""
    for value in (float("nan"), float("inf")):
        segment = Segment(
            name="s",
            condition=UserProperty(
                predicate=Predicate(property="age", operator=Operator.LESS, values=(value,))
            ),
        )
        (problem,) = checked(segment)
        assert "is neither a text nor a finite number" in problem


def test_a_tree_built_in_python_is_checked_like_a_file() -> None:
    """The codec's rules do not stand in for these: a window that would overflow is a problem, not a crash."""
    windows = (Last(count=-1), DaysAgo(farthest=0, nearest=-1), Dates(first=date(1, 1, 1)))
    for window in windows:
        assert len(checked(Segment(name="s", condition=Did(events=("Purchase",), window=window)))) == 1
    measure = Measure(function=Function.SUM, property="price", operator=Operator.BETWEEN, values=(2, 1))
    assert checked(
        Segment(name="s", condition=Not(condition=Did(events=("Purchase",), measure=measure)))
    ) == ["not > did > measure: between 2 and 1: the first is larger"]


def test_problems_of_other_segments_are_told_under_their_name() -> None:
    """A fault two segments down is found, and the path says through which."""
    inner, outer = {"kind": "segment", "segment": "deep"}, {"kind": "segment", "segment": "inner"}
    assert found(outer, inner=inner, deep=user("agee", "=", 1)) == [
        'segment "inner" > segment "deep" > user: unknown user property "agee". Did you mean "age"?'
    ]


def test_a_cycle_is_refused() -> None:
    """A segment that comes back to itself, directly or by others, names the chain."""
    assert found({"kind": "segment", "segment": "asked"}) == [
        "segment: a segment cannot contain itself: asked > asked"
    ]
    back = {"kind": "not", "condition": {"kind": "segment", "segment": "asked"}}
    assert found({"kind": "segment", "segment": "b"}, b=back) == [
        'segment "b" > not > segment: a segment cannot contain itself: asked > b > asked'
    ]


def test_a_segment_may_be_named_twice() -> None:
    """Only a chain is a cycle; two branches may use the same segment."""
    twice = {"kind": "any", "conditions": [{"kind": "segment", "segment": "b"}] * 2}
    assert found(twice, b=user("age", ">", 5)) == []


def test_an_operator_of_another_type_is_told_with_those_that_apply() -> None:
    """A list is no text, an instant no number."""
    assert found(where("tags", "exists")) == []
    assert found(where("at", "does not exist")) == []
    assert found(where("tags", "=", "a"))[0].endswith(
        '"tags" is a list; "=" does not apply to it '
        "(contains any, contains all, contains none, exists, does not exist do)"
    )
    assert found(where("at", ">", 5))[0].endswith(
        '"at" is an instant; ">" does not apply to it (within, anniversary, exists, does not exist do)'
    )


def test_any_event_knows_every_property() -> None:
    """Any Event with a filter on a property of one event is a valid question."""
    assert (
        found(did(events=["Any Event"], where=[{"property": "price", "operator": ">", "values": [1]}])) == []
    )


def test_an_unknown_version_is_told() -> None:
    """A version that does not exist is not an unknown name."""

    class OneVersion(Fixed):
        def find(self, name: str, version: int | None) -> Segment | None:
            return super().find(name, version) if version in {None, 1} else None

    saved = codec.from_json({"name": "b", "condition": user("age", ">", 5)})
    asked = Segment(name="asked", condition=InSegment(segment="b", version=7))
    with pytest.raises(SegmentError) as caught:
        check(asked, scope(OneVersion({"b": saved})))
    assert [str(problem) for problem in caught.value.problems] == ['segment: segment "b" has no version 7']
