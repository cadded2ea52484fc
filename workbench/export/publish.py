"""Send what a run has not sent yet: request by request, marked before and after."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from workbench.errors import CredentialsError, DestinationError, InputError
from workbench.export.client import Answer, Client, Outcome
from workbench.export.frozen import read_body
from workbench.export.ledger import UNFINISHED, Ledger, Request, RequestState, Run, RunState

REMEMBERED = timedelta(days=29)

STATES = {
    Outcome.ACCEPTED: RequestState.ACCEPTED,
    Outcome.REJECTED: RequestState.REJECTED,
    Outcome.UNKNOWN: RequestState.UNKNOWN,
    Outcome.NOT_TAKEN: RequestState.RESERVED,
    Outcome.REFUSED_KEY: RequestState.RESERVED,
    Outcome.WRONG_PLACE: RequestState.RESERVED,
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
        DestinationError: the receiver cannot be reached or fails; the run is interrupted.
        InputError: the run is too old to be sent.
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
        answer = client.send(body, request.batches)
        state = _state(request, answer)
        ledger.mark(run.run_id, request.number, state, answer=answer.message, now=clock())
        if state not in {RequestState.ACCEPTED, RequestState.REJECTED}:
            _interrupt(run, ledger, answer, clock())
        if state is RequestState.ACCEPTED:
            accepted += request.users
            report(accepted, total)
    ledger.set_state(run.run_id, RunState.COMPLETED, now=clock())
    return accepted


def _state(request: Request, answer: Answer) -> RequestState:
    """A request that may have been taken before stays unknown until the receiver accepts it."""
    state = STATES[answer.outcome]
    doubtful = request.state in {RequestState.SENT, RequestState.UNKNOWN}
    return RequestState.UNKNOWN if doubtful and state is not RequestState.ACCEPTED else state


def _interrupt(run: Run, ledger: Ledger, answer: Answer, now: datetime) -> None:
    again = f"nothing is lost; go on with: workbench resume {run.run_id}"
    if Outcome.REFUSED_KEY in {answer.outcome, answer.last}:
        note = f"the receiver refused the key ({answer.message})"
        ledger.set_state(run.run_id, RunState.INTERRUPTED, now=now, note=note)
        raise CredentialsError(f"{note}; set the right one, then {again.removeprefix('nothing is lost; ')}")
    taken = "may or may not have taken" if answer.outcome is Outcome.UNKNOWN else "did not take"
    note = f"the receiver {taken} the request ({answer.message})"
    ledger.set_state(run.run_id, RunState.INTERRUPTED, now=now, note=note)
    raise DestinationError(f"{note}; {again}")


def _refuse_old(run: Run, waiting: list[Request], now: datetime) -> None:
    """After 30 days the receiver drops the events silently, and has forgotten the ids of those it took."""
    if waiting and now - run.created_at > REMEMBERED:
        users = sum(request.users for request in waiting)
        raise InputError(
            f"{run.run_id} was frozen {(now - run.created_at).days} days ago: mParticle takes no event of over "
            f"30 days, so its last {users:,} users are not sent to; clone the campaign to write to them"
        )
