"""Campaigns as JSON and YAML."""

import re
from collections.abc import Iterator
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError

from workbench.campaigns import model
from workbench.campaigns.model import Campaign
from workbench.errors import CampaignError, Problem
from workbench.segments.codec import problems, with_kinds

_DESCRIBED: tuple[Any, ...] = (
    model.Campaign, model.SegmentPin, model.Control, model.Goal, model.Cap, model.SafetyCheck, model.Content,
    model.Schedule, model.QuietHours, model.Delivery, model.Frequency, model.Live,
)  # fmt: skip
for _described in _DESCRIBED:
    _described.__pydantic_config__ = ConfigDict(extra="forbid")

_ADAPTER: TypeAdapter[Campaign] = TypeAdapter(Campaign)
HALVES = re.compile("[\ud800-\udfff]")
HALF = "holds half of a surrogate pair, which is no character; write the whole character"


def to_json(campaign: Campaign) -> dict[str, Any]:
    """Return the campaign as JSON values; what has its default is left out."""
    body: dict[str, Any] = _ADAPTER.dump_python(campaign, mode="json", exclude_defaults=True)
    if "goal" in body:
        body["goal"] = with_kinds(body["goal"], _ADAPTER.dump_python(campaign, mode="json")["goal"])
    return body


def from_json(body: Any) -> Campaign:
    """Read a campaign.

    Raises:
        CampaignError: every key or value that does not fit, with its path.
    """
    name = str(body.get("id", "?")) if isinstance(body, dict) else "?"
    halves = [Problem(path=path, message=HALF) for path in dict.fromkeys(_halves(body))]
    if halves:
        raise CampaignError(name.encode(errors="replace").decode(), halves)
    _refuse_other_minutes(name, body)
    try:
        return _ADAPTER.validate_python(body)
    except ValidationError as error:
        raise CampaignError(name, problems(error)) from error


def _halves(value: Any, path: str = "") -> Iterator[str]:
    """Yield where a text or a key holds half of a surrogate pair: it has no bytes to be sent."""
    if isinstance(value, dict):
        for key, item in value.items():
            readable = str(key).encode(errors="replace").decode()
            inner = f"{path} > {readable}" if path else readable
            yield from _halves(key, inner)
            yield from _halves(item, inner)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _halves(item, path)
    elif isinstance(value, str) and HALVES.search(value):
        yield path


def _refuse_other_minutes(name: str, body: Any) -> None:
    """Refuse a window that would be read as another one: ``true`` as one minute."""
    goal = body.get("goal") if isinstance(body, dict) else None
    minutes = goal.get("within_minutes", 1) if isinstance(goal, dict) else 1
    if isinstance(minutes, bool) or not isinstance(minutes, int):
        message = f"{minutes!r} is not a whole number of minutes"
        raise CampaignError(name, [Problem(path="goal > within_minutes", message=message)])
