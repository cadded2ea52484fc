"""Who left an audience by a run: the frozen list, and what became of each leave."""

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from workbench.export.ledger import UNFINISHED, Run, RunState
from workbench.export.members import LEAVING
from workbench.export.snapshot import verified
from workbench.workspace import Workspace

LEFT = {
    "user_code": pl.UInt32, "user_id": pl.String, "reason": pl.String, "kept": pl.String, "request": pl.UInt32,
    "source_request_id": pl.String,
}  # fmt: skip
COLUMNS = ("user_id", "reason", "kept", "request", "state")


def left(directory: Path, run: Run) -> pl.LazyFrame:
    """Return the frozen list of who left by a run: the columns of ``LEFT``; empty where none was kept.

    Raises:
        StoreError: the file is gone, or its bytes are not those that were frozen.
    """
    if run.leaving_digest is None:
        return pl.LazyFrame(schema=LEFT)
    path = (directory / run.audience_path).with_name(LEAVING)
    return verified(path, run.leaving_digest, f"who left by {run.run_id}")


def leavers(workspace: Workspace, run_id: str, *, limit: int | None = None) -> pl.DataFrame:
    """List who left the audience by a run.

    Args:
        workspace: the account.
        run_id: whose.
        limit: how many at most, by user code.

    Returns:
        ``user_id, reason, kept, request, state``: ``kept`` says why the receiver was not told; the state is that
        of the request.

    Raises:
        NotFoundError: no such run.
        StoreError: the list is gone, or is not what was frozen.
    """
    found = left(workspace.settings.directory, workspace.ledger.get(run_id))
    requests = workspace.ledger.requests(run_id)
    states = pl.LazyFrame(
        {"request": [item.number for item in requests], "state": [str(item.state) for item in requests]},
        schema={"request": pl.UInt32, "state": pl.String},
    )
    first = found if limit is None else found.head(limit)
    return first.join(states, on="request", how="left", maintain_order="left").select(COLUMNS).collect()


def how_many_left(run: Run) -> int:
    """Return how many were no longer in the audience, those who could not be told included."""
    return sum(row["users"] for row in _rows(run))


def sentence(workspace: Workspace, run: Run, user_id: str) -> str | None:
    """Say that a user left the audience by a run; None for one who did not.

    Raises:
        StoreError: the list is gone, or is not what was frozen.
    """
    rows = left(workspace.settings.directory, run).filter(pl.col("user_id") == user_id).collect().to_dicts()
    if not rows:
        return None
    row = rows[0]
    if row["kept"] is not None:
        return (
            f"The user was to leave the audience in {run.run_id} ({row['reason']}), and the receiver cannot be "
            f"told: {row['kept']}."
        )
    requests = {item.number: item for item in workspace.ledger.requests(run.run_id)}
    state = requests[row["request"]].state if row["request"] in requests else "not in the ledger"
    request = f"({row['reason']}): request {row['request']:,}, {state}"
    if run.state is RunState.COMPLETED and state in UNFINISHED:
        return f"The user was to leave the audience in {run.run_id} {request}; {run.note}."
    return f"The user left the audience in {run.run_id} {request}."


def _rows(run: Run) -> list[Mapping[str, int]]:
    return list(run.membership["users"]) if run.membership else []
