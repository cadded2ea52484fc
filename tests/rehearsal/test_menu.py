"""The menu of faults and points, as data."""

import pytest

from workbench.errors import InputError
from workbench.export.sandbox import parse_answers
from workbench.rehearsal import FAULTS, Point
from workbench.rehearsal.faults import chosen
from workbench.rehearsal.points import NAMES, everywhere, parse, spread


def script(name: str, requests: int, in_flight: int) -> str:
    """The answers of one fault."""
    return chosen([name])[0].script(requests=requests, in_flight=in_flight)


def test_the_menu() -> None:
    """Its names, in their order."""
    assert [fault.name for fault in FAULTS] == [
        "none", "429-retry-after", "429", "acceleration", "503", "500-before", "500-after", "reset-before",
        "reset-after", "late-202", "html", "200", "202-body", "redirect", "huge", "trickle", "rejected", "key-revoked",
    ]  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_every_script_is_one_that_the_receiver_plays(fault: object) -> None:
    """Of runs of one request, and of more than a script repeats an answer."""
    for requests, flying in [(1, 1), (1, 64), (5, 4), (50_000, 64)]:
        text = fault.script(requests=requests, in_flight=flying)  # type: ignore[attr-defined]
        answers = [answer.text for answer in parse_answers(text)]
        assert (fault.answer in answers) == (fault.answer is not None)  # type: ignore[attr-defined]


def test_a_fault_comes_first_and_goes_on_in_the_middle_until_the_run_stops() -> None:
    """Five requests, two at a time, two attempts each: five in a row leave one for the next call."""
    assert script("503", 5, 2) == "503, ok*2, 503*5"
    assert script("503", 5, 64) == "503, ok*2, 503*7"
    assert script("rejected", 5, 2) == "ok*2, 400*1"
    assert script("key-revoked", 5, 2) == "403, ok*2, 403*2"
    assert script("503", 50_000, 1) == "503, ok*10000, ok*10000, ok*5000, 503*3"
    assert script("none", 5, 2) == ""


def test_names_are_chosen_in_the_order_of_the_menu() -> None:
    """Whatever the order in which they are asked for; all of them without a name."""
    assert [fault.name for fault in chosen(["html", "503"])] == ["503", "html"]
    assert chosen([]) == FAULTS


@pytest.mark.parametrize(
    ("name", "hint"),
    [("500-befor", 'Did you mean "500-before"'), ("plague", "Known are: none, 429-retry-after,")],
)
def test_an_unknown_fault_is_named_with_the_nearest(name: str, hint: str) -> None:
    """Or with all of them."""
    with pytest.raises(InputError, match=f'unknown fault "{name}".*{hint}'):
        chosen([name])


def test_a_point_is_written_as_it_is_read() -> None:
    """A name and which time."""
    assert parse("after commit 12") == Point("after commit", 12)
    assert str(Point("after commit", 12)) == "after commit 12"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("after comit 2", r'unknown point "after comit"\. Did you mean "after commit"'),
        ("after commit", 'kill "after commit" says no number: "after commit 1" is its first time'),
        ("after commit two", 'no point with its number, such as "after commit 2"'),
        (
            "after commit 0",
            'kill "after commit 0": numbers start at 1, so "after commit 1" is the first time',
        ),
        ("after commit -1", "numbers start at 1"),
        ("sum", "is none of some, all, none"),
        ("nonee", 'Did you mean "none"'),
    ],
)
def test_an_unknown_point_is_told(text: str, said: str) -> None:
    """With the nearest name, or what it lacks."""
    with pytest.raises(InputError, match=said):
        parse(text)


def test_a_few_points_are_spread_over_a_run() -> None:
    """First, middle and last of each kind, before and after; a name that was not reached has none."""
    seen = {name: 5 for name in NAMES if name != "after rename"}
    assert [str(point) for point in spread(seen)] == [
        "before fsync 1", "after fsync 3", "before commit 1", "after commit 3", "before commit 4", "before request 1",
        "after request 3", "before answer 3", "after answer 5",
    ]  # fmt: skip
    assert len(everywhere(dict.fromkeys(NAMES, 100))) == 44
    assert [str(point) for point in everywhere({"begin": 1})] == ["begin 1"]
