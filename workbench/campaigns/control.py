"""Membership by salted md5 text: the same users on every engine, in every version.

The hashed string, byte for byte (UTF-8)::

    {account salt}/control/{campaign id}:{user_id}     who is held out
    {account salt}/cap/{run id}:{user_id}              who comes first under a cap

A user is held out when the first 8 hex digits of the md5 are below the share as 8 hex digits
(0.1 is ``1999999a``), compared as text. Control is sticky, because the campaign id never changes;
the order under a cap is a new one in each run.
"""

import hashlib

CONTROL_DIGITS = 8
CAP_DIGITS = 16


def control_salt(account_salt: str, campaign_id: str) -> str:
    """Return what stands before the colon for the control group of a campaign."""
    return f"{account_salt}/control/{campaign_id}"


def cap_salt(account_salt: str, run_id: str) -> str:
    """Return what stands before the colon for the order under a run's cap."""
    return f"{account_salt}/cap/{run_id}"


def key(salt: str, user_id: str, digits: int = CONTROL_DIGITS) -> str:
    """Return the first hex digits of a user's md5 under a salt.

    >>> key("salt", "00001")
    '483ab1f1'
    """
    return hashlib.md5(f"{salt}:{user_id}".encode(), usedforsecurity=False).hexdigest()[:digits]


def threshold(share: float) -> str:
    """Return a share as the hex text that keys are compared with.

    >>> threshold(0.1)
    '1999999a'
    """
    return f"{round(share * 16**CONTROL_DIGITS):0{CONTROL_DIGITS}x}"
