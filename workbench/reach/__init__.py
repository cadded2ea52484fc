"""What a segment holds, and what it would hold otherwise: now, over time, beside others, with another threshold."""

from workbench.reach.exact import Reach, reach

__all__ = ["Reach", "reach"]
