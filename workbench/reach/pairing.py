"""Which conditions of two trees are the same, which changed, which were added and removed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from workbench.segments.behaviours import ConstantProperty, Did, Interest, Milestone, Regularly
from workbench.segments.behaviours import Sequence as Followed
from workbench.segments.model import Condition
from workbench.segments.traits import Device, InList, UserProperty
from workbench.segments.vectors.suppose import bare

Change: TypeAlias = Literal["added", "removed", "changed", "unchanged"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Paired:
    """A condition before and after, as it reads in each tree; None where it is not there."""

    before: Condition | None
    after: Condition | None

    @property
    def sides(self) -> tuple[Condition | None, Condition | None]:
        """Before, after."""
        return self.before, self.after

    @property
    def shown(self) -> Condition:
        """As it reads after, or read before it was removed."""
        found = self.after or self.before
        if found is None:
            raise LookupError("a pair of nothing")
        return found

    @property
    def change(self) -> Change:
        """What became of it."""
        if self.before is None:
            return "added"
        if self.after is None:
            return "removed"
        return "unchanged" if self.before == self.after else "changed"


def paired(before: Sequence[Condition], after: Sequence[Condition]) -> tuple[Paired, ...]:
    """Pair the conditions of two trees.

    Equal ones are the same condition. Of the others, one that speaks of the same events, property or list
    in the same way has changed; each is paired once, in the order of the trees.

    Returns:
        Those of ``after`` in its order, then what was removed in the order of ``before``.
    """
    gone = [leaf for leaf in before if leaf not in after]
    found = []
    for leaf in after:
        was = leaf if leaf in before else next((old for old in gone if about(old) == about(leaf)), None)
        if was in gone:
            gone.remove(was)
        found.append(Paired(before=was, after=leaf))
    return (*found, *(Paired(before=old, after=None) for old in gone))


def about(leaf: Condition) -> tuple[object, ...]:
    """Return the kind of a condition and what it speaks of, without its numbers, filters and windows."""
    item = bare(leaf)
    match item:
        case Did() | Milestone() | Regularly():
            return item.kind, frozenset(item.events)
        case Interest():
            return item.kind, frozenset(item.events), item.property
        case Followed():
            return item.kind, frozenset(item.first.events), frozenset(item.then.events)
        case ConstantProperty():
            return item.kind, frozenset(name for part in item.parts for name in part.events)
        case UserProperty():
            return item.kind, item.predicate.property
        case Device():
            return item.kind, frozenset(test.property for test in item.where)
        case InList():
            return item.kind, item.list
        case _:
            return (item.kind,)
