"""The papermill door: run a notebook as a scheduler does, and believe the ledger, not the notebook.

papermill only warns of a parameter that does not exist, turns ``007`` into 7 and waits for ever; this
door refuses the first, keeps the second as text, sets a time-out, and fails a run without a receipt.
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import papermill
from jupyter_client.manager import AsyncKernelManager
from papermill.exceptions import PapermillExecutionError

from workbench.errors import NotFoundError, PapermillError, UndeliveredError, WorkbenchError
from workbench.export.ledger import Kind, RequestState, Run, RunState
from workbench.kernels import environment, short_runtime
from workbench.runs import run_id
from workbench.workspace import Workspace

SECONDS_PER_CELL = 4 * 3600


class LocalKernel(AsyncKernelManager):
    """A kernel that talks over files of this user, not over a TCP port that others could read."""

    transport = "ipc"


@dataclass(frozen=True, slots=True, kw_only=True)
class Executed:
    """A notebook that ran, and the run that the ledger holds for it."""

    notebook: Path
    run: Run


def run_send(
    workspace: Workspace,
    template: Path,
    *,
    campaign: str,
    occurrence: datetime,
    as_of: datetime | None,
    config: Path,
    now: datetime,
    progress: bool = True,
) -> Executed:
    """Execute ``send.ipynb`` for one occurrence and keep the executed notebook beside the run.

    Args:
        workspace: the account; its ledger is asked for the receipt.
        template: the notebook.
        campaign: id of a saved campaign.
        occurrence: which scheduled instant.
        as_of: the instant of the question; None for the moment of the send.
        config: the ``workbench.toml`` that the notebook opens.
        now: names the executed notebook.
        progress: whether papermill draws its bar.

    Raises:
        PapermillError: a parameter does not exist or has the wrong type.
        WorkbenchError: the notebook failed (the executed copy is kept and named), or it ended
            without a completed run in the ledger.
        UndeliveredError: the run is not complete, or some users were rejected.
    """
    workspace.campaigns.get(campaign)
    this_run = run_id(campaign, occurrence)
    folder = workspace.settings.directory / "runs" / this_run
    folder.mkdir(parents=True, exist_ok=True)
    output = folder / f"{template.stem}-{now:%Y%m%dT%H%M%S}.ipynb"
    parameters = {
        "campaign": campaign,
        "occurrence": occurrence.isoformat(),
        "as_of": as_of.isoformat() if as_of else "",
        "config": str(config),
    }
    execute(template, output, parameters, progress=progress)
    try:
        run = workspace.ledger.get(this_run)
    except NotFoundError as error:
        raise WorkbenchError(f"{template.name} ended without a run in the ledger; see {output}") from error
    if run.state is not RunState.COMPLETED:
        raise UndeliveredError(
            f"{template.name} left the run {run.state}; see workbench runs show {this_run}"
        )
    rejected = workspace.ledger.totals(this_run)[RequestState.REJECTED]
    if rejected:
        raise UndeliveredError(f"{rejected:,} users were rejected; see workbench runs show {this_run}")
    left = workspace.ledger.totals(this_run, Kind.LEAVE)[RequestState.REJECTED]
    if left:
        raise UndeliveredError(
            f"{left:,} users who leave the audience were rejected; see workbench runs show {this_run}"
        )
    return Executed(notebook=output, run=run)


def execute(
    template: Path, output: Path, parameters: Mapping[str, str | int | float | bool], *, progress: bool = True
) -> None:
    """Run a notebook with checked parameters; the failed one is saved before the error is raised.

    Raises:
        PapermillError: a parameter that the notebook does not have, or of another type.
        WorkbenchError: a cell failed.
    """
    check_parameters(template, parameters)
    try:
        with short_runtime() as places, environment({**places, "TQDM_DISABLE": "1"}):
            papermill.execute_notebook(
                str(template), str(output), parameters=dict(parameters), kernel_name="python3",
                progress_bar=progress, execution_timeout=SECONDS_PER_CELL,
                kernel_manager_class=LocalKernel, cwd=str(template.parent),
            )  # fmt: skip
    except PapermillExecutionError as error:
        raise _translated(error, output) from error


def check_parameters(template: Path, parameters: Mapping[str, Any]) -> None:
    """Refuse names that the ``parameters`` cell does not have, and values of another type.

    Raises:
        PapermillError: naming the nearest parameter, or both types.
    """
    known = papermill.inspect_notebook(str(template))
    for name, value in parameters.items():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f' Did you mean "{near[0]}"?' if near else f" It has: {', '.join(known)}."
            raise PapermillError(f'{template.name} has no parameter "{name}".{hint}')
        default = known[name]["default"]
        expected = "str" if default[:1] in "'\"" else "bool" if default in {"True", "False"} else "number"
        actual = "str" if isinstance(value, str) else "bool" if isinstance(value, bool) else "number"
        if expected != actual:
            raise PapermillError(f'parameter "{name}" of {template.name} is a {expected}, {value!r} is not')


def _translated(error: PapermillExecutionError, output: Path) -> WorkbenchError:
    """The workbench's own error classes keep their exit code across the kernel's border."""
    classes: list[type[WorkbenchError]] = [WorkbenchError]
    for kind in classes:
        classes += kind.__subclasses__()
    found = next((kind for kind in classes if kind.__name__ == error.ename), WorkbenchError)
    failed = WorkbenchError(f"{error.evalue} (cell {error.exec_count} of {output.name})")
    failed.exit_code = found.exit_code
    return failed
