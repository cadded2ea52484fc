"""The export against a hand-written one, at 50 ms an answer, in memory, and without the ledger.

    python benchmarks/export.py [--users 100000] [--repeat 3] [--only whole latency ledger memory] [--database URL]

The receiver is a sink in a process of its own: it reads the body, waits, and answers 202. Every measurement is a
process of its own too; those that are compared take turns, and the figures are medians. Planning is not part of it.
"""

import argparse
import asyncio
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
AS_OF = datetime(2026, 7, 1, tzinfo=UTC)
ATTRIBUTES = ("first_name", "country", "city", "plan", "loyalty_points")
IDEAL = 16 * 100 / 0.05
SETTINGS = """\
[account]
name = "bench"
timezone = "UTC"
salt = "bench"

[identities]
customer_id = "user_id"
email = "email"

[mparticle]
url = "http://127.0.0.1:9/v2"
batches_per_second = 100000000
in_flight = {in_flight}
"""
CAMPAIGN = {
    "id": "everybody", "name": "Everybody", "segment": {"name": "active"},
    "content": {"attributes": list(ATTRIBUTES)},
}  # fmt: skip
SEGMENT = {"name": "active", "condition": {"kind": "did", "events": ["App Launched"]}}


def main() -> None:
    """Measure what is asked for and print it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--only", nargs="+", default=list(MEASURES), choices=list(MEASURES))
    parser.add_argument("--database", help="a PostgreSQL for the ledger instead of SQLite")
    options = parser.parse_args()
    print(f"load at the start: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as folder:
        for name in options.only:
            MEASURES[name](Path(folder), options)


def whole(folder: Path, options: argparse.Namespace) -> None:
    """Encode, freeze, reserve and send, no latency, against dict + json.dumps + requests.Session."""
    home = account(folder, options.users, 8, options.database)
    times = taking_turns(home, {"product": "export", "baseline": "baseline"}, options, delay=0)
    product, baseline = (statistics.median(times[name]) for name in ("product", "baseline"))
    print(
        f"whole export: {options.users / product:,.0f} users/s, baseline {options.users / baseline:,.0f}: "
        f"{baseline / product:.2f} ×"
    )


def latency(folder: Path, options: argparse.Namespace) -> None:
    """Send what is frozen, 16 in flight, 50 ms an answer."""
    home = account(folder, options.users, 16, options.database)
    seconds = taking_turns(home, {"send": "send"}, options, delay=0.05)["send"]
    rate = options.users / statistics.median(seconds)
    print(f"at 50 ms, 16 in flight: {rate:,.0f} users/s, {rate / IDEAL:.0%} of {IDEAL:,.0f}")


def ledger(folder: Path, options: argparse.Namespace) -> None:
    """The same with and without the ledger's commits."""
    home = account(folder, options.users, 16, options.database)
    times = taking_turns(home, {"with": "send", "without": "unmarked"}, options, delay=0.05)
    ratio = statistics.median(times["with"]) / statistics.median(times["without"])
    print(f"the ledger's commits ({'PostgreSQL' if options.database else 'SQLite'}): {ratio - 1:+.1%}")


