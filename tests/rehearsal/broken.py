"""A process whose path is broken on purpose; it rehearses ``hello`` and prints what was found.

python tests/rehearsal/broken.py CONFIG WHAT FAULT
"""

import json
import re
import sys
import uuid
from dataclasses import replace
from typing import Any

from accounts import NOW

from workbench.export import client
from workbench.rehearsal import rehearse
from workbench.rehearsal.results import facts
from workbench.workspace import open_workspace

ID = re.compile(rb'"source_request_id":"[^"]*"')


def fresh_ids() -> None:
    """Every attempt has ids of its own."""
    post: Any = client.Line.post

    def other(line: client.Line, body: bytes) -> client.Answer:
        return post(line, ID.sub(lambda _: f'"source_request_id":"{uuid.uuid4()}"'.encode(), body))

    client.Line.post = other  # type: ignore[method-assign]


def too_early() -> None:
    """What is in doubt counts as accepted."""
    post: Any = client.Line.post

    def other(line: client.Line, body: bytes) -> client.Answer:
        found = post(line, body)
        in_doubt = found.outcome is client.Outcome.UNKNOWN
        return replace(found, outcome=client.Outcome.ACCEPTED, again=False) if in_doubt else found

    client.Line.post = other  # type: ignore[method-assign]


if __name__ == "__main__":
    config, what, fault = sys.argv[1:]
    {"fresh ids": fresh_ids, "too early": too_early}[what]()
    found = rehearse(open_workspace(config), "hello", as_of=NOW, faults=[fault], kills="none")
    sys.stdout.write(json.dumps([facts(row) for row in found.rows]) + "\n")
