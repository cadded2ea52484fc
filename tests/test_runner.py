"""The papermill door: what papermill lets pass, this refuses; what a notebook leaves behind."""

from datetime import UTC, datetime
from pathlib import Path

import nbformat
import pytest
from accounts import NOW, Account

from workbench.errors import PapermillError, WorkbenchError
from workbench.export.ledger import RunState
from workbench.export.sandbox import Receiver, report
from workbench.runner import check_parameters, execute, run_send

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
OCCURRENCE = datetime(2026, 7, 1, tzinfo=UTC)


def notebook(path: Path, *cells: str, parameters: str = 'campaign = ""') -> Path:
    """Write a notebook with a parameters cell."""
    made = nbformat.v4.new_notebook(
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    )
    first = nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]})
    made.cells = [first, *(nbformat.v4.new_code_cell(cell) for cell in cells)]
    nbformat.write(made, path)
    return path


def test_a_send_through_papermill(shop: Account, receiver: Receiver, tmp_path: Path) -> None:
    """The executed notebook is kept beside the run, holds the waterfall, and no person and no key."""
    executed = run_send(
        shop.workspace, NOTEBOOKS / "send.ipynb", campaign="hello", occurrence=OCCURRENCE, as_of=NOW,
        config=shop.config, now=NOW, progress=False,
    )  # fmt: skip
    assert (executed.run.state, executed.run.to_send) == (RunState.COMPLETED, 500)
    assert executed.notebook.parent.name == "hello-20260701T000000Z"
    assert report(tmp_path / "sandbox").accepted == 500
    text = executed.notebook.read_text(encoding="utf-8")
    assert "campaign limit for the run" in text
    assert "@example.com" not in text
    assert "test-secret" not in text


def test_the_same_occurrence_again_sends_nobody(shop: Account, receiver: Receiver, tmp_path: Path) -> None:
    """Two schedulers, one occurrence: 500 arrive."""
    for _ in range(2):
        run_send(
            shop.workspace, NOTEBOOKS / "send.ipynb", campaign="hello", occurrence=OCCURRENCE, as_of=NOW,
            config=shop.config, now=NOW, progress=False,
        )  # fmt: skip
    assert report(tmp_path / "sandbox").accepted == 500


def test_an_unknown_parameter_is_refused(tmp_path: Path) -> None:
    """Papermill would only warn."""
    path = notebook(tmp_path / "a.ipynb")
    with pytest.raises(PapermillError, match=r'no parameter "campain". Did you mean "campaign"'):
        check_parameters(path, {"campain": "x"})


def test_a_parameter_keeps_its_type(tmp_path: Path) -> None:
    """A number where the notebook has text is refused: 007 would arrive as 7."""
    path = notebook(tmp_path / "a.ipynb")
    with pytest.raises(PapermillError, match="is a str, 7 is not"):
        check_parameters(path, {"campaign": 7})


def test_an_id_stays_text(tmp_path: Path) -> None:
    """007 is handed over as 007."""
    path = notebook(tmp_path / "a.ipynb", "print(repr(campaign))")
    execute(path, tmp_path / "out.ipynb", {"campaign": "007"}, progress=False)
    assert "'007'" in (tmp_path / "out.ipynb").read_text()


def test_a_failed_notebook_is_kept(tmp_path: Path) -> None:
    """The error names the copy, and the copy shows what happened."""
    path = notebook(tmp_path / "a.ipynb", "1 / 0")
    with pytest.raises(WorkbenchError, match=r"division by zero .*out.ipynb"):
        execute(path, tmp_path / "out.ipynb", {"campaign": "x"}, progress=False)
    assert "ZeroDivisionError" in (tmp_path / "out.ipynb").read_text()


def test_an_exit_code_crosses_the_kernel(tmp_path: Path) -> None:
    """A refused key inside the notebook ends the scheduler's command with 6, as it would without papermill."""
    raising = "from workbench.errors import CredentialsError\nraise CredentialsError('the key was refused')"
    path = notebook(tmp_path / "a.ipynb", raising)
    with pytest.raises(WorkbenchError, match="the key was refused") as caught:
        execute(path, tmp_path / "out.ipynb", {"campaign": "x"}, progress=False)
    assert caught.value.exit_code == 6


def test_a_notebook_without_a_receipt_fails(shop: Account, tmp_path: Path) -> None:
    """A notebook that ends well and has sent nothing is a failure, not a success."""
    names = ("campaign", "occurrence", "as_of", "config")
    path = notebook(tmp_path / "a.ipynb", "pass", parameters="\n".join(f'{name} = ""' for name in names))
    with pytest.raises(WorkbenchError, match="ended without a run in the ledger"):
        run_send(
            shop.workspace, path, campaign="hello", occurrence=OCCURRENCE, as_of=NOW,
            config=shop.config, now=NOW, progress=False,
        )  # fmt: skip
