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
        columns: the column of ``raw`` for each name; SQL folds case, the files' names keep theirs.
        native: the SQL type of each named column.
        evidence: what the values of each text column look like.
        rows: how many rows there are, those that could not be read included.
    """

    columns: dict[str, str]
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
    columns: dict[str, str] = field(default_factory=dict)
    native: dict[str, str] = field(default_factory=dict)
    evidence: dict[str, types.Evidence] = field(default_factory=dict)
    rows: int = 0
    readable: int = 0

    def column(self, name: str, native: str, file: InputFile) -> str:
        """Return the column of ``raw`` for a name; its type must be alike in all files."""
        before = self.native.setdefault(name, native)
        if types.of_native(before) != types.of_native(native):
            raise IngestError(
                f'"{file.path.name}": "{name}" is a {native}, in a file before it a {before}; '
                "ingest them one by one"
            )
        return self.columns.setdefault(name, f"c{len(self.columns) + 1}")


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
        described = {str(column): str(kind) for column, kind, *_ in engine.rows(connection, "DESCRIBE raw")}
    except engine.BinderError as error:
        raise IngestError(f"the files' columns do not fit together: {error}") from error
    if not seen.readable:
        bad = f": {rejects.told()}" if rejects.count else ""
        raise IngestError(f"the files hold no readable row{bad}")
    native = {name: described[column] for name, column in seen.columns.items()}
    return Staged(columns=seen.columns, native=native, evidence=seen.evidence, rows=seen.rows)


def _parquet(connection: engine.Connection, file: InputFile, position: int, seen: _Progress) -> str:
    path = engine.files(file.path)
    try:
        ((count,),) = engine.rows(connection, f"SELECT count(*) FROM read_parquet({path})")
        described = engine.rows(connection, f"DESCRIBE SELECT * FROM read_parquet({path})")
        names = list(pl.read_parquet_schema(file.path))
    except Exception as error:
        raise IngestError(f'"{file.path.name}" is not a readable Parquet file') from error
    seen.rows += int(count)
    seen.readable += int(count)
    columns = [
        f"{engine.quote(found)} AS {seen.column(name, str(native), file)}"
        for name, (found, native, *_) in zip(names, described, strict=True)
    ]
    return (
        f"SELECT {', '.join(columns)}, (file_row_number + 1)::BIGINT AS {LINE}, "
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
        columns = {name: seen.column(name, "VARCHAR", file) for name in chunk.columns}
        frame = pl.DataFrame(
            {**{columns[name]: texts for name, texts in chunk.columns.items()}, LINE: chunk.lines},
            schema={**dict.fromkeys(columns.values(), pl.String), LINE: pl.Int64},
        ).with_columns(pl.lit(position, dtype=pl.Int32).alias(FILE))
        for name, column in columns.items():
            evidence = seen.evidence.setdefault(name, types.Evidence())
            evidence.add(frame[column], chunk.kinds.get(name, set()))
        frame.write_parquet(folder / f"{position:06d}-{written:06d}.parquet", compression="lz4")
        seen.rows += frame.height + len(chunk.rejects)
        seen.readable += frame.height
        report(chunk.bytes - before)
        before = chunk.bytes
    pattern = engine.files(folder, f"{position:06d}-*.parquet")
    yield f"SELECT * FROM read_parquet({pattern}, union_by_name = true)"