def memory(folder: Path, options: argparse.Namespace) -> None:
    """Peak of a plan and its export, and of the sending alone, for half as many users and five times as many."""
    peaks: dict[str, list[float]] = {"plan and export": [], "sending alone": []}
    for users in (options.users // 2, options.users * 5):
        home = account(folder, users, 8, options.database)
        with sink(0) as url:
            peaks["plan and export"].append(step(home, "export", url)["peak"])
            peaks["sending alone"].append(step(home, "send", url)["peak"])
    for name, (small, large) in peaks.items():
        print(
            f"peak of {name}: {small / 1e6:,.0f} MB for {options.users // 2:,} users, {large / 1e6:,.0f} MB for "
            f"{options.users * 5:,}: {large / small:.2f} ×"
        )


MEASURES = {"whole": whole, "latency": latency, "ledger": ledger, "memory": memory}


def taking_turns(
    home: Path, steps: dict[str, str], options: argparse.Namespace, *, delay: float
) -> dict[str, list[float]]:
    """Do each step once a repetition; return the seconds of each."""
    times: dict[str, list[float]] = {name: [] for name in steps}
    with sink(delay) as url:
        for _ in range(options.repeat):
            for name, what in steps.items():
                done = step(home, what, url)
                assert done["users"] == options.users, done
                times[name].append(done["seconds"])
    print(
        "  " + "; ".join(f"{name} {', '.join(f'{s:.2f}' for s in each)} s" for name, each in times.items()),
        f"(load {os.getloadavg()[0]:.1f})",
    )
    return times


def account(folder: Path, users: int, in_flight: int, database: str | None) -> Path:
    """Make an account of users who all qualify, once."""
    home = folder / f"{users}-{in_flight}"
    if home.exists():
        return home
    home.mkdir()
    text = SETTINGS.format(in_flight=in_flight)
    if database:
        text += f'\n[store]\ndatabase = "{database}"\n'
    (home / "workbench.toml").write_text(text)
    step(home, "account", str(users))
    return home


def step(home: Path, name: str, argument: str) -> dict[str, Any]:
    """Do one step in a process of its own."""
    environment = {
        **os.environ, "WORKBENCH_CONFIG": str(home / "workbench.toml"), "TQDM_DISABLE": "1",
        "WORKBENCH_MPARTICLE_KEY": "bench", "WORKBENCH_MPARTICLE_SECRET": "bench",
    }  # fmt: skip
    if name != "account":
        environment["WORKBENCH_MPARTICLE_URL"] = argument
    line = [sys.executable, __file__, "--step", name, argument]
    done = subprocess.run(line, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


@contextmanager
def sink(delay: float) -> Iterator[str]:
    """Serve the receiver; yield its address."""
    line = [sys.executable, __file__, "--sink", str(delay)]
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield f"http://127.0.0.1:{server.stdout.readline().strip()}/v2"
        finally:
            server.terminate()


class Sink(asyncio.Protocol):
    """Reads requests with a Content-Length, keeps nothing, and answers 202 after a while."""

    ANSWER = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"

    def __init__(self, delay: float) -> None:
        """Wait for a head first."""
        self._delay = delay
        self._head = b""
        self._left = 0

    def connection_made(self, transport: Any) -> None:
        """Keep where the answer goes."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Count the body down; the client sends its next request after the answer."""
        if not self._left:
            self._head += data
            head, found, body = self._head.partition(b"\r\n\r\n")
            if not found:
                return
            self._left = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
            self._head, data = b"", body
        self._left -= len(data)
        if not self._left:
            asyncio.get_running_loop().call_later(self._delay, self._transport.write, self.ANSWER)


async def serve(delay: float) -> None:
    """Serve until the process is ended; print the port first."""
    server = await asyncio.get_running_loop().create_server(lambda: Sink(delay), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def work(name: str, argument: str) -> None:
    """Do one step in this process and print what it took."""
    from workbench.workspace import open_workspace

    workspace = open_workspace()
    seconds, users = (make(workspace, int(argument)), 0) if name == "account" else STEPS[name](workspace)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"seconds": seconds, "users": users, "peak": peak}))


def make(workspace: Any, users: int) -> float:
    """Ingest a profile and an event for each user, and save a campaign to all of them."""
    import polars as pl

    from workbench.campaigns import codec as campaigns
    from workbench.segments import codec as segments
    from workbench.settings import Source
    from workbench.store.ingest import ingest

    home = workspace.settings.home
    number = pl.int_range(users, eager=True)
    ids = number.cast(pl.String).str.zfill(8)
    when = pl.Series([AS_OF - timedelta(days=1)]).extend_constant(AS_OF - timedelta(days=1), users - 1)
    names, cities = pl.Series(["Ann", "Maximiliana", "Zoë", "Bob"]), pl.Series(["Rome", "São Paulo", "Oslo"])
    profiles = pl.DataFrame({
        "user_id": ids, "email": "user" + ids + "@example.com", "first_name": names[number % 4], "country": ["US"] * users,
        "city": cities[number % 3], "plan": ["free"] * users, "loyalty_points": number % 1000,
    })  # fmt: skip
    events = pl.DataFrame({"user_id": ids, "event": ["App Launched"] * users, "ts": when})
    for kind, frame in (("profiles", profiles), ("events", events)):
        path = str(home / f"{kind}.parquet")
        frame.write_parquet(path)
        source = Source.model_validate({"kind": kind})
        ingest(workspace.lake, workspace.settings, source, [path], source_name=kind, now=AS_OF)
    version = workspace.lake.at()
    workspace.segments.save(segments.from_json(SEGMENT), workspace.scope(version), now=AS_OF)
    workspace.campaigns.save(campaigns.from_json(CAMPAIGN), catalogue=version.catalogue, now=AS_OF)
    return 0.0


