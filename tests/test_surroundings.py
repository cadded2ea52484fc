"""What surrounds a run misbehaves: locked and restarted databases, full disks, jumping clocks, proxies, a second sender."""

import http.client
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import polars as pl
import pytest
from accounts import NOW, Account, make_account
from conftest import postgres_server
from export.recorder import ACCEPTED, Recorder, Reply
from export.sendable import CREDENTIALS, RUN_ID, reserve, send

from workbench import proof, runs
from workbench.errors import DestinationError, StoreError
from workbench.export.client import Client
from workbench.export.ledger import RequestState, RunState
from workbench.export.sandbox import Receiver, accepted, report
from workbench.store.lake import utc_now
from workbench.workspace import open_workspace

ROOT = Path(__file__).parents[1]
DATABASES = ["shop", pytest.param("team", marks=pytest.mark.postgres)]


def arrived_once(account: Account, folder: Path) -> None:
    """All 500 arrived, each once, the held out did not, and the record says so."""
    workspace = account.workspace
    (run,) = workspace.ledger.newest()
    audience = pl.read_parquet(workspace.settings.directory / run.audience_path)
    ids = [batch["source_request_id"] for batch in accepted(folder)]
    assert len(ids) == 500
    assert set(ids) == set(audience.filter(pl.col("verdict") == "send")["source_request_id"])
    assert run.state is RunState.COMPLETED
    assert workspace.ledger.totals(run.run_id)[RequestState.ACCEPTED] == 500
    assert audience.height == sum(row["users"] for row in run.verdicts) == 1000
    assert proof.verify(workspace, run.run_id).holds is True


