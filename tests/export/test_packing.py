import json

import polars as pl
import pytest
from export import encoding
from hypothesis import given
from hypothesis import strategies as st

from workbench.errors import StoreError
from workbench.export.packing import Packed, Part, pack


def frame(*sizes: int, first: int = 0, users: list[int] | None = None) -> pl.DataFrame:
    """A batch of each size in bytes, of a user of its own unless codes are given."""
    codes = list(range(first, first + len(sizes))) if users is None else users
    return pl.DataFrame(
        {
            "user_code": codes,
            "source_request_id": [f"r{n}" for n in range(first, first + len(sizes))],
            "body": [f'"{"x" * (size - 2)}"' for size in sizes],
        },
        schema={"user_code": pl.UInt32, "source_request_id": pl.String, "body": pl.String},
    )


def part(*sizes: int, first: int = 0, users: list[int] | None = None) -> Part:
    """The same as packing is given it."""
    return encoding.part(frame(*sizes, first=first, users=users))


def codes(found: list[Packed]) -> list[list[int]]:
    """The users of each request."""
    return [packed.users["user_code"].to_pylist() for packed in found]


def test_a_request_has_at_most_100_batches() -> None:
    """250 small batches make requests of 100, 100 and 50, in order."""
    found = list(pack([part(*[10] * 250)]))
    assert [packed.batches for packed in found] == [100, 100, 50]
    assert [code for users in codes(found) for code in users] == list(range(250))
    assert found[0].body == b"[" + b",".join([b'"xxxxxxxx"'] * 100) + b"]"


def test_a_request_stays_under_250_000_bytes() -> None:
    """Two batches of 124,998 bytes with comma and brackets are 249,999; one byte more is a second request."""
    assert [len(packed.body) for packed in pack([part(124_998, 124_998)])] == [249_999]
    assert [packed.batches for packed in pack([part(124_998, 124_999)])] == [1, 1]


def test_bytes_are_counted_not_characters() -> None:
    """An emoji has four bytes: 60 batches of 1,500 emojis do not fit into one request."""
    text = json.dumps("😀" * 1_500, ensure_ascii=False)
    found = list(pack([encoding.part(frame(*[10] * 60).with_columns(body=pl.lit(text)))]))
    assert [packed.batches for packed in found] == [41, 19]
    assert all(len(packed.body) <= 250_000 for packed in found)


def test_a_batch_over_128_kb_is_an_error() -> None:
    """Nothing is cut: a batch that mParticle would not take stops the run before anything is sent."""
    with pytest.raises(StoreError, match="128,001 bytes in a batch, mParticle takes 128,000"):
        list(pack([part(128_001)]))


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ([10] * 101, "101 batches, mParticle takes 100"),
        ([125_000, 124_998], "250,002 bytes, mParticle takes 250,000"),
    ],
)
def test_a_user_who_does_not_fit_is_an_error(sizes: list[int], message: str) -> None:
    """All batches of a user are in one request, or nothing is sent."""
    with pytest.raises(StoreError, match=message):
        list(pack([part(*sizes, users=[7] * len(sizes))]))


def test_nobody_makes_no_request() -> None:
    """An empty audience sends nothing, not an empty array."""
    assert list(pack([])) == []
    assert list(pack([part()])) == []


@given(st.lists(st.lists(st.lists(st.integers(2, 80_000), min_size=1, max_size=3), max_size=40), max_size=4))
def test_users_are_packed_as_if_one_after_the_other(drawn: list[list[list[int]]]) -> None:
    """Whatever the parts: the requests are those of adding one whole user at a time."""
    expected: list[list[int]] = []
    room_bytes = room_batches = 0
    parts, code, row = [], 0, 0
    for users in drawn:
        parts.append(
            part(
                *[size for user in users for size in user],
                first=row,
                users=[code + n for n, user in enumerate(users) for _ in user],
            )
        )
        for user in users:
            added = sum(user) + len(user)
            if added > room_bytes or len(user) > room_batches:
                expected.append([])
                room_bytes, room_batches = 250_000 - 2, 100
            expected[-1].append(code)
            room_bytes, room_batches, code, row = (
                room_bytes - added,
                room_batches - len(user),
                code + 1,
                row + len(user),
            )
    found = list(pack(parts))
    assert codes(found) == expected
    assert sum(packed.batches for packed in found) == row
    together = b",".join(packed.body[1:-1] for packed in found).decode()
    assert together == ",".join(body for one in parts for body in encoding.bodies(one))
