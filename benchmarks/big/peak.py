"""Ask S1 to S7 in a new process and print its peak memory: `python benchmarks/big/peak.py WORKSPACE`."""

import json
import sys
import time
from pathlib import Path

from account import Account
from process import peak
from reference_segments import SEGMENTS


def main() -> None:
    """Print ``peak`` and ``before``, in bytes, and ``seconds``."""
    account = Account(Path(sys.argv[1]))
    before, began = peak(), time.perf_counter()
    for build in SEGMENTS.values():
        account.count(build)
    print(json.dumps({"peak": peak(), "before": before, "seconds": time.perf_counter() - began}))


if __name__ == "__main__":
    main()
