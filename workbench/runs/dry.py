"""Write down what a plan would send, and send nothing: no request, no row, no occurrence taken.

The files are those of ``reserving.freeze``, so that a dry run of a plan and its execution hold the same
bytes. They lie where no run, resume or report looks.
"""

import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from workbench.errors import InputError
from workbench.export import frozen
from workbench.export.ledger import UNFINISHED, Kind
from workbench.runs.planning import Plan, Report, silent
from workbench.runs.reserving import freeze
from workbench.runs.sending import Clock
from workbench.store.lake import utc_now
from workbench.workspace import Workspace

FOLDER, FACTS = "dry-runs", "dry-run.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Existing:
    """The run that an occurrence has had: what a send would finish, whatever a plan says now.

    Attributes:
        sha256: of all its frozen bodies, each as it was reserved.
        left: requests that a send would still make.
    """

    sha256: str
    left: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRun:
    """What a plan would send, as files that only their owner may read.

    Attributes:
        plan: with the instants ``as_of`` and ``send_at`` that give these bytes again.
        folder: holds ``audience.parquet``, ``requests.jsonl`` (one body a line) and ``dry-run.json``.
        users: who are sent to.
        batches: in all of the requests.
        leaving: users who leave the audience, with a batch without an event each, which are among the batches.
        bytes: of all bodies, without the ends of the lines.
        sha256: of ``requests.jsonl``.
        existing: the run that the occurrence has; its bodies are what is sent, not these.
    """

    plan: Plan = field(repr=False)
    folder: Path
    requests: int
    users: int
    batches: int
    leaving: int
    bytes: int
    sha256: str
    existing: Existing | None

    @property
    def same(self) -> bool | None:
        """Whether the existing run holds these very bodies; None without one."""
        return None if self.existing is None else self.existing.sha256 == self.sha256

    @property
    def remarks(self) -> tuple[str, ...]:
        """What keeps a send of this occurrence from sending these bytes, as sentences."""
        said = []
        if self.plan.blocked:
            said.append(f"blocked by the safety check: {self.plan.blocked}; a send would send nobody")
        if self.plan.already and self.existing:
            said.append(
                f"this occurrence has a run ({self.plan.already.state}): a send sends what is left of its frozen "
                f"bodies, {self.existing.left:,} requests, and not these files; sha256 of its bodies: "
                f"{self.existing.sha256}, {'the same as these' if self.same else 'other bytes than these'}"
            )
        return tuple(said)


def dry_run(
    workspace: Workspace,
    planned: Plan,
    folder: Path | None = None,
    *,
    report: Report = silent,
    clock: Clock = utc_now,
) -> DryRun:
    """Freeze a plan without reserving or sending it; it needs no key.

    Args:
        workspace: the account that the plan was made in.
        planned: by ``plan``; also one that is blocked, or whose occurrence has a run.
        folder: new or empty; by default ``dry-runs/RUN/INSTANT`` below the state folder.
        report: told the step, the users done and their total.
        clock: names the default folder; it is in no body.

    Raises:
        InputError: the folder holds something already.
        StoreError: the lake cannot be read, the files cannot be written, or the bodies of an existing run
            are not what was frozen.
    """
    if folder is None:
        folder = workspace.settings.directory / FOLDER / planned.run_id / f"{clock():%Y%m%dT%H%M%S.%fZ}"
    folder = folder.expanduser().resolve()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f'"{folder}" exists: a dry run is written to a folder of its own')
    existing = _existing(workspace, planned)
    requests = freeze(workspace, planned, report, directory=folder.parent, folder=folder.name).requests
    with (folder / frozen.BODIES).open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    found = DryRun(
        plan=planned,
        folder=folder,
        requests=len(requests),
        users=sum(request.users for request in requests if request.kind is Kind.MESSAGE),
        leaving=sum(request.users for request in requests if request.kind is Kind.LEAVE),
        batches=sum(request.batches for request in requests),
        bytes=sum(request.length for request in requests),
        sha256=digest,
        existing=existing,
    )
    (folder / FACTS).write_text(json.dumps(facts(found), indent=2) + "\n", encoding="utf-8")
    return found


def facts(found: DryRun) -> dict[str, str | int | bool | None]:
    """Return what a dry run says of itself; no person is in it."""
    planned, existing = found.plan, found.existing
    return {
        "run_id": planned.run_id, "campaign": planned.campaign.campaign.id,
        "version": planned.campaign.stored.version, "occurrence": _text(planned.occurrence),
        "as_of": _text(planned.as_of), "now": _text(planned.send_at), "lake_version": planned.lake_version,
        "environment": planned.environment, "qualified": planned.qualified, "users": found.users,
        "batches": found.batches, "leaving": found.leaving, "requests": found.requests, "bytes": found.bytes, "sha256": found.sha256,
        "blocked": planned.blocked, "existing_run": str(planned.already.state) if planned.already else None,
        "existing_sha256": existing.sha256 if existing else None, "left": existing.left if existing else None,
        "same": found.same,
    }  # fmt: skip


def _existing(workspace: Workspace, planned: Plan) -> Existing | None:
    """Read every frozen body of the occurrence's run, each compared with its digest."""
    run = planned.already
    if run is None:
        return None
    requests = workspace.ledger.requests(run.run_id)
    digest = hashlib.sha256()
    for request in requests:
        digest.update(frozen.read_body(workspace.settings.directory / run.bodies_path, request) + b"\n")
    kinds = tuple(Kind) if workspace.ledger.decided_since(run.run_id) is None else (Kind.MESSAGE,)
    left = sum(request.state in UNFINISHED and request.kind in kinds for request in requests)
    return Existing(sha256=digest.hexdigest(), left=left)


def _text(instant: datetime) -> str:
    return instant.isoformat().replace("+00:00", "Z")
