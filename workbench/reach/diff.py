"""Who entered and who left between two segments, or two instants, and the condition responsible."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from workbench.reach.pairing import Change, Paired, paired
from workbench.reach.subjects import Named, past, subject
from workbench.segments.model import Condition
from workbench.segments.sentence import sentence
from workbench.segments.vectors import Asked, Watch, suppose
from workbench.segments.vectors.question import Mask
from workbench.store.frames import frames
from workbench.store.pinned import LakeVersion
from workbench.workspace import Workspace

Move: TypeAlias = Literal["entered", "left", "stayed"]

SEVERAL, NO_PROFILE = "several conditions together", "no profile at that instant"


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """The segment before, or after."""

    name: str
    sentence: str
    as_of: datetime
    users: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One condition, and the users who moved because of it.

    Attributes:
        sentence: what it says after, or said before where it was removed; or ``several conditions
            together``, ``no profile at that instant``.
        change: what became of the condition itself; None for the two that are none.
        was: what it said before, where it changed.
        entered: users whom it kept out before, or let in after.
        left: users whom it keeps out after, or let in before.
    """

    sentence: str
    change: Change | None
    was: str | None = None
    entered: int = 0
    left: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Moved:
    """Users by code, and the place of the cause of each: conditions, several, no profile; -1 for none."""

    codes: npt.NDArray[np.uint32]
    causes: npt.NDArray[np.int16]


@dataclass(frozen=True, slots=True, kw_only=True)
class Diff:
    """What changed between two segments, or two instants of one.

    Attributes:
        before: the one.
        after: the other.
        stayed: users in both.
        causes: every condition of both, those of ``after`` first, then what was removed; last, where they
            occur, the causes that are no condition. They add up to those who entered and those who left.
        reconstructed: whether some rows count as recorded at their own time.
        seconds: the time that the question took.
        entered_users: by code.
        left_users: by code.
        stayed_users: by code.
        lake: the version that was asked.
    """

    before: Side
    after: Side
    stayed: int
    causes: tuple[Cause, ...]
    reconstructed: bool
    seconds: float
    entered_users: Moved = field(repr=False, compare=False)
    left_users: Moved = field(repr=False, compare=False)
    stayed_users: Moved = field(repr=False, compare=False)
    lake: LakeVersion = field(repr=False, compare=False)

    @property
    def entered(self) -> int:
        """Users who are in after and were not before."""
        return sum(cause.entered for cause in self.causes)

    @property
    def left(self) -> int:
        """Users who were in before and are not after."""
        return sum(cause.left for cause in self.causes)

    def users(self, move: Move) -> pl.DataFrame:
        """Read the ids of those who entered, left or stayed.

        Returns:
            ``user_id, cause`` by id; the cause is the sentence of the condition responsible, null for
            those who stayed.
        """
        moved = {"entered": self.entered_users, "left": self.left_users, "stayed": self.stayed_users}[move]
        said = [*(cause.sentence for cause in self.causes if cause.change), SEVERAL, NO_PROFILE, None]
        causes = pl.Series("cause", said, dtype=pl.String).gather(
            np.where(moved.causes < 0, len(said) - 1, moved.causes)
        )
        known = pl.DataFrame([pl.Series("user_code", moved.codes, dtype=pl.UInt32), causes])
        found = frames(self.lake).users.join(known.lazy(), on="user_code").select("user_id", "cause")
        return found.sort("user_id").collect()


def diff(
    workspace: Workspace,
    before: Named,
    after: Named,
    *,
    as_of: datetime,
    as_of_before: datetime | None = None,
    watch: Watch | None = None,
) -> Diff:
    """Compare two segments, two versions of one, or one at two instants.

    Exactly one cause is responsible for each user who moved. For one who left the conditions of ``after``
    are asked which of them, the other way round, would let the user in; for one who entered, those of
    ``before``. Of several the first in the order of the tree is named, and of these four groups the first
    in which there is one: conditions that are new, or changed with another answer for this user; those that
    answer otherwise at the other instant; a condition that the other tree has beyond this one, and without
    which that tree would give this tree's answer; any of them.

    Args:
        workspace: with the lake and the saved segments.
        before: a saved segment by name, ``(name, version)``, or a segment as it is written.
        after: the same.
        as_of: the instant of ``after``.
        as_of_before: the instant of ``before``; by default the same.
        watch: hears how far it is, and may stop it.

    Raises:
        InputError: an instant lies in the future.
        NotFoundError: no such segment or version.
        SegmentError: one does not fit the data; with all problems.
    """
    began = time.perf_counter()
    instant = past(as_of)
    instants = (past(as_of_before) if as_of_before else instant, instant)
    subjects = subject(workspace, before), subject(workspace, after)
    lake = workspace.lake.at()
    asked = [item.ask(workspace, lake, at, watch) for item, at in zip(subjects, instants, strict=True)]
    trees = [suppose.opened(item.segment.condition, workspace.segments) for item in subjects]
    pairs = paired(*(suppose.leaves(tree) for tree in trees))
    was_in, is_in = (found.qualified for found in asked)
    entered = _moved(~was_in & is_in, trees, asked, pairs, refusing=0)
    left = _moved(was_in & ~is_in, trees, asked, pairs, refusing=1)
    stayed = np.flatnonzero(was_in & is_in).astype(np.uint32)
    sides = [
        Side(name=item.label, sentence=item.sentence, as_of=at, users=int(np.count_nonzero(found.qualified)))
        for item, at, found in zip(subjects, instants, asked, strict=True)
    ]
    return Diff(
        before=sides[0],
        after=sides[1],
        stayed=stayed.size,
        causes=tuple(_causes(pairs, entered, left)),
        reconstructed=lake.reconstructed,
        seconds=time.perf_counter() - began,
        entered_users=entered,
        left_users=left,
        stayed_users=Moved(codes=stayed, causes=np.full(stayed.size, -1, dtype=np.int16)),
        lake=lake,
    )


