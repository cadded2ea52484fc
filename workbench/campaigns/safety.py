"""The safety check: when a run is so unlike what its author expected that nobody is sent to."""

from workbench.campaigns.model import SafetyCheck


def blocks(check: SafetyCheck | None, qualified: int, previous: int | None) -> str | None:
    """Return why nobody may be sent to, as a sentence; None when nothing stands in the way.

    Args:
        check: of the campaign; None for none.
        qualified: users in the segment, the held out included.
        previous: as many in the run before that was not blocked; None without one.

    >>> blocks(SafetyCheck(more_than=500), 501, None)
    '501 users qualify, more than 500'
    >>> blocks(SafetyCheck(more_than=500), 500, None)
    """
    if check is None:
        return None
    if check.more_than is not None and qualified > check.more_than:
        return f"{qualified:,} users qualify, more than {check.more_than:,}"
    if check.fewer_than is not None and qualified < check.fewer_than:
        return f"{qualified:,} users qualify, fewer than {check.fewer_than:,}"
    if check.change is not None and previous is not None:
        moved = abs(qualified - previous)
        if moved > round(check.change * previous, 6):
            return (
                f"{qualified:,} users qualify, which is more than {check.change * 100:g} % away from the "
                f"{previous:,} of the run before"
            )
    return None
