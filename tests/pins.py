"""The conda file repeats the lock: ``python tests/pins.py environment.yml`` writes it."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent

HEAD = """\
# For conda users: the same environment as requirements.lock (written by `make lock`, compared by a test).
#   conda env create -f environment.yml && conda activate campaign-workbench
#   pip install --no-deps -e .
name: campaign-workbench
channels:
  - conda-forge
dependencies:
  - python>=3.11
  - pip
  - pip:
"""


def locked(text: str) -> list[str]:
    """Return the requirement lines of a lock, markers included."""
    return [line.strip() for line in text.splitlines() if re.match(r"^[a-z0-9]", line)]


def environment(lock: str) -> str:
    """Return the conda file for a lock."""
    return HEAD + "".join(
        f"      - {line!r}\n" if ";" in line else f"      - {line}\n" for line in locked(lock)
    )


if __name__ == "__main__":
    (ROOT / sys.argv[1]).write_text(
        environment((ROOT / "requirements.lock").read_text(encoding="utf-8")), encoding="utf-8"
    )
