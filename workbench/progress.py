"""Progress bars: one a step, in a terminal, a notebook or a log that papermill keeps."""

import os
from collections.abc import Callable
from typing import Any

from tqdm.auto import tqdm

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
            bars[label] = tqdm(
                total=total, desc=label, leave=False, unit_scale=True, disable=quiet, delay=after
            )
        drawn = bars[label]
        drawn.total = total
        drawn.update(done - drawn.n)
        if done >= total:
            drawn.close()
            del bars[label]

    return report
