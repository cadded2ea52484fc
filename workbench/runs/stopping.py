"""Stop a run for good: nothing is taken up any more, what is in flight is finished and recorded."""

import time
from collections.abc import Callable

from workbench.errors import BusyError, InputError
from workbench.export.ledger import UNFINISHED, Run, RunState
from workbench.export.marks import Marks
from workbench.runs.planning import Report, silent
from workbench.runs.sending import Clock
from workbench.settings import actor
from workbench.store.audit import reason
from workbench.store.lake import utc_now
from workbench.workspace import Workspace

LOOK = 0.2


def nobody(run: Run) -> None:
    """Tell nobody that a run was stopped before."""


def stop(
    workspace: Workspace,
    run: str,
    *,
    because: str | None = None,
    timeout: float = 120,
    report: Report = silent,
    clock: Clock = utc_now,
    already: Callable[[Run], None] = nobody,
) -> Run:
    """Stop a run and wait until nothing of it is in flight; it cannot be resumed.

    Args:
        workspace: the account that has the run.
        run: its id.
        because: why, in a person's words; the run's note and the audit trail keep them.
        timeout: seconds to wait for the process that sends it.
        report: told the users that are finished and those to send.
        clock: gives the instant of the end.
        already: told of a run that somebody has stopped before: who and why stay as they are, and this reason is
            recorded nowhere, for it has stopped nothing.

    Returns:
        The run: stopped, or complete where its last request was out before.

    Raises:
        NotFoundError: no such run.
        InputError: it has ended, so there is nothing to stop; a reason that cannot be kept.
        BusyError: its process has not said in time that it stopped; it takes up nothing more all the same.
    """
    ledger, said = workspace.ledger, reason(because)
    ledger.get(run)
    note = f"stopped by {actor()}" + (f": {said}" if said else "")
    state, is_asked = ledger.ask_to_stop(run, note, because=said)
    if state in {RunState.COMPLETED, RunState.BLOCKED}:
        raise InputError(f"{run} is {state}; there is nothing to stop")
    if not is_asked:
        already(ledger.get(run))
    until = time.monotonic() + timeout
    while (found := ledger.get(run)).state is RunState.STOPPING:
        try:
            with ledger.hold(run) as held:
                Marks(held, run).conclude(RunState.STOPPED, now=clock())
        except BusyError:
            if time.monotonic() >= until:
                raise BusyError(
                    f"{run} takes up nothing more, and its process still has requests in flight after "
                    f"{timeout:g} seconds; see workbench runs show {run}"
                ) from None
            users = ledger.totals(run)
            report("stop", found.to_send - sum(users[state] for state in UNFINISHED), found.to_send)
            time.sleep(LOOK)
    return found
