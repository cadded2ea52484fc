"""What the verdicts need to know of each qualified user: hashes and flags, never an attribute.

Every user is looked at once, a part of them at a time, and what is kept of one are a few bytes: a plan is to fit
where its users do not. Who seems to share an identity is looked at a second time, and closer.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import polars as pl

from workbench.campaigns import control, duplicates
from workbench.campaigns.content.rendering import Rendering
from workbench.campaigns.frequency import Counted
from workbench.campaigns.verdicts import CAMPAIGN_FREQUENCY, GLOBAL_FREQUENCY, TEXT
from workbench.settings import Consent
from workbench.store import engine
from workbench.store.catalogue import Catalogue
from workbench.store.held import profiles_at

SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "user_code": pl.UInt32, "held_by": TEXT, "cap_key": pl.UInt64, "duplicate": pl.Boolean,
    "astride": pl.Boolean, "reachable": pl.Boolean, "unsubscribed": pl.Boolean, "consent_missing": pl.Boolean,
    "too_often": TEXT, "render": TEXT, "lint": TEXT,
}  # fmt: skip
TEXTS = ("held_by", "render", "lint")
FLAGS = ("reachable", "unsubscribed", "consent_missing")
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
    values = {f"identity_{n}": sql for n, sql in enumerate(identities_sql(identities, catalogue).values())}
    shared = [f"identity_{n}" for n, name in enumerate(identities.values()) if name != "user_id"]
    everyone = bool((holds or messages.any) and shared)
    flags, newer = "p", ""
    if consent_at > as_of and _changed_since(connection, as_of):
        flags, newer = "c", f"JOIN ({profiles_at('$consent_at')}) c USING (user_code)"
    unsubscribed = _flag(flags, consent.unsubscribed, catalogue) if consent.unsubscribed else "false"
    granted = " AND ".join(_flag(flags, name, catalogue) for name in consent.required) or "true"
    others = " OR held_by IS NOT NULL" if holds and shared else ""
    others += " OR user_code IN (SELECT user_code FROM messaged)" if messages.any and shared else ""
    known = f"user_code, qualified, held_by, {control.cap_key_sql()} AS cap_key"
    user = f"""u.user_code, u.user_id, q.user_code IS NOT NULL AS qualified,
    {control.held_by_sql(holds, never=bool(never))} AS held_by{"".join(f", {sql} AS {name}" for name, sql in values.items())}"""
    users = f"FROM users u JOIN ({profiles}) p USING (user_code) LEFT JOIN qualified q USING (user_code)"
    look = f"""
SELECT {known}, {" OR ".join(f"{name} IS NOT NULL" for name in values) or "false"} AS reachable,
  unsubscribed, consent_missing, render, lint{"".join(f", {duplicates.mark(name)} AS {name}" for name in shared)}
FROM (
  SELECT {user}, {unsubscribed} AS unsubscribed, NOT ({granted}) AS consent_missing,
    ({rendering.reason})::VARCHAR AS render, ({lint})::VARCHAR AS lint
  {users} {newer} {rendering.joins} {joins}
  WHERE u.user_code BETWEEN $first AND $last
)
WHERE qualified{others}"""
    closer = f"""
