"""Kernels talk over sockets in a folder of this user; a socket's path has at most 107 characters."""

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager


@contextmanager
def short_runtime() -> Iterator[dict[str, str]]:
    """Give the variables of a short runtime folder, deleted afterwards; a long one kills kernels silently."""
    with tempfile.TemporaryDirectory(prefix="wb-", ignore_cleanup_errors=True) as folder:
        yield {"JUPYTER_RUNTIME_DIR": folder}


@contextmanager
def environment(added: Mapping[str, str]) -> Iterator[None]:
    """Set variables for the processes that are started inside the block, and put them back."""
    before = {name: os.environ.get(name) for name in added}
    os.environ.update(added)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
