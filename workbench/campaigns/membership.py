"""The audience that a campaign keeps at mParticle: what may be said of it, and who leaves it at a run in words."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from workbench.campaigns.model import Campaign
from workbench.errors import Problem
from workbench.store.catalogue import Catalogue

LONGEST_NAME = 256
MOST_NAMES = 100

NOT_QUALIFIED, HELD_OUT = "no longer qualifies", "held out"
NO_IDENTITY, SHARED, TOO_LARGE = "no identity", "address shared with the audience", "identities too large"

SCHEMA = {"user_code": pl.UInt32, "reason": pl.String, "kept": pl.String}


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaving:
    """Who is no longer in the audience of a campaign that keeps one.

    Attributes:
        attribute: the one that says who is in it.
        how: what becomes of the attribute.
        users: ``user_code, reason, kept``, ascending; whoever has a ``kept`` cannot be told, and this is why.
        others: attributes that the campaign kept before, whose users stay as they are.
    """

    attribute: str
    how: str
    users: pl.DataFrame = field(repr=False)
    others: tuple[str, ...] = ()

    @property
    def told(self) -> pl.DataFrame:
        """``user_code`` of whom the receiver is told about."""
        return self.users.filter(pl.col("kept").is_null()).select("user_code")

    @property
    def counts(self) -> list[dict[str, Any]]:
        """Rows of ``reason, kept, users``."""
        return counts(self.users)

    @property
    def sentence(self) -> str:
        """How many leave and why, and who cannot be told."""
        return sentence(self.counts)


def counts(users: pl.DataFrame) -> list[dict[str, Any]]:
    """Count who leaves: rows of ``reason, kept, users``."""
    found = users.group_by("reason", "kept").agg(users=pl.len().cast(pl.Int64))
    return found.sort(pl.col("kept").is_not_null(), "kept", pl.col("reason") != NOT_QUALIFIED).to_dicts()


def sentence(rows: Sequence[Mapping[str, Any]]) -> str:
    """Say how many leave the audience, and who cannot be told.

    >>> sentence([{"reason": HELD_OUT, "kept": None, "users": 2}, {"reason": HELD_OUT, "kept": NO_IDENTITY, "users": 1}])
    '2 users leave the audience (held out 2); 1 cannot be told: no identity'
    """
    told: dict[str, int] = {}
    kept: dict[str, int] = {}
    for row in rows:
        into, name = (told, row["reason"]) if row["kept"] is None else (kept, row["kept"])
        into[name] = into.get(name, 0) + row["users"]
    whole = sum(told.values())
    why = f" ({', '.join(f'{name} {users:,}' for name, users in told.items())})" if told else ""
    said = f"{whole:,} user{'' if whole == 1 else 's'} leave{'s' if whole == 1 else ''} the audience{why}"
    if kept:
        reasons = next(iter(kept)) if len(kept) == 1 else ", ".join(f"{k} {n:,}" for k, n in kept.items())
        said += f"; {sum(kept.values()):,} cannot be told: {reasons}"
    return said


def problems(campaign: Campaign, catalogue: Catalogue) -> Iterator[Problem]:
    """Give every problem of the audience that a campaign keeps."""
    kept = campaign.membership
    if kept is None:
        return
    path, name = "membership > attribute", kept.attribute
    if campaign.kind == "live":
        yield Problem(path="membership", message="a live campaign keeps no audience: nobody leaves it")
    if not name.strip():
        yield Problem(path=path, message="is empty")
    elif name != name.strip():
        yield Problem(path=path, message=f'"{name[:40]}" has a blank at an edge')
    if name.casefold() in {known.casefold() for known in catalogue.attributes}:
        yield Problem(
            path=path,
            message=f'"{name[:40]}" is an attribute of the profiles, which this would overwrite at mParticle; choose another name',
        )
    if name.startswith("$"):
        yield Problem(path=path, message=f'"{name[:40]}": names with $ are mParticle\'s own')
    if len(name) > LONGEST_NAME:
        yield Problem(path=path, message=f"has {len(name)} characters, at most {LONGEST_NAME}")
    if name.casefold() in {chosen.casefold() for chosen in campaign.content.attributes}:
        yield Problem(
            path=path, message=f'"{name[:40]}" is sent as a profile attribute too; choose another name'
        )
    if len(set(campaign.content.attributes)) == MOST_NAMES:
        message = f"beside {MOST_NAMES} attributes it is one too many; mParticle takes {MOST_NAMES}"
        yield Problem(path=path, message=message)


def taken(campaign: Campaign, others: Iterable[Campaign]) -> Problem | None:
    """Return the problem of an attribute that another campaign keeps, or sends; None for none."""
    if campaign.membership is None:
        return None
    name = campaign.membership.attribute
    for other in others:
        if other.id == campaign.id or other.membership is None:
            continue
        if other.membership.attribute.casefold() == name.casefold():
            message = (
                f'"{name}" is kept by campaign "{other.id}"; each campaign needs an attribute of its own'
            )
            return Problem(path="membership > attribute", message=message)
    return None
