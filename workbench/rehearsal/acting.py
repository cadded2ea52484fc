"""One send of the whole plan: a fresh copy, a fresh receiver, a fault or a kill, and what came of it."""

import json
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from workbench import proof, runs
from workbench.errors import BusyError, DestinationError, WorkbenchError
from workbench.export import sandbox
from workbench.export.ledger import UNFINISHED, RequestState, RunState
from workbench.rehearsal import copying
from workbench.rehearsal.arrived import Arrived, Wanted, arrived
from workbench.rehearsal.copying import Stage
from workbench.rehearsal.faults import NONE, Fault
from workbench.rehearsal.points import NOWHERE, Point
from workbench.rehearsal.results import Leaves, Row
from workbench.runs.planning import Plan
from workbench.settings import FILE_NAME
from workbench.store import own
from workbench.store.database import Database
from workbench.workspace import Workspace

# Each goes a little further; a run that never ends is a fault of its own.
MOST_RESUMES = 150
BUSY_SECONDS = 0.2
LOOK_SECONDS = 0.5
KILL = Fault(name="kill", sentence="", answer=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Theatre:
    """What all sends of a rehearsal share.

    Attributes:
        original: the account; it is only read.
        source: its decisions as they were when the rehearsal began.
        plan: what is sent.
        wanted: what it wants to arrive.
        folder: where the copies are made.
        database: URL of an empty database for them; None for SQLite.
        keeps: whether the copies stay.
        alive: called again and again while a send is at work.
    """

    original: Workspace
    source: Database
    plan: Plan
    wanted: Wanted
    folder: Path
    database: str | None
    keeps: bool
    alive: Callable[[], None]

    def counted(self) -> tuple[Row, Mapping[str, int]]:
        """Send undisturbed in a process of its own, and return how often it reached each point too."""
        began = time.monotonic()
        with self._stage("none") as (stage, receiver):
            code, seen, said = self._child(stage, NOWHERE)
            failed = () if code == 0 else (f"the process ended with {code}: {said}",)
            return self._row(stage, receiver, NONE, began, failed=failed), seen

    def faulty(self, fault: Fault) -> Row:
        """Send to a receiver with a fault."""
        began = time.monotonic()
        with self._stage(fault.name) as (stage, receiver):
            flying = self.original.settings.mparticle.in_flight
            script = fault.script(requests=self.wanted.requests, in_flight=flying)
            receiver.play(sandbox.parse_answers(script))
            resumed, failed = self._finish(stage)
            return self._row(stage, receiver, fault, began, resumed=resumed, failed=failed)

    def killed(self, point: Point) -> Row:
        """Send in a process that dies at a point, then go on in this one."""
        began = time.monotonic()
        with self._stage(f"kill {point}") as (stage, receiver):
            code, _, said = self._child(stage, str(point))
            reached = code == -signal.SIGKILL
            failed = () if code == 0 or reached else (f"the process ended with {code}: {said}",)
            fault = replace(KILL, name=f"kill {point}", sentence=f"kill -9 at: {point}")
            resumed, stuck = self._finish(stage)
            return self._row(
                stage, receiver, fault, began, resumed=1 + resumed, reached=reached, failed=failed + stuck
            )

    @contextmanager
    def _stage(self, name: str) -> Iterator[tuple[Stage, sandbox.Receiver]]:
        credentials = copying.throwaway()
        folder = self.folder / name.replace(" ", "-")
        key, secret = (part.get_secret_value() for part in (credentials.key, credentials.secret))
        with (
            sandbox.Receiver(folder.with_name(f"{folder.name}-receiver"), key=key, secret=secret) as receiver,
            copying.stage(
                self.original,
                self.source,
                folder,
                url=receiver.url,
                credentials=credentials,
                database=self.database,
            ) as stage,
        ):
            yield stage, receiver
        if not self.keeps:
            shutil.rmtree(folder, ignore_errors=True)
            shutil.rmtree(folder.with_name(f"{folder.name}-receiver"), ignore_errors=True)

    def _child(self, stage: Stage, point: str) -> tuple[int, Mapping[str, int], str]:
        """Send in another process; return its exit code, the points that it reached, and its last words."""
        plan = self.plan
        command = [
            sys.executable, "-m", "workbench.rehearsal.child", str(stage.folder / FILE_NAME),
            plan.campaign.campaign.id, plan.occurrence.isoformat(), plan.as_of.isoformat(),
            plan.send_at.isoformat(), point,
        ]  # fmt: skip
        with subprocess.Popen(
            command, env=stage.environment(), cwd=stage.folder, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        ) as child:  # fmt: skip
            try:
                out, err = self._wait(child)
            except BaseException:
                child.kill()
                raise
        lines = err.strip().splitlines() or ["it said nothing"]
        return child.returncode, json.loads(out) if child.returncode == 0 else {}, lines[-1]

    def _wait(self, child: "subprocess.Popen[str]") -> tuple[str, str]:
        """Read all that a process says until it ends."""
        while True:
            try:
                return child.communicate(timeout=LOOK_SECONDS)
            except subprocess.TimeoutExpired:
                self.alive()

    def _finish(self, stage: Stage) -> tuple[int, tuple[str, ...]]:
        """Send, then go on until the run has ended; return how often it was gone on with, and what kept it."""
        workspace, ledger = stage.workspace, stage.workspace.ledger

        def report(label: str, done: int, total: int) -> None:
            self.alive()

        for resumed in range(MOST_RESUMES):
            try:
                with stage.client() as client:
                    if ledger.find(self.plan.campaign.campaign.id, self.plan.occurrence) is None:
                        runs.execute(workspace, self.plan, client=client, report=report)
                    else:
                        runs.resume(workspace, self.plan.run_id, client=client, report=report)
            except DestinationError:
                continue
            except BusyError:
                # A server may hold the lock of a process that is dead for a moment longer.
                time.sleep(BUSY_SECONDS)
            except WorkbenchError as error:
                return resumed, (str(error),)
            else:
                return resumed, ()
        return MOST_RESUMES, (f"the run has not ended after {MOST_RESUMES} times",)

    def _row(
        self,
        stage: Stage,
        receiver: sandbox.Receiver,
        fault: Fault,
        began: float,
        *,
        resumed: int = 0,
        reached: bool = True,
        failed: tuple[str, ...] = (),
    ) -> Row:
        """Look at the receiver, the ledger and the files."""
        receiver.stop()
        folder = self.folder / f"{stage.folder.name}-receiver"
        found, told = arrived(self.wanted, folder), sandbox.report(folder)
        ledger, run_id = stage.workspace.ledger, self.plan.run_id
        users = ledger.totals(run_id)
        refused = sum(request.users for request in ledger.requests(run_id, (RequestState.REJECTED,)))
        if fault.rejects:
            found = replace(found, missing=found.missing - refused)
        if fault.answer is not None:
            reached = fault.answer in dict(told.answers)
        return Row(
            name=fault.name,
            sentence=fault.sentence,
            reached=reached,
            arrived=found,
            leaves=None
            if self.plan.leaving is None
            else Leaves(arrived=found.left, expected=self.wanted.leaves),
            rejected=users[RequestState.REJECTED],
            repeated=told.duplicates,
            resumed=resumed,
            users=users,
            faults=(
                *failed,
                *_wrong(
                    self.wanted,
                    found,
                    users,
                    refused=0 if fault.rejects else refused,
                    dropped=told.dropped_count,
                ),
                *_recorded(stage.workspace, self.plan),
            ),
            seconds=time.monotonic() - began,
        )


def _wrong(
    wanted: Wanted, found: Arrived, users: Mapping[RequestState, int], *, refused: int, dropped: int
) -> Iterator[str]:
    """Say what did not arrive as it must, and where the ledger says otherwise."""
    counts = {
        f"{found.missing:,} users missing": found.missing,
        f"{found.doubled:,} users doubled": found.doubled,
        f"{found.held_out:,} held-out users sent to": found.held_out,
        f"{found.strange:,} batches to nobody of the plan": found.strange,
        f"{found.changed:,} batches with other ids or bytes": found.changed,
        f"{found.over_cap:,} over the cap": found.over_cap,
        f"{refused:,} users rejected": refused,
        f"{dropped:,} batches dropped by the receiver": dropped,
    }
    yield from (said for said, count in counts.items() if count)
    open_ = sum(users[state] for state in UNFINISHED)
    if users[RequestState.ACCEPTED] != found.users or open_ or sum(users.values()) != wanted.users:
        said = ", ".join(f"{count:,} {state}" for state, count in users.items() if count) or "nobody"
        yield f"the ledger says {said}"


def _recorded(workspace: Workspace, planned: Plan) -> Iterator[str]:
    """Say what of a run is not recorded as it must be."""
    run = workspace.ledger.find(planned.campaign.campaign.id, planned.occurrence)
    if run is None:
        yield "no run was reserved"
        return
    if run.state is not RunState.COMPLETED:
        yield f"the run is {run.state}"
    if Counter(map(_key, run.verdicts)) != Counter(map(_key, planned.waterfall.to_dicts())):
        yield "its verdicts are not the plan's"
    if sum(row["users"] for row in run.verdicts) != planned.qualified:
        yield "its verdicts do not add up to the qualified"
    try:
        yield from (
            f"verify: {check.name}: {check.sentence}"
            for check in proof.verify(workspace, run.run_id).checks
            if not check.holds
        )
        if not own.is_written(workspace.lake, run.run_id):
            yield "whom it held out is not in the lake"
    except WorkbenchError as error:
        yield str(error)


def _key(row: Mapping[str, object]) -> str:
    return json.dumps(dict(row), sort_keys=True)
