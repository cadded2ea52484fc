"""What a process and its machine are: peak memory, cores, versions."""

import os
import platform
import re
import resource
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

STATUS = Path("/proc/self/status")


def peak() -> int:
    """Return the most memory that this process has held, in bytes.

    `ru_maxrss` also counts the parent that a process was started from, so Linux's own count is asked first.
    """
    if STATUS.exists():
        (kilobytes,) = re.findall(r"VmHWM:\s+(\d+) kB", STATUS.read_text())
        return int(kilobytes) * 1024
    unit = 1 if platform.system() == "Darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def machine() -> dict[str, str | int]:
    """Return cores, memory in bytes, and the versions of what is compared."""
    facts: dict[str, str | int] = {
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 0,
        "memory": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "python": platform.python_version(),
    }
    for name in ("duckdb", "polars", "numpy", "pyarrow", "chdb"):
        try:
            facts[name] = version(name)
        except PackageNotFoundError:
            facts[name] = "not installed"
    return facts
