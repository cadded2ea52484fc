"""Campaigns as JSON and YAML."""

import json
import re
from collections.abc import Iterator
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError

from workbench.campaigns import model
from workbench.campaigns.model import Campaign
from workbench.errors import CampaignError, Problem
from workbench.segments.codec import problems, with_kinds, written

_DESCRIBED: tuple[Any, ...] = (
    model.Campaign, model.SegmentPin, model.Control, model.Goal, model.Cap, model.SafetyCheck, model.Content,
    model.Schedule, model.QuietHours, model.Delivery, model.Frequency, model.Membership, model.Live,
)  # fmt: skip
for _described in _DESCRIBED:
    _described.__pydantic_config__ = ConfigDict(extra="forbid", allow_inf_nan=False)

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
    """Read a campaign. Values keep the type that the author wrote: ``"5"`` is no number, ``true`` no 1.

    Raises:
        CampaignError: every key or value that does not fit, with its path.
    """
    name = str(body.get("id", "?")) if isinstance(body, dict) else "?"
    unwritable = list(dict.fromkeys(_unwritable(body)))
    if unwritable:
        raise CampaignError(name.encode(errors="replace").decode(), unwritable)
    try:
        return _ADAPTER.validate_json(json.dumps(body, default=written), strict=True)
    except ValidationError as error:
        raise CampaignError(name, problems(error)) from error
    except (TypeError, ValueError, RecursionError) as error:
        raise CampaignError(name, [Problem(path="", message=f"is not JSON: {error}")]) from error


def _unwritable(value: Any, path: str = "") -> Iterator[Problem]:
    """Give what has no bytes to be sent: half of a surrogate pair, in a text or a key, and numbers beyond 64 bits."""
    if isinstance(value, dict):
        for key, item in value.items():
            readable = str(key).encode(errors="replace").decode()
            inner = f"{path} > {readable}" if path else readable
            yield from _unwritable(key, inner)
            yield from _unwritable(item, inner)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _unwritable(item, path)
    elif isinstance(value, str) and HALVES.search(value):
        yield Problem(path=path, message=HALF)
    elif isinstance(value, int) and not -(2**63) <= value < 2**63:
        yield Problem(path=path, message="does not fit 64 bits; send it as a text")
