"""From text to typed values: how a type is recognised, and the SQL that reads it."""

import re
from dataclasses import dataclass, field

import polars as pl

from workbench.settings import PropertyType
from workbench.store.catalogue import SQL_TYPES
from workbench.store.engine import literal

NUMBER = r"^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$"
LEADING_ZERO = r"^[+-]?0\d"
BOOLEAN = r"^(?i:true|false)$"
DATE = r"^\d{4}-\d{2}-\d{2}$"
NAIVE = r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?)?$"
AWARE = r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?\s*(Z|z|[+-]\d{2}(:?\d{2})?)$"
EPOCHS = {"epoch_s": 1_000_000, "epoch_ms": 1_000, "epoch_us": 1}
ASK_FROM = 0.9

RECOGNISED: dict[PropertyType, str] = {
    "number": NUMBER, "boolean": BOOLEAN, "date": DATE, "instant": AWARE,
}  # fmt: skip


@dataclass(slots=True)
class Evidence:
    """What the values of one text column look like, added up chunk by chunk."""

    values: int = 0
    matching: dict[str, int] = field(default_factory=dict)
    leading_zeros: int = 0
    naive_times: int = 0
    json_kinds: set[str] = field(default_factory=set)

    def add(self, column: pl.Series, kinds: set[str]) -> None:
        """Look at one chunk."""
        present = column.drop_nulls()
        self.values += present.len()
        self.json_kinds |= kinds
        for kind, pattern in RECOGNISED.items():
            self.matching[kind] = self.matching.get(kind, 0) + int(present.str.contains(pattern).sum())
        self.leading_zeros += int(present.str.contains(LEADING_ZERO).sum())
        self.naive_times += int((present.str.contains(NAIVE) & present.str.contains(":", literal=True)).sum())

    def decide(self) -> PropertyType | None:
        """Return the type, or None when almost all values have one and a person must say.

        Text with leading zeros is never a number. JSON strings never become numbers or booleans.
        """
        if not self.values:
            return "text"
        if self.json_kinds == {"list"}:
            return "list"
        if self.json_kinds and len(self.json_kinds) == 1 and "text" not in self.json_kinds:
            return "number" if "number" in self.json_kinds else "boolean"
        for kind in RECOGNISED:
            if kind in {"number", "boolean"} and self.json_kinds == {"text"}:
                continue
            if kind == "number" and self.leading_zeros:
                continue
            share = self.matching.get(kind, 0) / self.values
            if share == 1:
                return kind
            if share >= ASK_FROM:
                return None
        return "text"

    @property
    def likely(self) -> PropertyType:
        """The type that most values have."""
        return max(RECOGNISED, key=lambda kind: self.matching.get(kind, 0))


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeRule:
    """How the times of a source are written.

    Attributes:
        format: a strptime pattern, ``epoch_s``, ``epoch_ms`` or ``epoch_us``; None means ISO 8601.
        zone: the IANA zone of times without one; None means that there are none.
    """

    format: str | None = None
    zone: str | None = None

    @property
    def aware(self) -> bool:
        """Whether the pattern itself carries the zone."""
        return self.format is not None and ("%z" in self.format or self.format in EPOCHS)


def instant(column: str, native: str, rule: TimeRule) -> str:
    """Return SQL that reads ``column`` as an instant, NULL where it is unreadable."""
    zone = literal(rule.zone or "UTC")
    if native == "TIMESTAMP WITH TIME ZONE":
        return column
    if native.startswith("TIMESTAMP") or native == "DATE":
        return f"timezone({zone}, {column}::TIMESTAMP)"
    if rule.format in EPOCHS:
        micros = f"try_cast(try_cast({column} AS DECIMAL(24, 6)) * {EPOCHS[rule.format]} AS BIGINT)"
        return f"make_timestamptz({micros})"
    if native != "VARCHAR":
        return "NULL::TIMESTAMPTZ"
    if rule.format is not None:
        parsed = f"try_strptime(trim({column}), {literal(rule.format)})"
        return parsed if rule.aware else f"timezone({zone}, {parsed})"
    aware = rf"try_cast(regexp_replace(trim({column}), '\s+([Zz+-])', '\1') AS TIMESTAMPTZ)"
    naive = f"timezone({zone}, try_cast(trim({column}) AS TIMESTAMP))"
    return (
        f"CASE WHEN regexp_matches(trim({column}), {literal(AWARE)}) THEN {aware} "
        f"WHEN regexp_matches(trim({column}), {literal(NAIVE)}) THEN {naive} END"
    )


def is_naive(column: str, native: str, rule: TimeRule) -> str | None:
    """Return SQL that is true where ``column`` holds a time without a zone; None where that cannot be."""
    if native == "TIMESTAMP WITH TIME ZONE" or rule.aware:
        return None
    if native.startswith("TIMESTAMP") or native == "DATE" or rule.format is not None:
        return f"{column} IS NOT NULL"
    return f"regexp_matches(trim({column}::VARCHAR), {literal(NAIVE)})"


def value(column: str, native: str, kind: PropertyType, rule: TimeRule) -> str:
    """Return SQL that reads ``column`` as ``kind``, NULL where it does not fit."""
    if native == "VARCHAR":
        match kind:
            case "text":
                return column
            case "number":
                number = literal(NUMBER)
                return f"CASE WHEN regexp_matches({column}, {number}) THEN try_cast({column} AS DOUBLE) END"
            case "boolean":
                return f"CASE lower({column}) WHEN 'true' THEN true WHEN 'false' THEN false END"
            case "date":
                return (
                    f"CASE WHEN regexp_matches({column}, {literal(DATE)}) THEN try_cast({column} AS DATE) END"
                )
            case "instant":
                return instant(column, native, TimeRule(zone=rule.zone))
            case "list":
                listed = f"try_cast(from_json({column}, '[\"VARCHAR\"]') AS VARCHAR[])"
                return f"CASE WHEN {column} LIKE '[%' THEN {listed} ELSE string_split({column}, '|') END"
    if kind == "instant":
        return instant(column, native, TimeRule(zone=rule.zone))
    if kind == "number":
        return f"CASE WHEN isfinite(try_cast({column} AS DOUBLE)) THEN try_cast({column} AS DOUBLE) END"
    return f"try_cast({column} AS {SQL_TYPES[kind]})"


def of_native(native: str) -> PropertyType | None:
    """Return the type of a Parquet column; None for nested and binary ones."""
    if native.endswith("[]") and not native.endswith("][]"):
        return "list"
    base = re.sub(r"\(.*\)", "", native)
    if base in {"VARCHAR", "UUID"} or base.startswith("ENUM"):
        return "text"
    if base in {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "FLOAT", "DOUBLE", "DECIMAL"}:
        return "number"
    if base in {"UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"}:
        return "number"
    if base.startswith("TIMESTAMP"):
        return "instant"
    return {"BOOLEAN": "boolean", "DATE": "date"}.get(base)  # type: ignore[return-value]
