"""What the audit trail keeps of a run: how it was reserved, and how it ended. Counts and digests, no person."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from workbench.export.records import Kind, Request, RequestState, Run, RunState
from workbench.store import audit, tables
from workbench.store.audit import What
from workbench.store.canonical import content_digest

RUN_WORDS = (
    What.RUN_RESERVED, What.RUN_STARTED, What.RUN_RESUMED, What.RUN_KEY_CHANGED, What.RUN_INTERRUPTED,
    What.RUN_STOPPED, What.RUN_ENDED, What.RUN_SETTLED, What.GIVEN_BACK,
)  # fmt: skip


def facts(run: Run) -> dict[str, Any]:
    """Return what of a run's row never changes, its key's digest apart.

    Verdicts are counted by their first word and held as a digest: the words of a reason may be a template's, which
    could have put a person into them.
    """
    counted: dict[str, int] = {}
    for row in run.verdicts:
        counted[row["verdict"]] = counted.get(row["verdict"], 0) + row["users"]
    return {
        "campaign": run.campaign_id, "version": run.campaign_version, "occurrence": audit.text(run.occurrence),
        "as_of": audit.text(run.as_of), "created_at": audit.text(run.created_at), "created_by": run.created_by,
        "lake_version": run.lake_version, "number": run.number,
        "purpose": run.purpose.value, "environment": run.environment, "receiver": run.receiver,
        "audience_path": run.audience_path, "audience_digest": run.audience_digest, "bodies_path": run.bodies_path,
        "key_digest": run.key_digest, "salt_digest": run.salt_digest,
        "qualified": run.qualified, "verdicts": counted,
        "membership": run.membership, "leaving_digest": run.leaving_digest,
        "verdicts_digest": content_digest({"verdicts": [dict(row) for row in run.verdicts]}),
    }  # fmt: skip


def frozen(requests: Iterable[Request]) -> dict[str, Any]:
    """Return how many requests there are, and the sha256 of a line for each: ``number kind digest users batches offset length``."""
    digest, count = hashlib.sha256(), 0
    for one in requests:
        line = f"{one.number} {one.kind} {one.digest} {one.users} {one.batches} {one.offset} {one.length}\n"
        digest.update(line.encode())
        count += 1
    return {"requests": count, "requests_digest": digest.hexdigest()}


def standing(run: Run) -> dict[str, Any]:
    """Return what of a run's row says how far it has come; its note, which may name somebody, as a sha256."""
    return {
        "state": run.state.value,
        "finished_at": None if run.finished_at is None else audit.text(run.finished_at),
        "note_digest": None if run.note is None else hashlib.sha256(run.note.encode()).hexdigest(),
    }


def outcomes(requests: Iterable[Request]) -> dict[str, Any]:
    """Return the users in each state, and two sha256 of a line for each request.

    The lines are ``number state digest``, and ``[number,attempts,answered_at,answer]`` in JSON. Those who leave an
    audience are counted apart, where there are any.
    """
    states, answers = hashlib.sha256(), hashlib.sha256()
    counted = {kind: dict.fromkeys((state.value for state in RequestState), 0) for kind in Kind}
    for one in requests:
        states.update(f"{one.number} {one.state} {one.digest}\n".encode())
        at = None if one.answered_at is None else audit.text(one.answered_at)
        line = json.dumps([one.number, one.attempts, at, one.answer], separators=(",", ":"))
        answers.update(f"{line}\n".encode())
        counted[one.kind][one.state.value] += one.users
    leaves = counted[Kind.LEAVE]
    return {
        "users": counted[Kind.MESSAGE], **({"leaves": leaves} if any(leaves.values()) else {}),
        "outcomes_digest": states.hexdigest(), "answers_digest": answers.hexdigest(),
    }  # fmt: skip


def reserved(sql: sa.Connection, run: Run, requests: Sequence[Request]) -> None:
    """Append that a run was reserved."""
    table = tables.campaigns.c
    saved = sa.select(table.digest).where(table.id == run.campaign_id, table.version == run.campaign_version)
    details = {
        **facts(run), **frozen(requests), "campaign_digest": sql.scalar(saved), **standing(run),
    }  # fmt: skip
    if run.state is RunState.BLOCKED:
        details["because"] = run.note
    audit.append(sql, What.RUN_RESERVED, run.run_id, details)


def started(sql: sa.Connection, run_id: str, state: RunState) -> None:
    """Append that a run is being sent, for the first time or again: from which state, or after what a person did."""
    table = tables.audit.c
    entries = sa.select(table.what).where(table.subject == run_id).order_by(table.number.desc()).limit(1)
    first = sql.scalar(entries.where(table.what == What.RUN_STARTED))
    # Whose rejected requests were given back is interrupted by its state only: it had ended.
    last = sql.scalar(entries.where(table.what != What.RUN_KEY_CHANGED))
    if first is None and state is RunState.RUNNING:
        audit.append(sql, What.RUN_STARTED, run_id)
    elif last == What.GIVEN_BACK:
        audit.append(sql, What.RUN_RESUMED, run_id, {"after": last})
    else:
        audit.append(sql, What.RUN_RESUMED, run_id, {"from": state.value})


def stands(
    sql: sa.Connection, run_id: str, what: What | None = None, details: Mapping[str, Any] | None = None
) -> None:
    """Append where a run and each of its requests stand, now that nothing of it is being sent.

    Args:
        sql: the open transaction.
        run_id: whose.
        what: was done; by default it has ended or was interrupted, as its row says.
        details: of it; what is None is left out.
    """
    run, table = _run(sql, run_id), tables.requests
    rows = sql.execute(
        tables.raw(table).where(table.c.run_id == run_id).order_by(table.c.number),
        execution_options={"yield_per": 10_000},
    ).mappings()
    found = {**_told(details or {}), **standing(run), **outcomes(Request.of(row) for row in rows)}
    what = what or (What.RUN_INTERRUPTED if run.state is RunState.INTERRUPTED else What.RUN_ENDED)
    audit.append(sql, what, run_id, found)


def stopped(sql: sa.Connection, run_id: str, *, because: str | None) -> None:
    """Append that a person stops a run, whose last requests may still be in flight."""
    details = {**_told({"because": because}), **standing(_run(sql, run_id))}
    audit.append(sql, What.RUN_STOPPED, run_id, details)


def _run(sql: sa.Connection, run_id: str) -> Run:
    query = tables.raw(tables.runs).where(tables.runs.c.run_id == run_id)
    return Run.of(sql.execute(query).mappings().one())


def _told(details: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in details.items() if value is not None}


def ranges(numbers: Iterable[int]) -> str:
    """Return numbers as people write them.

    >>> ranges([2, 4, 5, 6])
    '2, 4-6'
    """
    found: list[list[int]] = []
    for number in sorted(numbers):
        if found and number == found[-1][-1] + 1:
            found[-1] = [found[-1][0], number]
        else:
            found.append([number])
    return ", ".join("-".join(map(str, pair)) for pair in found)
