"""``workbench runs stop``: end a run for good, or say who has done so before."""

from typing import Annotated

import typer
from rich.markup import escape

from workbench import progress, runs
from workbench.cli.output import Because, Config, Json, answer, err, local
from workbench.cli.sending import receipt_json, recorded, show_receipt
from workbench.export.ledger import Run
from workbench.store.audit import What
from workbench.workspace import Workspace, open_workspace


def stop(
    run: Annotated[str, typer.Argument(help="The id of a run.")],
    because: Because = None,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for what is in flight.", min=0)] = 120,
    config: Config = None,
    json: Json = False,
) -> None:
    """Stop a run for good: nothing more is taken up, what is in flight is finished and recorded."""
    workspace = open_workspace(config)
    before: list[Run] = []
    found = runs.stop(
        workspace,
        run,
        because=because,
        timeout=timeout,
        report=progress.bar(silent=json),
        already=before.append,
    )
    receipt = recorded(workspace, found)
    said = _stopped_before(workspace, before[0], because) if before else None
    answer(
        {**receipt_json(receipt), "stopped_before": said}, as_json=json,
        show=lambda: show_receipt(workspace, receipt, now_sent=False),
    )  # fmt: skip
    if said is not None:
        err.print(f"[yellow]{escape(said)}[/]", soft_wrap=True)


def _stopped_before(workspace: Workspace, run: Run, because: str | None) -> str:
    """Say who has stopped a run already and why, and that a new reason is not kept."""
    entry = next(iter(workspace.trail.entries(about=run.run_id, what=[What.RUN_STOPPED], limit=1)), None)
    said = f"{run.note or 'stopped'} before"
    if entry is not None:
        why = entry.details.get("because")
        said = f"stopped before, by {entry.who} on {local(entry.at, workspace.zone)}" + (
            f": {why}" if why else ""
        )
    kept = f'; "{because.strip()}" is not recorded, for it stopped nothing' if because else ""
    return f"{run.run_id} was {said}; nothing was changed{kept}"
