"""What a segment holds, and what it would hold otherwise: now, over time, beside others, with another threshold."""

from workbench.reach.exact import Reach, reach
from workbench.reach.history import History, history

__all__ = ["History", "Reach", "history", "reach"]
