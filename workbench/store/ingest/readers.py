"""Text files as chunks of named text columns; every row keeps its line number."""

import csv
import gzip
import json
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, Any

from workbench.errors import IngestError
from workbench.store.ingest.files import InputFile

ROWS_PER_CHUNK = 100_000
LONGEST_FIELD = 16_000_000
SEPARATORS = {"whitespace": None, "tab": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reject:
    """One row that could not be read."""

    line: int
    column: str
    reason: str
    value: str = ""


@dataclass(slots=True, kw_only=True)
class Chunk:
    """Consecutive rows of one file.

    Attributes:
        lines: the line on which each row begins.
        columns: for each name the texts of the rows, None where empty.
        kinds: for NDJSON, the JSON kinds seen in each column: text, number (whole), fraction, boolean, list.
        rejects: the rows between them that could not be read.
        bytes: how far into the file this chunk reaches.
    """

    lines: list[int] = field(default_factory=list)
    columns: dict[str, list[str | None]] = field(default_factory=dict)
    kinds: dict[str, set[str]] = field(default_factory=dict)
    rejects: list[Reject] = field(default_factory=list)
    bytes: int = 0


@contextmanager
def _opened(file: InputFile) -> Iterator[tuple[IO[bytes], Callable[[], int]]]:
    try:
        with file.path.open("rb") as raw:
            if file.gzipped:
                with gzip.open(raw, "rb") as inner:
                    yield inner, raw.tell  # type: ignore[misc]
            else:
                yield raw, raw.tell
    except (OSError, EOFError, zlib.error) as error:
        raise IngestError(f'"{file.path.name}" cannot be read: {error}') from error


def _decoded(stream: IO[bytes], broken: set[int]) -> Iterator[str]:
    """Decode line by line and note the lines that are not UTF-8."""
    for number, line in enumerate(stream, 1):
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError:
            broken.add(number)
            yield line.decode("utf-8", errors="surrogateescape")


def _is_utf8(row: list[str]) -> bool:
    try:
        "".join(row).encode()
    except UnicodeEncodeError:
        return False
    return True


def read_delimited(file: InputFile, sep: str | None) -> Iterator[Chunk]:
    """Read CSV, TSV or white-space separated text; quoted fields may hold line breaks.

    Args:
        file: with a header line.
        sep: one character, a name (tab, comma, semicolon, pipe, whitespace), or None to take the
            one that the header uses most.

    Raises:
        IngestError: no header, a doubled or empty column name, or a quote that never closes.
    """
    with _opened(file) as (stream, tell):
        broken: set[int] = set()
        lines = _decoded(stream, broken)
        header_line = next(lines, "")
        if not header_line.strip():
            raise IngestError(f'"{file.path.name}": the first line must name the columns')
        separator = SEPARATORS.get(sep, sep) if sep else _sniff(header_line)
        if separator is not None and len(separator) != 1:
            raise IngestError(f'separator "{sep}": give one character, or one of {", ".join(SEPARATORS)}')
        rows = _rows([header_line], lines, separator, file.path.name)
        header = _header(next(rows)[1], file.path.name)
        chunk = Chunk()
        cells: list[list[str]] = []
        for line, row in rows:
            if not row:
                continue
            if isinstance(row, str):
                chunk.rejects.append(Reject(line=line, column="", reason=row))
                continue
            if len(row) != len(header):
                reason = f"{len(row)} fields, the header has {len(header)}"
                chunk.rejects.append(Reject(line=line, column="", reason=reason))
                continue
            if broken and not _is_utf8(row):
                chunk.rejects.append(Reject(line=line, column="", reason="not UTF-8"))
                continue
            chunk.lines.append(line)
            cells.append(row)
            if len(cells) >= ROWS_PER_CHUNK:
                yield _filled(chunk, header, cells, tell())
                chunk, cells = Chunk(), []
        yield _filled(chunk, header, cells, tell())


def read_ndjson(file: InputFile, properties: str | None) -> Iterator[Chunk]:
    """Read one JSON object a line; nested objects become ``outer.inner`` columns.

    Args:
        file: of JSON lines.
        properties: the key of a nested object whose members stand for themselves (``properties``).
    """
    with _opened(file) as (stream, tell):
        chunk = Chunk()
        for line, raw in enumerate(stream, 1):
            if not raw.strip():
                continue
            flat, fault = _record(raw, line, properties)
            if fault:
                chunk.rejects.append(Reject(line=line, column="", reason=fault))
                continue
            _add_record(chunk, line, flat)
            if len(chunk.lines) >= ROWS_PER_CHUNK:
                chunk.bytes = tell()
                yield chunk
                chunk = Chunk()
        chunk.bytes = tell()
        yield chunk


def _rows(
    head: list[str], lines: Iterator[str], separator: str | None, name: str
) -> Iterator[tuple[int, list[str] | str]]:
    """Give (line number, fields); instead of fields a reason where a row cannot be read."""

    def source() -> Iterator[str]:
        yield from head
        yield from lines

    if separator is None:
        for number, text in enumerate(source(), 1):
            yield number, text.split()
        return
    csv.field_size_limit(LONGEST_FIELD)
    reader = csv.reader(source(), delimiter=separator, strict=True)
    while True:
        start = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if "unexpected end" in str(error) or "field larger" in str(error):
                raise IngestError(f'"{name}", line {start}: a quote opens and never closes') from error
            yield start, f"malformed quoting: {error}"
            continue
        yield start, row


def _filled(chunk: Chunk, header: list[str], cells: list[list[str]], position: int) -> Chunk:
    chunk.bytes = position
    columns: Iterable[tuple[str, ...]] = zip(*cells, strict=True) if cells else ((),) * len(header)
    chunk.columns = {
        name: [value or None for value in values] for name, values in zip(header, columns, strict=True)
    }
    return chunk


def _record(raw: bytes, line: int, properties: str | None) -> tuple[dict[str, Any], str]:
    """Return the values of one JSON line by column, and what is wrong with it or ``""``."""
    try:
        text = raw.decode("utf-8-sig" if line == 1 else "utf-8")
        record = json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_members)
        if "\\u" in text:
            json.dumps(record, ensure_ascii=False).encode()
    except UnicodeError:
        return {}, "not UTF-8"
    except KeyError as error:
        return {}, f'the key "{error.args[0]}" twice'
    except (ValueError, RecursionError):
        return {}, "not a JSON object"
    if not isinstance(record, dict):
        return {}, "not a JSON object"
    flat: dict[str, Any] = {}
    try:
        for key, value in record.items():
            _flatten("" if key == properties and isinstance(value, dict) else key, value, flat)
    except KeyError as error:
        return {}, f'the key "{error.args[0]}" twice'
    return flat, ""


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise KeyError(next(key for n, (key, _) in enumerate(pairs) if key in dict(pairs[:n])))
    return members


