"""Segments as JSON and YAML: one shape for files, the database and the digest."""

import json
from datetime import date
from typing import Any, get_args

from pydantic import ConfigDict, TypeAdapter, ValidationError

from workbench.errors import Problem, SegmentError, nearest
from workbench.segments import behaviours, model, predicates, windows
from workbench.segments.model import Segment
from workbench.segments.predicates import Operator

_DESCRIBED: tuple[Any, ...] = (
    model.Segment, *get_args(model.Group), *get_args(model.Behaviour), *get_args(model.Trait),
    behaviours.Selection, behaviours.Clock, behaviours.ConstantPart, predicates.Predicate, predicates.Measure,
    windows.Duration, *get_args(get_args(windows.Window)[0]),
)  # fmt: skip
for _described in _DESCRIBED:
    _described.__pydantic_config__ = ConfigDict(extra="forbid", allow_inf_nan=False)

BRANCHES = frozenset({"bool", "int", "float", "str"})
KINDS = {
    "int_type": "a whole number", "int_from_float": "a whole number", "int_parsing_size": "a whole number",
    "float_type": "a number", "finite_number": "a finite number", "bool_type": "true or false", "string_type": "a text",
}  # fmt: skip
SHOWN = 60
_ADAPTER: TypeAdapter[Segment] = TypeAdapter(Segment)


def to_json(segment: Segment) -> dict[str, Any]:
    """Return the segment as JSON values; what has its default is left out."""
    body: dict[str, Any] = _ADAPTER.dump_python(segment, mode="json", exclude_defaults=True, warnings=False)
    return with_kinds(body, _ADAPTER.dump_python(segment, mode="json", warnings=False))  # type: ignore[no-any-return]


def from_json(body: Any) -> Segment:
    """Read a segment. Values keep the type that the author wrote: ``"5"`` is no number, ``true`` no 1.

    Raises:
        SegmentError: every key or value that does not fit, with its path.
    """
    name = str(body.get("name", "?")) if isinstance(body, dict) else "?"
    try:
        return _ADAPTER.validate_json(json.dumps(body, default=written), strict=True)
    except ValidationError as error:
        raise SegmentError(name, problems(error)) from error
    except (TypeError, ValueError, RecursionError) as error:
        raise SegmentError(name, [Problem(path="", message=f"is not JSON: {error}")]) from error


def written(value: object) -> str:
    """Write the dates that YAML recognises the way JSON has them."""
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{value!r} is neither text nor number")


def problems(error: ValidationError) -> list[Problem]:
    """Translate pydantic's findings into paths and sentences."""
    found: dict[Problem, None] = {}
    for item in error.errors(include_url=False):
        loc = item["loc"]
        message = item["msg"].removeprefix("Value error, ")
        if item["type"] in KINDS:
            message = f"{_short(item['input'])} is not {KINDS[item['type']]}"
        if len(loc) > 1 and loc[-1] in BRANCHES:
            loc, message = loc[:-1], "is neither a text nor a finite number nor true or false"
        path = " > ".join(_step(part) for part in loc)
        match item["type"]:
            case "missing":
                message = "is missing"
            case "extra_forbidden" | "unexpected_keyword_argument":
                message = "is not a known key"
            case "enum" if "Operator" in str(item.get("ctx")) or "'='" in message:
                value = str(item["input"])
                message = f'unknown operator "{value}".{nearest(value, [o.value for o in Operator])}'
            case "union_tag_invalid":
                context = item.get("ctx", {})
                message = f'unknown kind "{context.get("tag")}"; known are {context.get("expected_tags")}'
            case "union_tag_not_found":
                message = 'needs a "kind"'
        found[Problem(path=path, message=message)] = None
    return list(found)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def _step(part: int | str) -> str:
    return f"{part + 1}{ordinal(part + 1)}" if isinstance(part, int) else str(part)


def ordinal(number: int) -> str:
    """Return the ending: 1st, 2nd, 3rd, 11th.

    >>> [f"{n}{ordinal(n)}" for n in (1, 2, 3, 11, 21)]
    ['1st', '2nd', '3rd', '11th', '21st']
    """
    if 10 <= number % 100 <= 20:
        return "th"
    return {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")


def with_kinds(short: Any, full: Any) -> Any:
    """Put ``kind`` back first: it has a default, so it was left out, but a reader needs it."""
    if isinstance(short, dict):
        kept = {key: with_kinds(value, full[key]) for key, value in short.items() if key != "kind"}
        return {"kind": full["kind"], **kept} if "kind" in full else kept
    if isinstance(short, list):
        return [with_kinds(a, b) for a, b in zip(short, full, strict=True)]
    return short
