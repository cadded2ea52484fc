"""Who is in the audience that a campaign keeps, and who is no longer to be in it.

A user enters by a message with the attribute and leaves by a leave. What counts is when the receiver took the
last of each, whichever run it was of: an interrupted run may be finished after a newer one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from workbench.campaigns import duplicates
from workbench.campaigns.candidates import USERS, identities_sql
from workbench.campaigns.membership import HELD_OUT, NO_IDENTITY, NOT_QUALIFIED, SCHEMA, SHARED, TOO_LARGE
from workbench.campaigns.verdicts import SEND
from workbench.errors import StoreError
from workbench.store import engine
from workbench.store.catalogue import Catalogue

# A batch may have 128,000 bytes; the rest is for what is not an identity.
MOST_BYTES = 100_000
NEVER = np.iinfo(np.int64).min
CODES: dict[str, type[pl.DataType]] = {"user_code": pl.UInt32}
ANSWERS: dict[str, pl.DataType | type[pl.DataType]] = {
    "request": pl.UInt32, "is_leave": pl.Boolean, "taken_at": pl.Datetime("us", "UTC"),
    "is_open": pl.Boolean,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A run before this one that may have changed the audience.

    Attributes:
        audience: its frozen file.
        leaving: the file of who left by it; None where nobody did.
        answers: the columns of ``ANSWERS``: its requests that were, or may have been, taken. One that
            ``is_open`` may still be taken.
    """

    run_id: str
    audience: Path
    leaving: Path | None
    answers: pl.DataFrame


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """The runs before one.

    Attributes:
        runs: those that set the campaign's attribute.
        newest: the number of the newest run that could have been among them; 0 without any.
        others: attributes that the campaign kept before, whose users stay as they are.
        owner: another campaign that has set the attribute; None for none.
    """

    runs: tuple[Change, ...] = ()
    newest: int = 0
    others: tuple[str, ...] = ()
    owner: str | None = None


def members(connection: engine.Connection, runs: Sequence[Change]) -> pl.DataFrame:
    """Return who is in the audience: ``user_code``, ascending.

    In it is whoever entered since the last leave that was taken, and whose entering may be on its way. One run
    after the other is read; of each user the last instants are kept, at the place of the code.

    Raises:
        StoreError: a file of a run before is gone or damaged.
    """
    entered, gone = np.full((2, 0), NEVER)
    pending = np.full(0, fill_value=False)
    for run in runs:
        for is_leave, path in ((False, run.audience), (True, run.leaving)):
            answers = run.answers.filter(pl.col("is_leave") == is_leave)
            if path is None or answers.is_empty():
                continue
            codes, numbers = _changed(connection, run, path, sent_only=not is_leave)
            if (more := int(codes.max(initial=0)) + 1 - len(entered)) > 0:
                entered, gone = (np.append(times, np.full(more, NEVER)) for times in (entered, gone))
                pending = np.append(pending, np.full(more, fill_value=False))
            requests = answers["request"].to_numpy()
            most = max(int(requests.max()), int(numbers.max(initial=0))) + 1
            at, is_open = np.full(most, NEVER), np.full(most, fill_value=False)
            at[requests] = answers["taken_at"].to_physical().to_numpy()
            is_open[requests] = answers["is_open"].to_numpy()
            np.maximum.at(gone if is_leave else entered, codes, at[numbers])
            if not is_leave:
                np.logical_or.at(pending, codes, is_open[numbers])
    found = np.flatnonzero(pending | ((entered > NEVER) & (entered >= gone)))
    return pl.DataFrame({"user_code": found}).cast(CODES)  # type: ignore[arg-type]


