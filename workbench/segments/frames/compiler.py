"""The tree itself: groups join the frames of what they hold."""

from dataclasses import replace
from datetime import datetime
from typing import assert_never

import polars as pl

from workbench.segments.behaviours import ConstantProperty, Did, Interest, Milestone, Regularly, Sequence
from workbench.segments.frames.behaviours import behaviour
from workbench.segments.frames.reader import Reader
from workbench.segments.frames.traits import trait
from workbench.segments.model import AllOf, AnyOf, Condition, Not, Segment
from workbench.segments.scope import Scope, aware
from workbench.segments.traits import Age, Bucket, Device, InList, InSegment, Near, UserProperty
from workbench.store.frames import Frames

USER = "user_code"


def compile_frame(segment: Segment, as_of: datetime, scope: Scope, frames: Frames) -> pl.LazyFrame:
    """Compile a checked segment: one column, ``user_code`` (UInt32), each user once, without order.

    Args:
        segment: without problems (``check.check`` has passed).
        as_of: the instant of the question; rows recorded later are not seen.
        scope: the account, and the lake version whose frames are read.
        frames: of that version.

    Raises:
        InputError: ``as_of`` is naive.
    """
    reader = Reader(as_of=aware(as_of), scope=scope, frames=frames)
    return reader.everyone.join(_users(reader, segment.condition), on=USER, how="semi")


def _users(reader: Reader, condition: Condition) -> pl.LazyFrame:
    match condition:
        case AllOf():
            found = reader.everyone
            for part in condition.conditions:
                inner, how = (part.condition, "anti") if isinstance(part, Not) else (part, "semi")
                found = found.join(_users(reader, inner), on=USER, how=how)  # type: ignore[arg-type]
            return found
        case AnyOf():
            return pl.concat([_users(reader, part) for part in condition.conditions]).unique()
        case Not():
            return reader.everyone.join(_users(reader, condition.condition), on=USER, how="anti")
        case Did(match="all") if len(condition.events) > 1:
            each = tuple(replace(condition, events=(event,), match="any") for event in condition.events)
            return _users(reader, AllOf(conditions=each))
        case Did() | Milestone() | Interest() | Regularly() | Sequence() | ConstantProperty():
            return behaviour(reader, condition)
        case InSegment():
            found_segment = reader.scope.resolver.find(condition.segment, condition.version)
            if found_segment is None:
                raise LookupError(f'segment "{condition.segment}" was not checked')
            return _users(reader, found_segment.condition)
        case UserProperty() | Age() | Near() | Bucket() | Device() | InList():
            return trait(reader, condition)
        case _:
            assert_never(condition)
