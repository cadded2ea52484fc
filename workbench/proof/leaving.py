"""Whether the list of who left an audience by a run is as it was recorded, and its requests as the list says."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence

import polars as pl

from workbench.campaigns.library import SavedCampaign
from workbench.campaigns.membership import counts
from workbench.errors import StoreError
from workbench.export import packing
from workbench.export.ledger import Kind, Request, Run
from workbench.lookup.leaving import LEFT, left
from workbench.proof.check import Check, rows, some
from workbench.runs import leaving
from workbench.store import engine
from workbench.store.pinned import LakeVersion
from workbench.workspace import Workspace

NAME = "leaving"


def checks(workspace: Workspace, run: Run, requests: list[Request]) -> Iterator[Check]:
    """Compare the list with the ledger; nothing for a run whose campaign keeps no audience."""
    if run.membership is None:
        return
    try:
        users = rows(left(workspace.settings.directory, run), LEFT, "list of who left")
    except StoreError as error:
        yield Check(name=NAME, holds=False, sentence=str(error))
        return
    faults = []
    if _sorted(counts(users)) != _sorted(run.membership["users"]):
        faults.append("the ledger counts other users")
    if users["user_code"].n_unique() != users.height:
        faults.append("a user is there twice")
    if users.filter(pl.col("kept").is_null() != pl.col("request").is_not_null()).height:
        faults.append("users with a request who cannot be told, or without one")
    counted = dict(users.drop_nulls("request").group_by("request").len().iter_rows())
    recorded = {item.number: item.users for item in requests if item.kind is Kind.LEAVE}
    differing = sorted(n for n in counted.keys() | recorded.keys() if counted.get(n) != recorded.get(n))
    if differing:
        faults.append(f"requests {some(differing)} hold other users than the list says")
    told = users["request"].count()
    fine = f"sha256 {str(run.leaving_digest)[:16]}…, {told:,} users leave in {len(recorded):,} requests"
    fine += f", {users.height - told:,} cannot be told"
    yield Check(name=NAME, holds=not faults, sentence="; ".join(faults) or fine)


def rebuilt(
    workspace: Workspace,
    run: Run,
    saved: SavedCampaign,
    version: LakeVersion,
    connection: engine.Connection,
    recorded: Mapping[int, str],
    after: int,
) -> tuple[list[int], int]:
    """Build the leaves of a run again, behind its messages.

    Returns:
        The requests that come out with other bytes, and the number of the last one.

    Raises:
        StoreError: the list, or the lake, cannot be read.
    """
    users = rows(left(workspace.settings.directory, run), LEFT, "list of who left")
    told = users.filter(pl.col("kept").is_null()).select("user_code")
    parts = leaving.batches(
        workspace, saved, version, connection, told, run_id=run.run_id, as_of=run.as_of,
        environment=run.environment,
    )  # fmt: skip
    wrong, number = [], after
    for number, packed in enumerate(packing.pack(parts), after + 1):
        if hashlib.sha256(packed.body).hexdigest() != recorded.get(number):
            wrong.append(number)
    return wrong, number


def _sorted(rows: Sequence[Mapping[str, object]]) -> list[tuple[str, str, object]]:
    return sorted((str(row["reason"]), str(row["kept"]), row["users"]) for row in rows)
