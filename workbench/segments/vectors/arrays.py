"""What is kept of a behaviour: arrays over the dense user codes, or over its rows."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# No instant: later than any, and earlier than any.
LATEST, EARLIEST = np.iinfo(np.int64).max, np.iinfo(np.int64).min


@dataclass(frozen=True, slots=True)
class Vector:
    """What was computed over the matching events of each user.

    Attributes:
        counts: how many events match, by user code.
        values: the aggregate, by user code; None where it is the count itself. Not a number where the user
            has no value.
    """

    counts: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64] | None = None

    @property
    def nbytes(self) -> int:
        """The size in bytes."""
        return self.counts.nbytes + (0 if self.values is None else self.values.nbytes)


@dataclass(frozen=True, slots=True)
class Follows:
    """The first events of a sequence, and how long it took until the next one.

    Attributes:
        codes: of the user, a row.
        instants: of the first event, in microseconds since 1970.
        gaps: until the next event, in microseconds; ``LATEST`` if none came.
    """

    codes: npt.NDArray[np.uint32]
    instants: npt.NDArray[np.int64]
    gaps: npt.NDArray[np.int64]

    @property
    def nbytes(self) -> int:
        """The size in bytes."""
        return self.codes.nbytes + self.instants.nbytes + self.gaps.nbytes


@dataclass(frozen=True, slots=True)
class Pairs:
    """How often each user did something with each value of a property.

    Attributes:
        keys: user code and number of the value in one number, each of them once.
        counts: how many events match.
    """

    keys: npt.NDArray[np.int64]
    counts: npt.NDArray[np.int64]

    @property
    def nbytes(self) -> int:
        """The size in bytes."""
        return self.keys.nbytes + self.counts.nbytes


def microseconds(instant: datetime) -> int:
    """Return an instant as microseconds since 1970."""
    return (instant - EPOCH) // timedelta(microseconds=1)
