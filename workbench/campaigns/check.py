"""All problems of a campaign at once; a field whose time has not come is refused, never ignored."""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields

from workbench.campaigns import frequency, goal, membership
from workbench.campaigns.content import shorthand, template
from workbench.campaigns.groups import Standing
from workbench.campaigns.membership import LONGEST_NAME, MOST_NAMES
from workbench.campaigns.model import Campaign, Control, Delivery, Schedule
from workbench.errors import CampaignError, Problem, nearest
from workbench.settings import Settings
from workbench.store.catalogue import Catalogue, Property

ID = re.compile(r"[a-z0-9][a-z0-9-]{0,59}")
LONGEST_VALUE = 4096
LARGEST_WHOLE = 2**63 - 1
SMALLEST_CAP = 100
LONGEST_TEMPLATE = 20_000
RESERVED = frozenset({"campaign_id", "campaign_name", "campaign_version", "run_id", "arm", "test"})


def check(
    campaign: Campaign,
    settings: Settings,
    catalogue: Catalogue,
    *,
    standing: Standing,
    constants: Mapping[str, Property],
) -> None:
    """Refuse a campaign that cannot be sent as its author wrote it.

    Args:
        campaign: as written.
        settings: of the account.
        catalogue: of the lake version that it is saved or sent at.
        standing: the account's control groups.
        constants: the constant properties of its segment, by the name under which content finds them.

    Raises:
        CampaignError: with every problem and its path.
    """
    found = [*_identity(campaign), *_not_yet(campaign), *_limits(campaign, settings)]
    found += [*_groups(campaign.control, standing), *_safety(campaign)]
    found += _content(campaign, catalogue, constants)
    found += goal.problems(campaign.goal, catalogue) if campaign.goal else ()
    found += frequency.problems(campaign.frequency)
    found += membership.problems(campaign, catalogue)
    if found:
        raise CampaignError(campaign.id, found)


def _identity(campaign: Campaign) -> Iterator[Problem]:
    if not ID.fullmatch(campaign.id):
        rule = "lower-case letters, digits and hyphens, at most 60, a letter or digit first"
        yield Problem(path="id", message=f'"{campaign.id}" is not an id: {rule}')
    if not campaign.name.strip():
        yield Problem(path="name", message="is empty")
    if len(campaign.name) > LONGEST_NAME:
        yield Problem(path="name", message=f"has {len(campaign.name)} characters, at most {LONGEST_NAME}")


def _not_yet(campaign: Campaign) -> Iterator[Problem]:
    """Name each field that this version does not act on and that is set all the same."""
    later = {
        "kind": (campaign.kind != "past", "live campaigns"),
        "live": (campaign.live is not None, "live campaigns"),
        "cap > per_day": (campaign.cap.per_day is not None, "caps of live campaigns"),
        "cap > overall": (campaign.cap.overall is not None, "caps of live campaigns"),
        "needs_approval": (campaign.needs_approval, "approval"),
    }
    for item in fields(Schedule):
        later[f"schedule > {item.name}"] = (_is_set(campaign.schedule, Schedule(), item.name), "schedules")
    for item in fields(Delivery):
        later[f"delivery > {item.name}"] = (_is_set(campaign.delivery, Delivery(), item.name), "send times")
    for path, (is_set, what) in later.items():
        if is_set:
            message = f"{what} are not in this version of the workbench; take it out to send without it"
            yield Problem(path=path, message=message)


def _is_set(value: object, default: object, name: str) -> bool:
    return bool(getattr(value, name) != getattr(default, name))


def _limits(campaign: Campaign, settings: Settings) -> Iterator[Problem]:
    share = campaign.control.share
    if share is not None and not (math.isfinite(share) and 0.02 <= share <= 0.99):
        yield Problem(
            path="control > share", message=f"{share:g} is outside 0.02 to 0.99 (leave it out for no control)"
        )
    cap = campaign.cap.per_run
    if cap is not None and (cap < 1 or (cap < SMALLEST_CAP and not settings.campaigns.allow_small_cap)):
        message = f"{cap} is below {SMALLEST_CAP}; tiny accounts set [campaigns] allow_small_cap = true"
        yield Problem(path="cap > per_run", message=message)


