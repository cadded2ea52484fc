"""The baselines of the large benchmark count what the product counts; a wrong one would be no baseline."""

import importlib
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks" / "big"))
from account import Account
from generate import generate
from load import load
from measures import Found
from page import BEGIN, END, replaced
from reference import NAMES
from reference_segments import SEGMENTS
from targets import Target, raw, verdict
from timing import Times, interleaved

EXPORT = Path(__file__).parents[1] / "benchmarks" / "export.py"
# chDB is no dependency: its baseline is tested where somebody has installed it.
PEERS = ["peers_duckdb", "peers_polars", *(["peers_chdb"] if find_spec("chdb") else [])]


@pytest.fixture(scope="module")
def account(tmp_path_factory):
    """A shop of 3,000 users and 90,000 events, generated and loaded as the benchmark does."""
    home = tmp_path_factory.mktemp("shop")
    generate(home / "raw", users=3_000, events=90_000)
    load(home / "raw", home / "account")
    return Account(home / "account")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("peer", PEERS)
def test_baseline_counts_what_the_product_counts(account, name, peer):
    """Each reference segment has users, and a baseline finds as many of them as the product."""
    opened = importlib.import_module(peer).open_peer(account.lake)
    try:
        assert opened.count(name) == account.count(SEGMENTS[name]) > 0
    finally:
        opened.close()


def test_every_step_of_the_export_is_measured():
    """With few users, each measurement comes to its end and says what it found."""
    line = [sys.executable, EXPORT, "--users", "300", "--repeat", "1", "--only", "whole", "latency", "ledger"]
    told = subprocess.run(line, check=True, capture_output=True, text=True, timeout=120).stdout
    assert [name in told for name in ("whole export: ", "at 50 ms, 16 in flight: ", "the ledger's commits")] == [
        True, True, True,
    ]  # fmt: skip


def test_steps_take_turns():
    """A step is warmed once, then each repetition does every step before the next one begins."""
    done: list[str] = []
    times = interleaved({"a": lambda: done.append("a"), "b": lambda: done.append("b")}, 2)
    assert done == ["a", "b"] * 3
    assert [len(found.seconds) for found in times.values()] == [2, 2]


def test_a_value_is_held_against_must_and_aim():
    """Below the aim, below the must, above both; a value that is not there is not met."""
    target = Target("a ratio", 1.2, 0.8)
    told = [verdict(target, value) for value in (0.8, 1.2, 1.3, None)]
    assert told == ["aim met", "must met", "missed", "not measured"]


def test_a_page_gets_the_figures_between_its_marks():
    """The tables are replaced, the words around them stay."""
    facts = {"users": 10, "events": 20, "cores": 2, "memory": 2**34, "python": "3.11", "repeat": 7}
    facts |= {"duckdb": "2.0", "polars": "2.1", "chdb": "not installed"}
    seconds = {f"S1 {who}": Times((0.01, 0.03, 0.02)) for who in ("product", "DuckDB")}
    found = {"1": Found(value=0.9, note="S1 0.90", times=seconds, facts={"users": {"S1": 3}})}
    page = replaced(f"before {BEGIN} old {END} after", raw(facts, found))
    assert page.startswith("before ")
    assert page.endswith(" after")
    assert " old " not in page
    assert "| 0.90 × | must met | S1 0.90 |" in page
    assert "| S1 | 3 | 20 | 20 |" in page
    assert "| not measured |" in page
