"""Commands about data: init, check, ingest, reach."""

from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal, get_args

import tomlkit
import typer
from pydantic import ValidationError
from rich.markup import escape
from rich.table import Table

from workbench import progress
from workbench.cli.checks import findings
from workbench.cli.output import Config, Json, answer, err, local, out, raw, watching
from workbench.errors import InputError, SettingsError, nearest
from workbench.reach import reach as reach_of
from workbench.settings import FILE_NAME, PropertyType, Settings, Source
from workbench.store.ingest import Summary, derive_profiles, ingest
from workbench.store.lake import utc_now
from workbench.workspace import open_workspace

Kind = Literal["events", "profiles", "devices"]

STARTER = """\
[account]
name = "{name}"
timezone = "{timezone}"   # where a day begins
salt = "{name}-{year}"   # part of every hashed string; never change it

[identities]                     # mParticle identity = profile attribute
customer_id = "user_id"

[consent]
# unsubscribed = "unsubscribed"
# required = ["email_opt_in"]    # absent counts as false

[mparticle]
url = "http://127.0.0.1:8787/v2" # `workbench sandbox serve`; later your pod, https://s2s.us1.mparticle.com/v2
environment = "development"      # or "production"
"""


def init(
    name: Annotated[str, typer.Option(help="The account, in lower case.")] = "my-account",
    timezone: Annotated[str, typer.Option(help="IANA zone in which a day begins.")] = "UTC",
) -> None:
    """Write a workbench.toml into this folder."""
    path = Path(FILE_NAME)
    if path.exists():
        raise SettingsError(f"{FILE_NAME} is already here; it was not touched")
    path.write_text(STARTER.format(name=name, timezone=timezone, year=utc_now().year), encoding="utf-8")
    try:
        Settings.load(path)
    except SettingsError:
        path.unlink()
        raise
    out.print(f"wrote {FILE_NAME}; next: workbench ingest events FILES")


def check(config: Config = None, json: Json = False) -> None:
    """Look at settings, data, store and destination; each line says what to do."""
    found = findings(config)

    def show() -> None:
        for item in found:
            mark = {"ok": "[green]ok[/]", "warning": "[yellow]look[/]", "problem": "[red]fix[/]"}[item.state]
            out.print(f"{mark:>18}  {item.subject}: {escape(item.message)}", soft_wrap=True)

    answer(found, as_json=json, show=show)
    if any(item.state == "problem" for item in found):
        raise typer.Exit(3)


