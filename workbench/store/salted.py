"""Membership by salted md5 text: the same users on every engine and in every version.

The hashed string is, byte for byte in UTF-8, ``{salt}:{user_id}``; the first hex digits of its md5 are
compared as text. Salts of different purposes differ, so that no two groups follow each other::

    {account salt}/bucket                     the permanent user bucket, 0 to 999
    {account salt}/group/{group name}         who is in a control group of the account (a group may bring its own salt)
    {account salt}/control/{campaign id}      who is held out of a campaign, of those in no group before it
    {account salt}/cap/{run id}               who comes first under a cap

An engine's own hash changes between versions, and its random numbers between runs.
"""

import hashlib

DIGITS = 8
BUCKETS = 1000


def key(salt: str, user_id: str, digits: int = DIGITS) -> str:
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
    return f"{round(share * 16**DIGITS):0{DIGITS}x}"


def bucket_salt(account_salt: str) -> str:
    """Return what stands before the colon for the user bucket."""
    return f"{account_salt}/bucket"


def bucket_start(bucket: int) -> str:
    """Return the smallest key of a bucket: keys are cut into 1,000 equal ranges.

    >>> bucket_start(0), bucket_start(500), bucket_start(1)
    ('00000000', '80000000', '00418938')
    """
    return f"{-(-bucket * 16**DIGITS // BUCKETS):0{DIGITS}x}"
