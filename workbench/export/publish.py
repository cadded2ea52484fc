"""Send what a run has not sent yet: many requests at a time, each marked before and after.

Threads send and one coordinator, the caller's thread, does all the writing. At each tick it records the outcomes
that came and takes the next requests, in one transaction, and then hands these over.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from workbench.errors import BusyError, CredentialsError, DestinationError, InputError, StoreError
from workbench.export.client import Answer, Client, Outcome
from workbench.export.crew import Crew, Done
from workbench.export.frozen import Bodies
from workbench.export.ledger import Kind, RequestState, Run, RunState
from workbench.export.marks import Mark, Marks, Tick
from workbench.export.packing import MOST_BATCHES
from workbench.export.signals import Signals

REMEMBERED = timedelta(days=29)
TICK = 0.05

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
    marks: Marks,
    unfinished: int,
    leaving: int = 0,
    client: Client,
    directory: Path,
    clock: Callable[[], datetime],
    report: Callable[[int, int], None] = lambda users, total: None,
) -> int:
    """Send every unfinished request of a run; the caller holds the run.

    The first request goes alone, so that a wrong key or address costs one request. A run that a person stops
    ends without an error: its state says so.

    Args:
        run: reserved in the ledger.
        marks: where each request is marked.
        unfinished: how many users the requests with messages hold that are not finished.
        leaving: how many users leave the audience by requests that are not finished.
        client: the outside call.
        directory: the state folder.
        clock: the instants of the answers.
        report: called with the users accepted so far in this call and those to send.

    Returns:
        The users whose messages were accepted in this call.

    Raises:
        CredentialsError: the key was refused; the run is interrupted at once.
        DestinationError: the receiver cannot be reached or fails; the run is interrupted.
        InputError: the run is too old to be sent.
        StoreError: the frozen bytes are not what they were, or the ledger fails: what it could not record is
            ``sent``, and is sent again with the same bytes.
        BusyError: another process sends the run, although this one had taken it.
        KeyboardInterrupt, SystemExit: a signal came; the run is interrupted.
    """
    _refuse_old(run, unfinished, leaving, clock())
    if marks.start() is not RunState.RUNNING:
        marks.conclude(RunState.INTERRUPTED, now=clock())
        return 0
    with (
        Signals() as signals, Bodies(directory / run.bodies_path) as bodies, Crew(client, bodies.read) as crew,
    ):  # fmt: skip
        sending = _Sending(run, marks, crew, signals, clock)
        while sending.goes_on:
            before = sending.accepted
            sending.tick()
            if sending.accepted > before:
                report(sending.accepted, unfinished)
        sending.conclude()
        return sending.accepted


class _Sending:
    """The coordinator's state between two ticks."""

    def __init__(
        self, run: Run, marks: Marks, crew: Crew, signals: Signals, clock: Callable[[], datetime]
    ) -> None:
        self.accepted = 0
        self._run = run
        self._marks = marks
        self._crew = crew
        self._signals = signals
        self._clock = clock
        self._found = Tick(state=RunState.RUNNING, known_at=float("-inf"))
        self._has_more = True
        self._is_known_to_work = False
        self._fault: BaseException | None = None
        self._doubt: DestinationError | None = None
        self._lost: list[Mark] | None = None

    @property
    def goes_on(self) -> bool:
        """Whether a request is out, or may still be taken."""
        return self._crew.outstanding > 0 or self._takes

    @property
    def _takes(self) -> bool:
        return self._has_more and self._fault is None and self._found.state is RunState.RUNNING

    def tick(self) -> None:
        """Wait for outcomes, record them, take and hand over the next requests."""
        done = self._crew.collect(TICK) if self._crew.outstanding else []
        self._fault = self._fault or self._signals.error()
        for each in done:
            self._fault = self._fault or _fault(self._run, each)
            self._doubt = self._doubt or _doubt(self._run, each)
            self._is_known_to_work |= each.answer is not None
        marks = [_mark(each) for each in done]
        if self._lost is not None:
            self._lost += marks
            return
        room = self._room() if self._takes else 0
        try:
            if marks or room:
                self._found = self._marks.tick(marks, room=room, now=self._clock())
                self._has_more &= not (room and self._found.is_last)
            else:
                self._found = self._marks.look()
        except (StoreError, BusyError) as error:
            self._fault = self._fault if isinstance(self._fault, StoreError) else error
            self._lost = marks if isinstance(error, StoreError) else []
        else:
            self.accepted += sum(
                each.request.users
                for each, mark in zip(done, marks, strict=True)
                if mark.state is RequestState.ACCEPTED and each.request.kind is Kind.MESSAGE
            )
        if self._fault is not None or self._found.state is not RunState.RUNNING:
            self._crew.close()
        else:
            self._crew.renew(self._found.known_at)
        if self._lost is None:
            self._crew.hand(self._found.requests)

    def conclude(self) -> None:
        """Record how it ended, and raise what ended it."""
        fault, now = self._fault or self._doubt, self._clock()
        if self._lost is not None:
            self._rescue(now)
        elif fault is None and self._found.state is RunState.RUNNING:
            self._marks.conclude(RunState.COMPLETED, now=now)
        else:
            state = self._marks.conclude(RunState.INTERRUPTED, now=now, note=_note(fault))
            if state is RunState.STOPPED and isinstance(fault, DestinationError):
                return
        if fault is not None:
            raise fault

    def _room(self) -> int:
        if self._is_known_to_work:
            return self._crew.room(MOST_BATCHES)
        return 0 if self._crew.outstanding else 1

    def _rescue(self, now: datetime) -> None:
        """Record what can be: an acceptance is true whoever holds the run."""
        if self._lost:
            try:
                self._marks.rescue(self._lost, now)
            except (StoreError, BusyError) as error:
                error.add_note("outcomes that are not recorded are doubtful")
                self._fault = self._fault or error


