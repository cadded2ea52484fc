"""Why one user has the verdict that a run gave, and which users have which: for people who ask by name.

A run keeps a row for every qualified user. ``explain_run`` reads the row of one, recomputes each step at the
run's own instants, and says where the two differ. It shows a person's id and flags, never an address, and is
for the eyes of who asks: nothing of it is stored or logged.
"""

from workbench.lookup.explained import Answer, Explained, Step
from workbench.lookup.leaving import how_many_left, leavers, left
from workbench.lookup.listing import audience, how_many, users
from workbench.lookup.steps import explain_run

__all__ = [
    "Answer",
    "Explained",
    "Step",
    "audience",
    "explain_run",
    "how_many",
    "how_many_left",
    "leavers",
    "left",
    "users",
]