SELECT {known}{"".join(f", {duplicates.digest(name)} AS {name}" for name in shared)}
FROM (SELECT {user} {users} SEMI JOIN suspects USING (user_code) WHERE u.user_code BETWEEN $first AND $last)"""
    instants = {"as_of": as_of, "consent_at": consent_at}
    salts = {"cap_salt": cap_salt, **control.held_by_parameters(holds, never)}
    parts = _Parts(connection, qualified["user_code"], everyone=everyone)
    rows, marks = [], []
    for first, last in parts:
        rendering.render("qualified", first, last)
        if messages.any:
            messages.tally(connection, "users", first, last)
        limits = {"first": first, "last": last, **salts, **rendering.bound(look)}
        found = engine.frame(connection, look, _with(instants, look, limits)).sort("user_code")
        kept = _kept(found if found["qualified"].all() else found.filter("qualified"))
        rows.append(_stopped(kept, messages.of_users(connection)) if messages.any else kept)
        marks.append(found.select("user_code", *shared))
        report(min(last, parts.end), parts.end)
    del found, kept
    suspects = duplicates.suspects(marks, shared)
    del marks
    marked = pl.concat(rows, how="diagonal").with_columns(duplicate=False, astride=False)
    del rows
    if len(suspects):
        _look_closer(connection, parts, suspects, closer, _with(instants, closer, salts))
        doubled = engine.frame(connection, duplicates.duplicates_sql("known", shared))
        marked = marked.with_columns(
            duplicate=pl.col("user_code").is_in(doubled["user_code"].implode()),
            astride=pl.col("user_code").is_in(doubled.filter("astride")["user_code"].implode()),
        )
        if messages.any:
            connection.register("qualified", qualified)
            messages.tally(connection, "known", suspects[0], suspects[-1])
            marked = _stopped(marked, messages.of_addresses(connection, "known", shared))
    connection.unregister("qualified")
    absent = (pl.lit(None, SCHEMA[name]).alias(name) for name in SCHEMA if name not in marked.columns)
    return marked.with_columns(absent).select(*SCHEMA).cast(SCHEMA)  # type: ignore[arg-type]


def _look_closer(
    connection: engine.Connection,
    parts: "_Parts",
    suspects: pl.Series,
    sql: str,
    parameters: Mapping[str, Any],
) -> None:
    """Make the table ``known`` of those who may share an identity; parts without any are passed over."""
    into = "CREATE OR REPLACE TEMP TABLE known AS"
    for first, last in parts:
        within = suspects.filter(suspects.is_between(first, last))
        if len(within):
            connection.register("suspects", within.to_frame())
            engine.execute(connection, f"{into} {sql}", {**parameters, "first": first, "last": last})
            into = "INSERT INTO known"


class _Parts:
    """The users in parts that fit in memory; while one is at hand, the view ``qualified`` has those of it."""

    def __init__(self, connection: engine.Connection, qualified: pl.Series, *, everyone: bool) -> None:
        """Take everyone, or the qualified alone."""
        self._connection = connection
        self._qualified = qualified if qualified.is_sorted() else qualified.sort()
        if everyone:
            ((users,),) = engine.rows(connection, "SELECT max(user_code) + 1 FROM users")
            self._ranges = [(first, first + USERS - 1) for first in range(0, users or 1, USERS)]
        else:
            codes = [self._qualified[n : n + USERS] for n in range(0, len(qualified), USERS)]
            self._ranges = [(part[0], part[-1]) for part in codes] or [(0, 0)]
        self.end = self._ranges[-1][1]

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Yield the first and the last code of each part, at least of one."""
        for first, last in self._ranges:
            begin = self._qualified.search_sorted(first, "left")
            end = self._qualified.search_sorted(last, "right")
            self._connection.register("qualified", self._qualified[begin:end].to_frame())
            yield first, last


def _kept(qualified: pl.DataFrame) -> pl.DataFrame:
    """Return what is kept of the qualified; a text that nobody has takes no memory."""
    texts = [name for name in TEXTS if qualified[name].null_count() < qualified.height]
    return qualified.select("user_code", "cap_key", *FLAGS, pl.col(texts).cast(TEXT))


def _stopped(users: pl.DataFrame, too_often: pl.DataFrame) -> pl.DataFrame:
    """Add whom frequency caps stop; the account's rules come before the campaign's own."""
    if too_often.is_empty():
        return users
    known = pl.col("too_often") if "too_often" in users.columns else pl.lit(None, TEXT)
    found = {
        reason: pl.col("user_code").is_in(too_often.filter(pl.col("reason") == reason)["user_code"].implode())
        for reason in (GLOBAL_FREQUENCY, CAMPAIGN_FREQUENCY)
    }
    return users.with_columns(
        too_often=pl.when(found[GLOBAL_FREQUENCY]).then(pl.lit(GLOBAL_FREQUENCY, TEXT))
        .when(known.is_null() & found[CAMPAIGN_FREQUENCY]).then(pl.lit(CAMPAIGN_FREQUENCY, TEXT))
        .otherwise(known)
    )  # fmt: skip


def _with(instants: Mapping[str, datetime], sql: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Add the instants that a query names."""
    return {**parameters, **{name: instant for name, instant in instants.items() if f"${name}" in sql}}


def _changed_since(connection: engine.Connection, instant: datetime) -> bool:
    """Whether any profile has a version that an earlier instant does not know."""
    sql = "SELECT 1 FROM profile_versions WHERE recorded_at > $instant OR valid_from > $instant LIMIT 1"
    return bool(engine.rows(connection, sql, {"instant": instant}))


def _flag(source: str, name: str, catalogue: Catalogue) -> str:
    return f"coalesce({source}.{engine.quote(catalogue.attributes[name].column)}, false)"
