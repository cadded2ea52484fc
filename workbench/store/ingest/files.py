"""Which files a user means, in which format they are, and their digest."""

import glob
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from workbench.errors import IngestError

Format = Literal["csv", "ndjson", "parquet"]

FORMATS: dict[str, Format] = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv",
    ".ndjson": "ndjson", ".jsonl": "ndjson", ".json": "ndjson",
    ".parquet": "parquet", ".pq": "parquet",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class InputFile:
    """One file to ingest."""

    path: Path
    format: Format
    digest: str

    @property
    def gzipped(self) -> bool:
        """Whether the text inside is compressed."""
        return self.path.suffix == ".gz"


def expand(patterns: list[str]) -> tuple[InputFile, ...]:
    """Resolve files, folders and globs; a folder gives every file of a known format in it.

    Raises:
        IngestError: nothing is there, or a file's format is unknown.
    """
    paths: list[Path] = []
    for pattern in patterns:
        path = Path(pattern)
        if path.is_dir():
            found = sorted(p for p in path.rglob("*") if p.is_file() and _format(p) is not None)
        elif path.is_file():
            found = [path]
        else:
            found = sorted(Path(name) for name in glob.glob(pattern, recursive=True) if Path(name).is_file())  # noqa: PTH207
        if not found:
            raise IngestError(f'no file at "{pattern}"; give a file, a folder or a glob')
        paths += found
    unique = dict.fromkeys(path.resolve() for path in paths)
    return tuple(_input(path) for path in unique)


def _input(path: Path) -> InputFile:
    kind = _format(path)
    if kind is None:
        raise IngestError(f'"{path.name}": unknown format; known are {", ".join(FORMATS)} (text also as .gz)')
    try:
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise IngestError(f'"{path.name}" cannot be read: {error.strerror}') from error
    return InputFile(path=path, format=kind, digest=digest)


def _format(path: Path) -> Format | None:
    inner = Path(path.stem) if path.suffix == ".gz" else path
    kind = FORMATS.get(inner.suffix.lower())
    return None if kind == "parquet" and path.suffix == ".gz" else kind
