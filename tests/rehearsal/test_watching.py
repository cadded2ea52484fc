"""A rehearsal while it goes on: what is told, what a terminal and a log show, and what is kept of one that is stopped."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import IO

import pytest
from accounts import NOW, Account
from audiences import club, day, gold, sent
from command_line import Run

from workbench import display
from workbench.errors import InputError
from workbench.export.sandbox import Receiver
from workbench.rehearsal import Rehearsal, rehearse
from workbench.rehearsal.results import Leaves

ROOT = Path(__file__).parents[2]
AS_OF = "2026-07-01T12:00:00Z"
COMMAND = [sys.executable, "-m", "workbench", "rehearse", "hello", "--as-of", AS_OF]


def environment(temporary: Path) -> dict[str, str]:
    """Of a process whose throwaway copies lie in a folder that is looked into."""
    temporary.mkdir()
    return {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(temporary)}


def test_the_rehearsal_so_far_is_told(shop: Account) -> None:
    """Before the first row what is ahead, then each row; unfinished it neither holds nor fails."""
    told: list[Rehearsal] = []
    found = rehearse(
        shop.workspace, "hello", as_of=NOW, faults=["200", "rejected"], kills="before answer 99",
        told=told.append,
    )  # fmt: skip
    assert [one.ahead for one in told] == [
        ("none", "200", "rejected", "kill before answer 99"), ("200", "rejected", "kill before answer 99"),
        ("rejected", "kill before answer 99"), ("kill before answer 99",), (),
    ]  # fmt: skip
    assert [(len(one.rows), one.total, one.holds) for one in told] == [
        (0, 4, None), (1, 4, None), (2, 4, None), (3, 4, None), (4, 4, True),
    ]  # fmt: skip
    assert told[-1] is found
    assert told[0].seconds_left is None
    assert told[1].seconds_left == pytest.approx(3 * told[1].rows[0].seconds)
    assert found.seconds_left == 0


def test_points_are_counted_once_the_first_send_has_shown_them(shop: Account) -> None:
    """Until then there are at most so many; afterwards each has its name."""
    told: list[Rehearsal] = []

    def stop(so_far: Rehearsal) -> None:
        told.append(so_far)
        if so_far.rows:
            raise KeyboardInterrupt

    for kills, most in (("some", 11), ("all", 45)):
        with pytest.raises(KeyboardInterrupt):
            rehearse(shop.workspace, "hello", as_of=NOW, faults=["none"], kills=kills, told=stop)
        before, after = told[-2:]
        assert (before.total, before.ahead) == (most, ("none",))
        assert after.total == 1 + len(after.ahead) <= most
        assert "kill before request 1" in after.ahead


def read(stream: IO[str] | None, enough: Callable[[str], bool]) -> list[str]:
    """Read lines until one is enough."""
    assert stream is not None
    lines = []
    for line in stream:
        lines.append(line.rstrip())
        if enough(line):
            return lines
    raise AssertionError(f"it ended before: {lines}")


def test_a_log_has_each_row_when_it_is_finished(shop: Account, tmp_path: Path) -> None:
    """What will be done stands before it, a row comes while others are at work; Ctrl-C says how far it came."""
    temporary = tmp_path / "temporary"
    options = ["--fault", "rejected", "--fault", "trickle", "--kill", "after commit 2"]
    process = subprocess.Popen(
        [*COMMAND, *options, "-c", str(shop.config)], env=environment(temporary),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    lines = read(process.stdout, lambda line: "✓  none" in line)
    assert process.poll() is None
    assert lines[0] == (
        "hello-20260701T120000Z: 4 sends of the whole plan to a receiver on this machine (undisturbed, 2 faults, "
        "1 kill), each of 500 of 1,000 users in 5 requests; how long is known once the first is done"
    )
    assert lines[1].split() == [
        "fault", "arrived", "missing", "doubled", "held", "out", "rejected", "resumed", "verdict",
    ]  # fmt: skip
    assert lines[2].split() == ["✓", "none", "500", "0", "0", "0", "0", "0", "every", "user", "once"]
    told = re.compile(r"\d+\.\d s for the first: about \d+ s for the 3 to come")
    assert not any("Traceback" in line for line in read(process.stderr, lambda line: bool(told.match(line))))
    for _ in range(3):
        process.send_signal(signal.SIGINT)
        time.sleep(0.02)
    rest, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in said
    done = 1 + rest.count("✓")
    assert done in {1, 2, 3}
    assert f'interrupted after {done} of 4 sends, while "' in said
    assert "its copy of the account is deleted" in said
    assert f"500 of 1,000 users in 5 requests, {done} of 4 times, ledger on sqlite" in rest
    assert list(temporary.iterdir()) == []
    assert shop.workspace.ledger.newest() == []


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_program_gets_the_finished_rows(shop: Account, tmp_path: Path, number: int, code: int) -> None:
    """One JSON document all the same, which says that it was interrupted and does not say that it holds."""
    temporary = tmp_path / "temporary"
    process = subprocess.Popen(
        [*COMMAND, "--fault", "late-202", "--kill", "none", "--json", "-c", str(shop.config)],
        env=environment(temporary), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    for _ in range(1200):
        if list(temporary.glob("workbench-rehearsal-*/late-202-receiver/*")):
            break
        time.sleep(0.05)
    process.send_signal(number)
    printed, said = process.communicate(timeout=60)
    found = json.loads(printed)
    assert process.returncode == code
    assert [row["name"] for row in found["rows"]] == ["none"]
    assert (found["interrupted"], found["holds"], found["total"]) == (True, None, 2)
    assert 'interrupted after 1 of 2 sends, while "late-202" was at work' in said
    assert list(temporary.iterdir()) == []


def test_a_terminal_has_a_live_line(shop: Account, tmp_path: Path) -> None:
    """What is at work and how many are done, wiped when a row is printed; 80 columns are enough for every row."""
    master, slave = pty.openpty()
    command = ["stty", "rows", "24", "cols", "80"]
    subprocess.run(command, stdin=slave, check=True)
    inherited = {name: text for name, text in os.environ.items() if name not in {"TQDM_DISABLE", "COLUMNS"}}
    options = ["--fault", "late-202", "--fault", "rejected", "--kill", "after commit 2"]
    process = subprocess.Popen(
        [*COMMAND, *options, "-c", str(shop.config)],
        env={**inherited, "PYTHONPATH": str(ROOT), "TERM": "xterm"}, stdout=slave, stderr=slave,
    )  # fmt: skip
    os.close(slave)
    seen = b""
    while True:
        try:
            part = os.read(master, 65536)
        except OSError:
            break
        if not part:
            break
        seen += part
    os.close(master)
    assert process.wait(timeout=60) == 0
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen.decode())
    live = re.findall(r"\r([a-z0-9 -]+): +\d+%.*?(\d)/4 \[([\d:]+)", text)
    expected = {("none", "0"), ("late-202", "1"), ("rejected", "2"), ("kill after commit 2", "3")}
    assert expected <= {(name, done) for name, done, _ in live}
    # When it begins, when its row is printed, and in between: each time-out takes two seconds.
    assert len({elapsed for name, _, elapsed in live if name == "late-202"}) >= 3
    rows = [line.rstrip() for line in re.split(r"[\r\n]+", text) if line[:1] in "✓✗?" and line.strip()]
    assert [row.split()[1] for row in rows] == ["none", "late-202", "rejected", "kill"]
    assert all(len(row) <= 80 for row in rows)
    assert "\n  400 users once, 100 rejected and told as such" in text.replace("\r\n", "\n")


def test_who_leaves_an_audience_is_counted(tmp_path: Path, receiver: Receiver, run: Run) -> None:
    """Those who enter and those who leave, each compared; a refused leave is said in words."""
    account = club(tmp_path, range(60), of=60)
    sent(account, 0)
    gold(account, range(50, 60), 1, of=60)
    command = [
        "rehearse", "club", "--occurrence", day(1).isoformat(), "--as-of", day(1).isoformat(),
        "--fault", "429", "--fault", "rejected", "--kill", "none", "-c", account.config,
    ]  # fmt: skip
    found = json.loads(run(*command, "--json").out)
    assert (found["to_send"], found["leaves"], found["interrupted"]) == (10, 50, False)
    none, busy, rejected = found["rows"]
    assert none["leaves"] == busy["leaves"] == {"arrived": 50, "expected": 50}
    assert none["arrived"] == 10
    assert "left" not in none
    shown = run(*command)
    heading, *rows = [line.split() for line in shown.out.splitlines() if re.match(r" +fault|[✓✗?]", line)]
    assert heading[:3] == ["fault", "arrived", "leaving"]
    assert rows[0][:4] == ["✓", "none", "10", "50/50"]
    assert "each of 10 of 10 users and 50 who leave its audience" in shown.out
    assert (rejected["arrived"], rejected["leaves"]) == (10, {"arrived": 0, "expected": 50})
    assert rejected["verdict"] == "every user once; 50 who leave the audience rejected and told as such"
    assert rejected["holds"] is True


def test_a_campaign_without_an_audience_has_no_leaves(shop: Account, run: Run) -> None:
    """None is said of them: no column, and nothing that could be taken for a count."""
    options = ["--as-of", AS_OF, "--fault", "none", "--kill", "none", "-c", shop.config]
    found = json.loads(run("rehearse", "hello", *options, "--json").out)
    assert found["leaves"] is None
    assert found["rows"][0]["leaves"] is None
    assert "leaving" not in run("rehearse", "hello", *options).out
    assert str(Leaves(arrived=1200, expected=3400)) == "1,200/3,400"


@pytest.mark.parametrize(
    ("kills", "said"),
    [
        (["none", "after commit 2"], 'kill "none" stands alone, and here "after commit 2" is given too'),
        (["after commit 2", "all"], 'kill "all" stands alone, and here "after commit 2" is given too'),
        (["some", "some"], 'kill "some" stands alone, and here "some" is given too'),
    ],
)
def test_a_word_for_kills_stands_alone(shop: Account, kills: list[str], said: str) -> None:
    """None of them and a point contradict each other; nothing is begun."""
    told: list[Rehearsal] = []
    with pytest.raises(InputError, match=said):
        rehearse(shop.workspace, "hello", as_of=NOW, kills=kills, told=told.append)
    assert told == []


def test_a_database_that_is_no_url_is_wrong_input(shop: Account, run: Run) -> None:
    """Exit code 3, and how one is written; the text itself, which may hold a password, is not repeated."""
    for given in ("nonsense", "postgresql://u:s3cret@h:port/db"):
        found = run("rehearse", "hello", "--as-of", AS_OF, "--database", given, "-c", shop.config)
        assert found.code == 3
        assert "postgresql+psycopg://USER:PASSWORD@HOST/DATABASE" in found.err
        assert "s3cret" not in found.err
        assert found.out == ""


def test_a_run_that_only_takes_users_out_is_rehearsed(tmp_path: Path, receiver: Receiver) -> None:
    """Nobody is sent to, and the leaves have to arrive all the same."""
    account = club(tmp_path, range(5), of=5)
    sent(account, 0)
    gold(account, [], 1, of=5)
    at = day(1)
    found = rehearse(
        account.workspace, "club", occurrence=at, as_of=at, faults=["500-after"], kills="after request 1"
    )
    assert found.plan.to_send == 0
    assert [(row.holds, row.arrived.users, row.leaves) for row in found.rows] == [
        (True, 0, Leaves(arrived=5, expected=5))
    ] * 3
    text, html, _ = display.SHOWN[Rehearsal]
    assert '<th scope="col" class="wb-number">Leaving</th>' in html(found)
    assert html(found).count("5/5") == 3
    so_far = replace(found, rows=found.rows[:1], ahead=("500-after", "kill after request 1"))
    assert text(so_far).endswith("nobody was sent to; not finished: 1 of 3")
    assert "Nobody was sent to; not finished: 1 of 3." in html(so_far)
    assert "not finished" not in text(found) + html(found)
