"""A process that sends a campaign and kills itself at a named point of the path.

    python tests/killed.py CONFIG POINT ORDINAL

Points are where the outside world sees something: a file made durable, a folder renamed, a transaction committed,
a request written, an answer read. With the ordinal 0 nothing is killed, and the number of each is printed.
"""

import http.client
import json
import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from accounts import NOW

from workbench import runs
from workbench.workspace import open_workspace

SEEN: Counter[str] = Counter()
LOCK = threading.Lock()


def around(name: str, call: Callable[..., Any], point: str, ordinal: int) -> Callable[..., Any]:
    """Return a call that counts, and dies, before and after it is made."""

    def counted(*arguments: Any, **options: Any) -> Any:
        reached(f"before {name}", point, ordinal)
        found = call(*arguments, **options)
        reached(f"after {name}", point, ordinal)
        return found

    return counted


def reached(name: str, point: str, ordinal: int) -> None:
    """Count a point, and die at the one that was chosen."""
    with LOCK:
        SEEN[name] += 1
        if (name, SEEN[name]) == (point, ordinal):
            os.kill(os.getpid(), signal.SIGKILL)


def main(config: str, point: str, ordinal: int) -> None:
    """Send ``hello``."""
    workspace = open_workspace(config)
    now = datetime.now(UTC)
    planned = runs.plan(workspace, "hello", as_of=NOW, now=now)
    os.fsync = around("fsync", os.fsync, point, ordinal)  # type: ignore[assignment]
    os.replace = around("rename", os.replace, point, ordinal)  # type: ignore[assignment]
    connection = http.client.HTTPConnection
    connection.endheaders = around("request", connection.endheaders, point, ordinal)  # type: ignore[method-assign]
    connection.getresponse = around("answer", connection.getresponse, point, ordinal)  # type: ignore[method-assign]
    dialect = workspace.database._engine.dialect
    dialect.do_commit = around("commit", dialect.do_commit, point, ordinal)  # type: ignore[method-assign]
    sa.event.listen(workspace.database._engine, "begin", lambda _: reached("begin", point, ordinal))
    runs.execute(workspace, planned)
    sys.stdout.write(json.dumps(dict(SEEN)) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
