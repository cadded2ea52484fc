"""Campaign Workbench: from events and profiles to a capped export that arrives once.

The path, in the order in which a user walks it:

1. ``store.ingest`` reads files into the lake: immutable Parquet, one dense code a user.
2. ``segments`` holds the condition tree: ``segments.build`` writes it in Python, ``segments.sql`` and
   ``segments.frames`` compile it, ``segments.qualify`` asks it.
3. ``campaigns.verdicts`` gives every qualified user one arm and one verdict, the cap last.
4. ``runs.plan`` walks 2 and 3 without a side effect; ``runs.execute`` freezes and sends.
5. ``export`` holds the payload, the frozen requests, the client and the ledger.

``workspace.open_workspace()`` is the door: it reads ``workbench.toml`` and gives the lake, the
libraries and the ledger. Notebooks, the command line and papermill call the same two functions.
"""

import zoneinfo
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__version__ = "0.1.0"

# The pinned tzdata says where days begin, not the machine's copy, which is as old as its image.
zoneinfo.reset_tzpath(to=())


def load_ipython_extension(shell: "InteractiveShell") -> None:
    """Register rich displays and the completion of names (``%load_ext workbench``)."""
    from workbench import completion, display  # noqa: PLC0415 - plotly is only needed once asked for

    display.register(shell)
    completion.register(shell, lambda: display.opened(shell))
