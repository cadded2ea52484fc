"""Segments as JSON and YAML: one shape for files, the database and the digest."""

from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError

from workbench.errors import Problem, SegmentError, nearest
from workbench.segments import model, windows
from workbench.segments.model import Operator, Segment

_DESCRIBED: tuple[Any, ...] = (
    model.Segment, model.AllOf, model.AnyOf, model.Not, model.Did, model.UserProperty, model.InSegment,
    model.Predicate, model.Measure, windows.Ever, windows.Last, windows.DaysAgo, windows.Calendar, windows.Dates,
)  # fmt: skip
for _described in _DESCRIBED:
    _described.__pydantic_config__ = ConfigDict(extra="forbid")

_ADAPTER: TypeAdapter[Segment] = TypeAdapter(Segment)


def to_json(segment: Segment) -> dict[str, Any]:
    """Return the segment as JSON values; what has its default is left out."""
    body: dict[str, Any] = _ADAPTER.dump_python(segment, mode="json", exclude_defaults=True)
    return _with_kinds(body, _ADAPTER.dump_python(segment, mode="json"))  # type: ignore[no-any-return]


def from_json(body: Any) -> Segment:
    """Read a segment.

    Raises:
        SegmentError: every key or value that does not fit, with its path.
    """
    name = str(body.get("name", "?")) if isinstance(body, dict) else "?"
    try:
        return _ADAPTER.validate_python(body)
    except ValidationError as error:
        raise SegmentError(name, problems(error)) from error


def problems(error: ValidationError) -> list[Problem]:
    """Translate pydantic's findings into paths and sentences."""
    found = []
    for item in error.errors(include_url=False):
        path = " > ".join(_step(part) for part in item["loc"])
        message = item["msg"]
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
        found.append(Problem(path=path, message=message))
    return found


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


def _with_kinds(short: Any, full: Any) -> Any:
    """Put ``kind`` back first: it has a default, so it was left out, but a reader needs it."""
    if isinstance(short, dict):
        kept = {key: _with_kinds(value, full[key]) for key, value in short.items() if key != "kind"}
        return {"kind": full["kind"], **kept} if "kind" in full else kept
    if isinstance(short, list):
        return [_with_kinds(a, b) for a, b in zip(short, full, strict=True)]
    return short
