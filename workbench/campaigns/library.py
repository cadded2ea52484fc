"""Saved campaigns: versioned, with their creator; saving pins the segment's version."""

from dataclasses import dataclass, replace
from datetime import datetime

from workbench import alerts
from workbench.campaigns import codec, membership
from workbench.campaigns.check import check
from workbench.campaigns.content.constants import constants
from workbench.campaigns.groups import Groups
from workbench.campaigns.model import Campaign, SegmentPin
from workbench.errors import CampaignError, Problem
from workbench.segments.library import SegmentLibrary
from workbench.settings import Settings
from workbench.store import tables
from workbench.store.catalogue import Catalogue
from workbench.store.database import Database
from workbench.store.versions import Version, Versions


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedCampaign:
    """One version of a saved campaign.

    Attributes:
        campaign: with its segment pinned.
        stored: version, digest, when and by whom.
        created_at: when the first version was saved: the occurrence of a campaign that is sent now.
    """

    campaign: Campaign
    stored: Version
    created_at: datetime


class CampaignLibrary:
    """Saves, lists and finds campaigns."""

    def __init__(
        self, database: Database, segments: SegmentLibrary, groups: Groups, settings: Settings
    ) -> None:
        """Keep the table, and what a campaign is checked against."""
        self._versions = Versions(database, tables.campaigns, "campaign")
        self._segments = segments
        self._groups = groups
        self._settings = settings

    def save(self, campaign: Campaign, *, catalogue: Catalogue, now: datetime) -> SavedCampaign:
        """Store a campaign as a new version, unless the newest says the same.

        Raises:
            CampaignError: with every problem; nothing is saved.
        """
        pin = campaign.segment
        found = self._segments.find(pin.name, pin.version)
        check(
            campaign, self._settings, catalogue, standing=self._groups.standing(),
            constants=constants(found.condition, catalogue) if found else {},
        )  # fmt: skip
        if self._versions.find(campaign.id) is None and self._versions.find(campaign.id, 1) is not None:
            message = f'"{campaign.id}" is archived and had its runs; choose another id'
            raise CampaignError(campaign.id, [Problem(path="id", message=message)])
        _refuse_addresses(campaign)
        self._refuse_taken(campaign)
        if found is None:
            at = f" version {pin.version}" if pin.version else ""
            saved = ", ".join(f'"{name}"' for name in self._segments.names()) or "none"
            message = f'unknown segment "{pin.name}"{at}; saved are: {saved}'
            raise CampaignError(campaign.id, [Problem(path="segment", message=message)])
        version = self._segments.get(pin.name, pin.version).version
        pinned = replace(campaign, segment=SegmentPin(name=pin.name, version=version))
        return self._saved(self._versions.save(campaign.id, codec.to_json(pinned), now=now))

    def get(self, key: str, version: int | None = None) -> SavedCampaign:
        """Return a saved campaign, its newest version by default.

        Raises:
            NotFoundError: no such campaign or version; the message names near ones.
        """
        return self._saved(self._versions.get(key, version))

    def newest(self) -> list[SavedCampaign]:
        """Return the newest version of every campaign that is not archived, by id."""
        return [self._saved(version) for version in self._versions.newest()]

    def clone(self, key: str, new_id: str, *, catalogue: Catalogue, now: datetime) -> SavedCampaign:
        """Save a copy under another id: a campaign of its own, with its own control group and runs.

        It keeps no audience: the attribute stays with the original.

        Raises:
            CampaignError: the id is taken or malformed.
            NotFoundError: no such campaign.
        """
        original = self.get(key).campaign
        if self._versions.find(new_id, 1) is not None:
            raise CampaignError(new_id, [Problem(path="id", message="is taken; ids are never used twice")])
        copy = replace(original, id=new_id, name=f"{original.name} (copy)", membership=None)
        return self.save(copy, catalogue=catalogue, now=now)

    def archive(self, key: str, *, now: datetime) -> None:
        """Take a campaign out of the lists; its versions and runs stay.

        Raises:
            NotFoundError: no such campaign.
        """
        self._versions.archive(key, now=now)

    def _refuse_taken(self, campaign: Campaign) -> None:
        """Two campaigns that keep one attribute would take out each other's users."""
        if campaign.membership is None:
            return
        problem = membership.taken(campaign, [saved.campaign for saved in self.newest()])
        if problem is not None:
            raise CampaignError(campaign.id, [problem])

    def _saved(self, version: Version) -> SavedCampaign:
        return SavedCampaign(
            campaign=codec.from_json(version.body),
            stored=version,
            created_at=self._versions.first_saved(version.id),
        )


def _refuse_addresses(campaign: Campaign) -> None:
    """An address is named by its place: it may hold a credential."""
    message = f"is not an address that Apprise knows, such as {alerts.EXAMPLE}"
    found = [
        Problem(path=f"alert_to > {number}", message=message)
        for number, address in enumerate(campaign.alert_to, 1)
        if not alerts.is_address(address)
    ]
    if found:
        raise CampaignError(campaign.id, found)
