"""How large a segment is, exactly: qualified, reachable, and each of its conditions."""

import time
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from workbench.reach.subjects import past
from workbench.segments import qualify
from workbench.segments.model import Segment
from workbench.segments.sentence import sentence
from workbench.segments.vectors import Step, Watch
from workbench.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """The size of a segment at an instant.

    Attributes:
        sentence: what the segment says.
        sql: the query that answered, with named parameters.
        counts: everyone, qualified, and each condition.
        steps: how everyone shrinks to the qualified, condition by condition.
        reachable: qualified users who have an mParticle identity and are not unsubscribed.
        reconstructed: whether some rows count as recorded at their own time.
        seconds: the time that the whole question took.
    """

    sentence: str
    sql: str
    counts: qualify.Counts
    steps: tuple[Step, ...]
    reachable: int
    reconstructed: bool
    seconds: float


def reach(
    workspace: Workspace,
    segment: str | Segment,
    *,
    as_of: datetime,
    version: int | None = None,
    watch: Watch | None = None,
) -> Reach:
    """Count a segment, or a saved one by its name.

    Args:
        workspace: of the account.
        segment: to count.
        as_of: the instant of the question.
        version: of a saved segment; the newest by default.
        watch: hears how far it is, and may stop it.

    Raises:
        NotFoundError: no such segment.
        InputError: ``as_of`` has no zone, or lies in the future.
        SegmentError: it does not fit the data; with all problems.
        CancelledError: the question was stopped.
    """
    past(as_of)
    began = time.perf_counter()
    asked = named(workspace, segment, version)
    lake = workspace.lake.at()
    workspace.check_attributes(lake)
    query = qualify.compiled(asked, as_of, workspace.scope(lake))
    answer = workspace.ask(asked, lake, as_of, watch=watch)
    counts = answer.counts(time.perf_counter() - began)
    reachable = workspace.reachable(lake, as_of)
    return Reach(
        sentence=sentence(asked.condition),
        sql=query.sql,
        counts=counts,
        steps=answer.steps,
        reachable=int(np.count_nonzero(answer.qualified & reachable)),
        reconstructed=lake.reconstructed,
        seconds=time.perf_counter() - began,
    )


def named(workspace: Workspace, segment: str | Segment, version: int | None = None) -> Segment:
    """Return a segment as it is, or a saved one by its name.

    Raises:
        NotFoundError: no such segment.
    """
    return segment if isinstance(segment, Segment) else workspace.segments.get(segment, version).segment
