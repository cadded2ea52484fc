"""What a segment holds, and what it would hold otherwise: now, over time, beside others, with another threshold."""

from workbench.reach.curve import Curve, curve
from workbench.reach.diff import Diff, diff
from workbench.reach.exact import Reach, reach
from workbench.reach.history import History, history
from workbench.reach.overlap import Overlap, overlap

__all__ = [
    "Curve", "Diff", "History", "Overlap", "Reach", "curve", "diff", "history", "overlap", "reach",
]  # fmt: skip
