"""A segment at several instants: what the instants share is read once."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from workbench.segments.model import Segment
from workbench.segments.scope import Scope
from workbench.segments.vectors.cache import Vectors
from workbench.segments.vectors.moving import moving
from workbench.segments.vectors.tree import Asked, combine, expect, leaf_mask, leaves, opened
from workbench.segments.vectors.watch import Watch
from workbench.store.reader import Reader


def over_time(
    segment: Segment,
    instants: Sequence[datetime],
    scope: Scope,
    *,
    reader: Reader,
    vectors: Vectors,
    watch: Watch | None = None,
) -> Iterator[Asked]:
    """Answer a checked segment at each instant, as it would have been answered then.

    Args:
        segment: without problems (``check.check`` has passed).
        instants: ascending.
        scope: the account at the reader's lake version.
        reader: of that version.
        vectors: what is known already; it learns what is computed.
        watch: hears how far it is, and may stop it.

    Yields:
        One answer an instant; it holds until the next one is asked for.

    Raises:
        InputError: an instant is naive.
        CancelledError: the question was stopped.
        StoreError: the lake cannot be read.
    """
    looking = watch or Watch()
    questions = [opened(at, scope, reader=reader, vectors=vectors, watch=looking) for at in instants]
    known = {}
    for leaf, rows in expect(questions[-1], leaves(questions[-1], segment.condition)).items():
        known[leaf] = moving(questions, leaf)
        looking.answered(rows)
    for day, question in enumerate(questions):
        looking.step("days", day, len(questions))
        everyone = question.everyone()
        masks = {
            leaf: leaf_mask(question, leaf, everyone) if found is None else found.mask(day, everyone)
            for leaf, found in known.items()
        }
        yield combine(question, segment.condition, everyone, masks)
    looking.step("days", len(questions), len(questions))
