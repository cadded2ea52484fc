"""Progress bars: one a step, in a terminal, a notebook or a log that papermill keeps."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tqdm import tqdm
from tqdm.auto import tqdm as tqdm_auto

SOON = 0.5


def bar(*, silent: bool = False, after: float = 0) -> Callable[[str, int, int], None]:
    """Return a ``report(label, done, total)`` that draws one bar for each label.

    Args:
        silent: draw nothing.
        after: seconds; what is done sooner draws nothing.
    """
    quiet = True if os.environ.get("TQDM_DISABLE") else None
    bars: dict[str, Any] = {}

    def report(label: str, done: int, total: int) -> None:
        if silent:
            return
        if label not in bars:
            bars[label] = tqdm_auto(
                total=total, desc=label, leave=False, unit_scale=True, disable=quiet, delay=after
            )
        drawn = bars[label]
        drawn.total = total
        drawn.update(done - drawn.n)
        if done >= total:
            drawn.close()
            del bars[label]

    return report


class Line:
    """One live line in a terminal, with how many are done and about how long the rest will take.

    Elsewhere nothing is drawn: what is printed says it all.
    """

    def __init__(self, *, silent: bool = False) -> None:
        """Draw nothing yet."""
        self._silent = silent
        self._drawn: tqdm[Any] | None = None
        self._text = ""

    def show(self, text: str, done: int, total: int) -> None:
        """Draw the line, or draw it again: what is at work, and how many are done."""
        if self._silent:
            return
        if self._drawn is None:
            quiet = True if os.environ.get("TQDM_DISABLE") else None
            # All rows alike: a mean of the last few would jump with each slow one.
            self._drawn = tqdm(total=total, leave=False, smoothing=0, miniters=0, disable=quiet)
        self._drawn.total = total
        # The same once more moves the clock, at most ten times a second.
        self._drawn.update(done - self._drawn.n)
        if text != self._text:
            self._text = text
            self._drawn.set_description(text)

    @contextmanager
    def above(self) -> Iterator[None]:
        """Print above the line."""
        with tqdm.external_write_mode():
            yield

    def close(self) -> None:
        """Wipe the line."""
        if self._drawn is not None:
            self._drawn.close()
            self._drawn = None
