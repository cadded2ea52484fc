"""A reserved run of small requests, and how to send it."""

import hashlib
import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from accounts import NOW, Account
from pydantic import SecretStr

from workbench.export.client import Client
from workbench.export.ledger import UNFINISHED, Request, RequestState, Run, RunState
from workbench.export.marks import Marks
from workbench.export.publish import publish
from workbench.settings import Credentials, MParticle
from workbench.store.lake import utc_now

CREDENTIALS = Credentials(key=SecretStr("test-key"), secret=SecretStr("test-secret"))
RUN_ID = "many-1"
Clock = Callable[[], datetime]


def reserve(account: Account, requests: int) -> Run:
    """Reserve a run of requests with one user each; their bodies are what a receiver takes."""
    folder = account.workspace.settings.directory
    folder.mkdir(parents=True, exist_ok=True)
    offset, lines, rows = 0, [], []
    for number in range(1, requests + 1):
        batch = {
            "environment": "development", "source_request_id": f"r{number}",
            "user_identities": {"customer_id": str(number)}, "events": [],
        }  # fmt: skip
        body = json.dumps([batch]).encode()
        digest = hashlib.sha256(body).hexdigest()
        rows.append(
            Request(
                number=number, state=RequestState.RESERVED, offset=offset, length=len(body), digest=digest,
                users=1, batches=1,
            )
        )  # fmt: skip
        lines.append(body + b"\n")
        offset += len(lines[-1])
    (folder / "bodies.jsonl").write_bytes(b"".join(lines))
    run = Run(
        run_id=RUN_ID, campaign_id="many", campaign_version=1, occurrence=NOW, as_of=NOW, lake_version=1,
        environment="development", state=RunState.RUNNING, audience_path="a", audience_digest="d",
        bodies_path="bodies.jsonl", receiver="localhost", key_digest=CREDENTIALS.key_digest, salt_digest="s",
        qualified=requests, created_at=utc_now(), created_by="tester",
        verdicts=[{"verdict": "send", "reason": None, "arm": "target", "held_by": None, "users": requests}],
    )  # fmt: skip
    account.workspace.ledger.reserve(run, rows)
    return run


def send(account: Account, run: Run, url: str, *, clock: Clock = utc_now, **options: Any) -> int:
    """Send what the run has not sent yet, eight requests at a time; return the users accepted."""
    chosen = {"in_flight": 8, "attempts": 2, "read_timeout": 5, "batches_per_second": 100_000, **options}
    ledger = account.workspace.ledger
    with (
        ledger.hold(run.run_id) as held,
        Client(url, CREDENTIALS, MParticle.model_validate(chosen)) as client,
    ):
        users = ledger.totals(run.run_id)
        return publish(
            run,
            marks=Marks(held, run.run_id),
            unfinished=sum(users[state] for state in UNFINISHED),
            client=client,
            directory=account.workspace.settings.directory,
            clock=clock,
        )
