"""Numbers for texts: a pair of a user and a value becomes one number that is quick to sort and compare."""

import threading
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

LIMIT = 2_000_000
BITS = 32


class Texts:
    """Gives each text a number, the same one for as long as the process lives."""

    def __init__(self, limit: int = LIMIT) -> None:
        """Number at most ``limit`` texts."""
        self._limit = limit
        self._lock = threading.Lock()
        self._numbers: dict[str, int] = {}

    @property
    def nbytes(self) -> int:
        """About how many bytes are held: a text, its number, and their place."""
        return 120 * len(self._numbers)

    def numbers(self, values: pa.ChunkedArray) -> npt.NDArray[np.int64] | None:
        """Return the number of each text; None once there are too many to be kept.

        Args:
            values: texts without null, numbered by a dictionary or not.
        """
        encoded = (
            values.unify_dictionaries() if pa.types.is_dictionary(values.type) else values.dictionary_encode()
        )
        if not encoded.num_chunks:
            return np.empty(0, np.int64)
        texts = encoded.chunk(0).dictionary.to_pylist()
        with self._lock:
            if len(self._numbers) + len(texts) > self._limit:
                return None
            known = [self._numbers.setdefault(text, len(self._numbers)) for text in texts]
        indices = np.concatenate([chunk.indices.to_numpy() for chunk in encoded.chunks])
        found: npt.NDArray[np.int64] = np.array(known, dtype=np.int64)[indices]
        return found


def keys(codes: npt.NDArray[Any], numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Put a user code and the number of a text into one number."""
    return (codes.astype(np.int64) << BITS) | numbers


def codes_of(keys: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the user codes of ``keys``."""
    return keys >> BITS
