"""Segments as Python that reads well; every function returns an expression over the frozen tree.

    did("Charged").where(prop("price") > 100).at_least(3).in_last(days=30)
    & ~did("App Uninstalled")
    & user("country").is_in("US", "CA")

``.named("loyal")`` makes it a segment. ``names.Names`` completes what the catalogue knows.
"""

from workbench.segments.build.events import did, did_all, same
from workbench.segments.build.expression import Expression, all_of, any_of
from workbench.segments.build.lifecycle import restarted, stopped
from workbench.segments.build.users import (
    age,
    bucket,
    device,
    device_with,
    in_list,
    in_segment,
    near,
    prop,
    user,
)

__all__ = [
    "Expression", "age", "all_of", "any_of", "bucket", "device", "device_with", "did", "did_all", "in_list",
    "in_segment", "near", "prop", "restarted", "same", "stopped", "user",
]  # fmt: skip