def _moved(
    who: Mask, trees: list[Condition], asked: list[Asked], pairs: tuple[Paired, ...], *, refusing: int
) -> Moved:
    """Find the cause of each user whom one tree refuses and the other lets in.

    Args:
        who: the users.
        trees: before, after.
        asked: the answers of each.
        pairs: the conditions of both.
        refusing: which of the trees refuses them, 0 or 1.
    """
    codes = np.flatnonzero(who)
    users = codes.size
    several, no_profile = len(pairs), len(pairs) + 1
    causes = np.full(users, several, dtype=np.int16)
    open_ = np.ones(users, dtype=np.bool_)
    unknown = ~asked[refusing].everyone[codes]
    causes[unknown], open_[unknown] = no_profile, False
    answers = [{held.condition: held.holds[codes] for held in found.conditions} for found in asked]
    for place, guilty in _suspects(trees, answers, pairs, users, refusing=refusing):
        found = guilty & open_
        causes[found], open_[found] = place, False
        if not open_.any():
            break
    return Moved(codes=codes.astype(np.uint32), causes=causes)


def _suspects(
    trees: list[Condition],
    answers: list[dict[Condition, Mask]],
    pairs: tuple[Paired, ...],
    users: int,
    *,
    refusing: int,
) -> Iterator[tuple[int, Mask]]:
    """Give the place of a condition and whom it can have moved, the strongest reason first."""
    this, other = trees[refusing], trees[1 - refusing]
    here = [(place, leaf) for place, pair in enumerate(pairs) if (leaf := pair.sides[refusing]) is not None]
    order = {leaf: number for number, leaf in enumerate(suppose.leaves(this))}
    here.sort(key=lambda item: order[item[1]])
    decides = {
        place: suppose.flipped(this, answers[refusing], suppose.bare(leaf), users) for place, leaf in here
    }
    differs = {}
    for place, leaf in here:
        twin = pairs[place].sides[1 - refusing]
        if twin is not None:
            mine = suppose.answered(leaf, answers[refusing], users)
            differs[place] = mine != suppose.answered(twin, answers[1 - refusing], users)
    for place, _ in here:
        change = pairs[place].change
        if change in {"added", "removed"}:
            yield place, decides[place]
        elif change == "changed":
            yield place, decides[place] & differs[place]
    for place, _ in here:
        if pairs[place].change == "unchanged":
            yield place, decides[place] & differs[place]
    for place, pair in enumerate(pairs):
        leaf = pair.sides[1 - refusing]
        if pair.sides[refusing] is None and leaf is not None:
            rest = suppose.without(other, suppose.bare(leaf))
            if rest is not None:
                yield place, ~suppose.answered(rest, answers[1 - refusing], users)
    for place, _ in here:
        yield place, decides[place]


def _causes(pairs: tuple[Paired, ...], entered: Moved, left: Moved) -> Iterator[Cause]:
    ins, outs = (np.bincount(moved.causes, minlength=len(pairs) + 2) for moved in (entered, left))
    for place, pair in enumerate(pairs):
        yield Cause(
            sentence=sentence(pair.shown),
            change=pair.change,
            was=sentence(pair.before) if pair.change == "changed" and pair.before else None,
            entered=int(ins[place]),
            left=int(outs[place]),
        )
    for place, text in enumerate((SEVERAL, NO_PROFILE), len(pairs)):
        if ins[place] or outs[place]:
            yield Cause(sentence=text, change=None, entered=int(ins[place]), left=int(outs[place]))