def planned(workspace: Any) -> Any:
    """Plan an occurrence that has no run yet."""
    from workbench import runs

    before = len(workspace.ledger.newest(1000))
    return runs.plan(workspace, "everybody", occurrence=AS_OF - timedelta(days=before + 1), as_of=AS_OF)


def export(workspace: Any) -> tuple[float, int]:
    """Execute a plan."""
    from workbench import runs

    plan = planned(workspace)
    began = time.perf_counter()
    sent = runs.execute(workspace, plan).sent_now
    return time.perf_counter() - began, sent


def reserved(workspace: Any) -> Any:
    """Freeze and reserve a plan in another process, so that neither its seconds nor its memory count here."""
    line = [sys.executable, __file__, "--step", "reserve", "-"]
    subprocess.run(line, check=True, stdout=subprocess.DEVNULL)
    return workspace.ledger.newest(1)[0]


def reserve(workspace: Any) -> tuple[float, int]:
    """Freeze and reserve, and send nothing."""
    from workbench import runs
    from workbench.runs import reserving

    plan = planned(workspace)
    with runs.connect(workspace) as client:
        reserving.reserve(workspace, plan, client.key_digest, lambda *_: None)
    return 0.0, plan.to_send


def send(workspace: Any) -> tuple[float, int]:
    """Send what is reserved."""
    from workbench import runs

    run = reserved(workspace)
    began = time.perf_counter()
    sent = runs.resume(workspace, run.run_id).sent_now
    return time.perf_counter() - began, sent


def unmarked(workspace: Any) -> tuple[float, int]:
    """Send what is reserved, and write nothing down."""
    from workbench import runs
    from workbench.export.ledger import RunState
    from workbench.export.marks import Tick
    from workbench.export.publish import publish
    from workbench.store.lake import utc_now

    run = reserved(workspace)
    waiting = iter(workspace.ledger.requests(run.run_id))

    class Nothing:
        """Hands requests over as the marks do."""

        def start(self) -> RunState:
            return RunState.RUNNING

        def tick(self, marks: Any, *, room: int, now: datetime) -> Tick:
            found = tuple(request for _, request in zip(range(room), waiting, strict=False))
            return Tick(
                state=RunState.RUNNING, requests=found, is_last=len(found) < room, known_at=time.monotonic()
            )

        def look(self) -> Tick:
            return Tick(state=RunState.RUNNING, known_at=time.monotonic())

        def conclude(self, state: RunState, **_: Any) -> RunState:
            return state

    began = time.perf_counter()
    with runs.connect(workspace) as client:
        sent = publish(
            run, marks=Nothing(), unfinished=run.to_send, client=client, directory=workspace.settings.directory,  # type: ignore[arg-type]
            clock=utc_now,
        )  # fmt: skip
    return time.perf_counter() - began, sent


def baseline(workspace: Any) -> tuple[float, int]:
    """What an analyst writes: a dict a user, json.dumps of a hundred, requests.Session."""
    import polars as pl
    import requests

    settings = workspace.settings
    began = time.perf_counter()
    sent = 0
    profiles = pl.read_parquet(settings.home / "profiles.parquet")
    with requests.Session() as session:
        session.auth = ("bench", "bench")
        for part in profiles.iter_slices(100):
            batches = [
                {
                    "environment": "development",
                    "source_request_id": f"everybody-{row['user_id']}",
                    "user_identities": {"customer_id": row["user_id"], "email": row["email"]},
                    "events": [
                        {
                            "event_type": "custom_event",
                            "data": {
                                "event_name": "Campaign Message",
                                "custom_event_type": "other",
                                "timestamp_unixtime_ms": int(AS_OF.timestamp() * 1000),
                                "source_message_id": f"everybody-{row['user_id']}-1",
                                "custom_attributes": {
                                    "campaign_id": "everybody", "campaign_name": "Everybody",
                                    "run_id": "everybody-1", **{name: row[name] for name in ATTRIBUTES},
                                },
                            },
                        }
                    ],
                }
                for row in part.iter_rows(named=True)
            ]  # fmt: skip
            body = json.dumps(batches).encode()
            url = f"{settings.mparticle_url}/bulkevents"
            answer = session.post(url, data=body, headers={"Content-Type": "application/json"}, timeout=30)
            assert answer.status_code == 202
            sent += len(batches)
    return time.perf_counter() - began, sent


STEPS = {"export": export, "reserve": reserve, "send": send, "unmarked": unmarked, "baseline": baseline}


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--sink", delay]:
            asyncio.run(serve(float(delay)))
        case ["--step", name, argument]:
            work(name, argument)
        case _:
            main()
