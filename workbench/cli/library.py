"""Commands that keep segments and campaigns: save, list, show, clone, archive."""

from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Column, Table

from workbench.campaigns import codec as campaign_codec
from workbench.cli.data import parse_instant
from workbench.cli.output import Config, Json, answer, local, out, raw
from workbench.segments import codec as segment_codec
from workbench.segments.explain import Explanation, explain
from workbench.segments.python import to_python
from workbench.segments.sentence import sentence
from workbench.store import documents
from workbench.store.lake import utc_now
from workbench.workspace import open_workspace

segments = typer.Typer(help="Saved segments: versioned condition trees.", no_args_is_help=True)
campaigns = typer.Typer(help="Saved campaigns: who, how many, what.", no_args_is_help=True)

File = Annotated[Path, typer.Argument(help="A YAML or JSON file.")]
Version = Annotated[int | None, typer.Option(help="Which version (default: the newest).")]


@segments.command("save")
def save_segment(file: File, config: Config = None, json: Json = False) -> None:
    """Check a segment against the data and save it as a new version."""
    workspace = open_workspace(config)
    segment = segment_codec.from_json(documents.read(file))
    saved = workspace.segments.save(segment, workspace.scope(workspace.lake.at()), now=utc_now())
    shown = {"name": segment.name, "version": saved.version, "digest": saved.stored.digest}
    answer(
        shown, as_json=json,
        show=lambda: out.print(f'segment "{segment.name}", version {saved.version}: {escape(sentence(segment.condition))}'),
    )  # fmt: skip


@segments.command("list")
def list_segments(config: Config = None, json: Json = False) -> None:
    """List the newest version of every segment."""
    workspace = open_workspace(config)
    saved = workspace.segments.newest()

    def show() -> None:
        table = Table(Column("segment", no_wrap=True), "says", Column("saved", no_wrap=True), box=SIMPLE_HEAD)
        for item in saved:
            says = escape(sentence(item.segment.condition))
            when = local(item.stored.created_at, workspace.zone)
            table.add_row(escape(f"{item.segment.name} v{item.version}"), says, when)
        out.print(table)

    rows = [
        {
            "name": item.segment.name, "version": item.version, "sentence": sentence(item.segment.condition),
            "digest": item.stored.digest, "created_at": item.stored.created_at,
            "created_by": item.stored.created_by,
        }
        for item in saved
    ]  # fmt: skip
    answer(rows, as_json=json, show=show)


@segments.command("show")
def show_segment(
    name: str,
    version: Version = None,
    python: Annotated[bool, typer.Option("--python", help="Print the code that builds it.")] = False,
    config: Config = None,
    json: Json = False,
) -> None:
    """Print a segment as the YAML that saves it."""
    saved = open_workspace(config).segments.get(name, version)
    body = segment_codec.to_json(saved.segment)
    text = to_python(saved.segment) if python else documents.dump(body)
    answer(body, as_json=json, show=lambda: raw(text))


