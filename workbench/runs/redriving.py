"""Rejected requests once more: when what the receiver refused them for was put right there."""

from collections.abc import Sequence
from datetime import datetime

import polars as pl

from workbench import audience
from workbench.campaigns import frequency
from workbench.errors import InputError
from workbench.export.ledger import Purpose, Request, RequestState, Run, RunState, Seen
from workbench.export.marks import Marks
from workbench.export.publish import REMEMBERED
from workbench.export.snapshot import verified
from workbench.runs.planning import seen
from workbench.runs.sending import refuse_other_receiver
from workbench.settings import actor
from workbench.store.audit import reason
from workbench.workspace import Workspace


def rejected(
    workspace: Workspace, run: str, *, answer: str | None = None, numbers: Sequence[int] = ()
) -> list[Request]:
    """Return the rejected requests of a run, by number.

    Args:
        workspace: the account that has the run.
        run: its id.
        answer: only those whose answer has this text in it, whatever its case.
        numbers: only these.

    Raises:
        NotFoundError: no such run.
        InputError: a number that is no rejected request of the run.
    """
    workspace.ledger.get(run)
    found = workspace.ledger.requests(run, (RequestState.REJECTED,))
    known = {request.number for request in found}
    strange = [number for number in numbers if number not in known]
    if strange:
        rejected_ = ", ".join(map(str, sorted(known))) or "none"
        raise InputError(f"request {strange[0]} of {run} was not rejected; rejected are: {rejected_}")
    text = (answer or "").lower()
    return [
        request
        for request in found
        if text in (request.answer or "").lower() and (not numbers or request.number in numbers)
    ]


def redrive(
    workspace: Workspace, run: str, requests: Sequence[Request], *, now: datetime, because: str | None = None
) -> Run:
    """Give rejected requests back to their run, which ``resume`` then finishes: the same bytes and ids.

    Whom they hold keeps the place and verdict of the run; nobody else is taken in their stead. A rejected message
    counted for no frequency cap: where other runs have used the place up meanwhile, the request is refused.

    Args:
        workspace: the account that has the run.
        run: its id.
        requests: of ``rejected``.
        now: the instant.
        because: why, in a person's words; the audit trail keeps them.

    Raises:
        NotFoundError: no such run.
        InputError: no request; the run was stopped; it is too old, or was for another receiver; a reason that cannot
            be kept; a frequency cap keeps a user from another message.
        BusyError: another process sends the run, has given them back, or has reserved another run meanwhile.
        StoreError: the lake or an audience cannot be read.
    """
    found, said = workspace.ledger.get(run), reason(because)
    if not requests:
        raise InputError(f"{run} has no such rejected requests")
    if found.state not in {RunState.COMPLETED, RunState.INTERRUPTED}:
        raise InputError(f"{run} is {found.state}; only what has ended and was not stopped is sent again")
    if now - found.created_at > REMEMBERED:
        raise InputError(
            f"{run} was frozen {(now - found.created_at).days} days ago: mParticle takes no event of over 30 days; "
            "clone the campaign to write to its users"
        )
    refuse_other_receiver(workspace, found)
    counted = _counted(workspace, found, requests, now)
    note = f"rejected requests given back by {actor()}: {len(requests):,}" + (f" ({said})" if said else "")
    with workspace.ledger.hold(run) as held:
        numbers = [request.number for request in requests]
        Marks(held, run).give_back(numbers, note=note, because=said, seen=counted)
    return workspace.ledger.get(run)


def _counted(workspace: Workspace, run: Run, requests: Sequence[Request], now: datetime) -> Seen | None:
    """Return which runs were counted for frequency caps, once these let every user of the requests have a message."""
    campaign = workspace.campaigns.get(run.campaign_id, run.campaign_version)
    rules = frequency.rules(campaign.campaign, workspace.settings.frequency)
    if run.purpose is Purpose.TEST or not rules.any:
        return None
    before = audience.history(workspace, campaign, run=run.run_id, now=now)
    path = workspace.settings.directory / run.audience_path
    rows = verified(path, run.audience_digest, f"the audience of {run.run_id}").select("user_code", "request")
    numbers = {request.number for request in requests}
    users = rows.filter(pl.col("request").is_in(numbers)).collect().sort("user_code")
    stopped = audience.too_often(workspace, campaign, users.select("user_code"), before=before, now=now)
    if stopped.height:
        full = set(users.join(stopped, on="user_code", how="semi")["request"])
        rest = ", ".join(map(str, sorted(numbers - full))) or "none"
        raise InputError(
            f"{stopped.height:,} users of {run.run_id} had other messages meanwhile, and a frequency cap allows no "
            f"more; nothing was given back. Requests that can be sent again: {rest}"
        )
    return seen(rules, before)
