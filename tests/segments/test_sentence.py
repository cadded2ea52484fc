"""What each kind of condition says."""

from typing import Any

import pytest

from workbench.segments import codec
from workbench.segments.sentence import sentence

DID = {"kind": "did", "events": ["Charged"]}
US = {"kind": "user", "predicate": {"property": "country", "operator": "=", "values": ["US"]}}


@pytest.mark.parametrize(
    ("tree", "text"),
    [
        (DID, 'did "Charged"'),
        ({**DID, "window": {"kind": "last", "count": 7}}, 'did "Charged" in the last 7 days'),
        ({**DID, "window": {"kind": "last", "count": 1, "unit": "months"}}, 'did "Charged" in the last month'),
        ({**DID, "window": {"kind": "days ago", "farthest": 3, "nearest": 3}}, 'did "Charged" exactly 3 days ago'),
        ({**DID, "window": {"kind": "days ago", "farthest": 3, "nearest": 1}},
         'did "Charged" between 3 and 1 days ago'),
        ({**DID, "window": {"kind": "calendar", "period": "today"}}, 'did "Charged" today'),
        ({**DID, "window": {"kind": "calendar", "period": "this month"}}, 'did "Charged" this month'),
        ({**DID, "window": {"kind": "calendar", "period": "previous month"}},
         'did "Charged" in the previous month'),
        ({**DID, "window": {"kind": "dates", "first": "2026-01-01", "last": "2026-01-31"}},
         'did "Charged" from 2026-01-01 to 2026-01-31'),
        ({**DID, "measure": {"values": [3]}}, 'did "Charged" at least 3 times'),
        ({**DID, "measure": {"operator": "<", "values": [3]}, "include_zero": True},
         'did "Charged" < 3 times, users without any included'),
        ({**DID, "measure": {"operator": "between", "values": [2, 5]}}, 'did "Charged" between 2 and 5 times'),
        ({**DID, "measure": {"function": "sum", "property": "price", "values": [1234567]}},
         'did "Charged" with sum of price >= 1234567'),
        ({**DID, "measure": {"function": "average", "property": "price", "values": [1234567.25]}},
         'did "Charged" with average of price >= 1234567.25'),
        ({**DID, "measure": {"function": "distinct", "property": "sku", "operator": "=", "values": [2.0]}},
         'did "Charged" with distinct values of sku = 2'),
        ({**DID, "events": ["A", "B"]}, 'did "A" or "B"'),
        ({**DID, "events": ["A", "B"], "match": "all"}, 'did "A" and "B"'),
        ({**DID, "where": [{"property": "price", "operator": ">", "values": [0.5]},
                           {"property": "paid", "operator": "=", "values": [True]}]},
         'did "Charged" (price > 0.5 and paid is true)'),
        ({"kind": "not", "condition": DID}, 'did not do "Charged"'),
        ({"kind": "not", "condition": {**DID, "events": ["A", "B"]}}, 'did not do "A" or "B"'),
        ({"kind": "not", "condition": {**DID, "events": ["A", "B"], "match": "all"}}, 'not (did "A" and "B")'),
        ({"kind": "not", "condition": {**DID, "measure": {"values": [3]}}}, 'not (did "Charged" at least 3 times)'),
        (US, 'country is "US"'),
        ({"kind": "user", "predicate": {"property": "country", "operator": "not in", "values": ["US", "5"]}},
         'country is none of "US", "5"'),
        ({"kind": "user", "predicate": {"property": "email", "operator": "does not exist"}}, "email does not exist"),
        ({"kind": "user", "predicate": {"property": "age", "operator": "between", "values": [20, 30.5]}},
         "age between 20 and 30.5"),
        ({"kind": "segment", "segment": "buyers", "version": 2}, 'is in segment "buyers" (version 2)'),
        ({"kind": "all", "conditions": [US, {"kind": "any", "conditions": [DID, US]}]},
         'country is "US" and (did "Charged" or country is "US")'),
    ],
)  # fmt: skip
def test_a_condition_as_a_sentence(tree: dict[str, Any], text: str) -> None:
    """All digits of every number, every name as it is written."""
    assert sentence(codec.from_json({"name": "s", "condition": tree}).condition) == text
