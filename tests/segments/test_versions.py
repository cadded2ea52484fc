"""Versions are compared part by part."""

import pytest

from workbench.segments import birthdays, versions

RISING = ["0", "0.1", "1", "1.0.1", "1.9", "1.10", "2.9.3", "2.10.0", "10", "10.0.0.1", "20260101123456"]


def test_parts_are_numbers() -> None:
    """2.10 is above 2.9, 10 above 9; the keys sort as text the way the versions do."""
    keys = [versions.key(version) for version in RISING]
    assert None not in keys
    assert keys == sorted(keys)  # type: ignore[type-var]
    assert len(set(keys)) == len(RISING)


@pytest.mark.parametrize(
    ("version", "same"),
    [
        ("1.0", "1"),
        ("v2.3", "2.3"),
        ("2.3-beta.4", "2.3"),
        ("2.3 (1042)", "2.3"),
        ("  1.02", "1.2"),
        ("0.0.0", "0"),
    ],
)
def test_what_does_not_count(version: str, same: str) -> None:
    """A leading v, what follows the numbers, zeros at the end and in front."""
    assert versions.key(version) == versions.key(same)


@pytest.mark.parametrize("text", ["", "beta", "x1", "1" * 21])
def test_a_text_without_a_leading_number_has_no_version(text: str) -> None:
    """It fits no comparison."""
    assert versions.key(text) is None


@pytest.mark.parametrize(
    ("today", "reached"), [("2026-02-28", 229), ("2028-02-28", 228), ("2028-02-29", 229), ("2026-03-01", 301)]
)
def test_who_was_born_on_the_leap_day(today: str, reached: int) -> None:
    """In other years the 28th is their day."""
    assert birthdays.reached(birthdays.date.fromisoformat(today)) == reached
