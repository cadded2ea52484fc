"""The rows that were not ingested: one CSV file an ingest, with file, line, column, reason and value."""

import csv
from collections import Counter
from pathlib import Path
from typing import IO

from workbench.store.ingest.readers import Reject


class Rejects:
    """Collects rejects into a file that is made at the first one."""

    def __init__(self, path: Path) -> None:
        """Name the file; nothing is written yet."""
        self.path = path
        self.reasons: Counter[str] = Counter()
        self._stream: IO[str] | None = None

    @property
    def count(self) -> int:
        """How many rows were rejected."""
        return self.reasons.total()

    def told(self) -> str:
        """Return the most frequent reasons, and where all of them are."""
        reasons = "; ".join(f"{count:,} × {reason}" for reason, count in self.reasons.most_common(3))
        return f"{reasons}. Every one is in {self.path.name} in the rejects folder."

    def add(self, file: str, reject: Reject) -> None:
        """Write one rejected row."""
        if self._stream is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            stem, n = self.path.stem, 1
            while self.path.exists():
                n += 1
                self.path = self.path.with_stem(f"{stem}-{n}")
            self._stream = self.path.open("x", newline="", encoding="utf-8")
            self._writer = csv.writer(self._stream)
            self._writer.writerow(("file", "line", "column", "reason", "value"))
        place = f"{reject.column}: " if reject.column else ""
        self.reasons[f"{place}{reject.reason}"] += 1
        self._writer.writerow((file, reject.line, reject.column, reject.reason, reject.value))

    def close(self) -> None:
        """Finish the file."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None
