"""What is measured: one function a target, each returns a ratio with the times behind it."""

import importlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
from account import Account, Build, forget, forget_files
from generate import generate
from load import load_apart
from reference import AS_OF, NAMES, open_peers
from reference_segments import SEGMENTS
from timing import Step, Times, geometric_mean, interleaved

from workbench.segments.build import Expression, any_of, did, prop, user

QUICK = 3  # times as many repetitions where a question takes milliseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A measured value.

    Attributes:
        value: the ratio, or bytes; None if it could not be measured.
        note: what it is made of, or why it is not there.
        times: the repetitions behind it.
        facts: other raw numbers.
    """

    value: float | None = None
    note: str = ""
    times: Mapping[str, Times] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What a run measures.

    Attributes:
        big: the large account.
        small: a smaller one of the same shape, if there is one.
        repeat: how often each step is timed.
    """

    big: Account
    small: Account | None
    repeat: int


def peers(bench: Bench) -> dict[str, Found]:
    """1, 2 and 3: the reference segments against hand-written queries over the same files."""
    hands, missing = open_peers(bench.big.lake)
    times: dict[str, Times] = {}
    counts: dict[str, int] = {}
    for name in NAMES:
        product = partial(bench.big.count, SEGMENTS[name])
        forget()
        answers = {"product": product(), **{hand: peer.count(name) for hand, peer in hands.items()}}
        if len(set(answers.values())) > 1:
            raise AssertionError(f"{name} is counted differently: {answers}")
        counts[name] = answers["product"]
        steps: dict[str, Step] = {f"{name} {hand}": partial(peer.count, name) for hand, peer in hands.items()}
        steps |= {f"{name} product": product}
        times |= interleaved(steps, bench.repeat, forget)
        times |= interleaved({f"{name} product, opened": product}, bench.repeat, forget_files)
    for peer in hands.values():
        peer.close()

    def against(name: str, *others: str, what: str = "product") -> float:
        return times[f"{name} {what}"].median / min(times[f"{name} {other}"].median for other in others)

    duck = {name: against(name, "DuckDB") for name in NAMES}
    best = {name: against(name, *hands) for name in NAMES}
    opened = {name: against(name, "DuckDB", what="product, opened") for name in NAMES}
    told = f"fastest of {', '.join(hands)}" + "".join(f"; no {hand}: {why}" for hand, why in missing.items())
    return {
        "1": Found(
            value=geometric_mean(duck.values()), note=_each(duck), times=times, facts={"users": counts}
        ),
        "1b": Found(value=geometric_mean(opened.values()), note=_each(opened)),
        "2": Found(value=duck["S4"], note=_milliseconds(times, "S4 DuckDB", "S4 product")),
        "3": Found(value=geometric_mean(best.values()), note=f"{_each(best)}; {told}"),
    }


def moved(bench: Bench) -> dict[str, Found]:
    """4: S2 is known; its threshold, operator or user filter moves."""
    carts = did("add_to_cart").where(prop("price") > 100)
    rest = ~did("purchase").in_last(days=7)
    first = partial(_all, carts.at_least(3).in_last(days=30), rest, user("country") == "US")
    changes: dict[str, Build] = {
        "threshold": partial(_all, carts.at_least(4).in_last(days=30), rest, user("country") == "US"),
        "operator": partial(_all, carts.exactly(3).in_last(days=30), rest, user("country") == "US"),
        "country": partial(_all, carts.at_least(3).in_last(days=30), rest, user("country") == "DE"),
        "plan added": lambda: first() & (user("plan") == "pro"),
    }
    times = _after(bench, first, changes, bench.repeat * QUICK)
    ratios = {name: times[name].median / times["first"].median for name in changes}
    fresh = ratios.pop("plan added")
    note = f"the worst of {_each(ratios)}; a filter on an attribute that was not asked before: {fresh:.2f}"
    return {"4": Found(value=max(ratios.values()), note=note, times=times)}


def window_moved(bench: Bench) -> dict[str, Found]:
    """5: of four behaviours that are known, one gets another window."""
    days = {"add_to_cart": 30, "purchase": 90, "search": 30, "product_viewed": 30}
    first = partial(_four, days)
    changes: dict[str, Build] = {event: partial(_four, days | {event: days[event] - 3}) for event in days}
    times = _after(bench, first, changes, bench.repeat)
    ratios = {name: times[name].median / times["first"].median for name in changes}
    mean = sum(ratios.values()) / len(ratios)
    return {"5": Found(value=mean, note=f"the mean of {_each(ratios)}", times=times)}


