"""Build the sample data of the shop "Harbour & Pine": events, profiles, devices.

Run it as `python data/sample/generate.py [--out DIR] [--seed 7] [--scale 1]`.
The README beside it tells the story.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
from numpy.random import PCG64, Generator, SeedSequence

# The simulation is no installed package: it is found beside this script, however that
# is loaded.
sys.path.insert(0, str(Path(__file__).resolve().parent))

from harbour_pine.devices import devices
from harbour_pine.dirt import dirty_events, dirty_profiles
from harbour_pine.files import Files, open_files
from harbour_pine.history import history
from harbour_pine.people import PROFILE_COLUMNS, people
from harbour_pine.shop import prices

RAW = Path(__file__).resolve().parent / "raw"


def build(
    out: Path,
    *,
    seed: int = 7,
    scale: int = 1,
    progress: Callable[[str], None] | None = None,
) -> None:
    """Write the three files into `out`.

    Args:
        out: the directory; made when absent. Files in it are replaced once the new ones
            are complete.
        seed: the source of all chance; the same seed gives the same data.
        scale: the number of blocks of 20,500 people (about 1,000,000 events each); the
            first block is the same at every scale.
        progress: called with a sentence after each block.

    Raises:
        ValueError: `scale` is below 1.

    """
    if scale < 1:
        raise ValueError(f"scale is {scale}, but must be a whole number of at least 1")
    with open_files(out) as files:
        for block in range(scale):
            _add_block(files, seed, block)
            if progress:
                progress(f"block {block + 1} of {scale}: {files.event_count:,} events so far")


def _add_block(files: Files, seed: int, block: int) -> None:
    rng = Generator(PCG64(SeedSequence([seed, block])))
    crowd = people(block, rng)
    events = history(crowd, prices(seed), block, rng)
    crowd = dirty_profiles(crowd.with_row_index("user"), rng)
    events = dirty_events(events, crowd, rng)
    last_events = events.group_by("user").agg(pl.col("ts").max())
    files.add_devices(devices(crowd, last_events, rng))
    files.add_profiles(crowd.filter("has_profile").select(PROFILE_COLUMNS))
    files.add_events(events, crowd["user_id"])


def main() -> None:
    """Read the command line and build."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--out",
        type=Path,
        default=RAW,
        help="directory of the files (default: %(default)s)",
    )
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument(
        "--scale",
        type=int,
        default=1,
        help="1 is about 1,000,000 events (default: %(default)s)",
    )
    choice = parser.parse_args()
    build(choice.out, seed=choice.seed, scale=choice.scale, progress=print)


if __name__ == "__main__":
    main()