def _groups(control: Control, standing: Standing) -> Iterator[Problem]:
    """Each name is a custom group, and leaving the system group out has its reason."""
    reason = (control.without_system or "").strip()
    if control.system is False and not reason:
        message = "say why: whoever is in the system group would be sent to"
        yield Problem(path="control > without_system", message=message)
    if control.system is not False and control.without_system is not None:
        message = "gives a reason, but the system group applies; say system: false, or take the reason out"
        yield Problem(path="control > without_system", message=message)
    if control.system and standing.system is None:
        message = "the account has no system group; workbench control add system 0.05"
        yield Problem(path="control > system", message=message)
    for name in dict.fromkeys(control.custom):
        if control.custom.count(name) > 1:
            yield Problem(path="control > custom", message=f'"{name}" is there twice')
        if standing.system is not None and name == standing.system.name:
            message = f'"{name}" is the system group, which applies unless system is false'
            yield Problem(path="control > custom", message=message)
        elif name not in standing.custom:
            message = f'unknown control group "{name}".{nearest(name, standing.custom)}'
            yield Problem(path="control > custom", message=message)


def _safety(campaign: Campaign) -> Iterator[Problem]:
    """A safety check has a threshold that can be met, and somebody who hears of it."""
    safety = campaign.safety_check
    if safety is None:
        return
    path = "safety_check"
    if safety.more_than is None and safety.fewer_than is None and safety.change is None:
        yield Problem(path=path, message="has no threshold: more_than, fewer_than or change")
    if not campaign.alert_to:
        yield Problem(path="alert_to", message="is empty, and a safety check without an address tells nobody")
    if safety.more_than is not None and safety.more_than < 0:
        yield Problem(path=f"{path} > more_than", message=f"{safety.more_than} is below 0")
    if safety.fewer_than is not None and safety.fewer_than < 1:
        yield Problem(path=f"{path} > fewer_than", message=f"{safety.fewer_than} is below 1: it never blocks")
    if (
        safety.more_than is not None
        and safety.fewer_than is not None
        and safety.more_than < safety.fewer_than
    ):
        message = f"every number is more than {safety.more_than} or fewer than {safety.fewer_than}"
        yield Problem(path=path, message=f"blocks every run: {message}")
    if safety.change is not None and not (math.isfinite(safety.change) and safety.change > 0):
        message = f"{safety.change:g} is not a share above 0; 0.5 blocks a run that is off by more than half"
        yield Problem(path=f"{path} > change", message=message)


def _content(
    campaign: Campaign, catalogue: Catalogue, constants: Mapping[str, Property]
) -> Iterator[Problem]:
    content = campaign.content
    if content.push_tokens and "push_token" not in catalogue.device_columns:
        known = ", ".join(sorted(catalogue.device_columns))
        why = f"the devices have none, only: {known}" if known else "the lake has no devices"
        yield Problem(
            path="content > push_tokens",
            message=f"{why}; ingest devices with a column push_token (workbench ingest devices FILE)",
        )
    for name in content.attributes:
        if name not in catalogue.attributes:
            hint = nearest(name, catalogue.attributes)
            yield Problem(path="content > attributes", message=f'unknown attribute "{name}".{hint}')
        if name.startswith("$"):
            yield Problem(path="content > attributes", message=f'"{name}": names with $ are mParticle\'s own')
        if len(name) > LONGEST_NAME:
            yield Problem(
                path="content > attributes", message=f'"{name[:20]}…" is over {LONGEST_NAME} characters'
            )
    if len(set(content.attributes)) > MOST_NAMES:
        yield Problem(path="content > attributes", message=f"more than {MOST_NAMES} attributes")
    if len(content.values) + len(RESERVED) > MOST_NAMES:
        yield Problem(path="content > values", message=f"more than {MOST_NAMES - len(RESERVED)} values")
    for key, value in content.values.items():
        path = f"content > values > {key[:40]}"
        if not key or len(key) > LONGEST_NAME:
            yield Problem(path=path, message=f"a key has 1 to {LONGEST_NAME} characters, this one {len(key)}")
        if key in RESERVED:
            yield Problem(path=path, message="is set by the workbench itself; choose another key")
        if isinstance(value, float) and not math.isfinite(value):
            yield Problem(path=path, message="is not a finite number")
        if isinstance(value, int) and abs(value) > LARGEST_WHOLE:
            yield Problem(path=path, message="does not fit 64 bits; send it as a text")
        if isinstance(value, str):
            yield from _text_value(path, value, catalogue, constants)


def _text_value(
    path: str, value: str, catalogue: Catalogue, constants: Mapping[str, Property]
) -> Iterator[Problem]:
    if not value:
        yield Problem(path=path, message="is empty; leave the key out instead")
    if not shorthand.is_template(value):
        if len(value) > LONGEST_VALUE:
            yield Problem(path=path, message=f"has {len(value)} characters, at most {LONGEST_VALUE} arrive")
    elif len(value) > LONGEST_TEMPLATE:
        yield Problem(
            path=path, message=f"has {len(value)} characters, a template at most {LONGEST_TEMPLATE}"
        )
    else:
        yield from template.problems(path, value, catalogue, constants)
