"""The language of scripted answers."""

import pytest

from workbench.export.sandbox import parse_answers


@pytest.mark.parametrize(
    ("text", "status", "stores"),
    [
        ("ok", 202, True),
        ("202", 202, True),
        ("202-body", 202, True),
        ("percent-used=92", 202, True),
        ("late=0.5", 202, True),
        ("trickle", 202, True),
        ("trickle=2", 202, True),
        ("huge", 202, True),
        ("200", 200, False),
        ("200-after", 200, True),
        ("204", 204, False),
        ("redirect", 302, False),
        ("307", 307, False),
        ("400-text", 400, False),
        ("401", 401, False),
        ("403", 403, False),
        ("429 retry-after=2", 429, False),
        ("429 acceleration", 429, False),
        ("429 limit=batches retry-after=0", 429, False),
        ("500-after", 500, True),
        ("500-after-text", 500, True),
        ("503", 503, False),
        ("html-503", 503, False),
        ("503-empty", 503, False),
    ],
)
def test_a_known_answer_is_read(text: str, status: int, stores: bool) -> None:
    """Each form of the menu gives its status and says whether batches are stored."""
    (answer,) = parse_answers(text)
    assert (answer.text, answer.status, answer.stores) == (text, status, stores)


@pytest.mark.parametrize(
    ("text", "stores"),
    [("drop-before", False), ("drop-after", True), ("reset", False), ("reset-after", True)],
)
def test_a_broken_connection_stores_only_after(text: str, stores: bool) -> None:
    """Drops and resets come before or after storing."""
    assert [answer.stores for answer in parse_answers(text)] == [stores]


def test_a_script_repeats_and_keeps_its_order() -> None:
    """The number after the star repeats its answer in place."""
    script = parse_answers(" 503*2, 429 retry-after=2 * 2,ok ")
    assert [answer.text for answer in script] == [
        "503", "503", "429 retry-after=2", "429 retry-after=2", "ok",
    ]  # fmt: skip


def test_an_empty_script_has_no_answer() -> None:
    """A blank text is the empty script."""
    assert parse_answers("  ") == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("drop-befor", 'unknown answer "drop-befor". Did you mean "drop-before"?'),
        ("503-afer", 'unknown answer "503-afer". Did you mean "503-after"?'),
        ("299", 'unknown answer "299". Did you mean "429"?'),
        ("zzzzzz", 'unknown answer "zzzzzz". Known: ok, huge, trickle,'),
        ("503-text-html", 'unknown answer "503-text-html"'),
        ("204-body", 'answer "204-body": 204 has no body'),
        ("429 retry=2", 'unknown option "retry=2". Did you mean "retry-after=2"?'),
        ("429 retry-after=soon", '"soon" is not a whole number between 0 and 3600'),
        ("percent-used=101", '"101" is not a whole number between 0 and 100'),
        ("late=61", '"61" is not a number of seconds between 0 and 60'),
        ("late", 'answer "late": "" is not a number of seconds'),
        ("trickle=31", '"31" is not a number of seconds between 0 and 30'),
        ("trickle=nan", '"nan" is not a number of seconds'),
        ("drop-after retry-after=1", "only a plain reply takes options"),
        ("503*0", "the number after * is not between 1 and 10000"),
        ("503*x", "the number after * is not between 1 and 10000"),
        ("503,,ok", "an empty place between two commas"),
    ],
)
def test_an_unknown_answer_is_refused(text: str, message: str) -> None:
    """The error names the value, the rule and the nearest known answer."""
    with pytest.raises(ValueError, match=r"answer") as caught:
        parse_answers(text)
    assert message in str(caught.value)
