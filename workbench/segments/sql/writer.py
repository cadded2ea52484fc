"""What the visitors write into: steps with unique names, and bound values."""

import re
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from workbench.segments.model import Condition
from workbench.segments.scope import ZONES, Scope
from workbench.segments.sentence import sentence
from workbench.segments.sql.query import PROFILES, Query, Step
from workbench.store.engine import quote
from workbench.store.held import devices_at

DEVICES, USER_ZONES = "devices", "user_zones"


@dataclass(slots=True, kw_only=True)
class Writer:
    """The query as far as it is written."""

    as_of: datetime
    scope: Scope
    profiles: str = PROFILES
    steps: list[Step] = field(default_factory=list)
    parameters: dict[str, Any] = field(default_factory=dict)
    matched: dict[str, str] = field(default_factory=dict)
    limits: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Bind the instant of the question, which every step reads."""
        self.parameters["as_of"] = self.as_of

    @property
    def today(self) -> date:
        """The account's date of the question."""
        return self.scope.today(self.as_of)

    @property
    def query(self) -> Query:
        """What is written so far."""
        return Query(
            steps=tuple(self.steps), parameters=self.parameters, matched=self.matched, limits=self.limits,
            profiles=self.profiles,
        )  # fmt: skip

    def name(self, slug: str) -> str:
        """Return the name of the next step."""
        short = (re.sub(r"[^a-z0-9]+", "_", slug.lower()).strip("_") or "x")[:40]
        return f"c{len(self.steps) + 1}_{short}"

    def condition(self, condition: Condition, sql: str, depth: int, *, slug: str = "") -> str:
        """Append the step that answers a condition and return its name."""
        return self.step(sentence(condition), sql, depth, slug=slug or condition.kind)

    def step(self, text: str, sql: str, depth: int | None = None, *, slug: str) -> str:
        """Append a step and return its name."""
        name = self.name(slug)
        self.steps.append(Step(name=name, sentence=text, depth=depth, sql=sql))
        return name

    def bind(self, name: str, value: Any) -> str:
        """Bind a value and return its placeholder."""
        self.parameters[name] = value
        return f"${name}"

    def devices(self) -> str:
        """Return the CTE of the devices at ``as_of``."""
        return self._once(DEVICES, "the devices as they were known", f"  {devices_at()}")

    def user_zones(self) -> str:
        """Return the CTE of every user's time zone; an unknown one is the account's."""
        known, account = self.bind("known_zones", list(ZONES)), self.bind("account_zone", self.scope.zone.key)
        column = quote(self.scope.catalogue.attributes["timezone"].column)
        sql = (
            f"  SELECT user_code, CASE WHEN {column} IN (SELECT unnest({known})) THEN {column} "
            f"ELSE {account} END AS zone\n  FROM profiles"
        )
        return self._once(USER_ZONES, "the zone of each user", sql)

    def _once(self, name: str, text: str, sql: str) -> str:
        if not any(step.name == name for step in self.steps):
            self.steps.append(Step(name=name, sentence=text, depth=None, sql=sql))
        return name
