"""Make the next items of an iterator in a thread while those before are used."""

from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def ahead(items: Iterator[T], *, by: int = 1) -> Generator[T, None, None]:
    """Yield the items, up to ``by`` of them made before they are asked for; when this is closed, none is being made."""
    with ThreadPoolExecutor(1, "ahead") as maker:
        coming = deque(maker.submit(next, items, None) for _ in range(by))
        while (item := coming.popleft().result()) is not None:
            coming.append(maker.submit(next, items, None))
            yield item
