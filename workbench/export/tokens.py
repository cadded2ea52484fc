"""Push tokens: which devices of a user get a batch of their own.

A token is the address of one installed app, so it goes with one user: the one whose device was seen last.
Where nobody can say who that is, it goes with nobody. The question is asked of everyone who has a device,
so that the token of somebody who is held out, unsubscribed or outside the segment is sent by nobody else.
"""

from datetime import datetime

from workbench.campaigns.candidates import usable
from workbench.store import engine
from workbench.store.catalogue import Catalogue
from workbench.store.held import devices_at

PLATFORMS = {
    "iOS": ("ios", "iphone", "iphone os", "ipad", "ipados"), "Android": ("android",), "web": ("web",),
}  # fmt: skip


def prepare(connection: engine.Connection, catalogue: Catalogue, as_of: datetime) -> None:
    """Write down which tokens of which users are another's, for ``devices_sql`` on this connection.

    Raises:
        StoreError: the lake cannot be read.
    """
    sql = f"""
CREATE OR REPLACE TEMP TABLE foreign_tokens AS
WITH held AS MATERIALIZED (SELECT user_code, md5_number(push_token) AS token, seen FROM ({_held(catalogue)})),
twice AS (SELECT token FROM held GROUP BY token HAVING min(user_code) <> max(user_code)),
shared AS (SELECT token, user_code, max(seen) AS seen FROM held SEMI JOIN twice USING (token) GROUP BY ALL)
SELECT user_code, token FROM shared
QUALIFY seen < max(seen) OVER (PARTITION BY token) OR count(*) OVER (PARTITION BY token, seen) > 1"""
    engine.execute(connection, sql, {"as_of": as_of})


def devices_sql(catalogue: Catalogue) -> str:
    """Return the query for the devices that get a batch: ``user_code, device_id, push_token, platform, place``.

    It needs ``prepare``, and binds ``as_of``, ``first`` and ``last`` (user codes). Each token of a user is
    there once, with the device seen last; ``place`` counts a user's devices from 1, the last seen first.
    """
    held = _held(catalogue, "AND user_code BETWEEN $first AND $last")
    order = "ORDER BY seen DESC, device_id"
    return f"""
SELECT user_code, device_id, push_token, platform,
  row_number() OVER (PARTITION BY user_code {order}) AS place
FROM (
  SELECT * FROM (SELECT *, md5_number(push_token) AS token FROM ({held})) ANTI JOIN foreign_tokens USING (user_code, token)
  QUALIFY row_number() OVER (PARTITION BY user_code, push_token {order}) = 1
)"""


def _held(catalogue: Catalogue, where: str = "") -> str:
    """Return the query for every device with a usable token, whosever that is."""
    columns = {name: engine.quote(item.column) for name, item in catalogue.devices.items()}
    last_seen = columns["last_seen"]
    if catalogue.devices["last_seen"].type not in {"instant", "date"}:
        last_seen = "NULL"
    never = "'-infinity'::TIMESTAMPTZ"
    seen = (
        f"row(coalesce({last_seen}::TIMESTAMPTZ, {never}), coalesce(valid_from, recorded_at, {never}), "
        f"coalesce(recorded_at, {never}))"
    )
    platform = f"coalesce({_platform(columns['platform'])}, {_platform(columns['os'])})"
    token = usable(f"{columns['push_token']}::VARCHAR")
    return (
        f"SELECT * FROM (SELECT user_code, device_id, {token} AS push_token, {seen} AS seen, "
        f"{platform} AS platform FROM ({devices_at()})) WHERE push_token IS NOT NULL {where}"
    )


def _platform(column: str) -> str:
    """Return SQL for mParticle's name of a platform; NULL for any other."""
    spelt = f"lower(trim({column}::VARCHAR, {engine.literal(engine.BLANKS)}))"
    cases = [
        f"WHEN {spelt} IN ({', '.join(map(engine.literal, names))}) THEN {engine.literal(platform)}"
        for platform, names in PLATFORMS.items()
    ]
    return f"CASE {' '.join(cases)} END"
