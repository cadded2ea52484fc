"""Who is held out, and who comes first under a cap: salted md5 text (``store.salted``).

A user is held out when the first 8 hex digits of the md5 are below the share as 8 hex digits
(0.1 is ``1999999a``), compared as text. Control is sticky, because the campaign id never changes;
the order under a cap is a new one in each run.
"""

from workbench.store.salted import DIGITS as CONTROL_DIGITS
from workbench.store.salted import key, threshold

__all__ = ["CAP_DIGITS", "CONTROL_DIGITS", "cap_salt", "control_salt", "key", "threshold"]

CAP_DIGITS = 16


def control_salt(account_salt: str, campaign_id: str) -> str:
    """Return what stands before the colon for the control group of a campaign."""
    return f"{account_salt}/control/{campaign_id}"


def cap_salt(account_salt: str, run_id: str) -> str:
    """Return what stands before the colon for the order under a run's cap."""
    return f"{account_salt}/cap/{run_id}"
