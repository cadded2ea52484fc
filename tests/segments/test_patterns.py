"""Regular expressions mean the same on DuckDB (RE2) and Polars (Rust), or are refused."""

import re

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.segments import patterns
from workbench.store import engine

TEXTS = [
    "",
    "a",
    "A",
    "abc 12",
    "é1",
    "x\ny",
    "٣",
    "K",
    "_",
    "a-b",
    "[x]",
    "\t",
    "ß",
    "-",
    "^",
    "]",
    "\\",
    "a\u00a0b",
]
PIECES = [
    r"\d", r"\w", r"\s", r"\D", r"\W", r"\S", r"\b", "^", "$", ".", "a", "é", "[a-c]", "[^a]", r"[\d\s]",
    r"[^\w]", "(?i)k", "(?i)É", "x?", "a*", "b+", "(a|b)", r"\.", r"\[", "[]]", "[^]]", r"[\]\\]", "[[:digit:]]",
    r"\p{L}", r"\pN", "{", "}", "a{2}", "(?s).", "(?m)^y", "[-a]", r"\x41", r"\t", r"[\w-z]", r"[\d-]",
]  # fmt: skip


def by_duckdb(pattern: str) -> list[bool]:
    """Which texts DuckDB finds."""
    connection = engine.connect()
    query = "SELECT regexp_matches(t, $p) FROM (SELECT unnest($texts) AS t, generate_subscripts($texts, 1) AS n) ORDER BY n"
    found = engine.rows(connection, query, {"p": pattern, "texts": TEXTS})
    connection.close()
    return [row[0] for row in found]


@settings(max_examples=300, deadline=None, derandomize=True)
@given(pattern=st.lists(st.sampled_from(PIECES), min_size=1, max_size=4).map("".join))
def test_two_engines_find_the_same(pattern: str) -> None:
    """Whatever passes the check finds the same texts on both."""
    if patterns.problem(pattern) is None:
        by_polars = pl.Series(TEXTS).str.contains(patterns.rust(pattern)).to_list()
        assert by_duckdb(pattern) == by_polars, pattern


@pytest.mark.parametrize(
    "pattern", [r"\d+", r"^\w+$", r"[^\s]", r"(?i)ab", r"\bcat\b", r"[[:alpha:]]{2,3}", r"\p{Greek}"]
)
def test_common_patterns_are_taken(pattern: str) -> None:
    """What analysts write."""
    assert patterns.problem(pattern) is None


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        ("(a", "missing )"), ("a**", "malformed"), ("[b-a]", "malformed"), ("(?<=a)b", "malformed"), (r"(a)\1", "malformed"),
        ("*", "malformed"), (r"a\B", "does not mean the same"), (r"\Qa\E", "does not mean the same"),
        ("[a&&b]", "inside [ ]"), ("[a[b]]", "inside [ ]"), ("a{1, 2}", "no blanks"), ("a{ 1}", "no blanks"), ("a" * 1001, "at most 1,000 characters"), ("a\\", "malformed"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_told(pattern: str, told: str) -> None:
    """Malformed, too long, or read differently by the engines."""
    assert told in str(patterns.problem(pattern))
    assert re.search(r"regular expression", str(patterns.problem(pattern)))