def _mark(done: Done) -> Mark:
    """A request that may have been taken before stays unknown until the receiver accepts it."""
    request, answer = done.request, done.answer
    is_doubtful = request.state is not RequestState.RESERVED
    if answer is None:
        state = RequestState.UNKNOWN if is_doubtful else RequestState.RESERVED
        return Mark(number=request.number, state=state, was_begun=False)
    state = STATES[answer.outcome]
    if is_doubtful and state is not RequestState.ACCEPTED:
        state = RequestState.UNKNOWN
    return Mark(number=request.number, state=state, answer=answer.message)


def _fault(run: Run, done: Done) -> Exception | None:
    if done.error is not None:
        return done.error
    answer = done.answer
    if answer is None or answer.decides:
        return None
    return _destination(run, answer)


def _doubt(run: Run, done: Done) -> DestinationError | None:
    """What keeps a run from its end, but not its other requests from being sent."""
    answer = done.answer
    if answer is None or not answer.decides or _mark(done).state is not RequestState.UNKNOWN:
        return None
    return DestinationError(
        f"the receiver refuses a request that it may have taken before ({answer.message}); it stays in doubt; "
        f"once its cause is put right, go on with: workbench resume {run.run_id}"
    )


def _destination(run: Run, answer: Answer) -> DestinationError:
    again = f"go on with: workbench resume {run.run_id}"
    if Outcome.REFUSED_KEY in {answer.outcome, answer.last}:
        return CredentialsError(
            f"the receiver refused the key ({answer.message}); set the right one, then {again}"
        )
    taken = "may or may not have taken" if answer.outcome is Outcome.UNKNOWN else "did not take"
    return DestinationError(f"the receiver {taken} the request ({answer.message}); nothing is lost; {again}")


def _note(fault: BaseException | None) -> str | None:
    match fault:
        case None:
            return None
        case DestinationError():
            return str(fault).partition("; ")[0]
        case KeyboardInterrupt() | SystemExit():
            return "interrupted by a person or the system"
        case _:
            return str(fault)


def _refuse_old(run: Run, unfinished: int, leaving: int, now: datetime) -> None:
    """After 30 days the receiver drops the events silently, and has forgotten the ids of what it took."""
    if now - run.created_at <= REMEMBERED:
        return
    if leaving and not unfinished:
        raise InputError(
            f"{run.run_id} was frozen {(now - run.created_at).days} days ago: its last {leaving:,} leaves are not "
            "sent any more; the campaign's next run takes out who is still to leave"
        )
    if unfinished:
        raise InputError(
            f"{run.run_id} was frozen {(now - run.created_at).days} days ago: mParticle takes no event of over "
            f"30 days, so its last {unfinished:,} users are not sent to; clone the campaign to write to them, "
            f"and end this run with: workbench runs settle {run.run_id}"
        )
