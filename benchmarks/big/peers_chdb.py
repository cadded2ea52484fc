"""S1 to S7 as the fastest SQL by hand: chDB (ClickHouse in the process) over the lake's Parquet files.

chDB is no dependency of the workbench: `pip install chdb` into the environment adds this peer.

A copy in its own MergeTree, sorted by event and time, was measured too: 35 seconds of loading, 17 of merging,
1.9 GB beside the lake's 0.75 and 1.3 GB of memory, and as fast as the files within the noise (S1 65 against
72 ms; S3 and S5 a little slower). So it reads the files, as the other peers do.
"""

from datetime import datetime, timedelta
from pathlib import Path

from reference import AS_OF, SPEND, event_files, month_of, profile_files, since


class ChdbPeer:
    """One session in its default settings and the text of the seven queries."""

    def __init__(self, lake: Path) -> None:
        from chdb import session

        self._lake = lake
        self._months = sorted({month_of(path) for path in event_files(lake)})
        assert profile_files(lake), "the lake has no profiles"
        self._session = session.Session()
        self._queries = {
            "S1": self._s1(), "S2": self._s2(), "S3": self._s3(), "S4": self._s4(), "S5": self._s5(),
            "S6": self._s6(), "S7": self._s7(),
        }  # fmt: skip

    def count(self, name: str) -> int:
        """Count the users of one reference segment."""
        return int(str(self._session.query(self._queries[name], "TSV")))

    def close(self) -> None:
        """Close the session."""
        self._session.close()

    def _s1(self) -> str:
        # Tried: one SELECT a month with the bound on `ts` in the first alone (a tenth slower; so everywhere).
        return f"SELECT count() FROM ({self._often(self._carts(), 3)})"

    def _s2(self) -> str:
        # Tried: country after the aggregate, purchases before it.
        country = self._carts(f"user_code IN ({self._country()})")
        return f"""
SELECT count() FROM ({self._often(country, 3)})
WHERE user_code NOT IN ({self._last(7, "purchase")})"""

    def _s3(self) -> str:
        # Tried: uniqExact (a fifth slower), DISTINCT pairs (a tenth), a join in place of IN (a third).
        spent = f"""
SELECT user_code FROM ({self._last(90, "purchase", "user_code, p_price")})
GROUP BY user_code HAVING sum(p_price) > {SPEND}"""
        viewed = self._last(30, "product_viewed", "user_code, p_product_id", f"user_code IN ({spent})")
        return f"""
SELECT count() FROM (
  SELECT user_code FROM (SELECT user_code FROM ({viewed}) GROUP BY user_code, p_product_id)
  GROUP BY user_code HAVING count() >= 5
)"""

    def _s4(self) -> str:
        # Tried: a union of both, without "undecided" (a third slower).
        paying = f"SELECT user_code FROM {self._profiles()} WHERE p_plan IN ('pro', 'enterprise')"
        gone = f"SELECT user_code FROM {self._events(self._months)} WHERE event = 'App Uninstalled'"
        mailed = self._last(
            14, "email_clicked", where=f"user_code IN ({paying}) AND user_code NOT IN ({gone})"
        )
        searched = self._last(30, "search", where=f"user_code IN ({paying}) AND user_code NOT IN ({mailed})")
        viewed = self._last(180, "page_view", where=f"user_code IN ({self._often(searched, 3)})")
        return f"""
SELECT (SELECT uniqExact(user_code) FROM ({mailed}))
  + (SELECT count() FROM ({self._often(viewed, 20)}))"""

    def _s5(self) -> str:
        # Tried: NOT IN below the aggregate, LEFT ANTI JOIN (the same), the country last.
        viewed = self._last(
            14, "product_viewed", "user_code, p_product_id", f"user_code IN ({self._country()})"
        )
        return f"""
SELECT uniqExact(user_code) FROM (
  SELECT user_code, p_product_id FROM ({viewed})
  GROUP BY user_code, p_product_id HAVING count() >= 2
) WHERE (user_code, p_product_id) NOT IN ({self._last(14, "purchase", "user_code, p_product_id")})"""

    def _s6(self) -> str:
        # Tried: ASOF LEFT JOIN (a tenth slower), only carts of those who bought joined (the same).
        until = f"ts <= {_literal(AS_OF - timedelta(hours=2))}"
        carts = self._last(14, "add_to_cart", "user_code, ts", until)
        return f"""
SELECT uniqExact(user_code) FROM ({carts}) WHERE (user_code, ts) NOT IN (
  SELECT cart.user_code, cart.ts FROM ({carts}) AS cart
  JOIN ({self._last(14, "purchase", "user_code, ts")}) AS bought ON bought.user_code = cart.user_code
  WHERE bought.ts > cart.ts AND bought.ts <= cart.ts + INTERVAL 2 HOUR
)"""

    def _s7(self) -> str:
        # Tried: min(ts) of all purchases (a third slower), GROUP BY in place of uniqExact.
        months = [month for month in self._months if month <= f"{since(30):%Y-%m}"]
        older = f"""
SELECT user_code FROM {self._events(months)} WHERE event = 'purchase' AND ts < {_literal(since(30))}"""
        return f"SELECT uniqExact(user_code) FROM ({self._last(30, 'purchase')}) WHERE user_code NOT IN ({older})"

    def _carts(self, where: str = "1") -> str:
        return self._last(30, "add_to_cart", where=f"p_price > 100 AND {where}")

    def _country(self) -> str:
        return f"SELECT user_code FROM {self._profiles()} WHERE p_country = 'US'"

    def _often(self, rows: str, times: int) -> str:
        return f"SELECT user_code FROM ({rows}) GROUP BY user_code HAVING count() >= {times}"

    def _last(self, days: int, event: str, columns: str = "user_code", where: str = "1") -> str:
        months = [month for month in self._months if month >= f"{since(days):%Y-%m}"]
        return (
            f"SELECT {columns} FROM {self._events(months)} "
            f"WHERE event = '{event}' AND ts >= {_literal(since(days))} AND {where}"
        )

    def _events(self, months: list[str]) -> str:
        return f"file('{self._lake}/events/month={{{','.join(months)}}}/*.parquet', Parquet)"

    def _profiles(self) -> str:
        return f"file('{self._lake}/profiles/*.parquet', Parquet)"


def open_peer(lake: Path) -> ChdbPeer:
    """Open chDB over the files of a lake.

    Raises:
        ImportError: chDB is not installed.
    """
    return ChdbPeer(lake)


def _literal(instant: datetime) -> str:
    return f"toDateTime64('{instant:%Y-%m-%d %H:%M:%S}', 6, 'UTC')"
