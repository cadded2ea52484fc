"""The engine's bytes are those of dicts and ``json.dumps``, and its ids those of ``uuid``."""

import json
import struct
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
from export import naive
from export.encoding import World
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.campaigns.model import Content
from workbench.errors import StoreError
from workbench.export import encoding, payload
from workbench.store import engine

ODD = [
    "\x00",
    "\x0b",
    "\x1f",
    "\x7f",
    "\x85",
    "\u2028",
    "\ufeff",
    "😀",
    '"',
    "\\",
    "\\u000B",
    "\n",
    "\t\b\f\r",
    "/",
    "nan",
]
TEXTS = st.none() | st.lists(st.sampled_from(ODD) | st.text(max_size=3), max_size=4).map("".join)
DOUBLES = st.integers(0, 2**64 - 1).map(lambda bits: struct.unpack("d", struct.pack("Q", bits))[0])
NUMBERS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    DOUBLES.filter(lambda number: abs(number) < float("inf")),
    st.integers(-(2**54), 2**54).map(float),
    st.sampled_from(
        [-0.0, 0.1, 1e22, 1e16, 1e15, 1e-7, 1e-4, 2.0**53, 2.0**53 - 1, 5e-324, 1.7976931348623157e308]
    ),
)
INSTANTS = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001
PEOPLE = st.fixed_dictionaries(
    {
        "user_id": st.text(min_size=1, max_size=8), "email": TEXTS, "name": TEXTS, "app": TEXTS,
        "points": st.none() | NUMBERS, "vip": st.sampled_from([None, True, False]),
        "born": st.none() | st.dates(), "seen": st.none() | INSTANTS,
        "tags": st.none() | st.lists(TEXTS, max_size=4),
    }
)  # fmt: skip
NAMED = ["name", "points", "vip", "born", "seen", "tags", "app", "user_id"]
NAMES = st.lists(
    st.sampled_from(NAMED),
    max_size=8,
    unique=True,
)
VALUES = st.dictionaries(
    st.text(min_size=1, max_size=4).filter(lambda key: key.isalnum()),
    st.one_of(
        st.just("{{ Profile.name | default: '-' }}"), st.booleans(), st.integers(), NUMBERS,
        (st.text(min_size=1, max_size=6) | st.sampled_from(ODD)).filter(lambda text: not set("{@%") & set(text)),
    ),
    max_size=4,
)  # fmt: skip


@settings(deadline=None, max_examples=80)
@given(
    st.lists(PEOPLE, min_size=1, max_size=4, unique_by=lambda person: person["user_id"]),
    NAMES, VALUES, st.lists(st.text(max_size=4), max_size=3), st.booleans(), st.booleans(),
    st.none() | st.text(min_size=1, max_size=4).filter(lambda name: name not in NAMED),
)  # fmt: skip
def test_bytes_and_ids_are_those_of_python(
    people: list[dict[str, Any]],
    names: list[str],
    values: dict[str, Any],
    tokens: list[str],
    push: bool,
    known: bool,
    attribute: str | None,
) -> None:
    """Every type, every escape, every subset of attributes, with and without identities, devices and audience."""
    devices = [
        {
            "user_code": code,
            "device_id": f"d/{n}é",
            "push_token": f"{code}{token}",
            "platform": "iOS",
            "seq": 1,
        }
        for code in range(len(people))
        for n, token in enumerate(tokens)
    ]
    world = World(
        people=people,
        devices=devices,
        content=Content(attributes=tuple(names), values=values, push_tokens=push),
        identities={"customer_id": "user_id", "email": "email", "other": "points"} if known else {},
        attribute=attribute,
    )
    found = [(code, request, body.encode()) for code, request, body in world.batches().iter_rows()]
    assert found == list(naive.bodies(world))


def test_numbers_are_spelt_as_python_spells_them() -> None:
    """50,000 doubles of every size, and decimals as people write them."""
    bits = pl.int_range(0, 50_000, eager=True).hash(seed=7)
    doubles = [struct.unpack("d", struct.pack("Q", number))[0] for number in bits]
    doubles += [number / 10**digits for digits in range(9) for number in range(-300, 300, 7)]
    numbers = [number for number in doubles if abs(number) < float("inf")]
    connection = engine.connect()
    connection.register("numbers", pl.DataFrame({"n": numbers}))
    found = engine.frame(connection, f"SELECT {encoding.value('n', 'number')} AS text FROM numbers")
    assert found["text"].to_list() == [encoding.dumps(naive.json_value(number)) for number in numbers]


@pytest.mark.parametrize("points", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_is_none_is_never_sent(points: float) -> None:
    """The linter keeps it from coming this far; if it did, nothing would be written."""
    world = World(people=[{"user_id": "1", "points": points}], content=Content(attributes=("points",)))
    with pytest.raises(StoreError, match="cannot be rendered again; nothing was sent"):
        world.batches()


def test_the_ids_of_the_engine_are_those_of_the_package() -> None:
    """``request_id`` of Python and the column of the frame, with and without a device."""
    devices = [{"user_code": 1, "device_id": "é/😀", "push_token": "t", "seq": 1}]
    world = World(
        people=[{"user_id": "ü"}, {"user_id": "b"}], devices=devices, content=Content(push_tokens=True)
    )
    assert world.batches()["source_request_id"].to_list() == [
        payload.request_id(world.run_id, "ü"), payload.request_id(world.run_id, "b", "é/😀"),
    ]  # fmt: skip


def test_large_batches_are_encoded_fewer_at_a_time() -> None:
    """450 users with 120,000 bytes each are not in memory together: a part has 25 MB."""
    values = {f"k{n}": "x" * 4000 for n in range(30)}
    people = [{"user_id": f"{n}"} for n in range(450)]
    parts = World(
        people=people, content=Content(values=values), identities={"customer_id": "user_id"}
    ).parts()
    assert [len(part.rows) for part in parts] == [208, 208, 34]
    assert [code for part in parts for code in part.rows["user_code"].to_pylist()] == list(range(450))


def test_every_control_character_is_spelt_alike() -> None:
    """Escapes of hexadecimal digits have capital letters, from the engine and in constants; what looks like one is left alone."""
    texts = [chr(code) for code in range(128)] + [
        "\\u000B",
        "\\u000b",
        "\\u000b\x0b",
        'a"\x1f\\',
        "\\\x0f",
        "\u2028😀",
    ]
    connection = engine.connect()
    connection.register("texts", pl.DataFrame({"t": texts}))
    sql = f"SELECT {encoding.text('t')} AS text, {encoding.value('[t]', 'list')} AS list FROM texts"
    expected = [naive.dumps(text) for text in texts]
    assert expected[0x0B] == '"\\u000B"'
    assert [encoding.dumps(text) for text in texts] == expected
    assert engine.frame(connection, sql).rows() == [(text, f"[{text}]") for text in expected]
    assert [json.loads(text) for text in expected] == texts
