"""S1 to S7 as the fastest Polars by hand: lazy, in the streaming engine, over the lake's Parquet files.

The shapes are those of `peers_duckdb.py` where Polars likes them too: months are chosen by their files, the
bound on `ts` is in the first month alone, and small sets are joined below the aggregate. A query is built
anew each time it is asked, as an analyst's cell would; that takes less than a millisecond.
"""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import polars as pl
from polars import col
from reference import AS_OF, SPEND, event_files, month_of, profile_files, since


class PolarsPeer:
    """The files, and the seven queries over them."""

    def __init__(self, lake: Path) -> None:
        self._files = event_files(lake)
        self._profiles = profile_files(lake)
        self._queries: dict[str, Callable[[], pl.LazyFrame]] = {
            "S1": self._s1, "S2": self._s2, "S3": self._s3, "S4": self._s4, "S5": self._s5,
            "S6": self._s6, "S7": self._s7,
        }  # fmt: skip

    def count(self, name: str) -> int:
        """Count the users of one reference segment."""
        return int(self._queries[name]().collect(engine="streaming").item())

    def close(self) -> None:
        """Nothing is open between two questions."""

    def _s1(self) -> pl.LazyFrame:
        # Tried: one scan with the bound on `ts` in both months (the same), value_counts in place of group_by.
        return _often(self._carts(), 3).select(pl.len())

    def _s2(self) -> pl.LazyFrame:
        # Tried: country after the aggregate, a semi-join in place of the inner join.
        often = _often(self._carts().join(self._country(), on="user_code"), 3)
        return often.join(self._last(7, "purchase"), on="user_code", how="anti").select(pl.len())

    def _s3(self) -> pl.LazyFrame:
        # Tried: unique pairs and their number (the same), the sum after the count (five times as slow).
        spent = (
            self._last(90, "purchase", "p_price")
            .group_by("user_code")
            .agg(col("p_price").sum())
            .filter(col("p_price") > SPEND)
            .select("user_code")
        )
        return (
            self._last(30, "product_viewed", "p_product_id")
            .join(spent, on="user_code")
            .group_by("user_code")
            .agg(col("p_product_id").n_unique())
            .filter(col("p_product_id") >= 5)
            .select(pl.len())
        )

    def _s4(self) -> pl.LazyFrame:
        # Tried: semi-joins (a third slower), page views of those whom the mail left undecided (the same: the
        # anti-join waits for the mail), two queries one after the other (half as fast).
        paying = (
            self._scan(self._profiles).filter(col("p_plan").is_in(["pro", "enterprise"])).select("user_code")
        )
        gone = self._scan(self._files).filter(col("event") == "App Uninstalled").select("user_code")
        mailed = (
            self._last(14, "email_clicked")
            .join(paying, on="user_code")
            .unique()
            .join(gone, on="user_code", how="anti")
        )
        searching = _often(self._last(30, "search").join(paying, on="user_code"), 3)
        viewing = _often(self._last(180, "page_view").join(searching, on="user_code"), 20)
        return pl.concat([mailed, viewing]).unique().select(pl.len())

    def _s5(self) -> pl.LazyFrame:
        # Tried: an inner join with the country (a little slower here), the country last (twice as slow).
        pair = ["user_code", "p_product_id"]
        return (
            self._last(14, "product_viewed", "p_product_id")
            .join(self._country(), on="user_code", how="semi")
            .group_by(pair)
            .len()
            .filter(col("len") >= 2)
            .join(self._last(14, "purchase", "p_product_id"), on=pair, how="anti")
            .select(col("user_code").n_unique())
        )

    def _s6(self) -> pl.LazyFrame:
        # Tried: join_asof (a third slower), users without any purchase apart (twice as slow).
        within = timedelta(hours=2)
        carts = self._last(14, "add_to_cart", "ts", where=col("ts") <= AS_OF - within)
        bought = self._last(14, "purchase", "ts").rename({"ts": "bought"})
        followed = carts.join(bought, on="user_code").filter(
            col("bought") > col("ts"), col("bought") - within <= col("ts")
        )
        alone = carts.join(followed, on=["user_code", "ts"], how="anti")
        return alone.select(col("user_code").n_unique())

    def _s7(self) -> pl.LazyFrame:
        # Tried: min(ts) of all purchases (a third slower).
        month = f"{since(30):%Y-%m}"
        parts = [
            self._scan([path]).filter(col("event") == "purchase")
            for path in self._files
            if month_of(path) < month
        ]
        parts += [
            self._scan([path]).filter(col("event") == "purchase", col("ts") < since(30))
            for path in self._files
            if month_of(path) == month
        ]
        older = pl.concat([part.select("user_code") for part in parts])
        return self._last(30, "purchase").unique().join(older, on="user_code", how="anti").select(pl.len())

    def _carts(self) -> pl.LazyFrame:
        return self._last(30, "add_to_cart", where=col("p_price") > 100)

    def _country(self) -> pl.LazyFrame:
        return self._scan(self._profiles).filter(col("p_country") == "US").select("user_code")

    def _last(self, days: int, event: str, *columns: str, where: pl.Expr | None = None) -> pl.LazyFrame:
        """Select the events of the last days; months that lie inside as a whole need no bound on `ts`."""
        month = f"{since(days):%Y-%m}"
        first = [path for path in self._files if month_of(path) == month]
        later = [path for path in self._files if month_of(path) > month]
        named = [col("event") == event, *([] if where is None else [where])]
        parts = []
        if first:
            parts.append(self._scan(first).filter(*named, col("ts") >= since(days)))
        if later:
            parts.append(self._scan(later).filter(*named))
        return pl.concat([part.select("user_code", *columns) for part in parts])

    def _scan(self, files: list[str]) -> pl.LazyFrame:
        return pl.scan_parquet(files, hive_partitioning=False)


def open_peer(lake: Path) -> PolarsPeer:
    """Open Polars over the files of a lake."""
    return PolarsPeer(lake)


def _often(rows: pl.LazyFrame, times: int) -> pl.LazyFrame:
    return rows.group_by("user_code").len().filter(col("len") >= times).select("user_code")
