"""A compiled segment: named steps, bound values, and the queries over them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from workbench.store.held import profiles_at

EVERYONE = "everyone"
PROFILES = profiles_at()


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One named CTE.

    Attributes:
        name: of the CTE.
        sentence: what it holds.
        depth: where its condition stands in the tree; None for a CTE that only serves others.
        sql: its body.
    """

    name: str
    sentence: str
    depth: int | None
    sql: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A compiled segment.

    Attributes:
        steps: children before parents; the last one is the whole tree.
        parameters: the bound values by name.
        matched: for each constant property the SQL of its values, see ``matched_sql``.
        limits: how many of them the content gets.
        profiles: the SQL of the profiles at the instant.
    """

    steps: tuple[Step, ...]
    parameters: Mapping[str, Any]
    matched: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, int] = field(default_factory=dict)
    profiles: str = PROFILES

    @property
    def conditions(self) -> tuple[Step, ...]:
        """The steps that answer a condition of the tree."""
        return tuple(step for step in self.steps if step.depth is not None)

    @property
    def sql(self) -> str:
        """The query for the users: one column, ``user_code``, without order."""
        root = self.steps[-1].name
        return f"{self.ctes}\nSELECT user_code FROM {root}\nINTERSECT\nSELECT user_code FROM {EVERYONE}"

    @property
    def counts_sql(self) -> str:
        """The query for the size of every condition: columns ``name, users``; ``everyone`` is one of them."""
        selects = [f"SELECT '{EVERYONE}' AS name, count(*) AS users FROM {EVERYONE}"]
        selects += [
            f"SELECT '{step.name}', count(*) FROM (SELECT user_code FROM {step.name} "
            f"INTERSECT SELECT user_code FROM {EVERYONE})"
            for step in self.conditions
        ]
        return f"{self.ctes}\n" + "\nUNION ALL\n".join(selects)

    def matched_sql(self, name: str) -> str:
        """The query for the values of a constant property: ``user_code, value, newest``, without order.

        Only users of the segment have some.
        """
        root = self.steps[-1].name
        return (
            f"{self.ctes}\nSELECT * FROM (\n{self.matched[name]}\n)\n"
            f"SEMI JOIN {root} USING (user_code)\nSEMI JOIN {EVERYONE} USING (user_code)"
        )

    @property
    def ctes(self) -> str:
        """The steps, and the profiles at the instant, as the WITH of a query."""
        ctes = [
            f"profiles AS (\n  {self.profiles}\n)",
            f"{EVERYONE} AS (\n  SELECT user_code FROM profiles\n)",
        ]
        ctes += [f"-- {_comment(step.sentence)}\n{step.name} AS (\n{step.sql}\n)" for step in self.steps]
        return "WITH\n" + ",\n".join(ctes)


def _comment(text: str) -> str:
    return re.sub(r"[^\w .,:;<>=%'\"()&+/-]", "?", text)
