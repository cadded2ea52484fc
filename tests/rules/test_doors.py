"""Who may import what from outside: a short written list."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "workbench"

DOORS = {
    "duckdb": {"store/engine.py"},
    "sqlalchemy": {
        "store/database.py", "store/tables.py", "store/lake.py", "store/versions.py", "store/ingest/run.py",
        "store/copied.py", "store/sweep.py", "store/migrations/versions/0001_first_tables.py",
        "store/migrations/versions/0002_deleted_files.py", "store/migrations/versions/0003_control_groups.py",
        "store/migrations/versions/0004_purposes_and_batches.py",
        "store/migrations/versions/0005_order_of_runs.py", "store/migrations/versions/0006_audit_trail.py",
        "store/migrations/versions/0007_leaving.py", "store/audit.py", "export/trail.py", "export/settling.py",
        "campaigns/groups.py", "campaigns/testers.py", "export/history.py", "export/hold.py", "export/ledger.py", "export/marks.py",
        "export/members.py", "export/order.py",
    },
    "apprise": {"alerts.py"},
    "requests": {"export/client.py", "export/wire.py"},
    "papermill": {"runner.py"},
    "ipywidgets": {
        f"widgets/{path.name}" for path in (PACKAGE / "widgets").glob("*.py") if "model" not in path.name
    },
    "keyring": {"settings.py"},
    "statsmodels": {"stats/power.py"},
    "scipy": {"stats/power.py"},
    "liquid": {"campaigns/content/liquid.py"},
    "tornado": {f"export/sandbox/{path.name}" for path in (PACKAGE / "export" / "sandbox").glob("*.py")},
    "typer": {f"cli/{path.name}" for path in (PACKAGE / "cli").glob("*.py")},
}  # fmt: skip


def imported(path: Path) -> set[str]:
    """The top-level packages that a file imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("library", DOORS)
def test_a_library_is_imported_at_its_door_only(library: str) -> None:
    """A new door is a decision, not an accident."""
    users = {
        path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py") if library in imported(path)
    }
    assert users <= DOORS[library]
    assert users


def test_no_clock_and_no_chance_inside_logic() -> None:
    """Time is an argument, randomness is a salted hash: only the doors ask the clock."""
    clocks = {"store/lake.py", "export/sandbox/receiver.py"}
    found = set()
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        name = path.relative_to(PACKAGE).as_posix()
        if "datetime.now(" in text or "time.time(" in text or "import random" in text or "utcnow" in text:
            found.add(name)
    assert {name for name in found if not name.startswith("export/sandbox/")} <= clocks


def test_files_stay_readable() -> None:
    """Past 400 lines a file holds two nouns."""
    long = {
        path.relative_to(PACKAGE).as_posix(): count
        for path in PACKAGE.rglob("*.py")
        if (count := len(path.read_text(encoding="utf-8").splitlines())) > 400
    }
    assert long == {}
