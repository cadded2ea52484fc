"""Whether what the ledger says of a run is true, and whether its held-out users stayed without a message."""

from workbench.proof.check import Check
from workbench.proof.leaks import Leaks, leaks
from workbench.proof.verify import Verified, verify

__all__ = ["Check", "Leaks", "Verified", "leaks", "verify"]
