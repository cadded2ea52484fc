"""The audience snapshot: one row a qualified user, whatever their number."""

import os
import subprocess
import sys
from pathlib import Path

import polars as pl
from accounts import NOW
from export.encoding import part

from workbench.campaigns.verdicts import SCHEMA
from workbench.export import frozen, snapshot
from workbench.store import engine


def written(directory: Path, users: int) -> pl.DataFrame:
    """Freeze ``users`` users, in falling order, of whom every third is sent to, and read the audience."""
    connection = engine.connect()
    engine.execute(
        connection,
        f"CREATE VIEW users AS SELECT range::UINTEGER AS user_code, 'u' || range AS user_id FROM range({users})",
    )
    codes = pl.DataFrame({"user_code": range(users)}, schema={"user_code": pl.UInt32})
    sent = pl.col("user_code") % 3 == 0
    verdicts = codes.select(
        "user_code",
        arm=pl.lit("target"),
        held_by=pl.lit(None, dtype=pl.String),
        verdict=pl.when(sent).then(pl.lit("send")).otherwise(pl.lit("not sent")),
        reason=pl.when(~sent).then(pl.lit("unsubscribed")),
        send_at=pl.lit(NOW),
    ).cast(SCHEMA)  # type: ignore[arg-type]
    batches = codes.filter(sent).with_columns(
        source_request_id=pl.format("request-{}", "user_code"), body=pl.lit("{}")
    )
    found = frozen.freeze(directory, "run", verdicts.reverse(), [part(batches)], connection)
    connection.close()
    assert [path.name for path in sorted((directory / found.folder).iterdir())] == [
        frozen.AUDIENCE, frozen.BODIES,
    ]  # fmt: skip
    return pl.read_parquet(directory / found.folder / frozen.AUDIENCE)


def test_an_audience_of_several_parts_is_one_file_in_the_order_of_the_codes(tmp_path: Path) -> None:
    """Two full parts and one user: every user once, with id, verdict and, where sent to, the request."""
    users = 2 * snapshot.USERS + 1
    audience = written(tmp_path, users)
    assert audience["user_code"].to_list() == list(range(users))
    assert audience["user_id"].to_list() == [f"u{code}" for code in range(users)]
    assert audience["source_request_id"].to_list() == [
        None if code % 3 else f"request-{code}" for code in range(users)
    ]
    assert audience["request"].is_null().to_list() == [code % 3 > 0 for code in range(users)]


def test_an_audience_of_nobody_is_a_file_without_rows(tmp_path: Path) -> None:
    """The columns are those of any audience."""
    nobody = written(tmp_path / "nobody", 0)
    assert nobody.is_empty()
    assert nobody.schema == written(tmp_path / "one", 1).schema


def test_freezing_does_without_pandas(tmp_path: Path) -> None:
    """Some calls of Arrow import it, which takes longer than freezing a hundred thousand users."""
    code = (
        "import sys; from pathlib import Path; from export.test_frozen import written; "
        f"before = set(sys.modules); written(Path({str(tmp_path)!r}), 9); print('pandas' in set(sys.modules) - before)"
    )
    tests = Path(__file__).parents[1]
    environment = {**os.environ, "PYTHONPATH": f"{tests}{os.pathsep}{tests.parent}"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, check=True, stdout=subprocess.PIPE, text=True
    )
    assert done.stdout == "False\n"
