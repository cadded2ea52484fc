"""End a run that is too old to be sent: a person says what became of the requests whose outcome is open."""

from datetime import datetime

from workbench.errors import InputError
from workbench.export import settling
from workbench.export.ledger import RequestState, RunState
from workbench.export.publish import REMEMBERED
from workbench.export.settling import Settled
from workbench.settings import actor
from workbench.store.audit import reason
from workbench.workspace import Workspace


def settle(workspace: Workspace, run: str, outcome: RequestState, *, because: str, now: datetime) -> Settled:
    """Record a person's word for the open requests of a run that the receiver would not take any more, and end it.

    Nothing is sent. The word is for requests that may have arrived; those that were never taken are rejected whatever
    the word, and stay ``campaign stopped`` in a run that was stopped.

    Args:
        workspace: the account that has the run.
        run: its id.
        outcome: ``accepted`` or ``rejected``.
        because: why, in the person's words; the requests and the audit trail keep them.
        now: the instant.

    Raises:
        NotFoundError: no such run.
        InputError: another outcome; a reason that cannot be kept; the run can still be sent; nothing of it is open.
        BusyError: another process holds the run.
    """
    if outcome not in {RequestState.ACCEPTED, RequestState.REJECTED}:
        raise InputError(f'"{outcome}" is no word for an outcome: accepted or rejected')
    found, said = workspace.ledger.get(run), reason(because)
    if said is None:
        raise InputError("a word for an open outcome needs a reason")
    if found.state in {RunState.COMPLETED, RunState.BLOCKED}:
        raise InputError(f"{run} is {found.state}; there is nothing to settle")
    age = now - found.created_at
    if age <= REMEMBERED:
        rule = f"a word for its outcomes is taken when it is over {REMEMBERED.days} days old"
        stops = found.state in {RunState.STOPPING, RunState.STOPPED}
        hint = "" if stops else f"; it can be sent: workbench resume {run}"
        raise InputError(f"{run} was frozen {age.days} days ago; {rule}{hint}")
    answer = f"settled by {actor()}: {said}"
    with workspace.ledger.hold(run) as held:
        return settling.settle(held, run, outcome, answer=answer, because=said, now=now)