@pytest.mark.parametrize("database", DATABASES)
def test_two_processes_send_the_same_occurrence(
    request: pytest.FixtureRequest, receiver: Receiver, tmp_path: Path, database: str
) -> None:
    """Both begin before either has reserved: one sends, the other finds it held or done, and 500 arrive, once."""
    account: Account = request.getfixturevalue(database)
    line = [sys.executable, "-m", "workbench", "send", "hello", "--as-of", f"{NOW.isoformat()}", "--json"]
    both = [
        subprocess.Popen(
            [*line, "-c", str(account.config)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    told = [process.communicate(timeout=120) for process in both]
    codes = sorted(process.returncode for process in both)
    assert codes in ([0, 0], [0, 7]), told
    sent = [
        json.loads(out)["sent_now"]
        for (out, _), process in zip(told, both, strict=True)
        if not process.returncode
    ]
    assert max(sent) == 500 == sum(sent)
    assert report(tmp_path / "sandbox").duplicates == 0
    arrived_once(account, tmp_path / "sandbox")


def test_a_locked_database_is_waited_for(account: Account) -> None:
    """Another process holds the write lock for two seconds: nobody is lost, nobody twice, and it is no error."""
    run = reserve(account, 60)
    other = open_workspace(account.config).database
    holding = threading.Event()

    def hold() -> None:
        with other.transaction():
            holding.set()
            time.sleep(2)

    holder = threading.Thread(target=hold)

    def answer(number: int) -> Reply:
        if number == 10:
            holder.start()
            holding.wait()
        return ACCEPTED

    with Recorder(answer=answer, seconds=0.02) as recorder:
        assert send(account, run, recorder.url) == 60
    holder.join()
    assert len(set(recorder.digests)) == len(recorder.digests) == 60
    assert account.workspace.ledger.get(RUN_ID).state is RunState.COMPLETED
    other.close()


@pytest.mark.postgres
def test_a_database_that_restarts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server restarts in the middle: one error, no guess; then the rest is sent, the doubtful with the same bytes."""
    with postgres_server() as (url, restart):
        monkeypatch.setenv("WORKBENCH_DATABASE_URL", url)
        account = make_account(tmp_path / "home")
        run = reserve(account, 100)

        def answer(number: int) -> Reply:
            if number == 20:
                restart()
            return ACCEPTED

        with Recorder(answer=answer, seconds=0.02) as recorder:
            with pytest.raises(StoreError, match="the ledger"):
                send(account, run, recorder.url)
            before = len(recorder.digests)
            totals = account.workspace.ledger.totals(RUN_ID)
            assert totals[RequestState.ACCEPTED] <= before < 100
            assert totals[RequestState.RESERVED] <= 100 - before
            send(account, run, recorder.url)
        assert len(set(recorder.digests)) == 100
        assert len(recorder.digests) - 100 <= 16
        assert account.workspace.ledger.get(RUN_ID).state is RunState.COMPLETED
        account.workspace.database.close()


FULL_DISK = """
import json, os, sys
from pathlib import Path
sys.path[:0] = [{root!r}, {tests!r}]
from accounts import make_account
from export.recorder import ACCEPTED, Recorder
from export.sendable import CREDENTIALS, RUN_ID, reserve, send
from workbench.errors import WorkbenchError
from workbench.store.lake import utc_now

disk = Path(sys.argv[1])
account = make_account(disk / "home")
run = reserve(account, 300)
filler = disk / "filler"

def answer(number):
    if number == 40:
        with filler.open("wb", buffering=0) as stream:
            try:
                while stream.write(bytes(4096)):
                    pass
            except OSError:
                pass
    return ACCEPTED

with Recorder(answer=answer, seconds=0.02) as recorder:
    try:
        told = str(send(account, run, recorder.url))
    except WorkbenchError as error:
        told = type(error).__name__ + ": " + str(error)
    before = len(recorder.digests)
    filler.unlink()
    send(account, run, recorder.url)
ledger = account.workspace.ledger
print(json.dumps({{
    "told": told, "before": before, "arrived": len(recorder.digests), "different": len(set(recorder.digests)),
    "state": ledger.get(RUN_ID).state, "accepted": ledger.totals(RUN_ID)["accepted"],
}}))
"""


@pytest.mark.mount
def test_a_disk_that_fills_up(tmp_path: Path) -> None:
    """A real disk of 2 MB fills up while a run is sent: one error; with room again, the rest, nobody twice over."""
    disk = tmp_path / "disk"
    disk.mkdir()
    script = tmp_path / "full_disk.py"
    script.write_text(FULL_DISK.format(root=str(ROOT), tests=str(ROOT / "tests")))
    mounted = f'mount -t tmpfs -o size=2m tmpfs "{disk}" && exec "{sys.executable}" "{script}" "{disk}"'
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", mounted], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert "StoreError" in found["told"]
    assert "full" in found["told"]
    assert found["before"] < 300
    assert (found["different"], found["accepted"], found["state"]) == (300, 300, "completed")
    assert found["arrived"] - 300 <= 16


@pytest.mark.parametrize("hours", [-30 * 24, -1, 1, 20 * 24])
def test_a_clock_that_jumps(account: Account, hours: int) -> None:
    """Forward or back in the middle of a run: the pace and the order of the requests do not go by it."""
    run = reserve(account, 60)
    jumped = threading.Event()

    def answer(number: int) -> Reply:
        if number == 20:
            jumped.set()
        return ACCEPTED

    def clock() -> Any:
        return utc_now() + (timedelta(hours=hours) if jumped.is_set() else timedelta())

    with Recorder(answer=answer, seconds=0.01) as recorder:
        assert send(account, run, recorder.url, clock=clock) == 60
    assert len(set(recorder.digests)) == len(recorder.digests) == 60
    assert account.workspace.ledger.get(RUN_ID).state is RunState.COMPLETED
    assert send(account, run, recorder.url, clock=clock) == 0


@contextmanager
def proxy(mode: str) -> Iterator[tuple[str, list[str]]]:
    """A forward proxy that does to the third request what ``mode`` says, and passes the others on."""
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            seen.append(self.path)
            faulty = len(seen) == 3
            if faulty and mode not in {"forward", "cut after"}:
                self._say(int(mode), {"Content-Type": "text/html"}, b"<html>The proxy says no</html>")
                return
            to = urlsplit(self.path)
            onward = http.client.HTTPConnection("127.0.0.1", to.port, timeout=10)
            kept = {
                k: v
                for k, v in self.headers.items()
                if k.lower() not in {"host", "connection", "proxy-connection"}
            }
            onward.request("POST", to.path, body, kept)
            answer = onward.getresponse()
            content = answer.read()
            onward.close()
            if faulty and mode == "cut after":
                self.close_connection = True
                return
            self._say(answer.status, {}, content)

        def _say(self, status: int, headers: dict[str, str], content: bytes) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(content)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args: Any) -> None:
            """Write no log."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", seen
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize("database", DATABASES)
@pytest.mark.parametrize(
    ("mode", "interrupted"), [("forward", ""), ("cut after", ""), ("502", ""), ("504", ""), ("407", "407"), ("200", "only 202")]
)  # fmt: skip
def test_a_proxy_in_between(
    request: pytest.FixtureRequest,
    receiver: Receiver,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    database: str,
    mode: str,
    interrupted: str,
) -> None:
    """What a proxy answers in the receiver's place is never an acceptance; in the end all arrive, each once."""
    account: Account = request.getfixturevalue(database)
    with proxy(mode) as (url, seen):
        monkeypatch.setenv("http_proxy", url)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        plan = runs.plan(account.workspace, "hello", as_of=NOW)
        options = account.workspace.settings.mparticle
        client = Client(receiver.url.replace("127.0.0.1", "receiver.test"), CREDENTIALS, options)
        if interrupted:
            with pytest.raises(DestinationError, match=interrupted):
                runs.execute(account.workspace, plan, client=client)
            assert account.workspace.ledger.newest()[0].state is RunState.INTERRUPTED
            runs.resume(account.workspace, plan.run_id, client=client)
        else:
            runs.execute(account.workspace, plan, client=client)
        assert len(seen) == (5 if mode == "forward" else 6)
    assert report(tmp_path / "sandbox").duplicates == (100 if mode == "cut after" else 0)
    arrived_once(account, tmp_path / "sandbox")
