"""The door: everything that one ``workbench.toml`` describes, opened together."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from workbench.campaigns.candidates import reachable_sql
from workbench.campaigns.groups import Groups
from workbench.campaigns.library import CampaignLibrary
from workbench.campaigns.testers import Testers
from workbench.errors import Problem, ProblemsError, StoreError, nearest
from workbench.export.ledger import Ledger
from workbench.segments.build.names import Names
from workbench.segments.library import SegmentLibrary
from workbench.segments.model import Segment
from workbench.segments.scope import Scope
from workbench.segments.vectors import Asked, Mask, Question, Vectors, Watch, ask, opened, over_time
from workbench.settings import Settings, in_bytes
from workbench.store.audit import Trail
from workbench.store.database import Database
from workbench.store.lake import Lake
from workbench.store.pinned import LakeVersion
from workbench.store.reader import Reader, Readers

# One of each in a process: panels and notebooks share what was read.
READERS, VECTORS = Readers(), Vectors()


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """Settings, lake, libraries and ledger of one account."""

    settings: Settings
    database: Database
    lake: Lake
    segments: SegmentLibrary
    campaigns: CampaignLibrary
    groups: Groups
    testers: Testers
    ledger: Ledger

    @property
    def zone(self) -> ZoneInfo:
        """The account's time zone."""
        return ZoneInfo(self.settings.account.timezone)

    @property
    def trail(self) -> Trail:
        """Who changed what and when."""
        return Trail(self.database)

    def scope(self, version: LakeVersion) -> Scope:
        """Return what a segment is checked and compiled against."""
        return Scope(
            catalogue=version.catalogue, zone=self.zone, salt=self.settings.account.salt,
            resolver=self.segments,
        )  # fmt: skip

    def ask(
        self, segment: Segment, version: LakeVersion, as_of: datetime, *, watch: Watch | None = None
    ) -> Asked:
        """Answer a checked segment at a lake version; what a process has computed is not computed again.

        Raises:
            CancelledError: ``watch`` stopped the question.
            StoreError: a file of the version is gone or damaged.
        """
        return ask(
            segment, as_of, self.scope(version), reader=self._reader(version), vectors=VECTORS, watch=watch
        )

    def ask_over_time(
        self,
        segment: Segment,
        version: LakeVersion,
        instants: Sequence[datetime],
        *,
        watch: Watch | None = None,
    ) -> Iterator[Asked]:
        """Answer a checked segment at ascending instants, each as it would have been answered then.

        Raises:
            CancelledError: ``watch`` stopped the question.
            StoreError: a file of the version is gone or damaged.
        """
        return over_time(
            segment, instants, self.scope(version), reader=self._reader(version), vectors=VECTORS, watch=watch
        )

    def reachable(self, version: LakeVersion, as_of: datetime) -> Mask:
        """Return who has an mParticle identity and is not unsubscribed, by user code.

        Raises:
            StoreError: a file of the version is gone or damaged.
        """
        question = self.question(version, as_of)
        sql = reachable_sql(version.catalogue, self.settings.identities, self.settings.consent)
        writer = question.writer()
        return question.members(f"{writer.query.ctes}\n{sql}", writer.parameters, "profiles")

    def _reader(self, version: LakeVersion) -> Reader:
        return READERS.open(version, memory=self.settings.store.query_memory)

    def question(self, version: LakeVersion, as_of: datetime) -> Question:
        """Begin a question about single conditions; it shares what the process has computed.

        Raises:
            StoreError: a file of the version is gone or damaged.
        """
        return opened(as_of, self.scope(version), reader=self._reader(version), vectors=VECTORS)

    def names(self, version: LakeVersion | None = None) -> Names:
        """Return what a condition may name, with completion."""
        return Names((version or self.lake.at()).catalogue, self.segments.names())

    def check_attributes(self, version: LakeVersion) -> None:
        """Refuse settings that name attributes which the profiles do not have, or of another type.

        Raises:
            ProblemsError: naming each key and the nearest attributes.
        """
        settings, known = self.settings, version.catalogue.attributes
        wanted = [
            (f"[identities] {name}", attribute, "text") for name, attribute in settings.identities.items()
        ]
        wanted += [("[consent] required", name, "boolean") for name in settings.consent.required]
        wanted += [("[consent] unsubscribed", n, "boolean") for n in [settings.consent.unsubscribed] if n]
        problems = []
        for path, name, kind in wanted:
            if name not in known:
                message = f'the profiles have no attribute "{name}".{nearest(name, known)}'
                problems.append(Problem(path=path, message=message))
            elif known[name].type != kind:
                message = f'"{name}" is a {known[name].type}, a {kind} is needed (ingest it with --type {name}={kind})'
                problems.append(Problem(path=path, message=message))
        if problems:
            raise ProblemsError("workbench.toml", problems)


def _make_private(directory: Path) -> None:
    """Make the state folder; it holds people, so nobody else on this machine may look inside."""
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StoreError(f"the state folder cannot be made: {error.strerror}") from error


def open_workspace(config: Path | str | None = None, *, read_only: bool = False) -> Workspace:
    """Open the workspace of a ``workbench.toml``.

    Args:
        config: the file; by default the nearest one from the current folder upwards.
        read_only: for dashboards: the database refuses every write.

    Raises:
        SettingsError: no such file, or a key that is missing or malformed.
        StoreError: the database cannot be reached, or is of another version.
    """
    settings = Settings.load(Path(config) if config else None)
    database = Database(settings.database_url, read_only=read_only)
    if not read_only:
        _make_private(settings.directory)
    if read_only:
        database.check()
    else:
        database.migrate()
    return assemble(settings, database)


def assemble(settings: Settings, database: Database) -> Workspace:
    """Put a workspace together from settings and a database that has this version's tables."""
    segments = SegmentLibrary(database)
    groups = Groups(database, settings.account.salt)
    lake = Lake(settings.directory, database, settings.catalogue, settings.identities.values())
    VECTORS.limit = in_bytes(settings.store.vector_memory)
    return Workspace(
        settings=settings,
        database=database,
        lake=lake,
        segments=segments,
        campaigns=CampaignLibrary(database, segments, groups, settings),
        groups=groups,
        testers=Testers(database, lake),
        ledger=Ledger(database, settings.directory / "runs"),
    )
