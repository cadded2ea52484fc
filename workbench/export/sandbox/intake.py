"""One posted request: from its header and body to the answer that it gets."""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from workbench.export.sandbox.answers import Answer, refusal
from workbench.export.sandbox.archive import Archive, Arrival
from workbench.export.sandbox.body import MalformedError, read_batches
from workbench.export.sandbox.gate import Gate
from workbench.export.sandbox.pace import Pace
from workbench.export.sandbox.rules import Accepted, Rules
from workbench.export.sandbox.shape import Fault

REQUEST_BYTES = 256_000
PERCENT_HEADER = "X-mp-rate-limit-percentage-used"


class RefusedError(Exception):
    """The request as a whole is refused with `answer`."""

    def __init__(self, answer: Answer) -> None:
        """Carry the answer."""
        super().__init__(answer.message)
        self.answer = answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """One request as it came in; `body` is in no repr, for it holds personal data."""

    path: str
    authorization: str | None
    content_type: str
    body: bytes

    def __repr__(self) -> str:
        """Name the path and the size only."""
        return f"Posted(path={self.path!r}, bytes={len(self.body)})"


class Intake:
    """Takes requests one after another; used by one thread."""

    def __init__(
        self,
        *,
        archive: Archive,
        gate: Gate,
        script: deque[Answer],
        pace: Pace | None,
        now: Callable[[], datetime],
    ) -> None:
        """Put the parts together."""
        self._archive = archive
        self._gate = gate
        self._script = script
        self._pace = pace
        self._now = now
        self._rules = Rules()

    def take(self, posted: Posted) -> Answer:
        """Judge and store the request unless its scripted answer forbids it; give the answer."""
        answer = self._script.popleft() if self._script else Answer(text="202")
        now = self._now()
        judged: Iterable[Accepted | Fault] | None = None
        if answer.stores:
            try:
                judged = self._judged(posted, now)
            except RefusedError as refused:
                answer = refused.answer
            else:
                answer = self._with_percent_used(answer)
        self._archive.record(self._arrival(posted, answer.text, now), judged)
        return answer

    def visit(self, posted: Posted) -> None:
        """Note a request that followed a redirect; nothing of it is judged or stored."""
        self._archive.record(self._arrival(posted, "202", self._now()), None)

    def _arrival(self, posted: Posted, answer: str, now: datetime) -> Arrival:
        return Arrival(
            received_at=now,
            path=posted.path,
            body=posted.body,
            answer=answer,
            owner=self._gate.owner,
        )

    def _judged(self, posted: Posted, now: datetime) -> Iterable[Accepted | Fault]:
        self._check_header(posted)
        try:
            batches = read_batches(posted.body, bulk=posted.path == "/v2/bulkevents")
        except MalformedError as error:
            raise RefusedError(refusal(400, str(error))) from None
        if self._pace and not self._pace.takes(len(batches), now):
            limit = {"Retry_After": "1", "X_mp_rate_limit_exceeded": "batches"}
            raise RefusedError(refusal(429, "too many batches in a second", **limit))
        return [self._rules.judge(sent, now) for sent in batches]

    def _check_header(self, posted: Posted) -> None:
        refused = self._gate.refusal(posted.authorization)
        if refused:
            raise RefusedError(refused)
        if posted.content_type.partition(";")[0].strip().lower() != "application/json":
            raise RefusedError(refusal(400, "Content-Type is not application/json"))
        if len(posted.body) >= REQUEST_BYTES:
            raise RefusedError(refusal(400, f"the body is not under {REQUEST_BYTES} bytes"))

    def _with_percent_used(self, answer: Answer) -> Answer:
        if not self._pace or any(name == PERCENT_HEADER for name, _ in answer.headers):
            return answer
        used = (PERCENT_HEADER, str(self._pace.percent_used()))
        return replace(answer, headers=(*answer.headers, used))
