"""Peak memory and time of ingest, plan and export: the sample against ten times the sample.

    python benchmarks/sample.py [--scales 1 10]

Every step runs in a process of its own, so that its peak is its own. The receiver is the sandbox, in
another process, with pacing off; the campaign has no cap, so that everybody who can be sent to is.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
STEPS = ("profiles", "devices", "events", "plan", "export")

CAMPAIGN = {
    "id": "everybody", "name": "Everybody", "segment": {"name": "active"}, "control": {"share": 0.1},
    "content": {"attributes": ["first_name", "country", "city", "plan", "loyalty_points"]},
}  # fmt: skip
SEGMENT = {"name": "active", "condition": {"kind": "did", "events": ["App Launched"]}}


def main() -> None:
    """Measure each scale and print one table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scales", type=int, nargs="+", default=[1, 10])
    parser.add_argument("--keep", type=Path, help="keep the generated files in this folder")
    options = parser.parse_args()
    found: dict[int, dict[str, dict[str, float]]] = {}
    for scale in options.scales:
        with tempfile.TemporaryDirectory() as folder:
            found[scale] = measure(Path(folder), scale, options.keep)
    show(found)


def measure(home: Path, scale: int, keep: Path | None) -> dict[str, dict[str, float]]:
    """Run every step at one scale and return its seconds, peak bytes and rows."""
    raw = (keep or home) / f"raw-{scale}"
    if not raw.exists():
        generator = [
            sys.executable,
            str(ROOT / "data/sample/generate.py"),
            "--out",
            str(raw),
            "--scale",
            str(scale),
        ]
        subprocess.run(generator, check=True, stdout=subprocess.DEVNULL)
    settings = (ROOT / "workbench.toml").read_text() + "batches_per_second = 1000000\n"
    (home / "workbench.toml").write_text(settings)
    environment = {
        **os.environ, "WORKBENCH_CONFIG": str(home / "workbench.toml"), "BENCH_RAW": str(raw),
        "WORKBENCH_MPARTICLE_KEY": "sandbox", "WORKBENCH_MPARTICLE_SECRET": "sandbox",
    }  # fmt: skip
    ready = home / "url"
    serve = [sys.executable, "-m", "workbench", "sandbox", "serve", "--port", "0", "--ready-file", str(ready)]
    server = subprocess.Popen(serve, env=environment, stdout=subprocess.DEVNULL)
    try:
        while not ready.exists() or not ready.read_text():
            time.sleep(0.1)
        environment["WORKBENCH_MPARTICLE_URL"] = ready.read_text()
        found = {}
        for step in STEPS:
            done = subprocess.run(
                [sys.executable, __file__, "--step", step],
                env=environment,
                check=True,
                capture_output=True,
                text=True,
            )
            found[step] = json.loads(done.stdout.splitlines()[-1])
    finally:
        server.terminate()
        server.wait(timeout=30)
    shutil.rmtree(home / ".workbench", ignore_errors=True)
    return found


def step(name: str) -> None:
    """Do one step in this process and print what it took."""
    from workbench import runs
    from workbench.campaigns import codec as campaigns
    from workbench.segments import codec as segments
    from workbench.settings import Source
    from workbench.store.ingest import ingest
    from workbench.store.lake import utc_now
    from workbench.workspace import open_workspace

    files = {"profiles": "profiles.csv", "devices": "devices.ndjson", "events": "events.parquet"}
    workspace = open_workspace()
    began = time.perf_counter()
    if name in files:
        source = Source(kind=name, types={"tags": "list"} if name == "profiles" else {})
        path = str(Path(os.environ["BENCH_RAW"]) / files[name])
        rows = ingest(
            workspace.lake, workspace.settings, source, [path], source_name=name, now=utc_now()
        ).added
    else:
        now = utc_now()
        version = workspace.lake.at()
        catalogue = version.catalogue
        workspace.segments.save(segments.from_json(SEGMENT), workspace.scope(version), now=now)
        workspace.campaigns.save(campaigns.from_json(CAMPAIGN), catalogue=catalogue, now=now)
        plan = runs.plan(workspace, "everybody", as_of=catalogue.last_ts)
        rows = plan.qualified
        if name == "export":
            rows = runs.execute(workspace, plan).sent_now
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"rows": rows, "seconds": seconds, "peak": peak}))


def show(found: dict[int, dict[str, dict[str, float]]]) -> None:
    """Print the table as Markdown."""
    scales = list(found)
    heads = (
        [f"rows at {n} ×" for n in scales]
        + [f"seconds at {n} ×" for n in scales]
        + [f"peak at {n} ×" for n in scales]
    )
    print("| step | " + " | ".join(heads) + " | peak ratio |")
    print("|---|" + "---:|" * (len(heads) + 1))
    for name in STEPS:
        cells = [f"{found[n][name]['rows']:,.0f}" for n in scales]
        cells += [f"{found[n][name]['seconds']:.1f}" for n in scales]
        cells += [f"{found[n][name]['peak'] / 1e6:,.0f} MB" for n in scales]
        ratio = found[scales[-1]][name]["peak"] / found[scales[0]][name]["peak"]
        print(f"| {name} | " + " | ".join(cells) + f" | {ratio:.2f} |")


if __name__ == "__main__":
    if "--step" in sys.argv:
        step(sys.argv[2])
    else:
        main()
