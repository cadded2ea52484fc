"""What the verdicts need to know of each qualified user: hashes and flags, never an attribute."""

from collections.abc import Mapping
from datetime import datetime

import polars as pl

from workbench.campaigns import control
from workbench.settings import Consent
from workbench.store import engine
from workbench.store.catalogue import Catalogue
from workbench.store.lake import profiles_at

SCHEMA = {
    "user_code": pl.UInt32, "is_control": pl.Boolean, "cap_key": pl.String, "duplicate": pl.Boolean,
    "reachable": pl.Boolean, "unsubscribed": pl.Boolean, "consent_missing": pl.Boolean, "lint": pl.String,
}  # fmt: skip


BLANKS = " \t\n\r\v\f\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u200b\u2028\u2029\u202f\u205f\u3000\ufeff"
_KEY = f"left(md5($control_salt || ':' || u.user_id), {control.CONTROL_DIGITS})"


def usable(column: str) -> str:
    """Return SQL for an identity as it may be sent: trimmed, NULL when empty or a spelt-out nothing."""
    trimmed = f"trim({column}, {engine.literal(BLANKS)})"
    return f"CASE WHEN lower({trimmed}) NOT IN ('', 'nan', 'null', 'none') THEN {trimmed} END"


def identities_sql(identities: Mapping[str, str], catalogue: Catalogue) -> dict[str, str]:
    """Return for each mParticle identity the SQL over ``p`` (profiles) and ``u`` (users)."""
    found = {}
    for name, attribute in identities.items():
        column = catalogue.attributes[attribute].column
        source = "u.user_id" if column == "user_id" else f"p.{engine.quote(column)}::VARCHAR"
        found[name] = usable(source)
    return found


def candidates(
    connection: engine.Connection,
    qualified: pl.DataFrame,
    *,
    as_of: datetime,
    consent_at: datetime,
    catalogue: Catalogue,
    identities: Mapping[str, str],
    consent: Consent,
    control_salt: str,
    control_share: float | None,
    cap_salt: str,
    lint: str,
) -> pl.DataFrame:
    """Look up each qualified user once.

    Args:
        connection: with the views of the lake version.
        qualified: ``user_code``.
        as_of: the instant at which profiles are read.
        consent_at: the instant at which consent is read: whoever unsubscribed since ``as_of`` has.
        catalogue: of the same lake version.
        identities: mParticle identity to profile attribute.
        consent: which flags say that a user may be written to; an absent required flag counts as false.
        control_salt: decides who is held out.
        control_share: of the qualified users; None for nobody.
        cap_salt: decides who comes first.
        lint: SQL over ``p`` that names the broken rule, or NULL.

    Returns:
        One row a user, in the order of ``user_code``, with the columns of ``SCHEMA``.
        ``duplicate``: shares an identity with others and is not the one kept. Of a group on one side
        the first by cap order is kept; of a group on both sides nobody. A target user who shares an
        identity with any held-out profile, qualified or not, is a duplicate too, so that no held-out
        person is written to through a second profile.
    """
    values = identities_sql(identities, catalogue)
    shared = [name for name, attribute in identities.items() if attribute != "user_id"]
    names = {name: f"identity_{n}" for n, name in enumerate(values)}
    columns = ", ".join(f"{sql} AS {names[name]}" for name, sql in values.items())
    has_any = " OR ".join(f"{name} IS NOT NULL" for name in names.values()) or "false"
    groups = " OR ".join(f"coalesce(d_{names[name]}, false)" for name in shared) or "false"
    doubles = "".join(f", {_double(names[name])} AS d_{names[name]}" for name in shared)
    held = "".join(
        f"held_{names[name]} AS (SELECT DISTINCT lower({values[name]}) AS identity FROM p JOIN users u "
        f"USING (user_code) WHERE {_KEY} < $threshold AND {values[name]} IS NOT NULL),\n"
        for name in shared
    )
    unsubscribed = _flag(consent.unsubscribed, catalogue) if consent.unsubscribed else "false"
    granted = " AND ".join(_flag(name, catalogue) for name in consent.required) or "true"
    sql = f"""
WITH p AS NOT MATERIALIZED ({profiles_at()}),
c AS NOT MATERIALIZED ({profiles_at("$consent_at")}),
{held}known AS (
  SELECT q.user_code, {columns or "NULL AS none"},
    {_KEY} < $threshold AS is_control,
    left(md5($cap_salt || ':' || u.user_id), {control.CAP_DIGITS}) AS cap_key,
    {unsubscribed} AS unsubscribed, NOT ({granted}) AS consent_missing, {lint} AS lint
  FROM qualified q JOIN users u USING (user_code) JOIN p USING (user_code)
    JOIN c USING (user_code)
),
grouped AS (SELECT *{doubles} FROM known)
SELECT user_code, is_control, cap_key, {groups} AS duplicate, {has_any} AS reachable,
  unsubscribed, consent_missing, lint::VARCHAR AS lint
FROM grouped"""
    connection.register("qualified", qualified)
    parameters = {
        "as_of": as_of,
        "consent_at": consent_at,
        "control_salt": control_salt,
        "cap_salt": cap_salt,
        "threshold": control.threshold(control_share) if control_share else "",
    }
    found = engine.frame(connection, sql, parameters).sort("user_code")
    connection.unregister("qualified")
    return found.cast(SCHEMA)  # type: ignore[arg-type]


def _double(name: str) -> str:
    """Return SQL that is true for a user who shares ``name`` and is not the one kept."""
    group = f"PARTITION BY lower({name})"
    return (
        f"{name} IS NOT NULL AND (NOT is_control AND lower({name}) IN (SELECT identity FROM held_{name}) "
        f"OR count(*) OVER ({group}) > 1 AND ("
        f"bool_or(is_control) OVER ({group}) AND NOT bool_and(is_control) OVER ({group}) "
        f"OR row_number() OVER ({group} ORDER BY cap_key, user_code) > 1))"
    )


def _flag(name: str, catalogue: Catalogue) -> str:
    return f"coalesce(c.{engine.quote(catalogue.attributes[name].column)}, false)"