def ingest_command(
    kind: Annotated[Kind, typer.Argument(help="What the files hold.")],
    files: Annotated[list[str] | None, typer.Argument(help="Files, folders or globs.")] = None,
    source: Annotated[str | None, typer.Option(help="Name of the saved mapping (default: the kind).")] = None,
    user: Annotated[str | None, typer.Option(help="Column of the user id.")] = None,
    event: Annotated[str | None, typer.Option(help="Column of the event name.")] = None,
    event_name: Annotated[str | None, typer.Option(help="One name for all rows.")] = None,
    ts: Annotated[str | None, typer.Option(help="Column of the time.")] = None,
    event_id: Annotated[str | None, typer.Option(help="Column of the unique event id.")] = None,
    device: Annotated[str | None, typer.Option(help="Column of the device id.")] = None,
    time_format: Annotated[
        str | None, typer.Option(help="strptime pattern, epoch_s, epoch_ms (default: ISO 8601).")
    ] = None,
    timezone: Annotated[str | None, typer.Option(help="Zone of times that have none.")] = None,
    sep: Annotated[str | None, typer.Option(help="Separator: a character, tab, whitespace, …")] = None,
    properties: Annotated[
        str | None, typer.Option(help="NDJSON: the object that holds the properties.")
    ] = None,
    column: Annotated[list[str] | None, typer.Option(help="NAME=COLUMN: call a column NAME.")] = None,
    type_: Annotated[list[str] | None, typer.Option("--type", help="NAME=TYPE: text, number, …")] = None,
    recorded: Annotated[
        str | None, typer.Option(help="When rows were recorded: history, now, or a column.")
    ] = None,
    from_events: Annotated[
        bool, typer.Option("--from-events", help="Profiles: derive them from events.")
    ] = False,
    derive: Annotated[
        bool, typer.Option("--derive-profiles", help="Events: give new users an empty profile.")
    ] = False,
    config: Config = None,
    json: Json = False,
) -> None:
    """Bring files into the lake: CSV, NDJSON, Parquet; all or nothing."""
    workspace = open_workspace(config)
    if from_events:
        if kind != "profiles" or files:
            raise InputError("--from-events goes with `workbench ingest profiles` and takes no files")
        summary = derive_profiles(workspace.lake, now=utc_now())
        answer(summary, as_json=json, show=lambda: _show_summary(summary))
        return
    if not files:
        raise InputError("give files, a folder or a glob")
    if derive and kind != "events":
        raise InputError("--derive-profiles goes with `workbench ingest events`")
    name = source or kind
    saved = workspace.settings.sources.get(name)
    if saved and saved.kind != kind:
        raise InputError(f'the saved mapping "{name}" is for {saved.kind}, not for {kind}')
    given = {
        "user": user, "event": event, "event_name": event_name, "ts": ts, "event_id": event_id,
        "device": device, "time_format": time_format, "timezone": timezone, "sep": sep,
        "properties": properties, "recorded": recorded,
        "columns": _pairs("--column", column), "types": _types(type_),
    }  # fmt: skip
    mapping = _source(kind, saved, {key: value for key, value in given.items() if value})
    summary = ingest(
        workspace.lake, workspace.settings, mapping, files,
        source_name=name, now=utc_now(), report=progress.bar(silent=json),
    )  # fmt: skip
    if mapping != saved:
        _save(workspace.settings, name, mapping)
    if not derive:
        answer(summary, as_json=json, show=lambda: _show_summary(summary))
        return
    derived = derive_profiles(workspace.lake, now=utc_now())

    def show() -> None:
        _show_summary(replace(summary, without_profile=0))
        _show_summary(derived)

    answer({"events": summary, "profiles": derived}, as_json=json, show=show)


def reach(
    segment: Annotated[str, typer.Argument(help="A saved segment.")],
    as_of: Annotated[
        str | None, typer.Option(help="Instant of the question, ISO 8601 (default: now).")
    ] = None,
    version: Annotated[int | None, typer.Option(help="Of the segment (default: the newest).")] = None,
    sql: Annotated[bool, typer.Option("--sql", help="Print the SQL instead.")] = False,
    config: Config = None,
    json: Json = False,
) -> None:
    """Count a segment exactly: qualified, reachable, and each condition."""
    workspace = open_workspace(config)
    instant = parse_instant(as_of, "--as-of") or utc_now()
    watch = watching(json)
    found = reach_of(workspace, segment, version=version, as_of=instant, watch=watch)
    if sql:
        raw(found.sql + "\n")
        return

    def show() -> None:
        out.print(f"[bold]{escape(segment)}[/]: {escape(found.sentence)}", soft_wrap=True)
        table = Table(show_header=True)
        table.add_column("no.", justify="right", style="dim")
        table.add_column("condition")
        table.add_column("users", justify="right")
        *parts, whole = found.counts.conditions
        for place, item in enumerate(parts):
            table.add_row(str(place), "  " * (item.depth - 1) + escape(item.sentence), f"{item.users:,}")
        table.add_row(str(len(parts)), "[bold]qualified[/]", f"[bold]{whole.users:,}[/]")
        table.add_row("", "[bold]reachable[/]", f"[bold]{found.reachable:,}[/]")
        table.add_row("", "[dim]everyone with a profile[/]", f"[dim]{found.counts.everyone:,}[/]")
        out.print(table)
        label = ", history reconstructed from the rows' own times" if found.reconstructed else ""
        out.print(
            f"[dim]as of {local(instant, workspace.zone)}, exact, {found.seconds * 1000:,.0f} ms{label}[/]",
            soft_wrap=True,
        )

    answer(
        {
            "segment": segment, "sentence": found.sentence, "as_of": instant,
            "qualified": found.counts.qualified, "reachable": found.reachable,
            "everyone": found.counts.everyone, "seconds": round(found.seconds, 4),
            "reconstructed": found.reconstructed,
            "conditions": [asdict(item) for item in found.counts.conditions],
        },
        as_json=json, show=show,
    )  # fmt: skip


