"""What a tree is checked and compiled against, beside the instant of the question."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo, available_timezones

from workbench.errors import InputError
from workbench.segments.resolve import Resolver
from workbench.store.catalogue import Catalogue

FIRST_YEAR, LAST_YEAR = 1900, 2999
# What every engine knows; "localtime" is another zone on every machine, "Factory" is none.
ZONES = tuple(sorted(available_timezones() - {"localtime", "Factory"}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """One account at one version of its lake.

    Attributes:
        catalogue: where identifiers and types come from.
        zone: of the account, for the boundaries of days.
        salt: of the account, for the user bucket.
        resolver: finds the segments that a tree names.
    """

    catalogue: Catalogue
    zone: ZoneInfo
    salt: str
    resolver: Resolver

    def today(self, as_of: datetime) -> date:
        """The account's calendar date of an instant."""
        return as_of.astimezone(self.zone).date()

    def span(self, as_of: datetime) -> tuple[datetime, datetime]:
        """The instants between which the events of a question lie, the workbench's own included."""
        first, last = self.catalogue.span
        return min(first or as_of, as_of), min(last or as_of, as_of)

    def list_version(self, name: str, version: int | None, as_of: datetime) -> int:
        """Return which version of a custom list counts; 0 when it was not imported by ``as_of``."""
        known = self.catalogue.lists.get(name, ())
        there = [item.version for item in known if item.recorded_at <= as_of]
        return max((number for number in there if version in {None, number}), default=0)


def aware(as_of: datetime) -> datetime:
    """Return the instant of a question in UTC.

    Raises:
        InputError: it is naive, or of a year out of reach.
    """
    if as_of.tzinfo is None:
        raise InputError(f"as_of {as_of} has no time zone")
    if not FIRST_YEAR <= as_of.year <= LAST_YEAR:
        raise InputError(f"as_of {as_of:%Y-%m-%d}: give an instant of the years {FIRST_YEAR} to {LAST_YEAR}")
    return as_of.astimezone(UTC)
