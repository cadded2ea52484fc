import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.export.linter import LONGEST_NUMBER, lint_sql
from workbench.settings import DeclaredCatalogue
from workbench.store import catalogue, engine

KNOWN = catalogue.build(
    version=1, contents=[], columns={}, ingested=(None, None), span=(None, None),
    declared=DeclaredCatalogue(attributes={"note": "text", "tags": "list", "points": "number"}),
)  # fmt: skip


@pytest.mark.parametrize(
    ("note", "tags", "rule"),
    [
        ("x" * 4096, ["a"], None),
        ("x" * 4097, ["a"], "note over 4096 characters"),
        ("😀" * 4096, ["a"], None),
        ("x", ["a"] * 1000, None),
        ("x", ["a"] * 1001, "tags over 1000 entries"),
        ("x", ["a", "b" * 513], "tags has an entry over 512 characters"),
        (None, None, None),
        ("", [], None),
    ],
)
def test_limits_are_found_before_sending(note: str | None, tags: list[str] | None, rule: str | None) -> None:
    """MParticle's limits on one user's attributes, at the last value that arrives and the first that does not."""
    sql = lint_sql(["note", "tags", "points"], KNOWN)
    found = engine.rows(
        engine.connect(),
        f"SELECT {sql} FROM (SELECT $note::VARCHAR AS p_note, $tags::VARCHAR[] AS p_tags, 1.5 AS p_points) p",
        {"note": note, "tags": tags},
    )
    assert found == [(rule,)]


def test_nothing_chosen_breaks_no_rule() -> None:
    """An over-long attribute that is not sent harms nobody."""
    assert lint_sql([], KNOWN) == "NULL::VARCHAR"


@pytest.mark.parametrize("points", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_json_cannot_say_is_found(points: float) -> None:
    """Neither NaN nor infinity is JSON."""
    sql = lint_sql(["points"], KNOWN)
    found = engine.rows(
        engine.connect(), f"SELECT {sql} FROM (SELECT $points AS p_points) p", {"points": points}
    )
    assert found == [("points is not a finite number",)]


def test_a_rendered_value_has_the_same_limit() -> None:
    """What comes out of a template counts, not its source."""
    sql = lint_sql([], KNOWN, rendered={"greeting": "repeat('x', n)"})
    found = engine.rows(engine.connect(), f"SELECT {sql} FROM range(4096, 4098) r(n) ORDER BY n")
    assert found == [(None,), ("greeting over 4096 characters",)]


ENTRIES = st.lists(st.one_of(st.none(), st.text(max_size=5)), max_size=3)


@settings(deadline=None)
@given(st.one_of(st.none(), st.text(max_size=30)), st.one_of(st.none(), ENTRIES), st.integers(0, 60))
def test_bytes_are_counted_as_they_are_encoded(
    note: str | None, tags: list[str | None] | None, room: int
) -> None:
    """Quotes, line breaks, control characters and emojis: the size is that of the JSON which is sent."""
    sql = lint_sql(["note", "tags"], KNOWN, overhead=128_000 - LONGEST_NUMBER - room)
    found = engine.rows(
        engine.connect(),
        f"SELECT {sql} FROM (SELECT $note::VARCHAR AS p_note, $tags::VARCHAR[] AS p_tags) p",
        {"note": note, "tags": tags},
    )
    size = 0 if note is None else len(encoded(note)) - 2
    size += 0 if tags is None else len(encoded(tags))
    assert found == [("batch over 128000 bytes" if size > room else None,)]


def encoded(value: Any) -> bytes:
    """The JSON of a value, as a payload has it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
