"""The account's control groups: one system group, up to ten custom ones, and who is never in any.

A group's share and salt never change, so that its members stay. They are drawn from all users, as
``store.salted`` says: whether a user is in a group depends on nothing but the salt, the share and the id.
"""

import hashlib
import math
import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa

from workbench.campaigns import control
from workbench.campaigns.model import Campaign
from workbench.errors import BusyError, InputError, NotFoundError, nearest
from workbench.settings import actor
from workbench.store import audit, tables
from workbench.store.audit import What
from workbench.store.database import Database
from workbench.store.versions import Versions

LEAST_SHARE, MOST_SHARE = 0.02, 0.05
MOST_CUSTOM = 10
MOST_NEVER = 20
LONGEST_SALT = 200
LONGEST_ID = 300
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,59}")
SYSTEM_NAME = re.compile(r"system(-.+)?")


class Kind(StrEnum):
    """Whether a group applies to every campaign, or to those that name it."""

    SYSTEM = "system"
    CUSTOM = "custom"


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A control group of the account.

    Attributes:
        share: of all users, 0.02 to 0.05.
        salt: what stands before the colon in the hashed string.
        removed_at: when it stopped; None while it applies. Its name is never used again.
    """

    name: str
    kind: Kind
    share: float
    salt: str
    created_at: datetime
    created_by: str
    removed_at: datetime | None = None

    @property
    def held_by(self) -> str:
        """What the verdicts call a user whom this group holds out."""
        return control.SYSTEM if self.kind is Kind.SYSTEM else control.custom(self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What applies at one instant: the groups, system first, and the ids of who is never in control."""

    groups: tuple[Group, ...] = ()
    never: tuple[str, ...] = ()

    @property
    def system(self) -> Group | None:
        """The system group, if there is one."""
        return next((group for group in self.groups if group.kind is Kind.SYSTEM), None)

    @property
    def custom(self) -> dict[str, Group]:
        """The custom groups by name."""
        return {group.name: group for group in self.groups if group.kind is Kind.CUSTOM}


class Groups:
    """Adds, lists and removes control groups, and flags who is never in one."""

    def __init__(self, database: Database, account_salt: str) -> None:
        """Keep the tables, and what the default salts are made of."""
        self._database = database
        self._account_salt = account_salt
        self._campaigns = Versions(database, tables.campaigns, "campaign")

    def standing(self) -> Standing:
        """Return what applies now."""
        with self._database.reading() as sql:
            return _standing(sql)

    def stood(self, instant: datetime) -> Standing:
        """Return what applied at an instant.

        A group is known exactly. Of those who are never in control only the ones who still are: a flag
        that was taken back leaves no trace.
        """
        with self._database.reading() as sql:
            return _standing(sql, instant)

    def add(
        self, name: str, share: float, *, custom: bool = False, salt: str | None = None, now: datetime
    ) -> Group:
        """Add a group; without ``custom`` the system group.

        Args:
            name: lower case, never used before; ``system`` or ``system-…`` for the system group only, so that
                a forgotten ``custom`` does not hold users out of every campaign.
            share: of all users.
            custom: whether only campaigns that name it hold it out.
            salt: of a group that was drawn elsewhere; by default ``{account salt}/group/{name}``.
            now: the instant.

        Raises:
            InputError: with the rule that it breaks; nothing is added.
            BusyError: somebody else has just added a group of this name.
        """
        salt = control.group_salt(self._account_salt, name) if salt is None else salt
        kind = Kind.CUSTOM if custom else Kind.SYSTEM
        _refuse_value(name, kind, share, salt)
        group = Group(name=name, kind=kind, share=share, salt=salt, created_at=now, created_by=actor())
        try:
            with self._database.transaction() as sql:
                _refuse_number(name, kind, _standing(sql), _taken(sql))
                sql.execute(
                    tables.control_groups.insert().values(
                        name=name, kind=kind.value, share=share, salt=salt, created_at=now,
                        created_by=group.created_by,
                    )
                )  # fmt: skip
                audit.append(sql, What.GROUP_ADDED, name, _facts(group))
        except sa.exc.IntegrityError as error:
            raise BusyError(f'group "{name}" was added by somebody else just now') from error
        return group

    def remove(self, name: str, *, now: datetime) -> None:
        """Stop a group that nothing depends on.

        Raises:
            NotFoundError: no such group.
            InputError: a saved campaign holds it out, a run has, or custom groups need it; the message names it.
        """
        campaigns = self._campaigns.newest()
        with self._database.transaction() as sql:
            standing = _standing(sql)
            group = next((group for group in standing.groups if group.name == name), None)
            if group is None:
                hint = nearest(name, [group.name for group in standing.groups])
                raise NotFoundError(f'unknown control group "{name}".{hint}')
            if group.kind is Kind.SYSTEM and standing.custom:
                others = ", ".join(f'"{other}"' for other in standing.custom)
                raise InputError(f"custom groups need a system group: remove {others} first")
            for saved in campaigns:
                if _holds_out(group, saved.body.get("control", {})):
                    rule = "archive it, or save it without the group"
                    raise InputError(f'group "{name}" is held out by campaign "{saved.id}": {rule}')
            table = tables.runs.c
            for run_id, verdicts in sql.execute(
                sa.select(table.run_id, table.verdicts)
                .where(table.purpose == "campaign")
                .order_by(table.created_at)
            ):
                if any(row.get("held_by") == group.held_by for row in verdicts):
                    raise InputError(
                        f'group "{name}" held users out of run "{run_id}", whose report needs it'
                    )
            sql.execute(
                tables.control_groups.update()
                .where(tables.control_groups.c.name == name)
                .values(removed_at=now)
            )
            audit.append(sql, What.GROUP_REMOVED, name, _facts(group))

    def flag(self, user_id: str, *, now: datetime) -> None:
        """Never hold a user out.

        Raises:
            InputError: too many are flagged; the id is empty or too long.
        """
        if not user_id or len(user_id) > LONGEST_ID:
            raise InputError(f"a user id has 1 to {LONGEST_ID} characters, this one {len(user_id)}")
        try:
            with self._database.transaction() as sql:
                never = _standing(sql).never
                if user_id in never:
                    return
                if len(never) >= MOST_NEVER:
                    raise InputError(
                        f"{len(never)} profiles are never in control, which is the most; unflag one first"
                    )
                sql.execute(
                    tables.never_in_control.insert().values(
                        user_id=user_id, flagged_at=now, flagged_by=actor()
                    )
                )
                audit.append(sql, What.NEVER_IN_CONTROL, user_id)
        except sa.exc.IntegrityError as error:
            raise BusyError("the profile was flagged by somebody else just now") from error

    def unflag(self, user_id: str) -> None:
        """Let the groups decide about a user again.

        Raises:
            NotFoundError: the user is not flagged.
        """
        table = tables.never_in_control
        with self._database.transaction() as sql:
            if not sql.execute(table.delete().where(table.c.user_id == user_id)).rowcount:
                raise NotFoundError(f'profile "{user_id}" is not flagged "never in control"')
            audit.append(sql, What.IN_CONTROL_AGAIN, user_id)


