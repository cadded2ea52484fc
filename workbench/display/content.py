"""What a cell shows of a preview: the texts of a few users. A committed notebook holds no output."""

import json
from collections.abc import Callable
from typing import Any

from workbench.preview import Example, Preview
from workbench.widgets.markup import block, code, heading, notice, number, paragraph, table


def _text(found: Preview) -> str:
    plan = found.plan
    return (
        f'preview of "{plan.campaign.campaign.id}": {len(found.examples)} users shown, '
        f"{plan.to_send:,} of {plan.qualified:,} would be sent to"
    )


def _html(found: Preview) -> str:
    faults = "\n".join(f"{number(users)} users: {reason}" for reason, users in found.faults.iter_rows())
    return block(
        heading(f"Preview: {found.plan.campaign.campaign.name}"),
        paragraph(_text(found)),
        notice(faults) if faults else "",
        *(_example(example) for example in found.examples),
    )


def _example(example: Example) -> str:
    why = f": {example.reason}" if example.reason else ""
    rows = [(key, value if value is not None else "(none)") for key, value in example.values.items()]
    shown = "\n".join(json.dumps(body, ensure_ascii=False, indent=2) for body in example.bodies)
    return (
        heading(f"{example.why[:1].upper()}{example.why[1:]}")
        + paragraph(f"User {example.user_id}, {example.verdict}{why}", quiet=True)
        + (table([("Value", "text"), ("Text", "wrap")], rows, caption="Rendered values") if rows else "")
        + (code(shown, "The batch" if len(example.bodies) == 1 else "The batches") if shown else "")
    )


SHOWN: dict[type, tuple[Callable[[Any], str], Callable[[Any], str], None]] = {Preview: (_text, _html, None)}