def more_events(bench: Bench) -> dict[str, Found]:
    """6: the same segments on a small and a large account."""
    if bench.small is None:
        return {"6": Found(note="not measured: give --small")}
    times: dict[str, Times] = {}
    for name in NAMES[:4]:
        steps = {
            f"{name} {size}": partial(account.count, SEGMENTS[name])
            for size, account in (("small", bench.small), ("big", bench.big))
        }
        times |= interleaved(steps, bench.repeat, forget)
    ratios = {name: times[f"{name} big"].median / times[f"{name} small"].median for name in NAMES[:4]}
    rows = bench.big.rows / bench.small.rows
    note = f"the worst of {_each(ratios)}; {rows:.1f} × the events"
    return {"6": Found(value=max(ratios.values()), note=note, times=times)}


def unrelated(bench: Bench) -> dict[str, Found]:
    """7: twice as many of the events that no reference segment names."""
    if bench.small is None:
        return {"7": Found(note="not measured: give --small")}
    with _noisy(bench.small) as noisy:
        times: dict[str, Times] = {}
        for name in ("S1", "S2"):
            plain, more = partial(bench.small.count, SEGMENTS[name]), partial(noisy.count, SEGMENTS[name])
            if plain() != more():
                raise AssertionError(f"unrelated events change {name}")
            steps = {f"{name} small": plain, f"{name} noisy": more}
            times |= interleaved(steps, bench.repeat * QUICK * QUICK, forget)
        rows = f"{bench.small.rows:,} to {noisy.rows:,} events"
    ratios = {name: times[f"{name} noisy"].median / times[f"{name} small"].median for name in ("S1", "S2")}
    note = f"the worst of {_each(ratios)}; {rows}"
    return {"7": Found(value=max(ratios.values()), note=note, times=times)}


def more_behaviours(bench: Bench) -> dict[str, Found]:
    """8: eight behaviours in one segment, against the mean of each alone."""
    events = [f"event_{rank:02}" for rank in (5, 7, 8, 9, 10, 11, 13, 14)]
    alone: dict[str, Build] = {event: partial(_often, event) for event in events}
    together: Build = lambda: any_of(*(_often(event) for event in events))  # noqa: E731 - a builder like the others
    steps = {name: partial(bench.big.count, build) for name, build in {**alone, "eight": together}.items()}
    times = interleaved(steps, bench.repeat, forget)
    mean = sum(times[event].median for event in events) / len(events)
    note = f"{times['eight'].median * 1e3:.0f} ms against a mean of {mean * 1e3:.0f} ms"
    return {"8": Found(value=times["eight"].median / mean, note=note, times=times)}


def over_time(bench: Bench) -> dict[str, Found]:
    """9: 28 days of each reference segment, against one."""
    try:
        history = importlib.import_module("workbench.reach.history").history
    except ImportError as error:
        return {"9": Found(note=f"not measured: {error}")}
    workspace = bench.big.workspace

    def days(build: Build) -> object:
        return history(workspace, build().named("measured"), as_of=AS_OF, days=28)

    times: dict[str, Times] = {}
    for name in NAMES:
        steps: dict[str, Step] = {
            f"{name} one day": partial(bench.big.count, SEGMENTS[name]),
            f"{name} 28 days": partial(days, SEGMENTS[name]),
        }
        times |= interleaved(steps, bench.repeat, forget)
    ratios = {name: times[f"{name} 28 days"].median / times[f"{name} one day"].median for name in NAMES}
    return {"9": Found(value=geometric_mean(ratios.values()), note=_each(ratios), times=times)}


def size(bench: Bench) -> dict[str, Found]:
    """14: the last month of the lake, against its rows in time order."""
    version = bench.big.workspace.lake.at()
    files = [file for file in version.files if file.kind in {"events", "tallies"}]
    month = max(Path(file.path).parent.name for file in files)
    of_month = [file for file in files if Path(file.path).parent.name == month]
    rows = [str(bench.big.lake / file.path) for file in of_month if file.kind == "events"]
    kept = sum(file.bytes for file in of_month)
    bytes_: dict[str, int] = {
        kind: sum(f.bytes for f in of_month if f.kind == kind) for kind in ("events", "tallies")
    }
    with TemporaryDirectory() as folder, duckdb.connect() as connection:
        connection.execute("SET enable_progress_bar = false")
        for layout in ("v1", "v2"):
            path = Path(folder) / f"{layout}.parquet"
            connection.execute(
                f"COPY (SELECT * FROM read_parquet({rows}, hive_partitioning = false) ORDER BY ts) "
                f"TO '{path}' (FORMAT parquet, COMPRESSION zstd, PARQUET_VERSION {layout})"
            )
            bytes_[layout] = path.stat().st_size
    note = (
        f"{month.removeprefix('month=')}, the same columns sorted by ts: lake {kept / 1e6:.0f} MB (of which tallies "
        f"{bytes_['tallies'] / 1e6:.1f}), Parquet v2 {bytes_['v2'] / 1e6:.0f} MB; of v1, DuckDB's default, "
        f"it is {kept / bytes_['v1']:.2f}"
    )
    return {"14": Found(value=kept / bytes_["v2"], note=note, facts=bytes_)}


