"""Whoever the linter passes has batches that packing takes: its sizes are never too small."""

from typing import Any

import pytest
from export.encoding import NOW, World
from hypothesis import example, given, settings
from hypothesis import strategies as st

from workbench.campaigns.model import Content
from workbench.errors import StoreError
from workbench.export.packing import pack

ATTRIBUTES = ("name", "points", "vip", "born", "seen", "tags", "app", "user_id")
TEXTS = st.one_of(
    st.none(),
    st.text(max_size=12),
    st.builds(
        lambda unit, times: unit * times,
        st.sampled_from(["x", '"', "\\", "\x01", "\n", "é", "😀", "\u2028", "\x7f"]),
        st.integers(0, 900),
    ),
)
PEOPLE = st.fixed_dictionaries(
    {
        "user_id": st.text(min_size=1, max_size=8), "email": TEXTS, "name": TEXTS, "app": TEXTS,
        "points": st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False)),
        "vip": st.sampled_from([None, True, False]), "born": st.none() | st.dates(),
        "seen": st.sampled_from([None, NOW]), "tags": st.none() | st.lists(st.none() | st.text(max_size=3), max_size=4),
    }
)  # fmt: skip
LONGEST = {"points": -2.2250738585072014e-308, "vip": False, "born": NOW.date(), "seen": NOW}
TOKENS = st.lists(TEXTS, max_size=4)


def filled(bytes_: int) -> dict[str, Any]:
    """Values that add so many bytes to a batch, beside their keys."""
    return {f"k{n:02d}": "x" * max(0, min(4096, bytes_ - 4096 * n)) for n in range(32)}


@settings(deadline=None, max_examples=30)
@given(PEOPLE, TOKENS, st.booleans())
@example({"user_id": "1", "name": "\x01" * 800, "email": '"' * 900}, [], False)
@example({"user_id": "1", "tags": [], **dict.fromkeys(("email", "name", "app"), "x"), **LONGEST}, ["t"], True)
def test_a_byte_too_much_is_found(person: dict[str, Any], tokens: list[str | None], push: bool) -> None:
    """With every kind of value and escape: filled up to one byte over a limit, the user is refused."""

    def world(fill: int) -> World:
        return World(
            people=[person],
            devices=[
                {"user_code": 0, "device_id": f"d{n}", "push_token": token, "platform": "iOS", "seq": 1}
                for n, token in enumerate(tokens)
            ],
            content=Content(
                attributes=ATTRIBUTES,
                values={**filled(fill), "text": "{{ Profile.name | default: '-' }}"},
                push_tokens=push,
            ),
            attribute="in_winback" if push else None,
        )

    sizes = world(0).batches()["body"].str.len_bytes().to_list()
    of_batch = 128_000 - max(sizes)
    of_request = (250_000 - 2 - len(sizes) - sum(sizes)) // len(sizes)
    full = min(of_batch, of_request)
    assert 0 < full < 32 * 4096 - 1
    assert len(list(pack(world(full).parts()))) == 1
    with pytest.raises(StoreError, match="the plan said otherwise; nothing was sent"):
        list(pack(world(full + 1).parts()))
    assert list(world(full + 1).lint().values()) != [None]


def test_the_linter_refuses_no_more_than_it_must() -> None:
    """Without numbers, where every byte is counted, the last batch that has room passes; one byte more does not."""

    def rule(size: int, devices: int) -> str | None:
        world = World(
            people=[{"user_id": "1"}],
            devices=[
                {"user_code": 0, "device_id": f"d{n}", "push_token": f"t{n}", "platform": "Android", "seq": 1}
                for n in range(devices)
            ],
            content=Content(values=filled(size), push_tokens=True),
            identities={"customer_id": "user_id"},
        )
        (found,) = world.lint().values()
        return found

    assert (rule(127_186, 1), rule(127_187, 1)) == (None, "batch over 128000 bytes")
    assert (rule(124_184, 2), rule(124_185, 2)) == (None, "batches of all devices over 250000 bytes")
