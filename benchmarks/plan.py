"""What a plan costs, in md5 passes over the same users: an engine's own hash of every user, materialised.

    python benchmarks/plan.py WORKSPACE [--users 1000000] [--repeat 7]

The workspace is one of `make benchmark-big`. Everybody qualifies. Measured in turn, medians of the ratios:

* `plan`: arms, duplicates, reachable, consent and cap of every user, for a number of control groups;
* `split and cap`: only the hashes, the arms and the cap, against as many passes as there are salts.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl

from workbench.campaigns import control, frequency, verdicts
from workbench.campaigns.candidates import candidates
from workbench.campaigns.content.rendering import Rendering
from workbench.store import engine
from workbench.store.lake import utc_now
from workbench.store.pinned import LakeVersion
from workbench.workspace import Workspace, open_workspace

CAP = 100_000
GROUPS = ("system", "custom: a", "custom: b", "campaign")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--users", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=7)
    options = parser.parse_args()
    workspace = open_workspace(options.workspace / "workbench.toml")
    print(json.dumps(measure(workspace, users=options.users, repeat=options.repeat), indent=2))


def measure(workspace: Workspace, *, users: int, repeat: int) -> dict[str, float]:
    """Return seconds of one pass, and the cost of each measure in passes."""
    version = workspace.lake.at()
    qualified = pl.DataFrame({"user_code": range(users)}, schema={"user_code": pl.UInt32})
    connection = version.connect()
    connection.register("qualified", qualified)
    chosen = {1: GROUPS[3:], 2: (GROUPS[0], GROUPS[3]), 4: GROUPS}
    steps: dict[str, tuple[Callable[[], object], int]] = {}
    for number, groups in chosen.items():
        holds = [control.Hold(held_by=name, salt=f"benchmark/{name}", share=0.05) for name in groups]
        steps[f"plan, {number} groups"] = (lambda holds=holds: plan(workspace, version, qualified, holds), 1)
        steps[f"split and cap, {number} groups"] = (lambda holds=holds: split(connection, holds), number + 1)
    one_pass(connection)
    for step, _ in steps.values():
        step()
    seconds: list[float] = []
    ratios: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(repeat):
        for name, (step, passes) in steps.items():
            seconds.append(timed(lambda: one_pass(connection)))
            ratios[name].append(timed(step) / seconds[-1] / passes)
    return {
        "seconds of a pass": round(statistics.median(seconds), 4),
        **{name: round(statistics.median(found), 2) for name, found in ratios.items()},
    }


def timed(step: Callable[[], object]) -> float:
    """Return the seconds of a call."""
    began = time.perf_counter()
    step()
    return time.perf_counter() - began


def one_pass(connection: engine.Connection) -> pl.DataFrame:
    """Hash everybody once."""
    return engine.frame(
        connection,
        "SELECT user_code, left(md5('salt:' || user_id), 8) AS key FROM users SEMI JOIN qualified USING (user_code)",
    )


def split(connection: engine.Connection, holds: list[control.Hold]) -> pl.DataFrame:
    """Give everybody an arm and the first in order a place."""
    sql = (
        f"SELECT user_code, {control.held_by_sql(holds)} AS held_by, {control.cap_key_sql()} AS cap_key "
        "FROM users u SEMI JOIN qualified USING (user_code)"
    )
    found = engine.frame(connection, sql, {"cap_salt": "benchmark/cap", **control.held_by_parameters(holds)})
    return decide(found)


def decide(found: pl.DataFrame) -> pl.DataFrame:
    """Give everybody a verdict; who has no flag is fine."""
    absent = [name for name in ("too_often", "render", "lint") if name not in found.columns]
    fine = {"duplicate": False, "reachable": True, "unsubscribed": False, "consent_missing": False}
    flags = [pl.lit(value).alias(name) for name, value in fine.items() if name not in found.columns]
    flags += [pl.lit(None, dtype=pl.String).alias(name) for name in absent]
    return verdicts.decide(found.with_columns(flags), cap=CAP, send_at=utc_now())


def plan(
    workspace: Workspace, version: LakeVersion, qualified: pl.DataFrame, holds: list[control.Hold]
) -> pl.DataFrame:
    """Look everybody up and decide, content apart."""
    connection, now = version.connect(), version.catalogue.last_ts or utc_now()
    rendering = Rendering(
        (), connection, catalogue=version.catalogue, constants={}, matched={}, as_of=now, now=now
    )
    found = candidates(
        connection, qualified, as_of=now, consent_at=now, catalogue=version.catalogue,
        identities=workspace.settings.identities, consent=workspace.settings.consent, holds=holds, never=(),
        cap_salt="benchmark/cap", rendering=rendering, lint="NULL::VARCHAR",
        profiles=version.profiles_at(now),
        messages=frequency.Counted(now=now),
    )  # fmt: skip
    connection.close()
    return decide(found)


if __name__ == "__main__":
    main()
