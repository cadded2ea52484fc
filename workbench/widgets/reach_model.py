"""The reach panel's state: what is chosen, what is known, and what stands in the way."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import traitlets

from workbench.campaigns.check import SMALLEST_CAP
from workbench.widgets.feedback import Latest
from workbench.widgets.preview import Answer, Question

LEAST_SHARE, MOST_SHARE = 0.02, 0.99


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A saved campaign as the panel lists it."""

    id: str
    name: str
    version: int
    control_share: float | None
    cap: int | None


class ReachModel(traitlets.HasTraits):
    """Chosen campaign, control, cap and instant; the last good answer; an error.

    Attributes:
        percent: held out, of the qualified; 0 for none.
        cap_text: as typed; empty for no limit.
        as_of: local time in the account's zone, without a zone, as date fields give it.
        answer: the last good one; it stays when a newer question fails.
        stale: whether ``answer`` answers an older question.
    """

    campaign = traitlets.Unicode(allow_none=True)
    percent = traitlets.Float(0)
    cap_text = traitlets.Unicode("")
    as_of = traitlets.Instance(datetime, allow_none=True)
    answer = traitlets.Instance(Answer, allow_none=True)
    stale = traitlets.Bool(True)
    error = traitlets.Instance(Exception, allow_none=True)

    def __init__(
        self,
        choices: Sequence[Choice],
        ask: Callable[[Question], Answer],
        *,
        zone: ZoneInfo,
        as_of: datetime,
        small_caps: bool = False,
    ) -> None:
        """Choose the first campaign and ask for its reach as it is saved."""
        super().__init__()
        self.choices = {choice.id: choice for choice in choices}
        self.zone = zone
        self.small_caps = small_caps
        self.latest = Latest(ask, self._show, self._fail)
        self.as_of = as_of.astimezone(zone).replace(tzinfo=None)
        self.observe(self._restore, "campaign")
        self.observe(self._changed, ["percent", "cap_text", "as_of"])
        self._hold = True
        self.campaign = next(iter(self.choices), None)
        self._hold = False
        self._changed(None, now=True)

    @property
    def chosen(self) -> Choice | None:
        """The campaign that is chosen."""
        return self.choices.get(self.campaign) if self.campaign else None

    @property
    def control_share(self) -> float | None:
        """The share held out; None for none."""
        return round(self.percent / 100, 6) or None

    @property
    def cap(self) -> int | None:
        """The cap as a number; None for no limit, and for a text that is no number."""
        text = self._digits()
        return int(text) if text.isdecimal() else None

    def question(self) -> Question | None:
        """Return what the panel asks; None while something stands in the way of asking."""
        if self._unanswerable() or self.campaign is None or self.as_of is None:
            return None
        return Question(
            campaign=self.campaign,
            as_of=self.as_of.replace(tzinfo=self.zone).astimezone(UTC),
            control_share=self.control_share,
            cap=self.cap,
        )

    def blockers(self) -> list[str]:
        """Return, as sentences, why nobody could be sent to as things stand; empty when nothing is in the way."""
        found = self._unanswerable()
        if not found and self.answer is not None and not self.stale and self.error is None:
            if not self.answer.qualified:
                found.append("No user is in the segment at this instant.")
            elif self.answer.blocked is not None:
                found.append(f"The safety check lets nobody be sent to: {self.answer.blocked}.")
            elif not self.answer.sent:
                found.append("All who qualify are held out or cannot be sent to: nobody is left.")
        return found

    def state(self) -> dict[str, Any]:
        """Return the part of a campaign that the panel sets, as in its YAML; what is not set is left out."""
        body: dict[str, Any] = {}
        if self.control_share is not None:
            body["control"] = {"share": self.control_share}
        if self.cap is not None:
            body["cap"] = {"per_run": self.cap}
        return body

    def yaml(self) -> str:
        """Return ``state`` as the lines of a campaign file."""
        lines = [
            f"{key}: {{{', '.join(f'{k}: {v}' for k, v in part.items())}}}"
            for key, part in self.state().items()
        ]
        return "\n".join(lines) or "# no control group, no limit"

    def differs(self) -> bool:
        """Whether control or cap are not those of the saved campaign."""
        chosen = self.chosen
        return chosen is not None and (self.control_share, self.cap) != (chosen.control_share, chosen.cap)

    def _unanswerable(self) -> list[str]:
        found = []
        if self.chosen is None:
            found.append("No campaign is saved yet; save one, then run this cell again.")
        share = self.control_share
        if share is not None and not LEAST_SHARE <= share <= MOST_SHARE:
            found.append(
                f"A control group of {share:.1%} is outside 2 % to 99 %; choose none or at least 2 %."
            )
        if self._digits() and self.cap is None:
            found.append(
                f'The limit "{self.cap_text.strip()[:20]}" is not a whole number; leave it empty for no limit.'
            )
        elif self.cap is not None and (self.cap < 1 or (self.cap < SMALLEST_CAP and not self.small_caps)):
            found.append(
                f"A limit of {self.cap:,} is below {SMALLEST_CAP}, the smallest that a campaign may have."
            )
        if self.as_of is None:
            found.append("Give the date and time to count at.")
        return found

    def _digits(self) -> str:
        text: str = self.cap_text
        return text.strip().replace(",", "").replace("_", "")

    def _restore(self, _change: object) -> None:
        """Take control and cap from the campaign that was chosen, and ask once."""
        chosen, held = self.chosen, self._hold
        if chosen is not None:
            self._hold = True
            self.percent = round((chosen.control_share or 0) * 100, 4)
            self.cap_text = "" if chosen.cap is None else str(chosen.cap)
            self._hold = held
        if not held:
            self._changed(None)

    def _changed(self, _change: object, *, now: bool = False) -> None:
        if self._hold:
            return
        self.stale = True
        question = self.question()
        if question is None:
            self.error = None
        elif now:
            self.latest.ask_now(question)
        else:
            self.latest.ask(question)

    def _show(self, answer: Answer) -> None:
        if answer.question == self.question():
            self.error = None
            self.stale = False
            self.answer = answer

    def _fail(self, error: Exception) -> None:
        self.error = error
