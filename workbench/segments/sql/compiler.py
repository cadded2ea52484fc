"""The tree itself: groups combine the steps of what they hold."""

from dataclasses import replace
from datetime import datetime
from typing import assert_never

from workbench.segments.behaviours import ConstantProperty, Did, Interest, Milestone, Regularly, Sequence
from workbench.segments.model import AllOf, AnyOf, Condition, Not, Segment
from workbench.segments.scope import Scope, aware
from workbench.segments.sql.behaviours import behaviour
from workbench.segments.sql.query import EVERYONE, PROFILES, Query
from workbench.segments.sql.traits import trait
from workbench.segments.sql.writer import Writer
from workbench.segments.traits import Age, Bucket, Device, InList, InSegment, Near, UserProperty


def compile_sql(segment: Segment, as_of: datetime, scope: Scope, profiles: str = PROFILES) -> Query:
    """Compile a checked segment.

    Args:
        segment: without problems (``check.check`` has passed).
        as_of: the instant of the question; rows recorded later are not seen.
        scope: the account, and the lake version whose views the query reads.
        profiles: the SQL of the profiles at the instant, where a plainer one gives the same.

    Raises:
        InputError: ``as_of`` is naive.
    """
    writer = Writer(as_of=aware(as_of), scope=scope, profiles=profiles)
    _add(writer, segment.condition, depth=0)
    return writer.query


def _add(writer: Writer, condition: Condition, depth: int) -> str:
    """Append the steps of a condition and return the name of the one that answers it."""
    match condition:
        case AllOf():
            wanted = [c for c in condition.conditions if not isinstance(c, Not)]
            refused = [c.condition for c in condition.conditions if isinstance(c, Not)]
            base = [_add(writer, part, depth + 1) for part in wanted] or [EVERYONE]
            minus = [_add(writer, part, depth + 1) for part in refused]
            sql = _combine(base, "INTERSECT") + "".join(f"\n  EXCEPT\n{_select(name)}" for name in minus)
            return writer.condition(condition, sql, depth)
        case AnyOf():
            parts = [_add(writer, part, depth + 1) for part in condition.conditions]
            return writer.condition(condition, _combine(parts, "UNION"), depth)
        case Not():
            sql = _combine([EVERYONE, _add(writer, condition.condition, depth + 1)], "EXCEPT")
            return writer.condition(condition, sql, depth)
        case Did(match="all") if len(condition.events) > 1:
            each = [behaviour(writer, part, depth + 1) for part in _each(condition)]
            return writer.condition(condition, _combine(each, "INTERSECT"), depth, slug="did_all")
        case Did() | Milestone() | Interest() | Regularly() | Sequence() | ConstantProperty():
            return behaviour(writer, condition, depth)
        case InSegment():
            found = writer.scope.resolver.find(condition.segment, condition.version)
            if found is None:
                raise LookupError(f'segment "{condition.segment}" was not checked')
            outer = writer.matched, writer.limits
            writer.matched, writer.limits = {}, {}
            sql = _select(_add(writer, found.condition, depth + 1))
            writer.matched, writer.limits = outer
            return writer.condition(condition, sql, depth, slug=f"segment_{condition.segment}")
        case UserProperty() | Age() | Near() | Bucket() | Device() | InList():
            return trait(writer, condition, depth)
        case _:
            assert_never(condition)


def _each(did: Did) -> list[Did]:
    return [replace(did, events=(event,), match="any") for event in did.events]


def _combine(names: list[str], operator: str) -> str:
    return f"\n  {operator}\n".join(_select(name) for name in names)


def _select(name: str) -> str:
    return f"  SELECT user_code FROM {name}"
