"""A value compared, as SQL that is true, false, or NULL where the value is absent."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, assert_never

from workbench.segments import birthdays, versions
from workbench.segments.predicates import Operator, Predicate
from workbench.segments.sql.writer import Writer
from workbench.segments.windows import Window, day_span, midnight
from workbench.settings import PropertyType
from workbench.store.catalogue import Property
from workbench.store.engine import quote


def predicate(writer: Writer, item: Predicate, known: Mapping[str, Property], prefix: str) -> str:
    """Return the SQL of a filter over a column of ``known``."""
    found = known[item.property]
    left, kind = quote(found.column), found.type
    if item.operator is Operator.WITHIN and item.window is not None:
        return within(writer, left, kind, item.window, prefix)
    if item.operator is Operator.ANNIVERSARY:
        return anniversary(writer, date_of(writer, left, kind), int(item.values[0]), prefix)
    if kind == "version" and item.operator not in {Operator.EXISTS, Operator.NOT_EXISTS}:
        values = tuple(versions.key(str(value)) for value in item.values)
        return compare(writer, version(left), item.operator, values, f"{prefix}_v")
    return compare(writer, left, item.operator, item.values, f"{prefix}_v")


def compare(writer: Writer, left: str, operator: Operator, values: tuple[Any, ...], prefix: str) -> str:
    """Return the SQL of an operator over values."""
    bound = [writer.bind(f"{prefix}{n}", value) for n, value in enumerate(values, 1)]
    listed = ", ".join(bound)
    any_of = " OR ".join
    match operator:
        case Operator.EXISTS:
            return f"{left} IS NOT NULL"
        case Operator.NOT_EXISTS:
            return f"{left} IS NULL"
        case Operator.BETWEEN:
            return f"{left} BETWEEN {bound[0]} AND {bound[1]}"
        case Operator.EQUALS | Operator.IN:
            return f"{left} = {bound[0]}" if len(bound) == 1 else f"{left} IN ({listed})"
        case Operator.NOT_EQUALS | Operator.NOT_IN:
            return f"{left} <> {bound[0]}" if len(bound) == 1 else f"{left} NOT IN ({listed})"
        case Operator.GREATER | Operator.AT_LEAST | Operator.LESS | Operator.AT_MOST:
            return f"{left} {operator} {bound[0]}"
        case Operator.CONTAINS:
            return f"({any_of(f'contains({left}, {value})' for value in bound)})"
        case Operator.NOT_CONTAINS:
            return f"NOT ({any_of(f'contains({left}, {value})' for value in bound)})"
        case Operator.STARTS_WITH:
            return f"({any_of(f'starts_with({left}, {value})' for value in bound)})"
        case Operator.ENDS_WITH:
            return f"({any_of(f'ends_with({left}, {value})' for value in bound)})"
        case Operator.MATCHES:
            return f"({any_of(f'regexp_matches({left}, {value})' for value in bound)})"
        case Operator.CONTAINS_ANY:
            return f"list_has_any({left}, [{listed}])"
        case Operator.CONTAINS_ALL:
            return f"list_has_all({left}, [{listed}])"
        case Operator.CONTAINS_NONE:
            return f"NOT list_has_any({left}, [{listed}])"
        case Operator.WITHIN | Operator.ANNIVERSARY:
            raise AssertionError(f"{operator} compares dates")
        case _:
            assert_never(operator)


def within(writer: Writer, left: str, kind: PropertyType, window: Window, prefix: str) -> str:
    """Return the SQL of a date, or of an instant's date in the account's zone, in a window."""
    days, zone = day_span(window, writer.today), writer.scope.zone
    parts = [f"{left} IS NOT NULL"]
    if days.first is not None:
        start = days.first if kind == "date" else midnight(days.first, zone)
        parts.append(f"{left} >= {writer.bind(f'{prefix}_from', start)}")
    if days.last is not None and kind == "date":
        parts.append(f"{left} <= {writer.bind(f'{prefix}_to', days.last)}")
    elif days.last is not None:
        end = midnight(days.last + timedelta(days=1), zone)
        parts.append(f"{left} < {writer.bind(f'{prefix}_to', end)}")
    return "(" + " AND ".join(parts) + ")"


def date_of(writer: Writer, left: str, kind: PropertyType) -> str:
    """Return the SQL of the calendar date of a date or an instant."""
    if kind == "date":
        return left
    return f"timezone({writer.bind('account_zone', writer.scope.zone.key)}, {left})::DATE"


def anniversary(writer: Writer, left: str, days: int, prefix: str) -> str:
    """Return the SQL of a date whose anniversary comes from today to ``days`` later."""
    today = writer.bind(f"{prefix}_today", writer.today)
    found = birthdays.anniversaries(writer.today, days)
    first, last = writer.bind(f"{prefix}_first", found.first), writer.bind(f"{prefix}_last", found.last)
    day = day_of_year(left)
    fits = f"({day} >= {first} OR {day} <= {last})" if found.cross else f"{day} BETWEEN {first} AND {last}"
    return f"({left} < {today} AND {fits})"


def day_of_year(left: str) -> str:
    """Return the SQL of ``month * 100 + day``."""
    return f"month({left}) * 100 + day({left})"


def version(left: str) -> str:
    """Return the SQL of a version's key, see ``versions.key``."""
    parts = f"string_split(regexp_replace(nullif(regexp_extract({left}, '{versions.NUMBERS}', 1), ''), '{versions.ZEROS}', ''), '.')"
    return f"array_to_string(list_transform({parts}, lambda part: lpad(part, {versions.WIDTH}, '0')), '.')"
