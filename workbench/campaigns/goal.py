"""What a goal may say: its problems, its window, its sentence."""

from collections.abc import Iterator
from datetime import timedelta

from workbench.campaigns.model import Goal
from workbench.errors import Problem, nearest
from workbench.segments.behaviours import Selection
from workbench.segments.check.paths import join, nth
from workbench.segments.check.values import predicate_problems
from workbench.segments.predicates import Operator, Predicate
from workbench.segments.sentence import duration, events_sentence
from workbench.segments.windows import Dates, Duration
from workbench.store.catalogue import ANY_EVENT, Catalogue

# Five months in a row have 150 to 153 days; the longest five fit.
LONGEST_DAYS = 153
LONGEST = LONGEST_DAYS * 24 * 60
HELD_OUT_EVENT = "Control Group"
UNITS: tuple[tuple[str, int], ...] = (("days", 1440), ("hours", 60), ("minutes", 1))


def problems(goal: Goal, catalogue: Catalogue) -> Iterator[Problem]:
    """Give every problem of a goal, with its path."""
    yield from _event(goal.event, catalogue)
    yield from _within(goal.within_minutes)
    if goal.event not in catalogue.events:
        return
    usable = catalogue.properties_of([goal.event])
    known = {name: item for name, item in catalogue.properties.items() if name in usable}
    subject = f'property of "{goal.event}"'
    for number, item in enumerate(goal.where, 1):
        path = join("goal", nth("where", number, "filter"))
        yield from predicate_problems(item, path, known, subject)
        yield from _moving(item, path)
    if goal.revenue is not None and goal.revenue not in known:
        message = f'unknown {subject} "{goal.revenue}".{nearest(goal.revenue, known)}'
        yield Problem(path="goal > revenue", message=message)
    elif goal.revenue is not None and known[goal.revenue].type != "number":
        message = f'"{goal.revenue}" is a {known[goal.revenue].type}; revenue is a number'
        yield Problem(path="goal > revenue", message=message)


def chosen(goal: Goal) -> Selection:
    """Return which events count."""
    return Selection(events=(goal.event,), where=goal.where)


def window(goal: Goal) -> timedelta:
    """Return how long after the send an event counts."""
    return timedelta(minutes=goal.within_minutes)


def sentence(goal: Goal) -> str:
    """Return what a goal says.

    >>> sentence(Goal(event="Purchase", within_minutes=10080, revenue="price"))
    'did "Purchase" within 7 days of the send, revenue from price'
    """
    revenue = f", revenue from {goal.revenue}" if goal.revenue is not None else ""
    return f"did {events_sentence(chosen(goal))} within {length(goal)} of the send{revenue}"


def length(goal: Goal) -> str:
    """Return the window in the largest unit that says it whole: ``7 days``, ``90 minutes``."""
    unit, minutes = next(item for item in UNITS if goal.within_minutes % item[1] == 0)
    return duration(Duration(count=goal.within_minutes // minutes, unit=unit))  # type: ignore[arg-type]


def _event(name: str, catalogue: Catalogue) -> Iterator[Problem]:
    if name not in catalogue.events:
        yield Problem(
            path="goal > event", message=f'unknown event "{name}".{nearest(name, catalogue.events)}'
        )
    elif name in {ANY_EVENT, HELD_OUT_EVENT}:
        message = (
            f'"{name}" would count the event that a run itself writes for held-out users; name what they do'
        )
        yield Problem(path="goal > event", message=message)


def _within(minutes: object) -> Iterator[Problem]:
    if isinstance(minutes, bool) or not isinstance(minutes, int):
        yield Problem(path="goal > within_minutes", message=f"{minutes!r} is not a whole number of minutes")
    elif not 1 <= minutes <= LONGEST:
        message = f"{minutes:,} is outside 1 minute to 5 months ({LONGEST:,} minutes, which are {LONGEST_DAYS} days)"
        yield Problem(path="goal > within_minutes", message=message)


def _moving(item: Predicate, path: str) -> Iterator[Problem]:
    """Refuse what depends on the day of the question: a goal would be met today and not tomorrow."""
    moves = item.operator is Operator.WITHIN and not isinstance(item.window, Dates | None)
    if moves or item.operator is Operator.ANNIVERSARY:
        message = "depends on the day on which it is asked; a goal takes fixed dates only"
        yield Problem(path=path, message=message)
