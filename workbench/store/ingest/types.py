"""From text to typed values: how a type is recognised, and the SQL that reads it."""

import re
from dataclasses import dataclass, field

import polars as pl

from workbench.settings import PropertyType
from workbench.store.catalogue import SQL_TYPES
from workbench.store.engine import literal

NUMBER = r"^[+-]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?$"
LEADING_ZERO = r"^[+-]?0[0-9]"
LONG = r"^[+-]?[0-9]{16,}$"
LARGEST = 2**53
BOOLEAN = r"^(?i:true|false)$"
DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
CLOCK = r"[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?"
NAIVE = rf"^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}([T ]{CLOCK})?$"
AWARE = rf"^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[T ]{CLOCK} *(Z|z|[+-](0[0-9]|1[0-8])(:?[0-5][0-9])?)$"
FIRST_MICROS, LAST_MICROS = -62_135_596_800_000_000, 253_402_300_799_999_999
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
    too_long: int = 0
    json_kinds: set[str] = field(default_factory=set)

    def add(self, column: pl.Series, kinds: set[str]) -> None:
        """Look at one chunk."""
        present = column.drop_nulls()
        self.values += present.len()
        self.json_kinds |= kinds
        for kind, pattern in RECOGNISED.items():
            self.matching[kind] = self.matching.get(kind, 0) + int(present.str.contains(pattern).sum())
        self.leading_zeros += int(present.str.contains(LEADING_ZERO).sum())
        digits = present.filter(present.str.contains(LONG)).str.strip_chars_start("+-")
        self.too_long += int(((digits.str.len_bytes() > 16) | (digits > str(LARGEST))).sum())

    def decide(self) -> PropertyType | None:
        """Return the type, or None when almost all values have one and a person must say.

        Text with leading zeros is never a number, nor are whole numbers beyond 2^53, which a double
        cannot tell apart. JSON strings never become numbers or booleans.
        """
        kinds = {"number" if kind == "fraction" else kind for kind in self.json_kinds}
        if not self.values:
            return "text"
        if kinds == {"list"}:
            return "list"
        if kinds == {"boolean"}:
            return "boolean"
        for kind in RECOGNISED:
            if kind in {"number", "boolean"} and kinds == {"text"}:
                continue
            if kind == "number" and (self.leading_zeros or self.too_long):
                continue
            share = self.matching.get(kind, 0) / self.values
            if share == 1 and not (kind in {"number", "boolean"} and "text" in kinds):
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
        return self.format is not None and (bool(re.search("%[zZ]", self.format)) or self.format in EPOCHS)


def instant(column: str, native: str, rule: TimeRule) -> str:
    """Return SQL that reads ``column`` as an instant, NULL where it is unreadable or beyond years 1 to 9999."""
    found = _instant(column, native, rule)
    return f"CASE WHEN epoch_us({found}) BETWEEN {FIRST_MICROS} AND {LAST_MICROS} THEN {found} END"


def _instant(column: str, native: str, rule: TimeRule) -> str:
    zone = literal(rule.zone or "UTC")
    if native == "TIMESTAMP WITH TIME ZONE":
        return column
    if native.startswith("TIMESTAMP") or native == "DATE":
        return f"timezone({zone}, {column}::TIMESTAMP)"
    if rule.format in EPOCHS:
        micros = f"try_cast(try_cast({column} AS DECIMAL(24, 6)) * {EPOCHS[rule.format]} AS BIGINT)"
        return (
            f"CASE WHEN {micros} BETWEEN {FIRST_MICROS} AND {LAST_MICROS} THEN make_timestamptz({micros}) END"
        )
    if native != "VARCHAR":
        return "NULL::TIMESTAMPTZ"
    if rule.format is not None:
        parsed = f"try_strptime(trim({column}), {literal(rule.format)})"
        return parsed if rule.aware else f"timezone({zone}, {parsed})"
    aware = rf"try_cast(regexp_replace(upper(trim({column})), ' +([Z+-])', '\1') AS TIMESTAMPTZ)"
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
            case "text" | "version":
                return column
            case "number":
                return (
                    f"CASE WHEN regexp_matches({column}, {literal(NUMBER)}) "
                    f"AND isfinite(try_cast({column} AS DOUBLE)) AND (NOT regexp_matches({column}, {literal(LONG)}) "
                    f"OR abs(try_cast({column} AS HUGEINT)) <= {LARGEST}) THEN try_cast({column} AS DOUBLE) END"
                )
            case "boolean":
                return (
                    f"CASE WHEN lower({column}) IN ('true', 't', 'yes', 'y', '1') THEN true "
                    f"WHEN lower({column}) IN ('false', 'f', 'no', 'n', '0') THEN false END"
                )
            case "date":
                return (
                    f"CASE WHEN regexp_matches({column}, {literal(DATE)}) THEN try_cast({column} AS DATE) END"
                )
            case "instant":
                return instant(column, native, TimeRule(zone=rule.zone))
            case "list":
                listed = f"try_cast(from_json({column}, '[\"VARCHAR\"]') AS VARCHAR[])"
                return (
                    f"CASE WHEN {column} NOT LIKE '[%' THEN string_split({column}, '|') "
                    f"WHEN json_valid({column}) THEN {listed} END"
                )
    if kind == "instant":
        return instant(column, native, TimeRule(zone=rule.zone))
    if kind == "number" and "INT" in native:
        return f"CASE WHEN abs({column}::HUGEINT) <= {LARGEST} THEN {column}::DOUBLE END"
    if kind == "number":
        return f"CASE WHEN isfinite(try_cast({column} AS DOUBLE)) THEN try_cast({column} AS DOUBLE) END"
    return f"try_cast({column} AS {SQL_TYPES[kind]})"


def keeps(native: str, kind: PropertyType) -> bool:
    """Whether a column of this SQL type says the same when it is read as ``kind``."""
    found = of_native(native)
    if native == "VARCHAR" or found == kind:
        return True
    if kind in {"text", "version"}:
        return "INT" in native or found in {"boolean", "date"}
    return kind == "instant" and found == "date"


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
