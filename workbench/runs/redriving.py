"""Rejected requests once more: when what the receiver refused them for was put right there."""

from collections.abc import Sequence
from datetime import datetime

from workbench.errors import InputError
from workbench.export.ledger import Request, RequestState, Run, RunState
from workbench.export.marks import Marks
from workbench.export.publish import REMEMBERED
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

    Whom they hold keeps the place and verdict of the run; nobody else is taken in their stead.

    Args:
        workspace: the account that has the run.
        run: its id.
        requests: of ``rejected``.
        now: the instant.
        because: why, in a person's words; the audit trail keeps them.

    Raises:
        NotFoundError: no such run.
        InputError: no request; the run was stopped; it is too old for the receiver; a reason that cannot be kept.
        BusyError: another process sends the run, or has given them back.
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
    note = f"rejected requests given back by {actor()}: {len(requests):,}" + (f" ({said})" if said else "")
    with workspace.ledger.hold(run) as held:
        Marks(held, run).give_back([request.number for request in requests], note=note, because=said)
    return workspace.ledger.get(run)
