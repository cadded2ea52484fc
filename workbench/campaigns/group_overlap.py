"""How large the account's control groups are, and whether any two share more users than chance gives."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

from workbench.campaigns import control
from workbench.campaigns.groups import Group, Standing
from workbench.store import engine

STANDARD_ERRORS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How many of the lake's users are in a group; who is never in control is not."""

    group: Group
    users: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Users that are in two groups.

    Attributes:
        expected: how many chance gives to groups of these sizes.
        standard_errors: how far ``users`` is from that; None where chance leaves no room.
    """

    first: str
    second: str
    users: int
    expected: float
    standard_errors: float | None

    @property
    def beyond_chance(self) -> bool:
        """Whether the two are not independent."""
        return self.standard_errors is not None and abs(self.standard_errors) > STANDARD_ERRORS


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupReport:
    """Sizes and overlaps over the users of the lake.

    Attributes:
        users: in the lake.
        warnings: as sentences: one salt for two groups, an overlap that is not chance.
    """

    users: int
    sizes: tuple[Size, ...]
    pairs: tuple[Pair, ...]
    never: int
    warnings: tuple[str, ...]


def report(
    connection: engine.Connection, standing: Standing, campaign_salts: Mapping[str, str] | None = None
) -> GroupReport:
    """Count the users of every group and of every two of them, in one pass.

    Args:
        connection: with the view ``users``.
        standing: the groups.
        campaign_salts: by campaign id, the salt of its own group, which no group should share.

    Raises:
        StoreError: the lake cannot be read.
    """
    groups = standing.groups
    counts = _combinations(connection, standing)
    total = sum(counts.values())
    sizes = tuple(Size(group=group, users=_users(counts, 1 << n)) for n, group in enumerate(groups))
    pairs = tuple(
        _pair(total, sizes[a], sizes[b], _users(counts, 1 << a | 1 << b))
        for a, b in combinations(range(len(groups)), 2)
    )
    warnings = (
        *_same_salts(groups, campaign_salts or {}),
        *(_told(pair) for pair in pairs if pair.beyond_chance),
    )
    return GroupReport(
        users=total, sizes=sizes, pairs=pairs, never=len(standing.never), warnings=tuple(warnings)
    )


def _combinations(connection: engine.Connection, standing: Standing) -> dict[int, int]:
    """Count users by the set of groups that they are in: bit n is the n-th group; one md5 a user and group."""
    parameters: dict[str, object] = {"never": list(standing.never)} if standing.groups else {}
    bits = []
    for n, group in enumerate(standing.groups):
        member = f"left(md5($salt_{n} || ':' || user_id), {control.CONTROL_DIGITS}) < $below_{n}"
        bits.append(f"CASE WHEN {member} THEN {1 << n} ELSE 0 END")
        parameters |= {f"salt_{n}": group.salt, f"below_{n}": control.threshold(group.share)}
    mask = f"CASE WHEN list_contains($never, user_id) THEN 0 ELSE {' + '.join(bits)} END" if bits else "0"
    sql = f"SELECT groups, count(*) FROM (SELECT {mask} AS groups FROM users) GROUP BY groups"
    return {int(groups): int(users) for groups, users in engine.rows(connection, sql, parameters)}


def _users(counts: dict[int, int], wanted: int) -> int:
    """Return how many users are in all groups of a set of bits."""
    return sum(users for groups, users in counts.items() if groups & wanted == wanted)


def _pair(users: int, first: Size, second: Size, shared: int) -> Pair:
    """Compare an overlap with that of two random sets of the same sizes.

    Source: the hypergeometric distribution, mean a·b / n, variance a·b·(n − a)·(n − b) / (n²·(n − 1)).
    """
    a, b = first.users, second.users
    expected = a * b / users if users else 0.0
    variance = a * b * (users - a) * (users - b) / (users**2 * (users - 1)) if users > 1 else 0.0
    errors = (shared - expected) / math.sqrt(variance) if variance else None
    return Pair(
        first=first.group.name,
        second=second.group.name,
        users=shared,
        expected=expected,
        standard_errors=errors,
    )


def _same_salts(groups: tuple[Group, ...], campaigns: Mapping[str, str]) -> list[str]:
    by_salt: dict[str, list[str]] = {}
    for group in groups:
        by_salt.setdefault(group.salt, []).append(f'group "{group.name}"')
    for name, salt in campaigns.items():
        if salt in by_salt:
            by_salt[salt].append(f'campaign "{name}"')
    return [
        f"{' and '.join(names)} have the same salt: the smaller one lies inside the larger one"
        for names in by_salt.values()
        if len(names) > 1
    ]


def _told(pair: Pair) -> str:
    return (
        f'"{pair.first}" and "{pair.second}" share {pair.users:,} users, where chance gives '
        f"{pair.expected:,.0f}: they are not independent"
    )