def _changed(
    connection: engine.Connection, run: Change, path: Path, *, sent_only: bool
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return whom a frozen file has a request of, and the numbers of these."""
    if not path.is_file():
        raise StoreError(f"the {path.stem} of {run.run_id} is gone: who is in the audience is not known")
    sent = f"AND verdict = '{SEND}'" if sent_only else ""
    codes, numbers = engine.arrays(
        connection,
        "SELECT user_code::BIGINT, request::BIGINT AS number "
        f"FROM read_parquet({engine.files(path)}) WHERE request IS NOT NULL {sent}",
    )
    return codes, numbers


def leaving(members: pl.DataFrame, marked: pl.DataFrame) -> pl.DataFrame:
    """Return who leaves the audience: ``user_code, reason``.

    Whoever qualifies stays, sent to this time or not. Whoever is held out leaves, and so does whoever has an
    address of somebody held out.

    Args:
        members: ``user_code`` of who is in it.
        marked: the frame of ``candidates.candidates``: everybody who qualifies.
    """
    out = pl.col("held_by").is_not_null() | pl.col("astride")
    reason = pl.when(pl.col("out").is_null()).then(pl.lit(NOT_QUALIFIED)).otherwise(pl.lit(HELD_OUT))
    return (
        members.join(marked.select("user_code", out=out), on="user_code", how="left")
        .filter(pl.col("out").fill_null(value=True))
        .select("user_code", reason=reason)
        .sort("user_code")
    )


def looked_up(
    connection: engine.Connection,
    leavers: pl.DataFrame,
    staying: pl.DataFrame,
    *,
    as_of: datetime,
    catalogue: Catalogue,
    identities: Mapping[str, str],
    profiles: str,
) -> pl.DataFrame:
    """Say of each leaver whether the receiver can be told.

    Args:
        connection: with the views of the lake version.
        leavers: ``user_code, reason``, ascending.
        staying: ``user_code`` of who stays in the audience or is sent to now.
        as_of: the instant at which profiles are read.
        catalogue: of the same lake version.
        identities: mParticle identity to profile attribute.
        profiles: SQL of one row a user as of ``$as_of``.

    Returns:
        The columns of ``SCHEMA``, ascending; ``kept`` is null for whom the receiver is told about.

    Raises:
        StoreError: the lake cannot be read.
    """
    if leavers.is_empty():
        return pl.DataFrame(schema=SCHEMA)
    values = identities_sql(identities, catalogue)
    shared = [values[name] for name, attribute in identities.items() if attribute != "user_id"]
    digests = [f"{duplicates.digest(value)} AS digest_{n}" for n, value in enumerate(shared)]
    some = " OR ".join(f"{value} IS NOT NULL" for value in values.values()) or "false"
    size = " + ".join(f"coalesce(strlen(to_json({value})::VARCHAR), 0)" for value in values.values()) or "0"
    sql = f"""SELECT {", ".join(["u.user_code, w.leaver", f"{some} AS known", f"{size} > {MOST_BYTES} AS large", *digests])}
FROM users u JOIN ({profiles}) p USING (user_code) JOIN asked w USING (user_code)
WHERE u.user_code BETWEEN $first AND $last AND p.user_code BETWEEN $first AND $last"""
    asked = [leavers.select("user_code", leaver=pl.lit(True))]
    if shared:
        asked.append(staying.select("user_code", leaver=pl.lit(False)))
    into = "CREATE OR REPLACE TEMP TABLE looked AS"
    everybody = pl.concat(asked).sort("user_code")
    for part in everybody.iter_slices(USERS):
        connection.register("asked", part)
        limits = {"first": part["user_code"][0], "last": part["user_code"][-1]}
        parameters = {**limits, **({"as_of": as_of} if "$as_of" in sql else {})}
        engine.execute(connection, f"{into} {sql}", parameters)
        connection.unregister("asked")
        into = "INSERT INTO looked"
    same = [
        f"digest_{n} IN (SELECT digest_{n} FROM looked WHERE NOT leaver AND digest_{n} IS NOT NULL)"
        for n in range(len(shared))
    ]
    found = engine.frame(
        connection,
        f"SELECT user_code, CASE WHEN NOT known THEN '{NO_IDENTITY}' WHEN large THEN '{TOO_LARGE}' "
        f"WHEN coalesce({' OR '.join(same) or 'false'}, false) THEN '{SHARED}' END AS kept, true AS there "
        "FROM looked WHERE leaver",
    )
    engine.execute(connection, "DROP TABLE looked")
    kept = pl.when("there").then("kept").otherwise(pl.lit(NO_IDENTITY))
    return (
        leavers.join(found.cast({"user_code": pl.UInt32}), on="user_code", how="left", maintain_order="left")
        .with_columns(kept=kept)
        .select(*SCHEMA)
        .cast(SCHEMA)  # type: ignore[arg-type]
    )
