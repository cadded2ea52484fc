import hashlib

import pytest
from accounts import Account

from workbench.campaigns import control
from workbench.store import engine


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.02, "051eb852"), (0.1, "1999999a"), (0.5, "80000000"), (0.99, "fd70a3d7")],
)
def test_a_share_is_hex_text_of_eight_digits(share: float, text: str) -> None:
    """The threshold is the share of 16**8, rounded, as text of fixed width."""
    assert control.threshold(share) == text


def test_the_hashed_string_is_documented_byte_for_byte() -> None:
    """Salt, colon, user id in UTF-8: anybody can recompute a membership with md5sum."""
    assert control.control_salt("acme", "hello") == "acme/control/hello"
    assert control.cap_salt("acme", "hello-1") == "acme/cap/hello-1"
    assert (
        control.key("acme/control/hello", "Zoë")
        == hashlib.md5(b"acme/control/hello:Zo\xc3\xab").hexdigest()[:8]
    )


def test_duckdb_draws_the_same_users_as_python(account: Account) -> None:
    """1,000 ids, some of them unusual: the engine's keys are Python's keys."""
    ids = [f"{n:05d}" for n in range(990)] + ["", " ", "a:b", "é", "😀", "x" * 300, "'", "\n", "%", "0"]
    connection = engine.connect()
    found = engine.rows(
        connection,
        "SELECT id, left(md5($salt || ':' || id), 8) FROM (SELECT unnest($ids) AS id)",
        {"salt": "s/control/c", "ids": ids},
    )
    assert dict(found) == {user: control.key("s/control/c", user) for user in ids}


def test_a_tenth_is_about_a_tenth() -> None:
    """Of 100,000 users 10 % are held out, within four standard errors (380)."""
    held_out = sum(control.key("salt", str(n)) < control.threshold(0.1) for n in range(100_000))
    assert abs(held_out - 10_000) < 380


def test_a_larger_share_holds_the_smaller_one_and_more() -> None:
    """Raising the share never swaps a held-out user back."""
    users = [str(n) for n in range(5_000)]
    small = {user for user in users if control.key("s", user) < control.threshold(0.05)}
    large = {user for user in users if control.key("s", user) < control.threshold(0.2)}
    assert small < large
