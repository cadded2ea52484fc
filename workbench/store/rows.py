"""Rows as they lie in the database, read strictly: what the workbench cannot have written is refused by its name."""

import json
from collections.abc import Callable, Mapping
from datetime import MAXYEAR, MINYEAR, datetime
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from workbench.errors import DamagedError
from workbench.store import tables


def _instant(value: object) -> datetime:
    found = tables.instant(value)
    if not MINYEAR < found.year < MAXYEAR:
        raise ValueError("is at an end of the calendar")
    return found


T = TypeVar("T")
STRICT = ConfigDict(strict=True, extra="forbid")
# With room for a time zone and a window on either side.
Instant = Annotated[datetime, BeforeValidator(_instant)]
Count = Annotated[int, Field(strict=True, ge=0, lt=2**63)]
# A file's name cannot hold the one sign that ends it.
PathText = Annotated[str, Field(pattern=r"^[^\x00]+$")]


def read(adapter: TypeAdapter[T], row: Mapping[Any, Any], name: str) -> T:
    """Return what a row of ``tables.raw`` says.

    Args:
        adapter: of a dataclass whose fields are columns.
        row: with the texts of instants and JSON.
        name: of the row, for people.

    Raises:
        DamagedError: naming row and columns; no value, which may be a person's.
    """
    faults = "; ".join(f"{column} is bytes" for column, value in row.items() if isinstance(value, bytes))
    if not faults:
        try:
            return adapter.validate_python(dict(row))
        except ValidationError as error:
            faults = _faults(error)
    raise DamagedError(f"{name} is damaged in the ledger: {faults}")


def document(shape: TypeAdapter[Any]) -> Callable[[Any], Any]:
    """Return a validator of a field that reads JSON of one shape."""

    def validate(text: Any) -> Any:
        try:
            shape.validate_json(text)
        except ValidationError as error:
            raise ValueError(_faults(error)) from None
        return json.loads(text)

    return validate


def _faults(error: ValidationError) -> str:
    found = []
    for item in error.errors(include_url=False, include_input=False, include_context=False):
        said = item["msg"].removeprefix("Value error, ").removeprefix("Input ")
        said = "is no JSON" if item["type"] == "json_invalid" else said
        found.append(" ".join([*(f"{step}" for step in item["loc"]), said]))
    return "; ".join(found)
