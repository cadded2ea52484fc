"""What the user sees while an answer is on its way, and when it fails."""

import asyncio
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Generic, TypeVar

import ipywidgets as widgets

from workbench.errors import WorkbenchError
from workbench.widgets.markup import block, notice

Question = TypeVar("Question")
Answer = TypeVar("Answer")


class Latest(Generic[Question, Answer]):
    """Answers beside the page, one at a time; of several questions that wait only the newest is asked.

    Without a running event loop (a script, a test) it answers on the spot.
    """

    def __init__(
        self,
        work: Callable[[Question], Answer],
        show: Callable[[Answer], None],
        fail: Callable[[Exception], None],
    ) -> None:
        """Keep who answers, and who is told the answer or the error."""
        self._work, self._show, self._fail = work, show, fail
        self._waiting: list[Question] = []
        self._task: asyncio.Task[None] | None = None

    def ask(self, question: Question) -> None:
        """Answer as soon as the one before is done; an answer that was overtaken is not shown."""
        self._waiting = [question]
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.ask_now(question)
            return
        if self._task is None or self._task.done():
            self._task = loop.create_task(self._answer_all())

    def ask_now(self, question: Question) -> None:
        """Answer before returning, for the first look at a panel."""
        self._waiting = []
        try:
            answer = self._work(question)
        except Exception as error:
            self._fail(error)
            return
        self._show(answer)

    async def settled(self) -> None:
        """Wait until nothing is on its way."""
        while self._task is not None and not self._task.done():
            with suppress(asyncio.CancelledError):
                await self._task

    async def _answer_all(self) -> None:
        while self._waiting:
            question = self._waiting.pop()
            try:
                answer = await asyncio.to_thread(self._work, question)
            except Exception as error:
                if not self._waiting:
                    self._fail(error)
                continue
            if not self._waiting:
                self._show(answer)


def explain(error: Exception) -> str:
    """Return an error as the page shows it: ours in our words, others by kind and place, without values."""
    if isinstance(error, WorkbenchError):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    place = f" in {Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else ""
    return f"The workbench itself failed: {type(error).__name__}{place}. The numbers shown are the last good ones."


def box() -> widgets.HTML:
    """Return the place in a panel where an error or a blocker appears; it is empty and takes no room."""
    return widgets.HTML(layout={"width": "100%", "margin": "0"})


def tell(place: widgets.HTML, error: Exception | None) -> None:
    """Show an error in its place, or clear it."""
    place.value = block(notice(explain(error), error=True)) if error else ""


def guarded(place: widgets.HTML, callback: Callable[[], None]) -> Callable[[object], None]:
    """Wrap a callback of a widget so that its error appears in the page instead of in a hidden log."""

    def run(_change: object) -> None:
        try:
            callback()
        except Exception as error:
            tell(place, error)
        else:
            tell(place, None)

    return run
