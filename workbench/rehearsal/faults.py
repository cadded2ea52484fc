"""The menu of faults: what the receiver does to a run while it is rehearsed."""

from collections.abc import Sequence
from dataclasses import dataclass

from workbench.errors import InputError, nearest

# An attempt is given up after two seconds here, so that a late answer is soon late enough.
CONNECT_SECONDS, READ_SECONDS, ATTEMPTS = 1, 2, 2
OK = "ok"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What the receiver does, to the first request and again in the middle of the run.

    Attributes:
        name: as it is chosen by.
        sentence: what happens.
        answer: in the language of ``export.sandbox.answers``; None for no fault.
        first: whether the first request has it too.
        burst: whether it goes on in the middle until those in flight have used up their attempts.
        attempts: how many a request makes of it before the run stops.
        rejects: whether the receiver refuses a request for good.
    """

    name: str
    sentence: str
    answer: str | None
    first: bool = True
    burst: bool = True
    attempts: int = ATTEMPTS
    rejects: bool = False

    def script(self, *, requests: int, in_flight: int) -> str:
        """Return the answers of the receiver, in the order in which requests come.

        Args:
            requests: how many the run has.
            in_flight: how many of them at a time.
        """
        if self.answer is None:
            return ""
        flying = min(in_flight, requests - requests // 2)
        times = self.attempts * flying + (self.attempts - 1) if self.burst else 1
        answers = [self.answer] if self.first else []
        answers += [f"{OK}*{count}" for count in _counts(requests // 2)]
        return ", ".join([*answers, f"{self.answer}*{times}"])


NONE = Fault(name="none", sentence="no fault, nobody is killed", answer=None)

FAULTS = (
    NONE,
    Fault(name="429-retry-after", sentence="429 that asks for a second's pause", answer="429 retry-after=1"),
    Fault(name="429", sentence="429 without a word of how long", answer="429"),
    Fault(name="acceleration", sentence="429: the traffic grows too fast", answer="429 acceleration",
          first=False, burst=False),
    Fault(name="503", sentence="503, nothing taken", answer="503"),
    Fault(name="500-before", sentence="500, nothing taken", answer="500"),
    Fault(name="500-after", sentence="500 after the batches were taken", answer="500-after"),
    Fault(name="reset-before", sentence="connection reset, nothing taken", answer="reset"),
    Fault(name="reset-after", sentence="connection reset after the batches were taken", answer="reset-after"),
    Fault(name="late-202", sentence="202 after the time-out", answer=f"late={READ_SECONDS + 1}"),
    Fault(name="html", sentence="502 with a page of HTML, as a proxy answers", answer="502-html"),
    Fault(name="200", sentence="200 instead of 202, nothing taken", answer="200", burst=False),
    Fault(name="202-body", sentence="202 with a body", answer="202-body", attempts=1),
    Fault(name="redirect", sentence="302 to another address", answer="redirect", burst=False),
    Fault(name="huge", sentence="202 with a body of 20 MB", answer="huge", burst=False),
    Fault(name="trickle", sentence="202 whose body comes byte by byte", answer="trickle=5", attempts=1),
    Fault(name="rejected", sentence="400 for one request", answer="400", first=False, burst=False,
          rejects=True),
    Fault(name="key-revoked", sentence="403: the key is revoked, and works again later", answer="403",
          attempts=1),
)  # fmt: skip


def chosen(names: Sequence[str]) -> tuple[Fault, ...]:
    """Return the faults of these names in the order of the menu; all of them without a name.

    Raises:
        InputError: an unknown name; the nearest known ones are named.
    """
    known = {fault.name: fault for fault in FAULTS}
    for name in names:
        if name not in known:
            hint = nearest(name, known) or f" Known are: {', '.join(known)}."
            raise InputError(f'unknown fault "{name}".{hint}')
    return tuple(fault for fault in FAULTS if not names or fault.name in names)


def _counts(count: int) -> list[int]:
    """A script repeats an answer at most ten thousand times."""
    return [10_000] * (count // 10_000) + ([count % 10_000] if count % 10_000 else [])
