"""From a source's settings and a file's columns to the SQL that types every row and names its fault."""

from collections.abc import Mapping
from dataclasses import dataclass

from workbench.errors import IngestError, nearest
from workbench.settings import PropertyType, Source
from workbench.store import catalogue, engine
from workbench.store.catalogue import Property
from workbench.store.ingest import types
from workbench.store.ingest.staging import FILE, LINE, Staged

ROLES = {
    "events": {"user": "user_id", "event": "event", "ts": "ts"},
    "profiles": {"user": "user_id"},
    "devices": {"user": "user_id", "device": "device_id"},
}
REJECTED_MONTH = "rejected"
LONGEST_NAME = 200
WRONG: Mapping[PropertyType, str] = {
    "text": "not a text", "number": "not an exact number", "boolean": "not a boolean",
    "date": "not a date", "instant": "not an instant", "list": "not a list",
    "version": "not a version",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A fault that a row can have: where it shows and what is reported."""

    column: str
    reason: str
    fault: str
    raw: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RowMapping:
    """How raw rows become typed rows.

    Attributes:
        values: for each typed column the SQL over ``raw``.
        checks: the faults, in the order in which they are reported; a row has at most one.
        properties: what the other columns of the file are called, typed and stored as.
        naive: for each column of times, where it stands in ``raw`` and SQL that is true without a zone.
    """

    values: Mapping[str, str]
    checks: tuple[Check, ...]
    properties: Mapping[str, Property]
    naive: Mapping[str, tuple[str, str]]

    def select(self) -> str:
        """Return the SQL of typed rows: values, ``problem`` (1-based, NULL when sound), ``month``."""
        values = ", ".join(f"{sql} AS {engine.quote(name)}" for name, sql in self.values.items())
        raws = ", ".join(f"({check.raw})::VARCHAR AS __raw{n}" for n, check in enumerate(self.checks, 1))
        faults = ", ".join(f"CASE WHEN {check.fault} THEN {n} END" for n, check in enumerate(self.checks, 1))
        shown = " ".join(f"WHEN {n} THEN left(__raw{n}, 200)" for n in range(1, len(self.checks) + 1))
        kept = ", ".join(engine.quote(name) for name in self.values)
        month = "strftime(ts, '%Y-%m')" if "ts" in self.values else "'all'"
        return (
            f"SELECT {LINE}, {FILE}, {kept}, problem, CASE problem {shown} END AS problem_value, "
            f"CASE WHEN problem IS NULL THEN {month} ELSE '{REJECTED_MONTH}' END AS month FROM ("
            f"SELECT *, coalesce({faults}) AS problem FROM ("
            f"SELECT {LINE}, {FILE}, {values}, {raws} FROM raw))"
        )


def resolve(
    source: Source,
    staged: Staged,
    known: Mapping[str, Property],
    declared: Mapping[str, PropertyType],
) -> RowMapping:
    """Decide what every column of the files is.

    Args:
        source: the user's mapping.
        staged: the columns that the files have.
        known: properties of this kind that the lake already has; their types are kept.
        declared: types that ``[catalogue]`` gives to names.

    Raises:
        IngestError: a named column is not there, a type cannot be decided or contradicts the lake.
    """
    native, raws = staged.native, staged.columns
    roles = _roles(source, native)
    rule = types.TimeRule(format=source.time_format, zone=source.timezone)
    values: dict[str, str] = {}
    checks: list[Check] = []

    for role in roles.keys() & {"user", "device", "event_id"}:
        _require_id(roles[role], staged)
    user = raws[roles["user"]]
    values["user_id"] = f"nullif(trim({user}::VARCHAR), '')"
    checks.append(Check(column=roles["user"], reason="no user", fault="user_id IS NULL", raw=user))
    times: dict[str, str | None] = {}
    if source.kind == "events":
        values["event"], raw = _event(source, raws.get(roles.get("event", ""), ""))
        checks.append(
            Check(column=roles.get("event", ""), reason="no event name", fault="event IS NULL", raw=raw)
        )
    if source.kind == "devices":
        device = raws[roles["device"]]
        values["device_id"] = f"nullif(trim({device}::VARCHAR), '')"
        checks.append(
            Check(column=roles["device"], reason="no device", fault="device_id IS NULL", raw=device)
        )
    if "ts" in roles:
        raw_ts = raws[roles["ts"]]
        name = "ts" if source.kind == "events" else "valid_from"
        values[name] = types.instant(raw_ts, native[roles["ts"]], rule)
        checks.append(
            Check(column=roles["ts"], reason=_time_reason(source), fault=f"{name} IS NULL", raw=raw_ts)
        )
        times[roles["ts"]] = types.is_naive(raw_ts, native[roles["ts"]], rule)
    if "event_id" in roles:
        values["event_id"] = f"nullif(trim({raws[roles['event_id']]}::VARCHAR), '')"
    if "recorded" in roles:
        raw_recorded = raws[roles["recorded"]]
        values["recorded"] = types.instant(raw_recorded, native[roles["recorded"]], rule)
        checks.append(
            Check(
                column=roles["recorded"],
                reason=_time_reason(source),
                raw=raw_recorded,
                fault="recorded IS NULL",
            )
        )
        times[roles["recorded"]] = types.is_naive(raw_recorded, native[roles["recorded"]], rule)
    properties = _properties(source, staged, known, declared, set(roles.values()))
    for column, item in properties.items():
        raw = raws[column]
        if item.type == "instant":
            times[column] = types.is_naive(raw, native[column], types.TimeRule(zone=rule.zone))
        values[item.column] = types.value(raw, native[column], item.type, rule)
        fault = f"__raw{len(checks) + 1} IS NOT NULL AND {engine.quote(item.column)} IS NULL"
        checks.append(Check(column=column, reason=WRONG[item.type], fault=fault, raw=raw))
    return RowMapping(
        values=values, checks=tuple(checks),
        naive={name: (raws[name], sql) for name, sql in times.items() if sql and rule.zone is None},
        properties={item.name: item for item in properties.values()},
    )  # fmt: skip


def _roles(source: Source, native: Mapping[str, str]) -> dict[str, str]:
    """Which raw column plays which part."""
    wanted = {
        role: getattr(source, role) or default
        for role, default in ROLES[source.kind].items()
        if not (role == "event" and source.event_name)
    }
    if source.kind != "events" and source.ts:
        wanted["ts"] = source.ts
    if source.kind == "events" and (source.event_id or "event_id" in native):
        wanted["event_id"] = source.event_id or "event_id"
    if source.recorded not in {None, "now", "history"}:
        wanted["recorded"] = str(source.recorded)
    missing = [(role, name) for role, name in wanted.items() if name not in native]
    missing += [("column", name) for name in source.columns.values() if name not in native]
    if missing:
        told = "; ".join(f'no column "{name}" (--{role}).{nearest(name, native)}' for role, name in missing)
        raise IngestError(f"{told} The columns are: {', '.join(native)}.")
    return wanted


def _require_id(column: str, staged: Staged) -> None:
    native = staged.native[column]
    odd = staged.evidence[column].json_kinds - {"text", "number"} if column in staged.evidence else set()
    if odd or (native not in {"VARCHAR", "UUID"} and "INT" not in native):
        kind = f"{native} column" if not odd else f"JSON {' or '.join(sorted(odd))} in some rows"
        raise IngestError(
            f'"{column}" is a {kind}: ids must be text or whole numbers, or 123 becomes "123.0"'
        )


def _event(source: Source, column: str) -> tuple[str, str]:
    if source.event_name:
        return engine.literal(source.event_name), engine.literal(source.event_name)
    return f"nullif(trim({column}::VARCHAR), '')", column


def _time_reason(source: Source) -> str:
    return f"unreadable time (expected {source.time_format or 'ISO 8601'})"


def _properties(
    source: Source,
    staged: Staged,
    known: Mapping[str, Property],
    declared: Mapping[str, PropertyType],
    taken: set[str],
) -> dict[str, Property]:
    """Name, type and place every column that plays no other part; ask where the type is unclear.

    A column without one value says nothing about its type: a new name waits for its first value.
    """
    names = {raw: name for name, raw in source.columns.items()}
    if len(names) < len(source.columns):
        raise IngestError("--column gives two names to one column")
    standard = {
        "profiles": catalogue.STANDARD_ATTRIBUTES, "devices": catalogue.STANDARD_DEVICE, "events": {},
    }[source.kind]  # fmt: skip
    found: dict[str, Property] = {}
    unclear: list[str] = []
    unknown_types = [name for name in source.types if name not in {names.get(c, c) for c in staged.native}]
    if unknown_types:
        raise IngestError(f"--type names no column of the file: {', '.join(unknown_types)}")
    for raw in staged.native:
        if raw in taken:
            continue
        name = names.get(raw, raw)
        if not 0 < len(name) <= LONGEST_NAME or "\0" in name:
            raise IngestError(
                f'a column is called "{name[:40]}": names have 1 to {LONGEST_NAME} characters and no NUL'
            )
        if any(name == item.name for item in found.values()):
            raise IngestError(f'two columns are called "{name}"')
        if name in known:
            found[raw] = known[name]
            if source.types.get(name, known[name].type) != known[name].type:
                raise IngestError(
                    f'"{name}" is already a {known[name].type} in the lake; a property keeps its type'
                )
            _require_type(raw, known[name].type, staged)
            continue
        said = source.types.get(name) or declared.get(name) or standard.get(name)
        if said is None and raw in staged.evidence and not staged.evidence[raw].values:
            continue
        kind = said or staged.type_of(raw)
        if kind is None:
            unclear.append(_unclear(raw, name, staged))
            continue
        _require_type(raw, kind, staged)
        found[raw] = catalogue.declare(name, kind, (*known.values(), *found.values()))
    if unclear:
        raise IngestError("say what these columns are:\n" + "\n".join(unclear))
    return found


def _require_type(raw: str, kind: PropertyType, staged: Staged) -> None:
    if not types.keeps(staged.native[raw], kind):
        raise IngestError(
            f'"{raw}" is a {staged.native[raw]} column and cannot be kept as {kind}; convert it first'
        )


def _unclear(raw: str, name: str, staged: Staged) -> str:
    evidence = staged.evidence.get(raw)
    if evidence is None:
        return f'  - "{raw}" is a {staged.native[raw]}: flatten it first, one value a column'
    likely = evidence.likely
    odd = evidence.values - evidence.matching[likely]
    if not odd:
        return f'  - "{raw}": some values are JSON texts, others not; --type {name}={likely} or {name}=text'
    return (
        f'  - "{raw}": {odd:,} of {evidence.values:,} values are not a {likely}; '
        f"--type {name}={likely} rejects those rows, --type {name}=text keeps them as text"
    )
