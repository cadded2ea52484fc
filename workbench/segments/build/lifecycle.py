"""Users who stopped, and users who came back: groups of plain conditions."""

from workbench.segments.build.events import DidExpression, plain
from workbench.segments.build.expression import Expression, all_of


def stopped(events: DidExpression, *, active_days: int, quiet_days: int) -> Expression:
    """Users who did it in the days before the last ``quiet_days``, and not since."""
    plain(events, "match", "measure", "include_zero", "window")
    before = events.between_days_ago(quiet_days + active_days, quiet_days + 1)
    return all_of(before, ~events.in_last(days=quiet_days))


def restarted(events: DidExpression, *, quiet_days: int, recent_days: int) -> Expression:
    """Users who did it in the last days, after a pause, and before the pause."""
    plain(events, "match", "measure", "include_zero", "window")
    pause = events.between_days_ago(recent_days + quiet_days, recent_days + 1)
    before = events.at_least_days_ago(recent_days + quiet_days + 1)
    return all_of(events.in_last(days=recent_days), ~pause, before)
