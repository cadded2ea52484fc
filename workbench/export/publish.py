"""Send what a run has not sent yet: request by request, marked before and after."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from workbench.errors import CredentialsError, DestinationError
from workbench.export.client import Answer, Client, Outcome
from workbench.export.frozen import read_body
from workbench.export.ledger import UNFINISHED, Ledger, Request, RequestState, Run, RunState

REMEMBERED = timedelta(days=30)

STATES = {
    Outcome.ACCEPTED: RequestState.ACCEPTED,
    Outcome.REJECTED: RequestState.REJECTED,
    Outcome.UNKNOWN: RequestState.UNKNOWN,
    Outcome.NOT_TAKEN: RequestState.RESERVED,
    Outcome.REFUSED_KEY: RequestState.RESERVED,
}


def publish(
    run: Run,
    *,
    ledger: Ledger,
    client: Client,
    directory: Path,
    clock: Callable[[], datetime],
    report: Callable[[int, int], None] = lambda users, total: None,
) -> int:
    """Send every unfinished request of a run; the caller holds the run.

    Args:
        run: reserved in the ledger.
        ledger: where each request is marked.
        client: the outside call.
        directory: the state folder.
        clock: the instants of the answers.
        report: called with the users accepted so far in this call and those to send.

    Returns:
        The users accepted in this call.

    Raises:
        CredentialsError: the key was refused; the run is interrupted at once.
        DestinationError: the receiver cannot be reached; the run is interrupted.
        StoreError: the frozen bytes are not what they were.
    """
    waiting = ledger.requests(run.run_id, UNFINISHED)
    _refuse_old(run, waiting, clock())
    total = sum(request.users for request in waiting)
    ledger.set_state(run.run_id, RunState.RUNNING, now=clock())
    accepted = 0
    for request in waiting:
        body = read_body(directory / run.bodies_path, request)
        ledger.mark(run.run_id, request.number, RequestState.SENT, now=clock())
        answer = client.send(body, request.users)
        state = _state(request, answer)
        ledger.mark(run.run_id, request.number, state, answer=answer.message, now=clock())
        if state is RequestState.RESERVED or answer.outcome in {Outcome.REFUSED_KEY, Outcome.NOT_TAKEN}:
            _interrupt(run, ledger, answer, clock())
        if state is RequestState.ACCEPTED:
            accepted += request.users
            report(accepted, total)
    finish(run, ledger, clock())
    return accepted


def finish(run: Run, ledger: Ledger, now: datetime) -> None:
    """Close a run: completed when nothing is left, interrupted while an outcome is unknown."""
    unknown = ledger.requests(run.run_id, UNFINISHED)
    if unknown:
        users = sum(request.users for request in unknown)
        note = f"the outcome of {len(unknown)} requests ({users} users) is unknown"
        ledger.set_state(run.run_id, RunState.INTERRUPTED, now=now, note=note)
    else:
        ledger.set_state(run.run_id, RunState.COMPLETED, now=now)


def _state(request: Request, answer: Answer) -> RequestState:
    """A request that may have been taken before stays unknown until the receiver says otherwise."""
    state = STATES[answer.outcome]
    was_open = request.state in {RequestState.SENT, RequestState.UNKNOWN}
    if state is RequestState.RESERVED and was_open:
        return RequestState.UNKNOWN
    return state


def _interrupt(run: Run, ledger: Ledger, answer: Answer, now: datetime) -> None:
    again = f"nothing is lost; go on with: workbench resume {run.run_id}"
    if answer.outcome is Outcome.REFUSED_KEY:
        note = f"the receiver refused the key ({answer.message})"
        ledger.set_state(run.run_id, RunState.INTERRUPTED, now=now, note=note)
        raise CredentialsError(f"{note}; set the right one, then {again.removeprefix('nothing is lost; ')}")
    note = f"the receiver did not take the request ({answer.message})"
    ledger.set_state(run.run_id, RunState.INTERRUPTED, now=now, note=note)
    raise DestinationError(f"{note}; {again}")


def _refuse_old(run: Run, waiting: list[Request], now: datetime) -> None:
    """After 30 days the receiver has forgotten the ids, and the same bytes could arrive twice."""
    doubtful = [request for request in waiting if request.state is not RequestState.RESERVED]
    if doubtful and now - run.created_at > REMEMBERED:
        raise DestinationError(
            f"{len(doubtful)} requests of {run.run_id} have an unknown outcome and are over 30 days old: the "
            "receiver no longer recognises their ids, so they are not sent again"
        )
