"""What a plan wants to arrive, and what did: batch by batch, by identities, ids and bytes."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from workbench.campaigns import verdicts
from workbench.campaigns.candidates import identities_sql
from workbench.campaigns.duplicates import folded
from workbench.export import frozen
from workbench.export.sandbox import texts
from workbench.export.sandbox.body import read_batches
from workbench.runs.planning import Plan, Report
from workbench.runs.reserving import freeze
from workbench.store import engine
from workbench.store.held import profiles_at
from workbench.workspace import Workspace

BATCHES = {"who": pl.String, "id": pl.String, "text": pl.String}
IDENTITIES = {"name": pl.String, "value": pl.String}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a plan wants to arrive.

    Attributes:
        batches: ``who, id, text, message``, one row a batch: digests of its identities and of its bytes, its
            id, and whether it is in a request of those whom the plan sends to.
        held_out: ``user_code, name, value``: the identities of the held out, as they are compared.
        requests: how many requests the batches are in.
        cap: of the run; None for none.
    """

    batches: pl.DataFrame = field(repr=False)
    held_out: pl.DataFrame = field(repr=False)
    requests: int
    cap: int | None

    @property
    def users(self) -> int:
        """How many users are to be sent to."""
        return self.batches.filter("message")["who"].n_unique()

    @property
    def leaves(self) -> int:
        """How many users leave the audience that the campaign keeps."""
        return self.batches.filter(~pl.col("message"))["who"].n_unique()


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """What arrived, after the receiver dropped what it knew by its id.

    Attributes:
        users: users of the plan of whom as many batches arrived as it has, or more.
        left: users who leave the audience of whom as many batches arrived as the plan has, or more.
        missing: users of the plan of whom fewer batches arrived than it has.
        doubled: users of whom more arrived than the plan has.
        held_out: held-out users with one of whose identities a batch arrived.
        strange: batches of somebody who is not in the plan.
        changed: batches of the plan's users with another id or other bytes.
        over_cap: how many users more than the cap.
    """

    users: int
    left: int
    missing: int
    doubled: int
    held_out: int
    strange: int
    changed: int
    over_cap: int


def wanted(workspace: Workspace, planned: Plan, folder: Path, report: Report) -> Wanted:
    """Freeze a plan into a folder, and read what it wants to arrive.

    Args:
        workspace: an account in which the plan could have been made.
        planned: by ``runs.plan``.
        folder: which does not exist yet.
        report: told the step, the users done and their total.

    Raises:
        StoreError: the lake cannot be read, or the files cannot be written.
    """
    written = freeze(workspace, planned, report, directory=folder.parent, folder=folder.name)
    sends = set(pl.read_parquet(folder / frozen.AUDIENCE)["request"].drop_nulls())
    parts = [pl.DataFrame(schema={**BATCHES, "message": pl.Boolean})]
    with (folder / frozen.BODIES).open("rb") as bodies:
        for number, body in enumerate(bodies, 1):
            batches = _frame(sent.text for sent in read_batches(body, bulk=True)).drop("identities")
            parts.append(batches.with_columns(message=pl.lit(number in sends)))
    return Wanted(
        batches=pl.concat(parts),
        held_out=_held_out(workspace, planned),
        requests=len(written.requests),
        cap=planned.campaign.campaign.cap.per_run,
    )


def arrived(found: Wanted, receiver: Path) -> Arrived:
    """Compare what a receiver has stored with what was wanted.

    Args:
        found: by the plan.
        receiver: the folder of a sandbox.
    """
    came = _frame(texts(receiver))
    planned = found.batches.group_by("who").agg(planned=pl.len(), message=pl.col("message").any())
    counted = planned.join(came.group_by("who").agg(came=pl.len()), on="who", how="left").fill_null(0)
    lacking = pl.col("came") < pl.col("planned")
    known = came.join(planned, on="who", how="semi")
    messages = came.join(planned.filter(~pl.col("message")), on="who", how="anti")
    reached = messages["who"].n_unique()
    return Arrived(
        users=counted.filter("message", ~lacking).height,
        left=counted.filter(~pl.col("message"), ~lacking).height,
        missing=counted.filter(lacking).height,
        doubled=counted.filter(pl.col("came") > pl.col("planned")).height,
        held_out=_met(found.held_out, messages),
        strange=came.height - known.height,
        changed=known.join(found.batches, on=["who", "id", "text"], how="anti").height,
        over_cap=0 if found.cap is None else max(reached - found.cap, 0),
    )


def _frame(found: Iterable[str]) -> pl.DataFrame:
    """Read batches: ``who, id, text`` and ``identities``, a list of names and values."""
    return pl.DataFrame(
        list(_rows(found)), orient="row",
        schema={**BATCHES, "identities": pl.List(pl.Struct(IDENTITIES))},
    )  # fmt: skip


def _rows(found: Iterable[str]) -> Iterator[tuple[str, str | None, str, list[dict[str, str]]]]:
    for text in found:
        batch: Mapping[str, Any] = json.loads(text)
        identities = batch.get("user_identities", {})
        who = json.dumps(identities, sort_keys=True)
        known = [{"name": name, "value": value} for name, value in identities.items()]
        yield _digest(who), batch.get("source_request_id"), _digest(text), known


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


def _held_out(workspace: Workspace, planned: Plan) -> pl.DataFrame:
    """Return the identities of the held out as the profiles have them: ``user_code, name, value``."""
    version = workspace.lake.at(planned.lake_version)
    values = identities_sql(workspace.settings.identities, version.catalogue)
    codes = planned.verdicts.filter(pl.col("verdict") == verdicts.HOLDOUT).select("user_code")
    each = [
        f"SELECT u.user_code, {engine.literal(name)} AS name, {folded(sql)} AS value FROM held_out "
        f"JOIN users u USING (user_code) JOIN ({profiles_at()}) p USING (user_code) WHERE {sql} IS NOT NULL"
        for name, sql in values.items()
    ]
    with closing(version.connect()) as connection:
        connection.register("held_out", codes)
        return engine.frame(connection, " UNION ALL ".join(each), {"as_of": planned.as_of})


def _met(held_out: pl.DataFrame, came: pl.DataFrame) -> int:
    """Count the held out with one of whose identities a batch arrived."""
    used = came.select("identities").explode("identities").drop_nulls().unnest("identities").unique()
    with closing(engine.connect()) as connection:
        connection.register("held_out", held_out)
        connection.register("used", used)
        sql = (
            "SELECT count(DISTINCT h.user_code) FROM held_out h JOIN used s "
            f"ON h.name = s.name AND h.value = {folded('s.value')}"
        )
        ((found,),) = engine.rows(connection, sql)
    return int(found)
