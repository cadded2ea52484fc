"""The first pass: any file becomes a view ``raw`` of lines and columns, with what its types look like."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from workbench.errors import IngestError
from workbench.settings import PropertyType, Source
from workbench.store import engine
from workbench.store.ingest import readers, types
from workbench.store.ingest.files import InputFile
from workbench.store.ingest.rejects import Rejects

LINE, FILE = "__line", "__file"


@dataclass(slots=True, kw_only=True)
class Staged:
    """The raw rows of all files of one ingest.

    Attributes:
        native: the SQL type of each raw column.
        evidence: what the values of each text column look like.
        rows: how many rows could be read, the rejected ones included.
    """

    native: dict[str, str]
    evidence: dict[str, types.Evidence]
    rows: int

    def type_of(self, column: str) -> PropertyType | None:
        """Return the recognised type of a column, None where a person must say."""
        if column in self.evidence:
            return self.evidence[column].decide()
        return types.of_native(self.native[column])


@dataclass(slots=True)
class _Progress:
    evidence: dict[str, types.Evidence] = field(default_factory=dict)
    rows: int = 0


def stage(
    files: tuple[InputFile, ...],
    source: Source,
    *,
    connection: engine.Connection,
    folder: Path,
    rejects: Rejects,
    report: Callable[[int], None],
) -> Staged:
    """Read every file once and create the view ``raw`` on ``connection``.

    Args:
        files: to read, in order; ``__file`` is the position in this tuple.
        source: how they are written.
        connection: where the view is made.
        folder: for the staged text, deleted by the caller.
        rejects: takes the rows that cannot be read.
        report: called with the bytes read since the last call.

    Raises:
        IngestError: a file that cannot be read at all, or files whose columns do not fit together.
    """
    seen = _Progress()
    views: list[str] = []
    for position, file in enumerate(files):
        if file.format == "parquet":
            views.append(_parquet(connection, file, position, seen))
            report(file.path.stat().st_size)
        else:
            views += _text(file, position, source, folder, rejects, seen, report)
    selects = " UNION ALL BY NAME ".join(views)
    try:
        engine.execute(connection, f"CREATE VIEW raw AS {selects}")
        described = engine.rows(connection, "DESCRIBE raw")
    except engine.BinderError as error:
        raise IngestError(f"the files' columns do not fit together: {error}") from error
    native = {str(name): str(kind) for name, kind, *_ in described if name not in {LINE, FILE}}
    for name in seen.evidence.keys() & native.keys():
        if native[name] != "VARCHAR":
            del seen.evidence[name]
    if not seen.rows:
        raise IngestError("the files hold no readable row")
    return Staged(native=native, evidence=seen.evidence, rows=seen.rows)


def _parquet(connection: engine.Connection, file: InputFile, position: int, seen: _Progress) -> str:
    path = engine.literal(str(file.path))
    try:
        ((count,),) = engine.rows(connection, f"SELECT count(*) FROM read_parquet({path})")
    except Exception as error:
        raise IngestError(f'"{file.path.name}" is not a readable Parquet file') from error
    seen.rows += int(count)
    return (
        f"SELECT * EXCLUDE (file_row_number), (file_row_number + 1)::BIGINT AS {LINE}, "
        f"{position}::INTEGER AS {FILE} "
        f"FROM read_parquet({path}, file_row_number = true, hive_partitioning = false)"
    )


def _text(
    file: InputFile,
    position: int,
    source: Source,
    folder: Path,
    rejects: Rejects,
    seen: _Progress,
    report: Callable[[int], None],
) -> Iterator[str]:
    if file.format == "csv":
        chunks = readers.read_delimited(file, source.sep)
    else:
        chunks = readers.read_ndjson(file, source.properties)
    before = 0
    for written, chunk in enumerate(chunks):
        for reject in chunk.rejects:
            rejects.add(file.path.name, reject)
        frame = pl.DataFrame(
            {**chunk.columns, LINE: chunk.lines},
            schema={**dict.fromkeys(chunk.columns, pl.String), LINE: pl.Int64},
        ).with_columns(pl.lit(position, dtype=pl.Int32).alias(FILE))
        for name in chunk.columns:
            evidence = seen.evidence.setdefault(name, types.Evidence())
            evidence.add(frame[name], chunk.kinds.get(name, set()))
        frame.write_parquet(folder / f"{position:06d}-{written:06d}.parquet", compression="lz4")
        seen.rows += frame.height + len(chunk.rejects)
        report(chunk.bytes - before)
        before = chunk.bytes
    pattern = engine.literal(str(folder / f"{position:06d}-*.parquet"))
    yield f"SELECT * FROM read_parquet({pattern}, union_by_name = true)"
