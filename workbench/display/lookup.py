"""What a cell shows of one user in one run: the verdict, and each step with its answer."""

from collections.abc import Callable
from typing import Any

from workbench.charts import capital
from workbench.lookup import Answer, Explained, Step
from workbench.widgets.markup import block, heading, notice, paragraph, steps

INSTANT = "%Y-%m-%d %H:%M %Z"
MARKS = {
    Answer.PASSES: ("good", "✓"),
    Answer.STOPS: ("bad", "✕"),
    Answer.HELD_OUT: ("held", "■"),
    Answer.WAITS: ("waits", "…"),
    Answer.NOT_ASKED: ("quiet", "–"),
    Answer.NOT_REACHED: ("quiet", ""),
}


def explained_text(found: Explained) -> str:
    """Say the verdict, every step and whether it was confirmed."""
    lines = [
        f"  {step.name}: {step.answer}. {step.sentence}" + (f" ({step.differs})" if step.differs else "")
        for step in found.reached
    ]
    if found.not_reached:
        lines.append(f"  {Answer.NOT_REACHED}: {', '.join(found.not_reached)}")
    return "\n".join([f"{found.run.run_id}: {found.summary}", *lines, found.proof])


def explained_html(found: Explained) -> str:
    """Show the verdict, and the steps as a list from top to bottom."""
    run = found.run
    facts = (
        f"Campaign version {run.campaign_version} · as of {run.as_of.astimezone(found.zone):{INSTANT}} · lake version "
        f"{run.lake_version} · audience sha256 {run.audience_digest[:16]}…, verified"
    )
    items = [_item(step) for step in found.reached]
    if found.not_reached:
        items.append(("quiet", "", "Not reached", "", ", ".join(found.not_reached), ()))
    return block(
        heading(f"User {found.user_id} in {run.run_id}"),
        paragraph(found.summary),
        notice("\n".join([found.proof, *found.differences])) if found.agrees is not True else "",
        steps(items, label="Steps of the run, in order"),
        paragraph(found.proof, quiet=True) if found.agrees else "",
        paragraph(facts, quiet=True),
    )


def _item(step: Step) -> tuple[str, str, str, str, str, tuple[str, ...]]:
    kind, mark = MARKS[step.answer]
    lines = (*step.lines, *((f"Differs: {step.differs}.",) if step.differs else ()))
    return kind, mark, capital(step.name), str(step.answer), step.sentence, lines


SHOWN: dict[type, tuple[Callable[[Any], str], Callable[[Any], str], None]] = {
    Explained: (explained_text, explained_html, None)
}
