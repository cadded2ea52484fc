"""Memory of ingest, plan and export, measured on the sample and on ten times the sample."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))

import sample  # noqa: E402 - the benchmark is a script beside the package


@pytest.mark.long
def test_peak_memory_of_the_sample_and_ten_times_it(tmp_path: Path) -> None:
    """All stay under 1 GB, and ten times the data needs at most 1.3 times the memory."""
    peaks = []
    for scale in (1, 10):
        home = tmp_path / str(scale)
        home.mkdir()
        found = sample.measure(home, scale, None)
        ingest = max(found[step]["peak"] for step in ("profiles", "devices", "events"))
        peaks.append({"ingest": ingest, **{step: found[step]["peak"] for step in ("plan", "export")}})
    small, large = peaks
    assert max(large.values()) < 1_000_000_000
    assert {step: large[step] / small[step] for step in large if large[step] > 1.3 * small[step]} == {}
