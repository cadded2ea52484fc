"""Versions compared part by part: 2.10.0 is above 2.9.3.

Only the dotted numbers count, a leading ``v`` and what follows them (``-beta``, a build) do not; a
missing part is 0. A value without a leading number has no version and fits no comparison.
"""

import re

WIDTH = 20
NUMBERS = r"^[ \t]*[vV]?([0-9]{1,20}(?:\.[0-9]{1,20})*)(?:[^0-9](?s:.)*)?$"
ZEROS = r"(\.0+)+$"


def key(version: str) -> str | None:
    """Return a text that sorts as the version does; None without a leading number.

    >>> key("v2.10.0-beta") > key("2.9.3")
    True
    >>> key("2.0") == key("2")
    True
    """
    found = re.match(NUMBERS, version)
    if found is None:
        return None
    return ".".join(part.zfill(WIDTH) for part in re.sub(ZEROS, "", found[1]).split("."))