def ingest(bench: Bench) -> dict[str, Found]:
    """The peak of the ingest, as `load.py` noted it."""
    noted = bench.big.folder / "ingest.json"
    if not noted.exists():
        return {"ingest": Found(note="not measured: the account was not loaded by load.py")}
    facts = json.loads(noted.read_text())
    speed = facts["rows"] / facts["seconds"]
    told = f"{facts['rows']:,} events in {facts['seconds']:.0f} s ({speed:,.0f} a second)"
    return {"ingest": Found(value=facts["peak"], note=told, facts=facts)}


def memory(bench: Bench) -> dict[str, Found]:
    """The peak of a new process that asks S1 to S7 one after the other."""
    command = [sys.executable, str(Path(__file__).with_name("peak.py")), str(bench.big.folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    facts = json.loads(done.stdout.splitlines()[-1])
    note = (
        f"{facts['before'] / 1e6:,.0f} MB before the first question; {facts['seconds']:.1f} s for all seven"
    )
    return {"memory": Found(value=facts["peak"], note=note, facts=facts)}


MEASURES: Mapping[Callable[[Bench], dict[str, Found]], tuple[str, ...]] = {
    peers: ("1", "1b", "2", "3"), moved: ("4",), window_moved: ("5",), more_events: ("6",),
    unrelated: ("7",), more_behaviours: ("8",), over_time: ("9",), size: ("14",), memory: ("memory",),
    ingest: ("ingest",),
}  # fmt: skip


def _after(bench: Bench, first: Build, changes: Mapping[str, Build], repeat: int) -> dict[str, Times]:
    """Time a segment from nothing, then each change of it when only that segment is known."""
    seconds: dict[str, list[float]] = {"first": [], **{name: [] for name in changes}}
    for _ in range(repeat + 1):
        for name, change in changes.items():
            forget()
            steps = {"first": partial(bench.big.count, first), name: partial(bench.big.count, change)}
            for step, times in interleaved(steps, 1, warm=0).items():
                seconds[step] += times.seconds
    warm = {name: len(found) // (repeat + 1) for name, found in seconds.items()}
    return {name: Times(tuple(found[warm[name] :])) for name, found in seconds.items()}


@contextmanager
def _noisy(small: Account) -> Iterator[Account]:
    """Make and load an account with the events of `small` and, of those that no segment names, twice as many."""
    with TemporaryDirectory() as folder:
        raw, workspace = Path(folder) / "raw", Path(folder) / "workspace"
        generate(raw, users=small.users, events=small.rows, noise=2, report=lambda line: None)
        load_apart(raw, workspace)
        yield Account(workspace)


def _all(*parts: Expression) -> Expression:
    found = parts[0]
    for part in parts[1:]:
        found &= part
    return found


def _four(days: Mapping[str, int]) -> Expression:
    """Four behaviours, each with a filter."""
    return _all(
        did("add_to_cart").where(prop("price") > 100).at_least(3).in_last(days=days["add_to_cart"]),
        did("purchase").where(prop("price") > 50).in_last(days=days["purchase"]),
        did("search").where(prop("source") == "email").in_last(days=days["search"]),
        did("product_viewed").where(prop("category") == "tents").in_last(days=days["product_viewed"]),
    )


def _often(event: str) -> Expression:
    return did(event).at_least(3).in_last(days=30)


def _each(ratios: Mapping[str, float]) -> str:
    return ", ".join(
        f"{name} {ratio:.2f}" if ratio >= 0.1 else f"{name} {ratio:.3f}" for name, ratio in ratios.items()
    )


def _milliseconds(times: Mapping[str, Times], *names: str) -> str:
    return ", ".join(f"{name} {times[name].median * 1e3:.0f} ms" for name in names)
