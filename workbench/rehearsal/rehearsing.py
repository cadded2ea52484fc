"""Send the plan of a saved campaign to the sandbox, once for each fault and each kill, and see what arrived."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path

from workbench import runs
from workbench.errors import InputError
from workbench.rehearsal import copying, points
from workbench.rehearsal.acting import Theatre
from workbench.rehearsal.arrived import wanted
from workbench.rehearsal.faults import NONE, Fault, chosen
from workbench.rehearsal.points import ALL, NO, SOME, WORDS, Point
from workbench.rehearsal.results import Rehearsal, Row
from workbench.runs.planning import Plan, Report, silent
from workbench.store import copied
from workbench.store.database import Database
from workbench.workspace import Workspace

LABEL = "rehearse"
NOBODY = "http://127.0.0.1:9/v2"

Told = Callable[[Rehearsal], None]


def nobody(so_far: Rehearsal) -> None:
    """Tell nobody how far a rehearsal is."""


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
    told: Told = nobody,
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
        report: told how many of the rows are done, also while one is at work.
        told: given the rehearsal as far as it has come: before the first row, and after each. Whoever keeps the last
            one has the finished rows when the rehearsal is interrupted.

    Raises:
        NotFoundError: no such campaign.
        InputError: an unknown fault or point; nobody to send to; an occurrence that has a run; a database or
            folder that holds something.
        WorkbenchError: as ``runs.plan``.
    """
    menu = [fault for fault in chosen(faults) if fault is not NONE]
    at, everywhere = _at(kills), ALL in ([kills] if isinstance(kills, str) else kills)
    kind = _kind(database)
    planned = runs.plan(workspace, campaign_id, occurrence=occurrence, as_of=as_of, now=now)
    _refuse(planned)
    began = time.monotonic()
    with copying.folder(keep) as folder, closing(Database(f"sqlite:///{folder / 'ledger.db'}")) as source:
        copied.copy(workspace.database, source)
        with copying.stage(
            workspace, source, folder / "plan", url=NOBODY, credentials=copying.throwaway(), database=None
        ) as stage:
            found = wanted(stage.workspace, planned, stage.folder / "wanted", silent)
        most = len(at) if at is not None else points.MOST if everywhere else len(points.SPREAD)
        so_far = Rehearsal(
            plan=planned, rows=(), total=1 + len(menu) + most, ahead=_names([NONE, *menu], at or ()),
            requests=found.requests, database=kind, seconds=0, folder=None if keep is None else folder,
        )  # fmt: skip

        def alive() -> None:
            report(LABEL, len(so_far.rows), so_far.total)

        theatre = Theatre(
            original=workspace, source=source, plan=planned, wanted=found, folder=folder, database=database,
            keeps=keep is not None, alive=alive,
        )  # fmt: skip
        told(so_far)
        alive()
        for row, ahead in _walk(theatre, menu, at, everywhere=everywhere):
            rows = (*so_far.rows, row)
            so_far = replace(
                so_far, rows=rows, ahead=ahead, total=len(rows) + len(ahead), seconds=time.monotonic() - began
            )
            told(so_far)
            alive()
    return so_far


def _walk(
    theatre: Theatre, menu: Sequence[Fault], at: Sequence[Point] | None, *, everywhere: bool
) -> Iterator[tuple[Row, tuple[str, ...]]]:
    """Yield each row as it is finished, with the names of those to come."""
    if at is None:
        first, seen = theatre.counted()
        at = points.everywhere(seen) if everywhere else points.spread(seen)
    else:
        first = theatre.faulty(NONE)
    acts: list[Callable[[], Row]] = [partial(theatre.faulty, fault) for fault in menu]
    acts += [partial(theatre.killed, point) for point in at]
    names = _names(menu, at)
    yield first, names
    for number, act in enumerate(acts, 1):
        yield act(), names[number:]


def _names(menu: Sequence[Fault], fatal: Sequence[Point]) -> tuple[str, ...]:
    return (*(fault.name for fault in menu), *(f"kill {point}" for point in fatal))


def _at(kills: str | Sequence[str]) -> tuple[Point, ...] | None:
    """Read the points that are given; None where they are chosen when it is known how many there are."""
    given = [kills] if isinstance(kills, str) else list(kills)
    words = [text for text in given if text in WORDS]
    if words and len(given) > 1:
        other = next((text for text in given if text != words[0]), words[0])
        raise InputError(
            f'kill "{words[0]}" stands alone, and here "{other}" is given too: give one of some, all, none, or points'
        )
    if words:
        return () if words[0] == NO else None
    return tuple(points.parse(text) for text in given)


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
    if not planned.to_send and not (planned.leaving and planned.leaving.told.height):
        raise InputError(f"{planned.run_id} would send to nobody; there is nothing to rehearse")
