"""The frozen audience of a run: its row of one user, and lists of users by verdict and reason."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import polars as pl

from workbench.campaigns import verdicts
from workbench.errors import InputError, nearest
from workbench.export.ledger import Run
from workbench.export.snapshot import verified
from workbench.lookup.explained import STEPS, begins
from workbench.store import engine
from workbench.workspace import Workspace

COLUMNS = ("user_id", "arm", "held_by", "verdict", "reason", "send_at", "request", "state")


def users(
    workspace: Workspace,
    run_id: str,
    *,
    verdict: str | None = None,
    reason: str | None = None,
    arm: str | None = None,
    limit: int | None = None,
) -> pl.DataFrame:
    """List the users of a run.

    Args:
        workspace: the account.
        run_id: whose.
        verdict: ``send``, ``holdout`` or ``not sent``; all by default.
        reason: in full, or what stands before its colon (``invalid profile``).
        arm: ``target`` or ``control``.
        limit: how many at most, in the order of the audience.

    Returns:
        ``user_id, arm, held_by, verdict, reason, send_at, request, state``; the state is that of the request.

    Raises:
        NotFoundError: no such run.
        InputError: no such verdict, reason or arm; the message names the nearest.
        StoreError: the audience is gone, or is not what was frozen.
    """
    run = workspace.ledger.get(run_id)
    chosen = _chosen(workspace, run, verdict, reason, arm)
    requests = workspace.ledger.requests(run_id)
    states = pl.LazyFrame(
        {"request": [item.number for item in requests], "state": [str(item.state) for item in requests]},
        schema={"request": pl.UInt32, "state": pl.String},
    )
    first = chosen if limit is None else chosen.head(limit)
    return first.join(states, on="request", how="left", maintain_order="left").select(COLUMNS).collect()


def how_many(
    workspace: Workspace,
    run_id: str,
    *,
    verdict: str | None = None,
    reason: str | None = None,
    arm: str | None = None,
) -> int:
    """Count the users that ``users`` lists without a limit; the errors are the same."""
    chosen = _chosen(workspace, workspace.ledger.get(run_id), verdict, reason, arm)
    return int(chosen.select(pl.len()).collect().item())


def audience(directory: Path, run: Run) -> pl.LazyFrame:
    """Return the frozen audience of a run, one row a qualified user.

    Raises:
        StoreError: the file is gone, or its bytes are not those that were frozen.
    """
    found = verified(directory / run.audience_path, run.audience_digest, f"the audience of {run.run_id}")
    names = found.collect_schema().names()
    return found if "held_by" in names else found.with_columns(held_by=pl.lit(None, pl.String))


def row_of(audience: pl.LazyFrame, user_id: str) -> dict[str, Any] | None:
    """Return the row of one user; None for one who did not qualify."""
    rows = audience.filter(pl.col("user_id") == user_id).collect().to_dicts()
    return rows[0] if rows else None


def places(directory: Path, run: Run, salt: str, user_code: int, user_id: str) -> tuple[int, int]:
    """Return how many of a run could be sent to, and how many of them come before a user.

    Args:
        directory: the state folder.
        run: whose frozen audience has been verified.
        salt: of the run's cap.
        user_code: of the user, who decides between equal keys.
        user_id: of the user.
    """
    key = "left(md5($salt || ':' || {}), 16)"
    sql = f"""
SELECT count(*), count(*) FILTER (WHERE ({key.format("user_id")}, user_code) < ({key.format("$user_id")}, $user_code))
FROM read_parquet({engine.files(directory / run.audience_path)})
WHERE arm = $target AND (reason IS NULL OR reason = $limit)"""
    connection = engine.connect()
    values = {
        "salt": salt, "user_id": user_id, "user_code": user_code, "target": verdicts.TARGET,
        "limit": verdicts.RUN_LIMIT,
    }  # fmt: skip
    ((every, before),) = engine.rows(connection, sql, values)
    connection.close()
    return int(every), int(before)


def _chosen(
    workspace: Workspace, run: Run, verdict: str | None, reason: str | None, arm: str | None
) -> pl.LazyFrame:
    """Return the rows that fit; every name is checked before the file is read."""
    known = {str(row["reason"]): None for row in run.verdicts if row["reason"] is not None}
    _refuse("verdict", verdict, (verdicts.SEND, verdicts.HOLDOUT, verdicts.NOT_SENT))
    _refuse("arm", arm, (verdicts.TARGET, verdicts.CONTROL))
    _refuse("reason", reason, {**known, **dict.fromkeys(STEPS), **dict.fromkeys(_starts(known))})
    found = audience(workspace.settings.directory, run)
    if verdict is not None:
        found = found.filter(pl.col("verdict") == verdict)
    if reason is not None:
        fitting = [name for name in known if begins(name, reason)]
        found = found.filter(pl.col("reason").is_in(fitting))
    if arm is not None:
        found = found.filter(pl.col("arm") == arm)
    return found


def _starts(reasons: Iterable[str]) -> list[str]:
    return [reason.split(":", 1)[0] for reason in reasons]


def _refuse(what: str, name: str | None, names: Iterable[str]) -> None:
    if name is None or name in names:
        return
    known = [f'"{item}"' for item in names]
    hint = nearest(name, names) or f" Known are: {', '.join(known)}"
    raise InputError(f'unknown {what} "{name}".{hint}')
