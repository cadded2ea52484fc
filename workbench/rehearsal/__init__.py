"""A send before it happens: the real plan, to a receiver that misbehaves, from a process that is killed.

`rehearsing` plans once and walks the menu; `acting` is one send of it: a copy of the account (`copying`), a fault
(`faults`) or a kill (`points`, `child`), and the comparison of what came (`arrived`). `results` is what is found.
"""

from workbench.rehearsal.arrived import Arrived
from workbench.rehearsal.faults import FAULTS, Fault
from workbench.rehearsal.points import Point
from workbench.rehearsal.rehearsing import rehearse
from workbench.rehearsal.results import Rehearsal, Row

__all__ = ["FAULTS", "Arrived", "Fault", "Point", "Rehearsal", "Row", "rehearse"]
