"""The threads that send: each with its own connection, all behind one gate."""

import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from time import monotonic
from types import TracebackType
from typing import Self

from workbench.export.client import Answer, Client, Line, Outcome
from workbench.export.hold import FRESH
from workbench.export.ledger import Request
from workbench.export.pace import Pace

AHEAD = 0.5
GROUP = 0.045
LATELY, SOON = 0.2, 0.04
MOST_AHEAD = 16
# Where answers are as quick as this, one thread keeps the interpreter busy, and more would hinder each other.
QUICK = 0.004


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What became of a request that was handed over.

    Attributes:
        answer: None when none of its bytes went out.
        error: what broke here, not at the receiver.
    """

    request: Request
    answer: Answer | None
    error: Exception | None = None


class Crew:
    """Takes requests and gives back what became of them. It holds the bytes of those in flight only."""

    def __init__(self, client: Client, read: Callable[[Request], bytes]) -> None:
        """Start nobody yet; a thread is started when there is work for it."""
        self._client = client
        self._read = read
        self._size = client.options.in_flight
        self._pace = Pace(client.options.batches_per_second)
        self._pace.renew(float("-inf"))
        self._threads: list[threading.Thread] = []
        self._waiting: SimpleQueue[Request | None] = SimpleQueue()
        self._done: SimpleQueue[Done] = SimpleQueue()
        self._lock = threading.Lock()
        self._ahead = 0
        self._ahead_batches = 0
        self._few_wait = threading.Event()
        self._few_wait.set()
        self._lately = self._took = 0.0
        self._counted = monotonic()
        self.outstanding = 0

    def __enter__(self) -> Self:
        """Use as a context manager, which ends the threads."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the gate and end the threads; those still in flight are waited for, unless a person insists."""
        self.close()
        for _ in self._threads:
            self._waiting.put(None)
        if not self.outstanding or kind is None or not issubclass(kind, KeyboardInterrupt):
            for thread in self._threads:
                thread.join()

    def room(self, batches: int) -> int:
        """How many more requests to hand over: one ahead for each thread, and no more than the pace lets in soon.

        Where answers come so fast that these would not last until the next commit, some more are ahead.

        Args:
            batches: how many a request holds at most.
        """
        ahead = min(max(int(self._lately * SOON / LATELY), self._size), MOST_AHEAD * self._size)
        room = self._size + ahead - self.outstanding
        with self._lock:
            waiting, ahead_batches = self._ahead, self._ahead_batches
        while room > 0 and waiting + room > 1:
            if self._pace.delay(ahead_batches + (room - 1) * batches) < AHEAD:
                break
            room -= 1
        return max(room, 0)

    def renew(self, known_at: float) -> None:
        """The run was held and not to stop then: for a moment requests may begin, and no longer if the ledger falls silent."""
        self._pace.renew(known_at + FRESH)

    def hand(self, requests: Iterable[Request]) -> None:
        """Let requests be sent, in this order; by as many threads as the last answer's time is worth."""
        most = 1 if self._took < QUICK else self._size
        for request in requests:
            self.outstanding += 1
            self._count_waiting(1, request.batches)
            if len(self._threads) < min(most, self.outstanding):
                thread = threading.Thread(target=self._work, name="sender", daemon=True)
                thread.start()
                self._threads.append(thread)
            self._waiting.put(request)

    def collect(self, seconds: float) -> list[Done]:
        """Wait so long for the first outcome, then a moment for more of them, unless few requests wait."""
        found: list[Done] = []
        with suppress(Empty):
            found.append(self._done.get(timeout=seconds))
            self._few_wait.wait(GROUP)
            while True:
                found.append(self._done.get_nowait())
        self.outstanding -= len(found)
        self._count(len(found))
        return found

    def _count(self, answers: int) -> None:
        """Keep about how many answers came lately: older ones count less and less."""
        now = monotonic()
        self._lately = self._lately * max(1 - (now - self._counted) / LATELY, 0) + answers
        self._counted = now

    def close(self) -> None:
        """Let no request begin any more; those that wait come back without an answer."""
        self._pace.close()

    def _count_waiting(self, requests: int, batches: int) -> None:
        """So many more wait for a thread, or fewer."""
        with self._lock:
            self._ahead += requests
            self._ahead_batches += batches
            if self._ahead * 2 < self._size:
                self._few_wait.set()
            else:
                self._few_wait.clear()

    def _work(self) -> None:
        try:
            with self._client.line(self._pace) as line:
                while (request := self._waiting.get()) is not None:
                    self._done.put(self._sent(line, request))
        except Exception as error:
            self.close()
            while (request := self._waiting.get()) is not None:
                self._done.put(Done(request=request, answer=None, error=error))

    def _sent(self, line: Line, request: Request) -> Done:
        try:
            body = None if self._pace.closed else self._read(request)
            is_let_in = body is not None and self._pace.enter(request.batches)
        except Exception as error:
            return Done(request=request, answer=None, error=error)
        finally:
            self._count_waiting(-1, -request.batches)
        if body is None or not is_let_in:
            return Done(request=request, answer=None)
        try:
            began = monotonic()
            answer = line.send(body, request.batches)
            self._took = monotonic() - began
            return Done(request=request, answer=self._told(answer))
        except Exception as error:
            self.close()
            answer = Answer(outcome=Outcome.UNKNOWN, message=type(error).__name__)
            return Done(request=request, answer=answer, error=error)

    def _told(self, answer: Answer) -> Answer:
        """An answer that stops the run closes the gate before anybody else begins."""
        if not answer.decides:
            self.close()
        return answer
