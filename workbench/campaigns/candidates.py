"""What the verdicts need to know of each qualified user: hashes and flags, never an attribute."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime

import polars as pl

from workbench.campaigns import control, duplicates
from workbench.campaigns.content.rendering import Rendering
from workbench.campaigns.frequency import Counted
from workbench.settings import Consent
from workbench.store import engine
from workbench.store.catalogue import Catalogue
from workbench.store.held import profiles_at

SCHEMA = {
    "user_code": pl.UInt32, "held_by": pl.String, "cap_key": pl.UInt64, "duplicate": pl.Boolean,
    "astride": pl.Boolean, "reachable": pl.Boolean, "unsubscribed": pl.Boolean, "consent_missing": pl.Boolean,
    "too_often": pl.String, "render": pl.String, "lint": pl.String,
}  # fmt: skip
TEXTS = ("held_by", "render", "lint")
# Two row groups of a profile file, which are read whole.
USERS = 245_760
NOTHING = ("", "nan", "null", "none")


Report = Callable[[int, int], None]


def usable(column: str) -> str:
    """Return SQL for an identity as it may be sent: trimmed, NULL when empty or a spelt-out nothing.

    What is longer than any nothing and has no blank at an edge is taken as it is, by a cheap look.
    """
    edges = f"ascii({column}) BETWEEN 33 AND 126 AND ({column})[-1] BETWEEN '!' AND '~'"
    plain = f"strlen({column}) > {max(map(len, NOTHING))} AND {edges}"
    nothing = ", ".join(map(engine.literal, NOTHING))
    blanks = engine.literal(engine.BLANKS)
    at_an_edge = f"contains({blanks}, left({column}, 1)) OR contains({blanks}, right({column}, 1))"
    trimmed = f"CASE WHEN {at_an_edge} THEN trim({column}, {blanks}) ELSE {column} END"
    return f"CASE WHEN {plain} THEN {column} WHEN lower({trimmed}) NOT IN ({nothing}) THEN {trimmed} END"


def identities_sql(identities: Mapping[str, str], catalogue: Catalogue) -> dict[str, str]:
    """Return for each mParticle identity the SQL over ``p`` (profiles) and ``u`` (users)."""
    found = {}
    for name, attribute in identities.items():
        column = catalogue.attributes[attribute].column
        source = "u.user_id" if column == "user_id" else f"p.{engine.quote(column)}::VARCHAR"
        found[name] = usable(source)
    return found


def reachable_sql(catalogue: Catalogue, identities: Mapping[str, str], consent: Consent) -> str:
    """Return the query for who has an identity and is not unsubscribed: ``user_code``.

    It reads ``users``, and ``profiles`` as of an instant; its rows are those of ``candidates`` that are
    ``reachable`` and not ``unsubscribed``.
    """
    usable_ = " OR ".join(f"{sql} IS NOT NULL" for sql in identities_sql(identities, catalogue).values())
    unsubscribed = _flag("p", consent.unsubscribed, catalogue) if consent.unsubscribed else "false"
    return (
        "SELECT u.user_code FROM users u JOIN profiles p USING (user_code) "
        f"WHERE ({usable_ or 'false'}) AND NOT {unsubscribed}"
    )


def candidates(
    connection: engine.Connection,
    qualified: pl.DataFrame,
    *,
    as_of: datetime,
    consent_at: datetime,
    catalogue: Catalogue,
    identities: Mapping[str, str],
    consent: Consent,
    holds: Sequence[control.Hold],
    never: Sequence[str],
    cap_salt: str,
    rendering: Rendering,
    lint: str,
    profiles: str,
    messages: Counted,
    joins: str = "",
    report: Report = lambda done, total: None,
) -> pl.DataFrame:
    """Look up each qualified user once, ``USERS`` at a time.

    Args:
        connection: with the views of the lake version.
        qualified: ``user_code``.
        as_of: the instant at which profiles are read.
        consent_at: the instant at which consent is read: whoever unsubscribed since ``as_of`` has.
        catalogue: of the same lake version.
        identities: mParticle identity to profile attribute.
        consent: which flags say that a user may be written to; an absent required flag counts as false.
        holds: the groups that hold users out, the first first.
        never: ids of users whom no group holds out.
        cap_salt: decides who comes first.
        rendering: of the campaign's values, on this connection.
        lint: SQL over ``p``, the rendered values and ``joins`` that names the broken rule, or NULL.
        profiles: SQL of one row a user as of ``$as_of``.
        messages: of the runs before, which frequency caps count.
        joins: what else ``lint`` reads; may bind ``as_of``, ``first`` and ``last``.
        report: told how many user codes are done, and the last of them.

    Returns:
        One row a user, in the order of ``user_code``, with the columns of ``SCHEMA``; ``duplicate`` as
        in ``campaigns.duplicates``, and ``astride`` where the other side has an identity of the user's.
    """
    values = identities_sql(identities, catalogue)
    shared = [n for n, attribute in enumerate(identities.values()) if attribute != "user_id"]
    digests = {f"digest_{n}": duplicates.digest(f"identity_{n}") for n in shared}
    everyone, others = bool(holds and shared), ""
    if messages.any:
        messages.tally(connection)
        others = " OR user_code IN (SELECT user_code FROM messaged)" if shared else ""
    parameters = {"cap_salt": cap_salt, **control.held_by_parameters(holds, never)}
    flags, newer = "p", ""
    if consent_at > as_of and _changed_since(connection, as_of):
        flags, newer = "c", f"JOIN ({profiles_at('$consent_at')}) c USING (user_code)"
        parameters["consent_at"] = consent_at
    unsubscribed = _flag(flags, consent.unsubscribed, catalogue) if consent.unsubscribed else "false"
    granted = " AND ".join(_flag(flags, name, catalogue) for name in consent.required) or "true"
    sql = f"""
