"""The shape of a batch: `schema.json`, and what a failure of it is called in the report."""

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fastjsonschema


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Why a batch is dropped; the reason holds nothing of the batch."""

    rule: str
    reason: str


class Shape:
    """The compiled schema."""

    def __init__(self) -> None:
        """Read and compile the schema of the package."""
        schema = json.loads(Path(__file__).with_name("schema.json").read_text("utf-8"))
        self._validate = fastjsonschema.compile(schema, use_default=False)

    def fault(self, value: object) -> Fault | None:
        """Give the first failure of the schema, or None."""
        try:
            self._validate(value)
        except fastjsonschema.JsonSchemaValueException as error:
            return _fault(error)
        return None


def _fault(error: fastjsonschema.JsonSchemaValueException) -> Fault:
    named: Mapping[str, str] = error.definition.get("x-dropped", {})
    text = named.get(error.rule or "*") or named.get("*", "shape: the batch has another shape")
    rule, _, reason = text.partition(": ")
    if error.rule == "additionalProperties":
        reason += _nearest(error.value, error.definition.get("properties", {}))
    return Fault(rule=rule, reason=reason)


def _nearest(value: Mapping[str, Any], known: Mapping[str, Any]) -> str:
    unknown = next(key for key in value if key not in known)
    close = difflib.get_close_matches(unknown, known, n=1)
    return f", nearest known: {close[0]}" if close else ""
