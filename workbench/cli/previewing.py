"""``workbench campaign preview``: what a campaign would say."""

import json as encoder
from typing import Annotated

import typer
from rich.markup import escape

from workbench import preview, progress
from workbench.cli.data import parse_instant
from workbench.cli.output import Config, Json, answer, local, out
from workbench.cli.sending import AsOf, Campaign
from workbench.preview import Example
from workbench.workspace import open_workspace


def show_preview(
    campaign: Campaign,
    user: Annotated[
        str | None, typer.Option(help="Any user with a profile (default: the worst cases).")
    ] = None,
    as_of: AsOf = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Show what a campaign would say to a user, or to those whose payload is the worst; nothing is sent."""
    workspace = open_workspace(config)
    found = preview.preview(
        workspace,
        campaign,
        user_id=user,
        as_of=parse_instant(as_of, "--as-of"),
        report=progress.bar(silent=json),
    )
    planned = found.plan

    def show() -> None:
        for example in found.examples:
            _show(example)
        for reason, users in found.faults.iter_rows():
            out.print(f"[yellow]{users:,} users[/]: {escape(reason)}")
        out.print(
            f"[dim]as of {local(planned.as_of, workspace.zone)}; would send {planned.to_send:,} of "
            f"{planned.qualified:,} qualified; nothing was sent[/]",
            soft_wrap=True,
        )

    body = {
        "campaign": planned.campaign.campaign.id, "version": planned.campaign.stored.version,
        "as_of": planned.as_of, "qualified": planned.qualified, "to_send": planned.to_send,
        "faults": found.faults, "examples": found.examples,
    }  # fmt: skip
    answer(body, as_json=json, show=show)


def _show(example: Example) -> None:
    why = f": {example.reason}" if example.reason else ""
    out.print(
        f"[bold]{escape(example.why)}[/] (user {escape(example.user_id)}), {example.verdict}{escape(why)}"
    )
    for key, value in example.values.items():
        out.print(
            f"  {escape(key)}: {escape(value) if value is not None else '[red]none[/]'}", soft_wrap=True
        )
    for body in example.bodies:
        text = encoder.dumps(body, ensure_ascii=False)
        out.print(f"  [dim]{len(text.encode()):,} bytes: {escape(text)}[/]", soft_wrap=True)