SELECT user_code, qualified, held_by, {control.cap_key_sql()} AS cap_key,
  {" OR ".join(f"identity_{n} IS NOT NULL" for n in range(len(values))) or "false"} AS reachable,
  unsubscribed, consent_missing, render, lint{"".join(f", {sql} AS {name}" for name, sql in digests.items())}
FROM (
  SELECT u.user_code, u.user_id, q.user_code IS NOT NULL AS qualified, {control.held_by_sql(holds, never=bool(never))} AS held_by,
    {"".join(f"{value} AS identity_{n}, " for n, value in enumerate(values.values()))}
    {unsubscribed} AS unsubscribed, NOT ({granted}) AS consent_missing,
    ({rendering.reason})::VARCHAR AS render, ({lint})::VARCHAR AS lint
  FROM users u JOIN ({profiles}) p USING (user_code) {newer} LEFT JOIN qualified q USING (user_code)
  {rendering.joins} {joins}
  WHERE u.user_code BETWEEN $first AND $last
)
WHERE qualified{" OR held_by IS NOT NULL" if everyone else ""}{others}"""
    parameters |= rendering.bound(sql)
    if "$as_of" in sql:
        parameters["as_of"] = as_of
    connection.register("qualified", qualified)
    into = "CREATE TEMP TABLE known AS"
    parts = list(_ranges(connection, everyone=everyone, messaged=bool(others)))
    end = parts[-1][1]
    for first, last in parts:
        rendering.render("qualified", first, last)
        engine.execute(connection, f"{into} {sql}", {**parameters, "first": first, "last": last})
        into = "INSERT INTO known"
        report(min(last, end), end)
    doubled = engine.frame(connection, duplicates.duplicates_sql("known", list(digests)))
    too_often = None
    if messages.any:
        too_often = messages.too_often(connection, "known", list(digests))
    found = _stored(connection)
    engine.execute(connection, "DROP TABLE known")
    connection.unregister("qualified")
    return _marked(found, doubled, too_often)


def _stored(connection: engine.Connection) -> pl.DataFrame:
    """Return what is known of the qualified, ascending; a text that nobody has takes no memory."""
    ((*users,),) = engine.rows(
        connection, f"SELECT {', '.join(f'count({name})' for name in TEXTS)} FROM known"
    )
    absent = {name for name, count in zip(TEXTS, users, strict=True) if not count}
    stored = [name for name in SCHEMA if name not in {"duplicate", "astride", "too_often", *absent}]
    sql = f"SELECT {', '.join(stored)} FROM known WHERE qualified ORDER BY user_code"
    return engine.frame(connection, sql).with_columns(pl.lit(None, pl.String).alias(name) for name in absent)


def _marked(found: pl.DataFrame, doubled: pl.DataFrame, too_often: pl.DataFrame | None) -> pl.DataFrame:
    """Add whom another step has found."""
    found = found.with_columns(
        duplicate=pl.col("user_code").is_in(doubled["user_code"].implode()),
        astride=pl.col("user_code").is_in(doubled.filter("astride")["user_code"].implode()),
    )
    if too_often is None:
        found = found.with_columns(too_often=pl.lit(None, pl.String))
    else:
        reasons = too_often.rename({"reason": "too_often"})
        found = found.join(reasons, on="user_code", how="left", maintain_order="left")
    return found.select(*SCHEMA).cast(SCHEMA)  # type: ignore[arg-type]


def _ranges(connection: engine.Connection, *, everyone: bool, messaged: bool) -> Iterator[tuple[int, int]]:
    """Yield first and last code of each part of the users: of everyone, or of those who matter; at least one."""
    if everyone:
        ((users,),) = engine.rows(connection, "SELECT max(user_code) + 1 FROM users")
        yield from ((first, first + USERS - 1) for first in range(0, users or 1, USERS))
        return
    sql = "SELECT user_code FROM qualified" + (" UNION SELECT user_code FROM messaged" if messaged else "")
    codes = engine.frame(connection, f"{sql} ORDER BY user_code")["user_code"]
    if codes.is_empty():
        yield 0, 0
    for first in range(0, len(codes), USERS):
        part = codes[first : first + USERS]
        yield part[0], part[-1]


def _changed_since(connection: engine.Connection, instant: datetime) -> bool:
    """Whether any profile has a version that an earlier instant does not know."""
    sql = "SELECT 1 FROM profile_versions WHERE recorded_at > $instant OR valid_from > $instant LIMIT 1"
    return bool(engine.rows(connection, sql, {"instant": instant}))


def _flag(source: str, name: str, catalogue: Catalogue) -> str:
    return f"coalesce({source}.{engine.quote(catalogue.attributes[name].column)}, false)"
