"""What is wrong with each kind of condition, one sentence a fault."""

from datetime import UTC, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from workbench.errors import InputError, SegmentError
from workbench.segments import codec
from workbench.segments.behaviours import Clock, Did
from workbench.segments.check import check
from workbench.segments.model import Condition, Segment
from workbench.segments.predicates import Operator, Predicate
from workbench.segments.resolve import Fixed
from workbench.segments.scope import Scope
from workbench.segments.traits import InSegment
from workbench.segments.windows import Dates, Last
from workbench.store.catalogue import Catalogue, EventType, ListVersion, Property

AT = datetime(2026, 7, 1, 12, tzinfo=UTC)


def named(**types: str) -> dict[str, Property]:
    """Properties by name and type."""
    return {name: Property(name=name, type=kind, column=f"p_{name}") for name, kind in types.items()}  # type: ignore[arg-type]


CATALOGUE = Catalogue(
    version=1,
    events={
        "Buy": EventType(name="Buy", rows=3, properties=frozenset({"price", "sku", "tags", "due", "client"})),
        "View": EventType(name="View", rows=3, properties=frozenset({"sku", "item"})),
        "Any Event": EventType(name="Any Event", rows=0, properties=frozenset()),
    },
    properties=named(price="number", sku="text", item="number", tags="list", due="date", client="version"),
    attributes=named(birth_date="date", latitude="number", longitude="text", country="text", renewal="instant"),
    devices=named(os="text", app_version="version"),
    lists={"vips": (ListVersion(version=1, recorded_at=AT, users=5), ListVersion(version=2, recorded_at=AT, users=6))},
)  # fmt: skip


def found(condition: dict[str, Any], as_of: datetime | None = None) -> list[str]:
    """Check a tree given as JSON values and return its problems as text."""
    scope = Scope(catalogue=CATALOGUE, zone=ZoneInfo("America/New_York"), salt="s", resolver=Fixed())
    try:
        check(codec.from_json({"name": "asked", "condition": condition}), scope, as_of)
    except SegmentError as error:
        return [str(problem) for problem in error.problems]
    return []


def buy(**fields: Any) -> dict[str, Any]:
    """A purchase."""
    return {"kind": "did", "events": ["Buy"], **fields}


def where(name: str, operator: str, *values: object, **fields: object) -> dict[str, Any]:
    """A purchase with one filter."""
    return buy(where=[{"property": name, "operator": operator, "values": list(values), **fields}])


def interest(**fields: Any) -> dict[str, Any]:
    """An interest in one sku."""
    return {"kind": "interest", "events": ["Buy"], "property": "sku", "values": ["a"], **fields}


def regularly(**fields: Any) -> dict[str, Any]:
    """In two of four weeks."""
    return {"kind": "regularly", "events": ["Buy"], "at_least": 2, "periods": 4, **fields}


def sequence(**fields: Any) -> dict[str, Any]:
    """A view and then a purchase within an hour."""
    within = {"count": 1, "unit": "hours"}
    return {
        "kind": "sequence",
        "first": {"events": ["View"]},
        "then": {"events": ["Buy"]},
        "within": within,
        **fields,
    }


