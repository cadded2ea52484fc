"""The code that builds a segment builds it."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from segments.trees import trees

from workbench.segments import build, codec
from workbench.segments.model import Segment
from workbench.segments.python import to_python


def run(code: str) -> Segment:
    """Run printed code and return its segment."""
    names: dict[str, Any] = {}
    exec(compile(code, "printed", "exec"), names)
    return names["segment"]  # type: ignore[no-any-return]


@settings(max_examples=400, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(tree=trees(names=("a", "b'\"")))
def test_any_tree_comes_back_from_its_code(tree: dict[str, Any]) -> None:
    """Every kind of condition, nested as it was."""
    segment = codec.from_json({"name": "s \"'\n", "condition": tree, "description": "NO: yes"})
    assert run(to_python(segment)) == segment


def test_the_code_reads_like_the_question() -> None:
    """One condition a line, only what is not the default, only the names that are used."""
    did, prop, user = build.did, build.prop, build.user
    segment = (
        did("Charged").where(prop("price") > 100).at_least(3).in_last(days=30)
        & ~did("App Uninstalled")
        & user("country").is_in("US", "CA")
    ).named("loyal")
    assert to_python(segment) == (
        "from workbench.segments.build import did, prop, user\n"
        "\n"
        "segment = (\n"
        '    did("Charged").where(prop("price") > 100).in_last(days=30).at_least(3)\n'
        '    & ~did("App Uninstalled")\n'
        '    & user("country").is_in("US", "CA")\n'
        ').named("loyal")\n'
    )


@pytest.mark.parametrize(
    ("tree", "code"),
    [
        ({"kind": "age", "operator": ">=", "values": [18]}, "age() >= 18"),
        ({"kind": "not", "condition": {"kind": "age", "operator": ">=", "values": [18]}}, "~(age() >= 18)"),
        ({"kind": "device", "where": [{"property": "os", "operator": "=", "values": ["iOS"]}]}, 'device("os") == "iOS"'),
        ({"kind": "did", "events": ["A"], "measure": {"function": "sum", "property": "p", "operator": ">", "values": [5]}},
         '(did("A").sum("p") > 5)'),
        ({"kind": "did", "events": ["A"], "measure": {"operator": "!=", "values": [2]}}, '(did("A").count() != 2)'),
        ({"kind": "all", "conditions": [{"kind": "segment", "segment": "s"}]}, 'all_of(in_segment("s"))'),
        ({"kind": "constant property", "parts": [{"events": ["A"], "property": "p"},
                                                  {"events": ["B"], "property": "q", "did": False}]},
         'same(did("A").by("p"), ~did("B").by("q"))'),
        ({"kind": "sequence", "first": {"events": ["A"]}, "then": {"events": ["B"]}, "followed": False,
          "within": {"count": 2, "unit": "hours"}}, 'did("A").not_then(did("B"), hours=2)'),
    ],
)  # fmt: skip
def test_a_condition_as_code(tree: dict[str, Any], code: str) -> None:
    """The short form of each."""
    printed = to_python(codec.from_json({"name": "s", "condition": tree}))
    assert printed.split("segment = (\n    ")[1].split("\n).named")[0] == code
