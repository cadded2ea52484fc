"""``workbench demo``: the main job on the sample, from raw files to batches that arrived."""

import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from workbench import progress
from workbench.campaigns import codec as campaign_codec
from workbench.cli.output import Config, out, waterfall
from workbench.cli.sandbox import credentials, folder
from workbench.errors import InputError, WorkbenchError
from workbench.export import sandbox as receiver
from workbench.export.ledger import RequestState
from workbench.kernels import environment
from workbench.runs import Receipt
from workbench.segments import codec as segment_codec
from workbench.settings import FILE_NAME, Settings, Source
from workbench.store import documents
from workbench.store.ingest import ingest
from workbench.store.lake import utc_now
from workbench.workspace import Workspace, open_workspace

LAST_EVENT = datetime(2026, 6, 30, 18, tzinfo=UTC)
CAMPAIGN = "cart-abandoners"
NEEDED = (
    "data/sample/generate.py", f"data/sample/campaigns/{CAMPAIGN}.segment.yaml",
    f"data/sample/campaigns/{CAMPAIGN}.campaign.yaml", "notebooks/send.ipynb",
)  # fmt: skip
FILES = {
    "profiles.csv": Source(kind="profiles", types={"tags": "list"}),
    "devices.ndjson": Source(kind="devices"),
    "events.parquet": Source(kind="events", types={"app_version": "version"}),
}


def demo(config: Config = None) -> None:
    """Build the sample, ingest it, and send its campaign to the embedded receiver, once."""
    home = Settings.load(config).home
    # Opening the account makes its ledger: first whether there is something to show in it.
    absent = [name for name in NEEDED if not (home / name).exists()]
    if absent:
        raise InputError(f"the demo runs in a checkout of the project: there is no {absent[0]} in {home}")
    from workbench.runner import run_send  # noqa: PLC0415 - papermill takes two seconds to import

    workspace = open_workspace(config)
    sample = home / "data" / "sample"
    out.print("[bold]1[/] sample data")
    _build(sample)
    _ingest(workspace, sample / "raw")
    out.print(f"[bold]2[/] campaign [bold]{CAMPAIGN}[/]")
    _save(workspace, sample / "campaigns")
    out.print("[bold]3[/] send: notebooks/send.ipynb through papermill, to the embedded receiver")
    before = _accepted(workspace)
    with _receiver(workspace):
        executed = run_send(
            workspace,
            home / "notebooks" / "send.ipynb",
            campaign=CAMPAIGN,
            occurrence=LAST_EVENT,
            as_of=LAST_EVENT,
            config=home / FILE_NAME,
            now=utc_now(),
        )
    arrived = dict(receiver.report(folder(workspace.settings)).accepted_per_run).get(executed.run.run_id, 0)
    receipt = Receipt(
        run=executed.run, sent_now=0, was_complete=True, users=workspace.ledger.totals(executed.run.run_id)
    )
    out.print(waterfall(receipt.waterfall, executed.run.qualified, executed.run.run_id))
    _prove(receipt, arrived)
    sent_now = _accepted(workspace) - before
    note = "" if sent_now else " (this occurrence was complete before)"
    out.print(f"sent now       [bold]{sent_now:,}[/]{note}")
    out.print(
        f"receiver holds [bold]{arrived:,}[/] batches of this run: the {receipt.run.to_send:,} that were sent"
    )
    out.print(f"notebook       {_relative(executed.notebook)}", soft_wrap=True)
    again = f"{_relative(Path(sys.argv[0]))} send {CAMPAIGN} --occurrence {LAST_EVENT:%Y-%m-%dT%H:%M:%SZ}"
    out.print(f"once only      {again}   [dim]# sends 0[/]", soft_wrap=True)


def _accepted(workspace: Workspace) -> int:
    """How many users of the demo's run were accepted so far."""
    run = workspace.ledger.find(CAMPAIGN, LAST_EVENT)
    return workspace.ledger.totals(run.run_id)[RequestState.ACCEPTED] if run else 0


def _build(sample: Path) -> None:
    raw = sample / "raw"
    if all((raw / name).exists() for name in FILES):
        return
    spec = importlib.util.spec_from_file_location("sample_generate", sample / "generate.py")
    if spec is None or spec.loader is None:
        raise WorkbenchError("data/sample/generate.py cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.build(raw, progress=lambda line: out.print(f"  [dim]{line}[/]"))


def _ingest(workspace: Workspace, raw: Path) -> None:
    for name, source in FILES.items():
        summary = ingest(
            workspace.lake, workspace.settings, source, [str(raw / name)],
            source_name=source.kind, now=utc_now(), report=progress.bar(),
        )  # fmt: skip
        rows = f"{summary.added:,} rows" if summary.read else "there already"
        out.print(f"  {source.kind}: {rows}")


def _save(workspace: Workspace, folder: Path) -> None:
    now = utc_now()
    segment = segment_codec.from_json(documents.read(folder / f"{CAMPAIGN}.segment.yaml"))
    workspace.segments.save(segment, workspace.scope(workspace.lake.at()), now=now)
    campaign = campaign_codec.from_json(documents.read(folder / f"{CAMPAIGN}.campaign.yaml"))
    workspace.campaigns.save(campaign, catalogue=workspace.lake.at().catalogue, now=now)


@contextmanager
def _receiver(workspace: Workspace) -> Iterator[None]:
    """Serve for the time of the run; the notebook's kernel inherits the address and the key."""
    key, secret = credentials(os.environ)
    added = {"WORKBENCH_MPARTICLE_KEY": key, "WORKBENCH_MPARTICLE_SECRET": secret}
    with receiver.Receiver(folder(workspace.settings), key=key, secret=secret) as server:
        added["WORKBENCH_MPARTICLE_URL"] = server.url
        with environment(added):
            yield


def _prove(receipt: Receipt, arrived: int) -> None:
    if receipt.waterfall["users"].sum() != receipt.run.qualified or arrived != receipt.run.to_send:
        raise WorkbenchError(
            f"the numbers do not agree: {receipt.run.qualified:,} qualified, {receipt.run.to_send:,} to send, "
            f"{arrived:,} arrived; see workbench sandbox report"
        )


def _relative(path: Path) -> str:
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
