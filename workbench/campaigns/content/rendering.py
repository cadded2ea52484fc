"""The values of a campaign for every user: as SQL where the engine can, else by Liquid, a part at a time."""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import polars as pl

from workbench.campaigns.content import liquid
from workbench.campaigns.content.compiled import Compiled, Source, compiled
from workbench.campaigns.content.shorthand import is_template
from workbench.campaigns.content.template import PROFILE, Template, read
from workbench.campaigns.model import Content
from workbench.settings import PropertyType
from workbench.store import engine
from workbench.store.catalogue import Catalogue, Property
from workbench.store.held import profiles_at

RENDER_ERROR, ABORTED = "render error", "aborted by template"
BOUND = re.compile(r"\$(t\d+)\b")

Report = Callable[[int], None]


def templates(content: Content, catalogue: Catalogue) -> tuple[Template, ...]:
    """Return the values of a checked campaign that differ from user to user."""
    return tuple(
        read(key, value, catalogue)
        for key, value in content.values.items()
        if isinstance(value, str) and is_template(value)
    )


class Rendering:
    """Renders on one connection, for one instant and one send.

    Attributes:
        values: SQL of each templated value, by key, in the order of the campaign; it may use ``p``
            (profiles), ``u`` (users) and what ``joins`` brings.
        reason: SQL of why a user has not all of them, else NULL.
        joins: to be added to a query that has ``user_code``.
    """

    def __init__(
        self,
        found: Sequence[Template],
        connection: engine.Connection,
        *,
        catalogue: Catalogue,
        constants: Mapping[str, Property],
        matched: Mapping[str, pl.DataFrame],
        as_of: datetime,
        now: datetime,
    ) -> None:
        """Compile the templates and register the values of the constant properties.

        Args:
            found: the templates of the campaign.
            connection: with the views of the lake version; nothing else uses it meanwhile.
            catalogue: of the same lake version.
            constants: the property of each constant property that the templates read.
            matched: its values, ``user_code, values``, newest first.
            as_of: the instant at which profiles are read.
            now: the instant of the send, which templates know as ``now`` and ``today``.
        """
        self._connection, self._as_of, self._templates = connection, as_of, found
        self._clock = {"now": now, "today": now.date()}
        self._parameters: dict[str, str] = {}
        self._attributes = {
            name: _column(catalogue.attributes[name]) for item in found for name in item.attributes
        }
        self._constants = {
            name: Source(sql=f"m{number}.values", type=constants[name].type)
            for number, name in enumerate(dict.fromkeys(name for item in found for name in item.constants))
        }
        for number, name in enumerate(self._constants):
            connection.register(f"matched_{number}", _without_nothing(matched[name]))
        self._compiled = [compiled(item, self._attributes, self._constants, self._bind) for item in found]
        self._matched = " ".join(
            f"LEFT JOIN matched_{number} m{number} USING (user_code)"
            for number in range(len(self._constants))
        )
        self._asked = {n: _unsure(item) for n, item in enumerate(self._compiled) if _unsure(item) != "false"}
        rendered = " LEFT JOIN rendered r USING (user_code)" if self._asked else ""
        self.joins = self._matched + rendered
        parts = [self._part(number) for number in range(len(found))]
        self.values = {item.key: value for item, (value, _) in zip(found, parts, strict=True)}
        reasons = [f"({reason})" for _, reason in parts]
        self.reason = f"coalesce({', '.join(reasons)})" if reasons else "NULL::VARCHAR"

    @property
    def sources(self) -> Mapping[str, Source]:
        """The profile attributes that the templates read, by name."""
        return self._attributes

    @staticmethod
    def columns(names: Sequence[str], catalogue: Catalogue) -> dict[str, Source]:
        """Return where the values of some profile attributes are."""
        return {name: _column(catalogue.attributes[name]) for name in names}

    def bound(self, sql: str) -> dict[str, str]:
        """Return the values that a query with parts of this one's SQL binds."""
        return {name: self._parameters[name] for name in BOUND.findall(sql)}

    def render(self, wanted: str, first: int, last: int, report: Report = lambda users: None) -> None:
        """Ask Liquid about one part of the users, so that the SQL finds its answers.

        Args:
            wanted: a view of ``user_code``.
            first: the first code of the part.
            last: the last one.
            report: called with the number of users that Liquid has rendered.
        """
        if not self._asked:
            return
        names = [*self._attributes, *self._constants]
        sources = [*self._attributes.values(), *self._constants.values()]
        columns = [f"({sql}) AS f{number}" for number, sql in self._asked.items()]
        columns += [f"{source.sql} AS s{number}" for number, source in enumerate(sources)]
        sql = (
            f"SELECT u.user_code, {', '.join(columns)} FROM users u JOIN ({profiles_at()}) p USING (user_code) "
            f"JOIN {wanted} w USING (user_code) {self._matched} WHERE u.user_code BETWEEN $first AND $last "
            f"AND ({' OR '.join(f'({unsure})' for unsure in self._asked.values())})"
        )
        limits = {"first": first, "last": last, "as_of": self._as_of, **self.bound(sql)}
        rows = engine.frame(self._connection, sql, limits)
        schema = {"user_code": pl.UInt32}
        schema |= {f"{kind}{number}": pl.String for number in self._asked for kind in ("v", "e")}  # type: ignore[misc]
        answered = self._rendered(rows, names, [source.type for source in sources])
        found = pl.DataFrame(list(answered), schema=schema, orient="row")
        self._connection.register("rendered", found)
        report(found.height)

    def _rendered(
        self, rows: pl.DataFrame, names: list[str], types: Sequence[PropertyType]
    ) -> Iterator[list[Any]]:
        """Yield code, and text and reason of each template that Liquid is asked about."""
        flags = len(self._asked)
        asked = [self._templates[number] for number in self._asked]
        of_profile = len(self._attributes)
        readers = [_reader(kind if n < of_profile else "list") for n, kind in enumerate(types)]
        inner = [_reader(kind) for kind in types]
        for code, *row in rows.iter_rows():
            profile: dict[str, Any] = {}
            known: dict[str, Any] = {**self._clock}
            for number, value in enumerate(row[flags:]):
                read_value = readers[number](value)
                if number < of_profile:
                    if read_value is not None:
                        profile[names[number]] = read_value
                elif read_value is not None:
                    known[names[number]] = [inner[number](entry) for entry in read_value]
            known[PROFILE] = Names(profile)
            answer = [code]
            for flag, template in zip(row[:flags], asked, strict=True):
                answer += _one(template, known) if flag else (None, None)
            yield answer

    def _part(self, number: int) -> tuple[str, str]:
        """Return SQL of the value and of the reason of one template."""
        template, made = self._templates[number], self._compiled[number]
        if made is None:
            value, why = f"r.v{number}", f"r.e{number}"
        else:
            value, why = made.value, f"{self._bind(f'{RENDER_ERROR}: ')} || ({made.reason})"
            if number in self._asked:
                value = f"CASE WHEN {made.unsure} THEN r.v{number} ELSE {value} END"
                why = f"CASE WHEN {made.unsure} THEN r.e{number} ELSE {why} END"
        blank = f"trim({value}, {engine.literal(engine.BLANKS)}) = ''"
        is_blank = self._bind(f"{RENDER_ERROR}: {template.key} is blank")
        return value, f"coalesce({why}, CASE WHEN {blank} THEN {is_blank} END)"

    def _bind(self, value: str) -> str:
        name = f"t{len(self._parameters)}"
        self._parameters[name] = value
        return f"${name}"


