"""Settings: ``workbench.toml``, found from the current folder upwards, and the few secrets around it."""

import getpass
import hashlib
import os
import tomllib
import zoneinfo
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import parse_qs, urlsplit

import keyring
import keyring.errors
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

from workbench.errors import CredentialsError, SettingsError, nearest

FILE_NAME = "workbench.toml"
KEYRING_SERVICE = "campaign-workbench"
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

MPARTICLE_IDENTITIES = (
    "customer_id", "email", "mobile_number", "phone_number_2", "phone_number_3",
    "other", *(f"other_id_{n}" for n in range(2, 11)),
    "facebook", "twitter", "google", "microsoft", "yahoo", "alias",
)  # fmt: skip

PropertyType = Literal["text", "number", "boolean", "date", "instant", "list", "version"]


def _known_zone(name: str) -> str:
    if name not in zoneinfo.available_timezones():
        raise ValueError(f'unknown time zone "{name}".{nearest(name, zoneinfo.available_timezones())}')
    return name


def _known_identities(identities: dict[str, str]) -> dict[str, str]:
    for name in identities:
        if name not in MPARTICLE_IDENTITIES:
            hint = nearest(name, MPARTICLE_IDENTITIES)
            raise ValueError(f'"{name}" is not an mParticle identity.{hint}')
    return identities


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    if parts.password or "password" in parse_qs(parts.query):
        raise ValueError(
            "a password does not belong in this file: leave it out and set PGPASSWORD or ~/.pgpass, "
            "or give the whole URL in WORKBENCH_DATABASE_URL"
        )
    return url


def _https_or_loopback(url: str) -> str:
    parts = urlsplit(url)
    if parts.username or parts.password:
        raise ValueError("a key does not belong in a URL: set WORKBENCH_MPARTICLE_KEY and _SECRET")
    loopback = parts.hostname in LOOPBACK
    if parts.scheme == "https" or (parts.scheme == "http" and loopback):
        return url.rstrip("/")
    raise ValueError("must be https:// (http:// only on this machine, for the sandbox)")


