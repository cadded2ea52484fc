"""One shape for files, the database and the digest; values keep the type that the author wrote."""

import json
from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from segments.trees import trees

from workbench.errors import SegmentError
from workbench.segments import codec
from workbench.segments.behaviours import Did
from workbench.segments.model import AllOf, Segment
from workbench.segments.predicates import Measure, Operator, Predicate
from workbench.segments.traits import UserProperty
from workbench.segments.windows import Dates
from workbench.store import documents
from workbench.store.versions import content_digest


def read(condition: dict[str, Any]) -> Any:
    """Read one condition."""
    return codec.from_json({"name": "s", "condition": condition}).condition


def faults(condition: object, **fields: object) -> list[str]:
    """Return why a document cannot be read."""
    with pytest.raises(SegmentError) as caught:
        codec.from_json({"name": "s", "condition": condition, **fields})
    return [str(problem) for problem in caught.value.problems]


@settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(tree=trees(names=("a", "b")))
def test_json_and_yaml_give_the_tree_back(tree: dict[str, Any]) -> None:
    """Any tree survives JSON text and YAML text, and its digest with it."""
    segment = codec.from_json({"name": "s", "condition": tree, "description": "NO: yes"})
    body = codec.to_json(segment)
    assert codec.from_json(json.loads(json.dumps(body))) == segment
    again = codec.from_json(documents.parse(documents.dump(body)))
    assert again == segment
    assert content_digest(codec.to_json(again)) == content_digest(body)


def test_the_shape_is_short() -> None:
    """Defaults are left out; the kind, which a reader needs, stays."""
    tree = AllOf(conditions=(Did(events=("A",), window=Dates(first=date(2026, 1, 1))),))
    assert codec.to_json(Segment(name="s", condition=tree)) == {
        "name": "s",
        "condition": {
            "kind": "all",
            "conditions": [
                {"kind": "did", "events": ["A"], "window": {"kind": "dates", "first": "2026-01-01"}}
            ],
        },
    }


def test_values_keep_their_types() -> None:
    """A text of digits, a whole number, a fraction and a truth are four values."""
    written = ["5", 5, 5.0, True, "true", 0, False, -0.5]
    condition = read({"kind": "user", "predicate": {"property": "a", "operator": "in", "values": written}})
    assert [(type(value), value) for value in condition.predicate.values] == [
        (str, "5"), (int, 5), (float, 5.0), (bool, True), (str, "true"), (int, 0), (bool, False), (float, -0.5),
    ]  # fmt: skip
    measure = read(
        {"kind": "did", "events": ["A"], "measure": {"operator": "between", "values": [5, 7.0]}}
    ).measure
    assert [type(value) for value in measure.values] == [int, float]


DID = {"kind": "did", "events": ["A"]}


