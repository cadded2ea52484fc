"""``workbench audit``: who changed what and when, and whether that record is the one that was written."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import date, datetime, time
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from rich.markup import escape

from workbench.cli.data import parse_instant
from workbench.cli.output import Config, Json, answer, local, out
from workbench.errors import InputError, NotFoundError, StoreError, nearest
from workbench.store import audit as trail
from workbench.store.audit import Entry, What
from workbench.workspace import Workspace, open_workspace

MOST_NAMES = 10

About = Annotated[
    str | None,
    typer.Option(help="Only this campaign (and its runs), segment, run, list, group or flagged user."),
]


def audit(
    about: About = None,
    who: Annotated[str | None, typer.Option(help="Only what this person did.")] = None,
    since: Annotated[str | None, typer.Option(help="Only from this day or instant on, ISO 8601.")] = None,
    what: Annotated[
        list[str] | None, typer.Option(help='Only this, such as "run reserved"; may be given again.')
    ] = None,
    limit: Annotated[int, typer.Option(help="How many, the newest ones.", min=1)] = 50,
    check: Annotated[
        bool, typer.Option("--check", help="Check the whole trail, and print its newest digest.")
    ] = False,
    expect: Annotated[
        str | None, typer.Option(help="With --check: a digest kept elsewhere, which has to be in the trail.")
    ] = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Show who changed what and when, the newest last; or check that nothing of it was changed since."""
    filtered = about is not None or who is not None or since is not None or bool(what)
    if check and filtered:
        raise InputError("--check looks at the whole trail: leave --about, --who, --since and --what out")
    if expect is not None and not check:
        raise InputError("--expect belongs to --check")
    if check:
        _check(open_workspace(config), expect, json=json)
        return
    words = [_word(text) for text in what or ()]
    workspace = open_workspace(config)
    instant = _instant(since, workspace.zone)
    found = workspace.trail.entries(about=about, who=who, what=words, since=instant, limit=limit)
    if not found:
        _refuse_unknown(workspace, about, who)

    def show() -> None:
        if not found:
            out.print(escape(_nothing(about, who, words, since)), soft_wrap=True)
            return
        for entry in found:
            when, subject = local(entry.at, workspace.zone), f"[bold]{escape(entry.subject)}[/]"
            out.print(
                f"[dim]{entry.number:>5}[/]  {when}  {escape(entry.who)}: {escape(entry.what)} {subject}",
                soft_wrap=True,
            )
            if entry.details:
                out.print(f"       [dim]{escape(entry.told)}[/]", soft_wrap=True)

    answer([_fields(entry) for entry in found], as_json=json, show=show)


def _check(workspace: Workspace, expect: str | None, *, json: bool) -> None:
    found = workspace.trail.check(expect=expect)

    def show() -> None:
        if not found.holds:
            for fault in found.faults:
                out.print(f"[red]✗[/] {escape(fault)}", soft_wrap=True)
            return
        if found.expected is not None:
            out.print(
                f"[green]✓[/] the digest is that of entry {found.expected:,}: nothing up to it was changed"
            )
        out.print(
            f"[green]✓[/] {found.entries:,} entries, each follows the one before; the digest of the last is"
        )
        out.print(found.digest)
        out.print(
            "[dim]keep this digest elsewhere: with --check --expect it proves later that nothing before it was "
            "changed[/]",
            soft_wrap=True,
        )

    body = {
        "holds": found.holds, "entries": found.entries, "digest": found.digest, "expected": found.expected,
        "faults": found.faults,
    }  # fmt: skip
    answer(body, as_json=json, show=show)
    if not found.holds:
        count = f"{len(found.faults):,} fault{'' if len(found.faults) == 1 else 's'}"
        raise StoreError(f"the audit trail is not what was written: {count}")


def _refuse_unknown(workspace: Workspace, about: str | None, who: str | None) -> None:
    """Refuse names of nothing and nobody: an empty list would say that nothing was done.

    Raises:
        NotFoundError: a name that neither the trail nor the account has.
    """
    if about is not None:
        known = {*workspace.trail.subjects(), *workspace.segments.names()}
        known |= {saved.campaign.id for saved in workspace.campaigns.newest()}
        if about not in known and not _is_run(workspace, about):
            raise NotFoundError(
                f'no campaign, segment, run, list, group or flagged user is called "{about}", and the audit trail has '
                f"no entry of one.{nearest(about, known)}"
            )
    if who is not None:
        people = workspace.trail.people()
        if who not in people:
            raise NotFoundError(
                f'the audit trail has no entry by anybody called "{who}".{nearest(who, people) or _people(people)}'
            )


def _is_run(workspace: Workspace, name: str) -> bool:
    """Whether there is such a run: one may be older than the trail."""
    with suppress(NotFoundError):
        workspace.ledger.get(name)
        return True
    return False


def _people(names: Sequence[str]) -> str:
    return (
        f" There are entries by: {', '.join(names[:MOST_NAMES])}{', …' if len(names) > MOST_NAMES else ''}."
    )


def _nothing(about: str | None, who: str | None, words: Sequence[str], since: str | None) -> str:
    """Say what there is nothing of."""
    asked = [
        f'about "{about}"' if about is not None else "",
        f'by "{who}"' if who is not None else "",
        f"of {' or '.join(words)}" if words else "",
        f"since {since}" if since is not None else "",
    ]
    return " ".join(["the audit trail has no entry", *filter(None, asked)])


def _word(text: str) -> str:
    """Return a word of the trail.

    Raises:
        InputError: not one of them.
    """
    words = [word.value for word in What]
    if text not in words:
        hint = nearest(text, words) or f" Words are: {', '.join(words)}."
        raise InputError(f'--what "{text}" is no word of the audit trail.{hint}')
    return text


def _instant(text: str | None, zone: ZoneInfo) -> datetime | None:
    """Read a day, which begins in the account's zone, or an instant."""
    try:
        return datetime.combine(date.fromisoformat(text or ""), time(), zone)
    except ValueError:
        return parse_instant(text, "--since")


def _fields(entry: Entry) -> dict[str, object]:
    """Return an entry as its digest is made of it, with the digest."""
    return {
        "number": entry.number, "at": trail.text(entry.at), "who": entry.who, "what": entry.what,
        "subject": entry.subject, "details": dict(entry.details), "previous": entry.previous, "digest": entry.digest,
    }  # fmt: skip