Zone = Annotated[str, AfterValidator(_known_zone)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Account(_Section):
    """Who sends, and in which zone a day begins."""

    name: str = Field(examples=['name = "harbour-and-pine"'])
    timezone: Zone = Field(examples=['timezone = "America/New_York"'])
    salt: str = Field(min_length=4, examples=['salt = "harbour-and-pine-2026"'])


MEMORY = r"^\d+(MB|GB)$"
BYTES = {"MB": 1_000_000, "GB": 1_000_000_000}


def in_bytes(memory: str) -> int:
    """Return the number of bytes of a size such as 400MB."""
    return int(memory[:-2]) * BYTES[memory[-2:]]


class Store(_Section):
    """Where the lake and the ledger live."""

    directory: Path = Field(default=Path(".workbench"), examples=['directory = ".workbench"'])
    database: Annotated[str, AfterValidator(_without_password)] | None = Field(
        default=None, examples=['database = "postgresql+psycopg://workbench@db.internal/workbench"']
    )
    ingest_memory: str = Field(default="400MB", pattern=MEMORY, examples=['ingest_memory = "400MB"'])
    query_memory: str = Field(default="2GB", pattern=MEMORY, examples=['query_memory = "2GB"'])
    vector_memory: str = Field(default="1GB", pattern=MEMORY, examples=['vector_memory = "1GB"'])
    bad_row_share: float = Field(default=0.01, ge=0, le=1, examples=["bad_row_share = 0.01"])
    compact_files: int = Field(default=16, ge=0, examples=["compact_files = 16"])
    keep_removed_days: int = Field(default=7, ge=1, le=3650, examples=["keep_removed_days = 7"])


class Consent(_Section):
    """Which profile columns say that a user may be written to."""

    unsubscribed: str | None = Field(default=None, examples=['unsubscribed = "unsubscribed"'])
    required: tuple[str, ...] = Field(default=(), examples=['required = ["email_opt_in"]'])


class MParticle(_Section):
    """Where the export goes."""

    url: Annotated[str, AfterValidator(_https_or_loopback)] = Field(
        default="https://s2s.mparticle.com/v2", examples=['url = "https://s2s.us1.mparticle.com/v2"']
    )
    environment: Literal["development", "production"] = Field(
        default="development", examples=['environment = "development"']
    )
    event_name: str = Field(
        default="Campaign Message", min_length=1, max_length=256, examples=['event_name = "Campaign Message"']
    )
    batches_per_second: float = Field(default=270, gt=0, examples=["batches_per_second = 270"])
    in_flight: int = Field(default=8, ge=1, le=64, examples=["in_flight = 8"])
    connect_timeout: float = Field(default=5, gt=0, le=60, examples=["connect_timeout = 5"])
    read_timeout: float = Field(default=30, gt=0, le=300, examples=["read_timeout = 30"])
    attempts: int = Field(default=5, ge=1, le=20, examples=["attempts = 5"])


class Campaigns(_Section):
    """House rules for campaigns."""

    allow_small_cap: bool = Field(default=False, examples=["allow_small_cap = true"])


class Frequency(_Section):
    """How often one user is written to, over all campaigns."""

    messages: int | None = Field(default=None, ge=1, le=1000, examples=["messages = 3"])
    days: int | None = Field(default=None, ge=1, le=365, examples=["days = 7"])
    minimum_gap_minutes: int | None = Field(
        default=None, ge=15, le=30 * 24 * 60, examples=["minimum_gap_minutes = 240"]
    )

    @model_validator(mode="after")
    def _both_or_neither(self) -> Self:
        if (self.messages is None) != (self.days is None):
            raise ValueError("messages and days belong together: at most so many in so many days")
        return self


class DeclaredEvent(_Section):
    """An event name that is valid before its first row arrives."""

    properties: dict[str, PropertyType] = {}


class DeclaredCatalogue(_Section):
    """Names and types that are valid before the first row arrives."""

    events: dict[str, DeclaredEvent] = {}
    attributes: dict[str, PropertyType] = {}


class Source(_Section):
    """How the columns of a file become events, profiles or devices; saved by ``workbench ingest``."""

    kind: Literal["events", "profiles", "devices"]
    user: str = "user_id"
    event: str | None = None
    event_name: str | None = None
    ts: str | None = None
    event_id: str | None = None
    device: str | None = None
    time_format: str | None = None
    timezone: Zone | None = None
    sep: str | None = None
    properties: str | None = None
    recorded: str | None = None
    columns: dict[str, str] = {}
    types: dict[str, PropertyType] = {}


class Settings(_Section):
    """The whole of ``workbench.toml``."""

    account: Account
    store: Store = Store()
    identities: Annotated[dict[str, str], AfterValidator(_known_identities)] = Field(
        default={"customer_id": "user_id"}, examples=['customer_id = "user_id"']
    )
    consent: Consent = Consent()
    mparticle: MParticle = MParticle()
    campaigns: Campaigns = Campaigns()
    frequency: Frequency = Frequency()
    catalogue: DeclaredCatalogue = DeclaredCatalogue()
    sources: dict[str, Source] = {}
    home: Path = Field(default=Path(), exclude=True)

    @classmethod
    def load(cls, path: Path | None = None) -> Self:
        """Read ``workbench.toml``.

        Args:
            path: the file; without it ``WORKBENCH_CONFIG``, else the nearest one from the current
                folder upwards.

        Raises:
            SettingsError: no file, not TOML, or a key that is missing, unknown or malformed; the
                message names the key and shows an example.
        """
        path = (path or _find()).resolve()
        try:
            document = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise SettingsError(f"{path.name} cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise SettingsError(f"{path.name} is not UTF-8") from error
        except tomllib.TOMLDecodeError as error:
            raise SettingsError(f"{path.name} is not TOML: {error}") from error
        if "home" in document:
            raise SettingsError(f'{path.name}: unknown key "home"')
        try:
            return cls.model_validate({**document, "home": path.parent})
        except ValidationError as error:
            # It repeats what was given, which may be a password.
            raise SettingsError(_explain(path.name, error)) from None

    @property
    def directory(self) -> Path:
        """The state folder, absolute."""
        return (self.home / self.store.directory).resolve()

    @property
    def database_url(self) -> str:
        """The ledger's URL: ``WORKBENCH_DATABASE_URL``, else the setting, else SQLite in the state folder."""
        return (
            os.environ.get("WORKBENCH_DATABASE_URL")
            or self.store.database
            or f"sqlite:///{self.directory / 'ledger.db'}"
        )

    @property
    def mparticle_url(self) -> str:
        """The receiver's base URL; ``WORKBENCH_MPARTICLE_URL`` wins, so that a rehearsal needs no edit."""
        url = os.environ.get("WORKBENCH_MPARTICLE_URL")
        if not url:
            return self.mparticle.url
        try:
            return _https_or_loopback(url)
        except ValueError as error:
            raise SettingsError(f"WORKBENCH_MPARTICLE_URL {error}") from None

    @property
    def receiver(self) -> str:
        """The host that runs are sent to; any port of this machine is ``localhost``."""
        host = urlsplit(self.mparticle_url).hostname or ""
        return "localhost" if host in LOOPBACK else host

    @property
    def salt_digest(self) -> str:
        """A digest of the salt, which a run records without revealing it."""
        return hashlib.sha256(self.account.salt.encode()).hexdigest()


class Credentials(BaseModel):
    """Key and secret of one mParticle input; neither is ever printed."""

    model_config = ConfigDict(frozen=True)
    key: SecretStr
    secret: SecretStr

    @property
    def key_digest(self) -> str:
        """A digest of the key, which a run records without revealing it."""
        return hashlib.sha256(self.key.get_secret_value().encode()).hexdigest()

    @classmethod
    def load(cls, account: str) -> Self:
        """Take them from the environment, else from the system keyring.

        Raises:
            CredentialsError: neither holds both values; the message says where to put them.
        """
        found = {part: _secret(account, part) for part in ("key", "secret")}
        missing = [f"WORKBENCH_MPARTICLE_{part.upper()}" for part, value in found.items() if not value]
        if missing:
            raise CredentialsError(
                f"no mParticle credentials: set {' and '.join(missing)}, or store them with "
                f"`keyring set {KEYRING_SERVICE} {account}/key` and `{account}/secret`"
            )
        return cls.model_validate(found)


def actor() -> str:
    """Who acts: ``WORKBENCH_ACTOR``, else the JupyterHub user, else the OS login."""
    named = os.environ.get("WORKBENCH_ACTOR") or os.environ.get("JUPYTERHUB_USER")
    if named:
        return named
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid-{os.getuid()}"


def _secret(account: str, part: str) -> str | None:
    value = os.environ.get(f"WORKBENCH_MPARTICLE_{part.upper()}")
    if value:
        return value
    try:
        return keyring.get_password(KEYRING_SERVICE, f"{account}/{part}")
    except keyring.errors.KeyringError:
        return None


def _find() -> Path:
    named = os.environ.get("WORKBENCH_CONFIG")
    if named:
        return Path(named)
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / FILE_NAME).is_file():
            return folder / FILE_NAME
    raise SettingsError(
        f"no {FILE_NAME} in this folder or above it; `workbench init` writes one, "
        "or set WORKBENCH_CONFIG to its path"
    )


def _explain(file: str, error: ValidationError) -> str:
    lines = []
    for item in error.errors(include_url=False, include_input=False):
        *tables, key = [str(part) for part in item["loc"]]
        example = _example(item["loc"])
        message = item["msg"].removeprefix("Value error, ").replace("Field required", "is missing")
        if item["type"] == "extra_forbidden":
            message = f"unknown key.{nearest(key, _keys(item['loc'][:-1]))}"
        place = f"[{'.'.join(tables)}] {key}" if tables else f"[{key}]"
        lines.append(f"  - {place}: {message}" + (f"; for example: {example}" if example else ""))
    return f"{file} cannot be used:\n" + "\n".join(lines)


def _model(loc: tuple[int | str, ...]) -> type[BaseModel] | None:
    model: type[BaseModel] = Settings
    for part in loc:
        field = model.model_fields.get(str(part))
        if field is None or not isinstance(field.annotation, type):
            return None
        if not issubclass(field.annotation, BaseModel):
            return None
        model = field.annotation
    return model


def _keys(loc: tuple[int | str, ...]) -> list[str]:
    model = _model(loc)
    return [name for name in model.model_fields if name != "home"] if model else []


def _example(loc: tuple[int | str, ...]) -> str:
    section = _model(loc)
    if section is not None:
        return " ".join(
            [f"[{loc[-1]}]", *(str(f.examples[0]) for f in section.model_fields.values() if f.examples)]
        )
    parent = _model(loc[:-1])
    field = parent.model_fields.get(str(loc[-1])) if parent else None
    return str(field.examples[0]) if field is not None and field.examples else ""
