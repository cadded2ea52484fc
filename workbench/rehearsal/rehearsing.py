"""Send the plan of a saved campaign to the sandbox, once for each fault and each kill, and see what arrived."""

import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path

from workbench import runs
from workbench.errors import InputError
from workbench.rehearsal import copying, points
from workbench.rehearsal.acting import Theatre
from workbench.rehearsal.arrived import wanted
from workbench.rehearsal.faults import NONE, Fault, chosen
from workbench.rehearsal.points import Point
from workbench.rehearsal.results import Rehearsal, Row
from workbench.runs.planning import Plan, Report, silent
from workbench.store import copied
from workbench.store.database import Database
from workbench.workspace import Workspace

SOME, ALL, NO = "some", "all", "none"
NOBODY = "http://127.0.0.1:9/v2"


def rehearse(
    workspace: Workspace,
    campaign_id: str,
    *,
    occurrence: datetime | None = None,
    as_of: datetime | None = None,
    now: datetime | None = None,
    faults: Sequence[str] = (),
    kills: str | Sequence[str] = SOME,
    database: str | None = None,
    keep: Path | None = None,
    report: Report = silent,
) -> Rehearsal:
    """Rehearse a send that is still to come; the account, its lake and its receiver see nothing of it.

    The campaign is planned once. Then every fault and every kill sends the whole plan from a fresh copy of the
    account to a fresh receiver on this machine, resumes until it ends, and compares what arrived with the plan.
    Pacing is off and time-outs are short; everything else is as it will be.

    Args:
        workspace: the account.
        campaign_id: of a saved campaign.
        occurrence: as for ``runs.plan``.
        as_of: as for ``runs.plan``.
        now: as for ``runs.plan``.
        faults: names of the menu; all of them without one. The undisturbed send is always the first row.
        kills: ``some``, ``all``, ``none``, or points such as ``after commit 2``.
        database: URL of an empty database for the ledger of the copies; by default SQLite.
        keep: a new folder for all files of the rehearsal; by default none are left.
        report: told how many of the rows are done.

    Raises:
        NotFoundError: no such campaign.
        InputError: an unknown fault or point; nobody to send to; an occurrence that has a run; a database or
            folder that holds something.
        WorkbenchError: as ``runs.plan``.
    """
    menu = [fault for fault in chosen(faults) if fault is not NONE]
    at = _at(kills)
    planned = runs.plan(workspace, campaign_id, occurrence=occurrence, as_of=as_of, now=now)
    _refuse(planned)
    began = time.monotonic()
    with copying.folder(keep) as folder, closing(Database(f"sqlite:///{folder / 'ledger.db'}")) as source:
        kind = _kind(database)
        copied.copy(workspace.database, source)
        with copying.stage(
            workspace, source, folder / "plan", url=NOBODY, credentials=copying.throwaway(), database=None
        ) as stage:
            found = wanted(stage.workspace, planned, stage.folder / "wanted", silent)
        theatre = Theatre(
            original=workspace, source=source, plan=planned, wanted=found, folder=folder, database=database,
            keeps=keep is not None,
        )  # fmt: skip
        report("rehearse", 0, 1 + len(menu) + len(points.SPREAD if at is None else at))
        if at is None:
            first, seen = theatre.counted()
            at = points.everywhere(seen) if kills == ALL else points.spread(seen)
        else:
            first = theatre.faulty(NONE)
        total = 1 + len(menu) + len(at)
        rows = [first]
        report("rehearse", 1, total)
        for row in _others(theatre, menu, at):
            rows.append(row)
            report("rehearse", len(rows), total)
    return Rehearsal(
        plan=planned, rows=tuple(rows), requests=found.requests, database=kind,
        seconds=time.monotonic() - began, folder=None if keep is None else folder,
    )  # fmt: skip


def _others(theatre: Theatre, menu: Sequence[Fault], fatal: Sequence[Point]) -> Iterator[Row]:
    yield from map(theatre.faulty, menu)
    yield from map(theatre.killed, fatal)


def _at(kills: str | Sequence[str]) -> tuple[Point, ...] | None:
    """Read the points that are given; None where they are chosen when it is known how many there are."""
    if isinstance(kills, str):
        return {SOME: None, ALL: None, NO: ()}[kills] if kills in {SOME, ALL, NO} else (points.parse(kills),)
    return tuple(points.parse(text) for text in kills)


def _kind(database: str | None) -> str:
    """Return which kind of database the copies have; one that is given has to be empty."""
    if database is None:
        return "sqlite"
    with closing(Database(database)) as given:
        if given.is_sqlite:
            raise InputError(
                "a database for a rehearsal is one on a server; without one its ledger is in SQLite"
            )
        copied.refuse_full(given)
        return given.url.get_backend_name()


def _refuse(planned: Plan) -> None:
    """Refuse what has nothing to rehearse."""
    if planned.already is not None:
        raise InputError(
            f"{planned.run_id} has run ({planned.already.state}): a rehearsal is of a send that is still to come; "
            "give another --occurrence, or clone the campaign"
        )
    if planned.blocked is not None:
        raise InputError(
            f"{planned.run_id} is blocked by the safety check: {planned.blocked}; there is nothing to rehearse"
        )
    if not planned.to_send:
        raise InputError(f"{planned.run_id} would send to nobody; there is nothing to rehearse")
