"""docs/sending.md and the menu of faults in the reference say what the commands do."""

import re
import shlex
from pathlib import Path

from accounts import BUYERS, NOW, Account
from command_line import Run

from workbench.export.sandbox import Receiver, parse_answers
from workbench.rehearsal import FAULTS

DOCS = Path(__file__).parents[1] / "docs"
BLOCK = re.compile(r"^```sh\n(.*?)^```", flags=re.MULTILINE | re.DOTALL)
RUN_ID = "cart-abandoners-20260701T120000Z"
# One row a fault and kill, which tests/rehearsal does.
LONG = "workbench rehearse cart-abandoners"


def test_the_commands_of_the_guide(run: Run, shop: Account, receiver: Receiver) -> None:
    """Each but the long one, in order: the first request is rejected, and redriven in the end."""
    shop.save_segment("any", BUYERS)
    shop.save_campaign("cart-abandoners", "any", control={"share": 0.1}, cap={"per_run": 150})
    page = (DOCS / "sending.md").read_text(encoding="utf-8")
    lines = [line.partition("#")[0].strip() for block in BLOCK.findall(page) for line in block.splitlines()]
    assert lines[2] == LONG
    assert len(lines) == 11
    for line in lines:
        if line == LONG:
            continue
        words = shlex.split(line.replace("RUN", RUN_ID))[1:]
        is_send = words[0] == "send" and "--dry-run" not in words
        if is_send:
            receiver.play(parse_answers("400"))
        if words[0] in {"plan", "send", "rehearse"}:
            words += ["--as-of", NOW.isoformat()]
        found = run(*words, "-c", shop.config)
        assert found.code == (8 if is_send or words[0] == "resume" else 0), f"{line}\n{found.out}{found.err}"


def test_the_reference_has_every_fault() -> None:
    """By its name, in the table of faults and nowhere invented."""
    page = (DOCS / "reference.md").read_text(encoding="utf-8")
    table = page.partition("## Rehearsals")[2].partition("A kill is a point")[0]
    first = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    assert re.findall(r"`([^`]+)`", "".join(first)) == [
        "none", "429-retry-after", "429", "acceleration", "503", "500-before", "reset-before", "500-after", "reset-after",
        "late-202", "html", "200", "redirect", "202-body", "huge", "trickle", "rejected", "key-revoked",
    ]  # fmt: skip
    assert {fault.name for fault in FAULTS} == set(re.findall(r"`([^`]+)`", "".join(first)))
