"""A process that sends a campaign and may be killed on the way.

    python -m workbench.rehearsal.child CONFIG CAMPAIGN OCCURRENCE AS_OF NOW POINT

``POINT`` is one of ``points``, or ``none``. A process that comes to its end prints how often it reached each.
"""

import json
import sys
from datetime import datetime

from workbench import runs
from workbench.rehearsal.points import NOWHERE, Steps, parse
from workbench.workspace import open_workspace


def main(config: str, campaign: str, occurrence: str, as_of: str, now: str, point: str) -> None:
    """Plan, then execute."""
    workspace = open_workspace(config)
    planned = runs.plan(
        workspace, campaign, occurrence=datetime.fromisoformat(occurrence),
        as_of=datetime.fromisoformat(as_of), now=datetime.fromisoformat(now),
    )  # fmt: skip
    steps = Steps(None if point == NOWHERE else parse(point))
    steps.watch(workspace.database)
    runs.execute(workspace, planned)
    sys.stdout.write(json.dumps(steps.seen) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