def holds(
    campaign: Campaign, standing: Standing, *, share: float | None, account_salt: str
) -> tuple[control.Hold, ...]:
    """Return the groups that hold users of a campaign out, in the order in which they do.

    Args:
        campaign: checked: its custom groups exist.
        standing: the account's groups.
        share: of the campaign's own group; None for none.
        account_salt: what the salt of the campaign's own group is made of.
    """
    system = [standing.system] if standing.system and campaign.control.system is not False else []
    custom = [standing.custom[name] for name in campaign.control.custom]
    found = [
        control.Hold(held_by=item.held_by, salt=item.salt, share=item.share) for item in (*system, *custom)
    ]
    if share is not None:
        salt = control.control_salt(account_salt, campaign.id)
        found.append(control.Hold(held_by=control.CAMPAIGN, salt=salt, share=share))
    return tuple(found)


def _standing(sql: sa.Connection, instant: datetime | None = None) -> Standing:
    """Read what applies: now, or at an instant."""
    group, never_in = tables.control_groups, tables.never_in_control
    applies = group.c.removed_at.is_(None)
    wanted, flagged = sa.select(group), sa.select(never_in.c.user_id)
    if instant is None:
        wanted = wanted.where(applies)
    else:
        wanted = wanted.where(group.c.created_at <= instant, sa.or_(applies, group.c.removed_at > instant))
        flagged = flagged.where(never_in.c.flagged_at <= instant)
    groups = [Group(**{**row, "kind": Kind(row["kind"])}) for row in sql.execute(wanted).mappings()]
    never = sql.scalars(flagged).all()
    return Standing(
        groups=tuple(sorted(groups, key=lambda item: (item.kind is Kind.CUSTOM, item.name))),
        never=tuple(sorted(never)),
    )


def _facts(group: Group) -> dict[str, object]:
    """Return what the audit trail keeps of a group; with its salt anybody could tell its members."""
    salt = hashlib.sha256(group.salt.encode()).hexdigest()
    return {"kind": group.kind, "share": group.share, "salt_digest": salt}


def _taken(sql: sa.Connection) -> set[str]:
    return set(sql.scalars(sa.select(tables.control_groups.c.name)))


def _holds_out(group: Group, body: object) -> bool:
    """Whether a campaign with this ``control`` in its JSON holds a group out."""
    settings = body if isinstance(body, dict) else {}
    if group.kind is Kind.SYSTEM:
        return settings.get("system") is not False
    return group.name in settings.get("custom", ())


def _refuse_value(name: str, kind: Kind, share: float, salt: str) -> None:
    if not NAME.fullmatch(name):
        rule = "lower-case letters, digits and hyphens, at most 60, a letter or digit first"
        raise InputError(f'"{name}" is not a name of a group: {rule}')
    if (kind is Kind.SYSTEM) != bool(SYSTEM_NAME.fullmatch(name)):
        rule = 'the system group is called "system" or "system-…", and no custom group (--custom) is'
        raise InputError(f'"{name}" is not a name of a {kind} group: {rule}')
    if not (math.isfinite(share) and LEAST_SHARE <= share <= MOST_SHARE):
        raise InputError(
            f"a share of {share:g} is outside {LEAST_SHARE:g} to {MOST_SHARE:g} of all users, "
            "the sizes that a group of the account may have"
        )
    if not salt or len(salt) > LONGEST_SALT:
        raise InputError(f"a salt has 1 to {LONGEST_SALT} characters, this one {len(salt)}")


def _refuse_number(name: str, kind: Kind, standing: Standing, taken: set[str]) -> None:
    if name in taken:
        raise InputError(
            f'"{name}" is or was the name of a group: names are never used twice, shares never change'
        )
    if kind is Kind.SYSTEM and standing.system is not None:
        raise InputError(
            f'"{standing.system.name}" is the system group, and there is one; --custom adds one that campaigns name'
        )
    if kind is Kind.CUSTOM and standing.system is None:
        raise InputError("a custom group needs a system group first: workbench control add system 0.05")
    if kind is Kind.CUSTOM and len(standing.custom) >= MOST_CUSTOM:
        raise InputError(f"there are {len(standing.custom)} custom groups, which is the most")