def parse_instant(text: str | None, option: str) -> datetime | None:
    """Read an ISO 8601 instant with its zone.

    Raises:
        InputError: unreadable, or without a zone.
    """
    if not text:
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(f'{option} "{text}" is not ISO 8601, e.g. 2026-06-30T18:00:00Z') from error
    if instant.tzinfo is None:
        raise InputError(f'{option} "{text}" has no zone; write it as 2026-06-30T18:00:00Z or with an offset')
    return instant


def _source(kind: Kind, saved: Source | None, given: dict[str, object]) -> Source:
    base = saved.model_dump(exclude_none=True) if saved else {"kind": kind}
    if "event_name" in given:
        base.pop("event", None)
    if "event" in given:
        base.pop("event_name", None)
    try:
        return Source.model_validate({**base, **given})
    except ValidationError as error:
        (first, *_) = error.errors(include_url=False)
        option = str(first["loc"][0]).replace("_", "-")
        raise InputError(f"--{option}: {first['msg'].removeprefix('Value error, ')}") from error


def _pairs(option: str, items: list[str] | None) -> dict[str, str]:
    pairs = [item.partition("=") for item in items or []]
    wrong = [name for name, sign, value in pairs if not (name and sign and value)]
    if wrong:
        raise InputError(f'{option} "{wrong[0]}": write NAME=VALUE')
    return {name: value for name, _, value in pairs}


def _types(items: list[str] | None) -> dict[str, str]:
    known = get_args(PropertyType)
    found = _pairs("--type", items)
    for name, kind in found.items():
        if kind not in known:
            raise InputError(
                f"--type {name}={kind}: unknown type.{nearest(kind, known)} Known: {', '.join(known)}."
            )
    return found


def _save(settings: Settings, name: str, source: Source) -> None:
    """Write the mapping into workbench.toml; comments and order of the rest stay."""
    path = settings.home / FILE_NAME
    document = tomlkit.parse(path.read_text(encoding="utf-8"))
    sources = document.setdefault("sources", tomlkit.table(is_super_table=True))
    sources[name] = source.model_dump(exclude_none=True, exclude_defaults=True)
    sources[name]["kind"] = source.kind
    temporary = path.with_suffix(".toml.tmp")
    temporary.write_text(tomlkit.dumps(document), encoding="utf-8")
    temporary.replace(path)


def _show_summary(summary: Summary) -> None:
    if summary.known_files and not summary.read:
        out.print(
            f"nothing new: {summary.known_files} file(s) were ingested before (lake version {summary.version})"
        )
        return
    parts = [f"[bold]{summary.added:,}[/] of {summary.read:,} rows of {summary.kind} added"]
    if summary.duplicates:
        parts.append(f"{summary.duplicates:,} were there already")
    if summary.rejected:
        parts.append(f"[yellow]{summary.rejected:,} rejected[/]")
    out.print(f"{', '.join(parts)}; {summary.new_users:,} new users; lake version {summary.version}")
    for reason, count in summary.reasons[:5]:
        out.print(f"  [yellow]{count:,}[/] × {escape(reason)}")
    if summary.rejects_path:
        out.print(f"  every rejected row, with its line: {summary.rejects_path}", soft_wrap=True)
    if summary.recorded == "history":
        out.print(
            "  [dim]recorded as history: each row counts as known since its own time (reconstructed)[/]"
        )
    elif summary.recorded == "now":
        out.print(
            "  [dim]recorded now: questions about earlier instants do not see these rows "
            "(for old data: --recorded history)[/]"
        )
    if summary.merged:
        out.print(f"  [dim]{summary.merged:,} files of the lake were merged[/]")
    if summary.not_merged:
        err.print(
            f"  [yellow]the rows are in; small files of the lake could not be merged:[/] {escape(summary.not_merged)}",
            soft_wrap=True,
        )
    if summary.without_profile:
        err.print(
            f"  [yellow]{summary.without_profile:,} users have no profile and so qualify for nothing;[/] "
            "load profiles, or derive them: workbench ingest profiles --from-events"
        )