class Names:
    """The attributes of one profile that have a value; it has no size and no order of its own."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, Any]) -> None:
        """Keep what is there."""
        self._values = values

    def __getitem__(self, name: object) -> Any:
        """Return a value; KeyError for a missing one."""
        return self._values[name]  # type: ignore[index]


def _one(template: Template, known: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Return the text of one user, or why there is none."""
    try:
        return liquid.render(template.parsed, known), None
    except liquid.AbortedError as error:
        return None, f"{ABORTED}: {error}"
    except liquid.UndefinedError as error:
        return None, f"{RENDER_ERROR}: {error.message}"
    except Exception as error:
        return None, f"{RENDER_ERROR}: {template.key}: {liquid.render_reason(error)}"


def _unsure(made: Compiled | None) -> str:
    return "true" if made is None else made.unsure


def _column(item: Property) -> Source:
    sql = "u.user_id" if item.column == "user_id" else f"p.{engine.quote(item.column)}"
    return Source(sql=sql, type=item.type)


def _without_nothing(matched: pl.DataFrame) -> pl.DataFrame:
    """Leave out empty texts and numbers that are none, so that positions mean the same everywhere."""
    kind = matched.schema["values"].inner  # type: ignore[attr-defined]
    entry = pl.element()
    keep = entry.is_not_null()
    if kind == pl.String:
        keep &= entry != ""
    elif kind.is_float():
        keep &= entry.is_finite()
    return matched.with_columns(pl.col("values").list.eval(entry.filter(keep)))


def _reader(kind: PropertyType) -> Callable[[Any], Any]:
    """Return what makes of a value what Liquid is given; None for a missing one."""
    match kind:
        case "number":
            return _number
        case "list":
            return lambda value: [entry for entry in value if entry is not None] or None if value else None
        case "text" | "version":
            return lambda value: value or None
        case _:
            return lambda value: value


def _number(value: float | None) -> float | int | None:
    if value is None or not math.isfinite(value):
        return None
    return int(value) if value.is_integer() and abs(value) < 2**53 else value
