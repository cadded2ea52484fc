"""Vectors: one aggregate of a behaviour for every user, as an array over the dense user codes.

A behaviour is scanned once; what it is compared with is compared over the array. So a threshold, an
operator or a group that moves reads nothing again.
"""

from workbench.segments.vectors.cache import Vectors
from workbench.segments.vectors.over_time import over_time
from workbench.segments.vectors.question import Mask, Question
from workbench.segments.vectors.tree import Asked, Step, ask, opened
from workbench.segments.vectors.watch import Watch

__all__ = ["Asked", "Mask", "Question", "Step", "Vectors", "Watch", "ask", "opened", "over_time"]
