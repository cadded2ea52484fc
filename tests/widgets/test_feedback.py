"""Feedback: the newest question is answered last, and an error reaches the page."""

import asyncio
import threading

from workbench.errors import InputError
from workbench.widgets import feedback
from workbench.widgets.feedback import Latest


def test_of_several_waiting_questions_only_the_newest_is_asked() -> None:
    """While 1 is being answered 2, 3 and 4 arrive: 4 is asked next, and only its answer is shown."""
    asked: list[int] = []
    shown: list[int] = []
    started, go = threading.Event(), threading.Event()

    def work(question: int) -> int:
        asked.append(question)
        started.set()
        go.wait(10)
        return question

    async def use() -> None:
        latest = Latest(work, shown.append, lambda error: None)
        latest.ask(1)
        await asyncio.to_thread(started.wait, 10)
        for question in (2, 3, 4):
            latest.ask(question)
        go.set()
        await latest.settled()

    asyncio.run(use())
    assert (asked, shown) == ([1, 4], [4])


def test_the_error_of_an_overtaken_question_is_not_told() -> None:
    """A question that failed after it was replaced says nothing; the newer answer is shown."""
    told: list[Exception] = []
    shown: list[int] = []
    started, go = threading.Event(), threading.Event()

    def work(question: int) -> int:
        started.set()
        go.wait(10)
        return 10 // question

    async def use() -> None:
        latest = Latest(work, shown.append, told.append)
        latest.ask(0)
        await asyncio.to_thread(started.wait, 10)
        latest.ask(5)
        go.set()
        await latest.settled()

    asyncio.run(use())
    assert (told, shown) == ([], [2])


def test_without_a_loop_the_answer_comes_at_once() -> None:
    """In a script the answer is there when ``ask`` returns."""
    shown: list[int] = []
    Latest(lambda question: question * 2, shown.append, lambda error: None).ask(21)
    assert shown == [42]


def test_our_errors_speak_and_others_name_their_place_without_values() -> None:
    """A workbench error is its sentence; a fault shows kind and line, never the value that it met."""
    assert feedback.explain(InputError("no such campaign")) == "no such campaign"
    try:
        {}["anna@example.com"]
    except KeyError as error:
        text = feedback.explain(error)
    assert text.startswith("The workbench itself failed: KeyError in test_feedback.py, line ")
    assert "anna" not in text


def test_a_callback_that_fails_says_so_in_its_box_and_clears_it_when_it_works_again() -> None:
    """The text is escaped, announced as an alert, and gone after the next success."""
    place = feedback.box()
    failing = [InputError("<b>no</b> such run")]

    def callback() -> None:
        if failing:
            raise failing.pop()

    run = feedback.guarded(place, callback)
    run(None)
    assert 'role="alert">&lt;b&gt;no&lt;/b&gt; such run</div>' in place.value
    run(None)
    assert place.value == ""