@pytest.mark.parametrize(
    ("condition", "fault"),
    [
        ({**DID, "measure": {"values": ["5"]}}, "condition > did > measure > values > 1st: "),
        ({**DID, "measure": {"values": [True]}}, "condition > did > measure > values > 1st: "),
        ({**DID, "window": {"kind": "last", "count": "7"}}, "condition > did > window > last > count: "),
        ({**DID, "window": {"kind": "last", "count": True}}, "condition > did > window > last > count: "),
        ({**DID, "window": {"kind": "last", "count": 7.0}}, "condition > did > window > last > count: "),
        ({**DID, "include_zero": "yes"}, "condition > did > include_zero: "),
        ({**DID, "include_zero": 1}, "condition > did > include_zero: "),
        ({**DID, "window": {"kind": "dates", "first": 20260101}}, "condition > did > window > dates > first: "),
        ({**DID, "window": {"kind": "dates", "first": "20260101"}},
         "condition > did > window > dates > first: a date is written 2026-06-30, not 20260101"),
        ({**DID, "window": {"kind": "dates", "first": "1767225600"}}, "condition > did > window > dates > first: "),
        ({**DID, "window": {"kind": "dates", "first": "2026-02-30"}}, "condition > did > window > dates > first: "),
        ({**DID, "events": "A"}, "condition > did > events: "),
        ({**DID, "events": [1]}, "condition > did > events > 1st: "),
        ({**DID, "where": [{"property": 5, "operator": "exists"}]}, "condition > did > where > 1st > property: "),
        ({"kind": "segment", "segment": "a", "version": True}, "condition > segment > version: "),
        ({"kind": "user", "predicate": {"property": "a", "operator": "=", "values": [None]}},
         "condition > user > predicate > values > 1st: is neither a text nor a finite number nor true or false"),
        ({"kind": "user", "predicate": {"property": "a", "operator": "=", "values": [float("nan")]}},
         "condition > user > predicate > values > 1st: is neither a text nor a finite number nor true or false"),
        ({"kind": "user", "predicate": {"property": "a", "operator": "=>", "values": [1]}},
         'condition > user > predicate > operator: unknown operator "=>". Did you mean ">" or "="?'),
        ({**DID, "evnts": []}, "condition > did > evnts: is not a known key"),
        ({"kind": "did"}, "condition > did > events: is missing"),
        ({"kind": "didnt"}, "condition: unknown kind \"didnt\"; known are 'all', 'any', 'not', 'did'"),
        ({}, 'condition: needs a "kind"'),
        ({"kind": "user", "predicate": {"property": "a", "operator": "=", "values": [b"x"]}}, "is not JSON: "),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(condition: dict[str, Any], fault: str) -> None:
    """A value of another type is not turned into the wanted one; the one problem names its place."""
    (told,) = faults(condition)
    assert told.startswith(fault)


def test_all_misfits_are_told_at_once() -> None:
    """Three faults, three lines."""
    tree = {"kind": "all", "conditions": [{"kind": "did"}, {"kind": "nope"}, {**DID, "match": "some"}]}
    assert len(faults(tree)) == 3


def test_a_document_is_an_object_with_a_short_name() -> None:
    """A list, an empty name, and one longer than the ledger keeps are refused when they are read."""
    for body in ([], None, "text", {"name": "", "condition": DID}, {"name": "n" * 101, "condition": DID}):
        with pytest.raises(SegmentError):
            codec.from_json(body)
    assert faults(DID, colour="red") == ["colour: is not a known key"]


def test_yaml_dates_are_dates_and_texts() -> None:
    """An unquoted date in YAML is a date where one belongs, and a text among values."""
    text = """
name: s
condition:
  kind: all
  conditions:
  - {kind: did, events: [A], window: {kind: dates, first: 2026-01-01}}
  - {kind: user, predicate: {property: country, operator: in, values: [NO, 2026-01-01, yes]}}
"""
    first, second = codec.from_json(documents.parse(text)).condition.conditions  # type: ignore[union-attr]
    assert first.window == Dates(first=date(2026, 1, 1))
    assert second.predicate.values == ("NO", "2026-01-01", "yes")


def test_equal_segments_have_equal_digests() -> None:
    """Written in Python or read from JSON, with or without its defaults, a segment says the same."""
    built = Segment(name="s", condition=Did(events=("A",), measure=Measure(values=(5,))))
    given_ = {"kind": "did", "match": "any", "events": ["A"], "measure": {"values": [5], "function": "count"}}
    assert content_digest(codec.to_json(built)) == content_digest(
        codec.to_json(codec.from_json({"name": "s", "condition": given_}))
    )


def test_deep_trees_are_read_or_refused() -> None:
    """50 levels are read; a thousand are a problem of the document, not a crash."""

    def nested(levels: int) -> dict[str, Any]:
        tree: dict[str, Any] = DID
        for _ in range(levels):
            tree = {"kind": "not", "condition": tree}
        return tree

    assert codec.to_json(codec.from_json({"name": "s", "condition": nested(50)}))["condition"] == nested(50)
    (told,) = faults(nested(1000))
    assert "recursion" in told


def test_predicates_without_values_are_short() -> None:
    """``exists`` carries no empty list."""
    condition = UserProperty(predicate=Predicate(property="email", operator=Operator.EXISTS))
    assert codec.to_json(Segment(name="s", condition=condition))["condition"] == {
        "kind": "user",
        "predicate": {"property": "email", "operator": "exists"},
    }
