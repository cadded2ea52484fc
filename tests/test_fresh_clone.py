"""The first thing that a new user does, in a fresh clone and a fresh environment."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def run(folder: Path, *command: str) -> str:
    """Run a command as a new user would: no environment of ours, output as text."""
    hidden = ("WORKBENCH_", "VIRTUAL_ENV", "PYTHON", "COV_", "PYTEST_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
    environment |= {"COLUMNS": "120", "NO_COLOR": "1"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=1500, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.mark.long
@pytest.mark.network
def test_make_demo_in_a_fresh_clone(tmp_path: Path) -> None:
    """The demo adds up, what was sent arrived, the printed command sends nobody, and git sees no change."""
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(tmp_path / "clone")], check=True)
    clone = tmp_path / "clone"
    said = run(clone, "make", "demo")
    assert "receiver holds 500 batches of this run: the 500 that were sent" in said
    assert "sent now       500" in said
    notebook = next(line.split()[-1] for line in said.splitlines() if line.startswith("notebook"))
    assert (clone / notebook).is_file()
    again = next(line for line in said.splitlines() if line.startswith("once only")).removeprefix("once only")
    assert "sent now: 0" in run(clone, "bash", "-c", again)
    assert "sent now       0" in run(clone, "make", "demo")
    assert run(clone, "git", "status", "--porcelain") == ""
