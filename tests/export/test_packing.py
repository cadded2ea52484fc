import json

import pytest

from workbench.errors import StoreError
from workbench.export.packing import body, pack
from workbench.export.payload import Batch


def batch(number: int, size: int) -> Batch:
    """A batch whose encoded size is exactly ``size`` bytes."""
    return Batch(user_code=number, source_request_id=str(number), body=b'"' + b"x" * (size - 2) + b'"')


def test_a_request_has_at_most_100_batches() -> None:
    """250 small batches make requests of 100, 100 and 50, in order."""
    groups = list(pack(batch(n, 10) for n in range(250)))
    assert [len(group) for group in groups] == [100, 100, 50]
    assert [item.user_code for group in groups for item in group] == list(range(250))


def test_a_request_stays_under_250_000_bytes() -> None:
    """Two batches of 124,998 bytes with comma and brackets are 249,999; one byte more is a second request."""
    assert [len(body(group)) for group in pack([batch(1, 124_998), batch(2, 124_998)])] == [249_999]
    assert [len(group) for group in pack([batch(1, 124_998), batch(2, 125_000)])] == [1, 1]


def test_bytes_are_counted_not_characters() -> None:
    """An emoji has four bytes: 60 batches of 1,500 emojis do not fit into one request."""
    text = json.dumps("😀" * 1_500, ensure_ascii=False).encode()
    groups = list(pack(Batch(user_code=n, source_request_id=str(n), body=text) for n in range(60)))
    assert [len(group) for group in groups] == [41, 19]
    assert all(len(body(group)) <= 250_000 for group in groups)


def test_a_batch_over_128_kb_is_an_error() -> None:
    """Nothing is cut: a batch that mParticle would not take stops the run before anything is sent."""
    with pytest.raises(StoreError, match="128,001 bytes in a batch, mParticle takes 128,000"):
        list(pack([batch(1, 128_001)]))


def test_nobody_makes_no_request() -> None:
    """An empty audience sends nothing, not an empty array."""
    assert list(pack([])) == []
