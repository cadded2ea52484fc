import pytest

from workbench.export.linter import lint_sql
from workbench.settings import DeclaredCatalogue
from workbench.store import catalogue, engine

KNOWN = catalogue.build(
    version=1, contents=[], columns={}, span=(None, None),
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