def constant(*parts: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Parts of one constant property."""
    return {"kind": "constant property", "parts": list(parts), **fields}


VIEWED, BOUGHT = {"events": ["View"], "property": "sku"}, {"events": ["Buy"], "property": "sku"}


@pytest.mark.parametrize(
    "condition",
    [
        interest(), interest(percent=33.3), regularly(), sequence(), constant(VIEWED, {**BOUGHT, "did": False}),
        {"kind": "milestone", "which": "last", "events": ["Buy", "View"]}, {"kind": "bucket", "first": 0, "last": 999},
        {"kind": "age", "operator": "between", "values": [18, 30]}, {"kind": "list", "list": "vips", "version": 2},
        {"kind": "device", "where": [{"property": "app_version", "operator": ">", "values": ["2.9"]}]},
        where("sku", "matches", "^a"), where("tags", "contains all", "a", "b"), where("client", "between", "1.9", "1.10"),
        where("due", "within", window={"kind": "next", "count": 7}), where("due", "anniversary", 0),
        buy(clock={"start": "22:00", "end": "06:00"}), buy(clock={"weekdays": ["monday"], "zone": "user"}),
        buy(window={"kind": "days ago", "nearest": 30}),
    ],
)  # fmt: skip
def test_a_sound_condition_has_no_problem(condition: dict[str, Any]) -> None:
    """Each kind passes as it should be written."""
    assert found(condition, AT) == []


@pytest.mark.parametrize(
    ("condition", "problem"),
    [
        (interest(property="tags"), 'interest: "tags" is a list; its values are not compared here'),
        (interest(property="skuu"), 'interest: "skuu" is not a property of "Buy". Did you mean "sku"?'),
        (interest(values=[]), 'interest: "in" takes 1 to 10,000 values, got 0'),
        (interest(values=[5]), 'interest: "sku" is a text, 5 is not'),
        (interest(percent=0), "interest: a share lies above 0 and up to 100 %, got 0.0"),
        (interest(percent=101), "interest: a share lies above 0 and up to 100 %, got 101.0"),
        (regularly(periods=61), "regularly: looks at 1 to 60 periods, got 61"),
        (regularly(at_least=5), "regularly: in 1 to 4 of them, got 5"),
        (regularly(days=0), "regularly: a period has 1 to 366 days, got 0"),
        (regularly(times=0), "regularly: a period needs at least 1 event, got 0"),
        (sequence(within={"count": 0}), "sequence > within: 0 days: give 1 second to 3,660 days"),
        (sequence(within={"count": 10**12, "unit": "weeks"}), "sequence > within: 1000000000000 weeks: give 1 second to 3,660 days"),
        (sequence(then={"events": ["By"]}), 'sequence > then: unknown event "By". Did you mean "Buy"?'),
        (sequence(first={"events": []}), "sequence > first: names no event"),
        (constant({**VIEWED, "did": False}), "constant property: needs an event that was done: its values are the ones compared"),
        (constant(VIEWED, {"events": ["View"], "property": "item"}),
         'constant property: only values of one type can be the same: "sku" is a text, "item" is a number'),
        (constant({**VIEWED, "property": "price"}), 'constant property > 1st part: "price" is not a property of "View".'),
        (constant({**VIEWED, "measure": {"operator": "=", "values": [0]}}),
         "constant property > 1st part: no value has fewer than one event; say that it was not done instead"),
        (constant(VIEWED, limit=0), "constant property: gives 1 to 100 values to the content, got 0"),
        ({"kind": "all", "conditions": [constant(VIEWED), constant(BOUGHT)]},
         'two constant properties are called "sku"; give one of them another alias'),
        ({"kind": "age", "operator": ">", "values": [200]}, "age: an age is 0 to 150 years, got 200"),
        ({"kind": "age", "operator": "in", "values": [20]}, 'age: "in" does not compare numbers'),
        ({"kind": "near", "latitude": 1, "longitude": 2, "metres": 5},
         'near: needs "longitude" as a number, the profiles have it as a text'),
        ({"kind": "near", "latitude": 91, "longitude": 2, "metres": 5}, "near: a latitude is -90 to 90 degrees, got 91.0"),
        ({"kind": "near", "latitude": 1, "longitude": 2, "metres": 0},
         'near: needs "longitude" as a number, the profiles have it as a text'),
        ({"kind": "bucket", "first": 5, "last": 1000}, "bucket: user buckets are 0 to 999, got 5 to 1000"),
        ({"kind": "bucket", "first": 5, "last": 4}, "bucket: user buckets are 0 to 999, got 5 to 4"),
        ({"kind": "device", "where": []}, "device: names no property of a device"),
        ({"kind": "device", "where": [{"property": "oss", "operator": "exists"}]},
         'device > 1st filter: unknown device property "oss". Did you mean "os"?'),
        ({"kind": "list", "list": "vip"}, 'list: unknown list "vip". Did you mean "vips"?'),
        ({"kind": "list", "list": "vips", "version": 3}, 'list: list "vips" has versions 1 to 2, not 3'),
        (where("sku", "matches", "(a"), 'did > 1st filter: regular expression "(a" is malformed: missing ): (a'),
        (where("price", "matches", "a"),
         'did > 1st filter: "price" is a number; "matches" does not apply to it (=, !=, >, >=, <, <=, between, in, not in, exists, does not exist do)'),
        (where("tags", "contains any", 5), 'did > 1st filter: "tags" is a list, 5 is not; a text is needed'),
        (where("client", ">", "beta"), "did > 1st filter: \"client\" is a version, 'beta' is not"),
        (where("client", "between", "1.10", "1.9"), "did > 1st filter: between 1.10 and 1.9: the first is larger"),
        (where("sku", "=", "a", window={"kind": "ever"}), 'did > 1st filter: "=" takes no window'),
        (where("due", "within"), 'did > 1st filter: "within" needs a window'),
        (where("due", "within", window={"kind": "ever"}), 'did > 1st filter: "within" ever is no limit; use "exists"'),
        (where("due", "within", window={"kind": "last", "count": 5, "unit": "hours"}),
         "did > 1st filter: a date has no hours; give days, weeks, months or years"),
        (where("due", "anniversary", 365), "did > 1st filter: an anniversary comes within 0 to 364 days, got 365"),
        (where("due", "anniversary", 1.5), "did > 1st filter: an anniversary comes within 0 to 364 days, got 1.5"),
        (buy(clock={"start": "09:00", "end": "09:00"}), "did > clock: from 09:00:00 to 09:00:00 is no time or all day; leave one out"),
        (buy(clock={"zone": "user"}), "did > clock: is no limit; name hours or weekdays"),
        (buy(clock={"weekdays": ["monday", "monday"]}), "did > clock: names a weekday twice"),
        (buy(window={"kind": "next", "count": 7}), "did > window: events of the next days have not happened; use last"),
        (buy(window={"kind": "days ago", "nearest": -1}), "did > window: between -1 and -1 days ago: farthest first, none below 0"),
        (buy(window={"kind": "dates", "first": "2026-07-02"}),
         "did > window: from 2026-07-02 on lies in the future: as of 2026-07-01 nobody can be in it"),
        (buy(measure={"operator": "!=", "values": [5, 0]}, include_zero=True), 'did > measure: "!=" takes 1 number, got 2; combine conditions'),
        (interest(percent=33.33333), "interest: a share has at most 4 decimals, got 33.33333 %"),
        (where("sku", "contains", ""), 'did > 1st filter: "sku": an empty text is kept as absent; use "exists" or "does not exist"'),
        ({"kind": "any", "conditions": [buy()] * 500}, "a tree has at most 500 conditions, this one 501; use a list"),
        (buy(events=["Buy", "Buy"]), "did: names an event twice"),
        (where("sku", "in", *["x"] * 10_001), 'did > 1st filter: "in" takes 1 to 10,000 values, got 10001'),
    ],
)  # fmt: skip
def test_a_fault_is_told(condition: dict[str, Any], problem: str) -> None:
    """What, which value, which rule, and the nearest valid name."""
    assert found(condition, AT)[0] == problem


def test_a_window_in_the_future_depends_on_the_instant() -> None:
    """It may be saved; asked too early it is an error, on its first day an answer."""
    tree = buy(window={"kind": "dates", "first": "2026-07-02"})
    assert found(tree) == []
    assert len(found(tree, datetime(2026, 7, 2, 3, 59, tzinfo=UTC))) == 1
    assert found(tree, datetime(2026, 7, 2, 4, 0, tzinfo=UTC)) == []


def test_a_tree_without_end_is_a_problem_not_a_crash() -> None:
    """Fifty levels pass, sixty-five do not."""
    tree: dict[str, Any] = buy()
    for _ in range(45):
        tree = {"kind": "not", "condition": tree}
    assert found(tree) == []
    for _ in range(20):
        tree = {"kind": "not", "condition": tree}
    assert found(tree)[0].endswith("conditions are nested more than 50 deep")


@pytest.mark.parametrize(
    "condition",
    [
        Did(events=("Buy",), clock=Clock(zone="Europe/Berlin", start=time(8))),  # type: ignore[arg-type]
        Did(events=("Buy",), clock=Clock(start=time(8, tzinfo=UTC))),
        Did(events=("Buy",), window=Dates(first=AT)),
        Did(events=("Buy",), window=Last(count=1.9)),  # type: ignore[arg-type]
        InSegment(segment="\ud800"),
        Did(
            events=("Buy",),
            where=(Predicate(property="price", operator=Operator.GREATER, values=(np.int64(5),)),),
        ),  # type: ignore[arg-type]
    ],
)
def test_a_tree_built_in_python_fits_the_shape_of_a_file(condition: Condition) -> None:
    """What no file can say is refused before it is asked, not read in another way."""
    scope = Scope(catalogue=CATALOGUE, zone=ZoneInfo("America/New_York"), salt="s", resolver=Fixed())
    with pytest.raises(SegmentError):
        check(Segment(name="asked", condition=condition), scope, AT)


def test_an_instant_out_of_reach_is_told() -> None:
    """No overflow somewhere below."""
    with pytest.raises(InputError, match="give an instant of the years 1900 to 2999"):
        found(buy(), datetime(1, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("clock", {"start": "9:00"}, "a time of day is written 09:30, not 9:00"),
        ("clock", {"start": "24:00"}, "a time of day is written 09:30, not 24:00"),
        ("clock", {"start": 32400}, "valid time"), ("clock", {"weekdays": ["Mon"]}, "monday"),
        ("window", {"kind": "fortnight"}, 'unknown kind "fortnight"'), ("window", {"kind": "last", "count": "7"}, "'7' is not a whole number"),
        ("wher", [], "is not a known key"), ("measure", {"operator": "=>", "values": [1]}, 'unknown operator "=>"'),
    ],
)  # fmt: skip
def test_a_file_that_does_not_fit_the_shape(field: str, value: object, told: str) -> None:
    """Found while reading, with the path."""
    (problem, *_) = found(buy(**{field: value}))
    assert told in problem
    assert "condition" in problem