def _add_record(chunk: Chunk, line: int, flat: dict[str, Any]) -> None:
    position = len(chunk.lines)
    chunk.lines.append(line)
    for key, value in flat.items():
        text, kind = _text(value)
        column = chunk.columns.get(key)
        if column is None:
            column = chunk.columns[key] = [None] * position
        column.append(text)
        if kind:
            chunk.kinds.setdefault(key, set()).add(kind)
    if len(flat) != len(chunk.columns):
        for column in chunk.columns.values():
            if len(column) == position:
                column.append(None)


def _flatten(key: str, value: Any, flat: dict[str, Any]) -> None:
    if isinstance(value, dict):
        for inner, nested in value.items():
            _flatten(f"{key}.{inner}" if key else inner, nested, flat)
    elif key in flat:
        raise KeyError(key)
    else:
        flat[key] = value


def _text(value: Any) -> tuple[str | None, str]:
    match value:
        case None | "":
            return None, ""
        case bool():
            return ("true" if value else "false"), "boolean"
        case int():
            return repr(value), "number"
        case float():
            return repr(value), "fraction"
        case str():
            return value, "text"
        case _:
            return json.dumps(value, ensure_ascii=False), "list"


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _sniff(header: str) -> str:
    counts = {sep: header.count(sep) for sep in (",", ";", "\t", "|")}
    best = max(counts, key=lambda sep: counts[sep])
    return best if counts[best] else ","


def _header(row: list[str] | str, name: str) -> list[str]:
    if isinstance(row, str):
        raise IngestError(f'"{name}": the header cannot be read: {row}')
    header = [column.strip() for column in row]
    if any(not column for column in header):
        raise IngestError(f'"{name}": a column of the header has no name')
    doubled = sorted({column for column in header if header.count(column) > 1})
    if doubled:
        raise IngestError(f'"{name}": the header names {", ".join(doubled)} twice')
    if len(header) == 1 and re.search(r"\S\s+\S", header[0]):
        raise IngestError(
            f'"{name}": the header is one column, "{header[0]}"; give the separator, e.g. --sep whitespace'
        )
    return header