@segments.command("explain")
def explain_segment(
    name: str,
    user: Annotated[str, typer.Argument(help="The user's id.")],
    as_of: Annotated[
        str | None, typer.Option(help="Instant of the question, ISO 8601 (default: now).")
    ] = None,
    version: Version = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Say why one user is, or is not, in a segment: each condition, what decided, and the events."""
    workspace = open_workspace(config)
    lake = workspace.lake.at()
    connection = lake.connect()
    segment = workspace.segments.get(name, version).segment
    instant = parse_instant(as_of, "--as-of") or utc_now()
    found = explain(segment, user, instant, scope=workspace.scope(lake), connection=connection)
    connection.close()

    answer(
        {
            "segment": name, "user": user, "as_of": instant, "known": found.known, "holds": found.holds,
            "answers": [
                {
                    "sentence": item.sentence, "depth": item.depth, "holds": item.holds, "decides": item.decides,
                    "matching": item.matching, "events": item.events,
                }
                for item in found.answers
            ],
        },
        as_json=json, show=lambda: _show_explained(found, name, workspace.zone),
    )  # fmt: skip


@segments.command("clone")
def clone_segment(name: str, new_name: str, config: Config = None, json: Json = False) -> None:
    """Save a copy under another name."""
    workspace = open_workspace(config)
    scope = workspace.scope(workspace.lake.at())
    saved = workspace.segments.clone(name, new_name, scope, now=utc_now())
    shown = {"name": new_name, "version": saved.version}
    answer(shown, as_json=json, show=lambda: out.print(f'segment "{new_name}", version {saved.version}'))


@segments.command("archive")
def archive_segment(name: str, config: Config = None) -> None:
    """Delete a segment from the lists; refused while a campaign or another segment uses it."""
    open_workspace(config).segments.archive(name, now=utc_now())
    out.print(f'segment "{name}" is archived; its versions stay')


@campaigns.command("save")
def save_campaign(file: File, config: Config = None, json: Json = False) -> None:
    """Check a campaign and save it as a new version."""
    workspace = open_workspace(config)
    campaign = campaign_codec.from_json(documents.read(file))
    saved = workspace.campaigns.save(campaign, catalogue=workspace.lake.at().catalogue, now=utc_now())
    pin = saved.campaign.segment
    shown = {
        "id": campaign.id,
        "version": saved.stored.version,
        "segment": pin.name,
        "segment_version": pin.version,
    }
    text = f'campaign "{campaign.id}", version {saved.stored.version}, for segment "{pin.name}" version {pin.version}'
    answer(shown, as_json=json, show=lambda: out.print(text))


@campaigns.command("list")
def list_campaigns(config: Config = None, json: Json = False) -> None:
    """List the newest version of every campaign."""
    workspace = open_workspace(config)
    saved = workspace.campaigns.newest()

    def show() -> None:
        table = Table(Column("campaign", no_wrap=True), "name", "segment", "control", "cap", box=SIMPLE_HEAD)
        for item in saved:
            campaign = item.campaign
            share = f"{campaign.control.share:.0%}" if campaign.control.share else "none"
            cap = f"{campaign.cap.per_run:,}" if campaign.cap.per_run else "none"
            pin = f"{campaign.segment.name} v{campaign.segment.version}"
            table.add_row(f"{campaign.id} v{item.stored.version}", escape(campaign.name), pin, share, cap)
        out.print(table)

    rows = [
        {
            **campaign_codec.to_json(item.campaign), "version": item.stored.version,
            "digest": item.stored.digest, "created_at": item.stored.created_at,
            "created_by": item.stored.created_by,
        }
        for item in saved
    ]  # fmt: skip
    answer(rows, as_json=json, show=show)


@campaigns.command("show")
def show_campaign(name: str, version: Version = None, config: Config = None, json: Json = False) -> None:
    """Print a campaign as the YAML that saves it."""
    workspace = open_workspace(config)
    saved = workspace.campaigns.get(name, version)
    body = campaign_codec.to_json(saved.campaign)

    def show() -> None:
        raw(documents.dump(body))
        pin = saved.campaign.segment
        newest = workspace.segments.find(pin.name, None)
        if newest is not None and workspace.segments.get(pin.name).version != pin.version:
            version = workspace.segments.get(pin.name).version
            out.print(
                f'[yellow]# segment "{pin.name}" has a newer version, {version}; save the campaign to take it[/]'
            )

    answer(body, as_json=json, show=show)


@campaigns.command("clone")
def clone_campaign(name: str, new_id: str, config: Config = None, json: Json = False) -> None:
    """Save a copy under another id: a campaign with its own control group and its own runs."""
    workspace = open_workspace(config)
    saved = workspace.campaigns.clone(name, new_id, catalogue=workspace.lake.at().catalogue, now=utc_now())
    shown = {"id": new_id, "version": saved.stored.version}
    answer(
        shown, as_json=json, show=lambda: out.print(f'campaign "{new_id}", version {saved.stored.version}')
    )


@campaigns.command("archive")
def archive_campaign(name: str, config: Config = None) -> None:
    """Take a campaign out of the lists; its versions and runs stay."""
    workspace = open_workspace(config)
    workspace.campaigns.archive(name, now=utc_now())
    out.print(f'campaign "{name}" is archived; its versions and runs stay')


def _show_explained(found: Explanation, name: str, zone: ZoneInfo) -> None:
    state = "is in" if found.holds else "is not in" if found.known else "has no profile and is not in"
    when = local(found.as_of, zone)
    out.print(f"user {escape(found.user_id)} [bold]{state}[/] segment {escape(name)}, as of {when}")
    for item in found.answers:
        mark = "[green]yes[/]" if item.holds else "[red]no [/]"
        indent, weight = "  " * item.depth, "bold" if item.decides else "dim"
        out.print(f"  {mark} {indent}[{weight}]{escape(item.sentence)}[/]", soft_wrap=True)
        if item.events is None:
            continue
        for row in item.events.iter_rows(named=True):
            known = {
                key: value for key, value in row.items() if key not in {"event", "ts"} and value is not None
            }
            rest = ", ".join(f"{key} {value}" for key, value in known.items())
            line = f"{local(row['ts'], zone)}  {escape(row['event'])}  [dim]{escape(rest)}[/]"
            out.print(f"      {indent}{line}", soft_wrap=True)
        if item.matching > item.events.height:
            out.print(f"      {indent}… {item.matching:,} in all")
