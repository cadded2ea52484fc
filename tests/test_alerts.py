"""Alerts, with a real mail server on loopback."""

import socket
from collections.abc import Iterator
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
from accounts import NOW, Account
from aiosmtpd.controller import Controller

from workbench import alerts, runs
from workbench.errors import DestinationError
from workbench.export.ledger import AlertOutcome, RunState
from workbench.export.sandbox import Receiver, parse_answers, report


class Mailbox:
    """Keeps what arrives."""

    def __init__(self) -> None:
        self.mails: list[tuple[list[str], Message]] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd calls it so
        """Take a mail."""
        self.mails.append((envelope.rcpt_tos, message_from_bytes(envelope.content)))
        return "250 taken"


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, str]]:
    """A mail server on loopback, and the address that writes to it."""
    box = Mailbox()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = Controller(box, hostname="127.0.0.1", port=port)
    server.start()
    try:
        yield box, f"mailto://127.0.0.1:{port}?mode=insecure&from=workbench@example.com&to=ops@example.com"
    finally:
        server.stop()


def text(mail: Message) -> str:
    """The text of a mail, all parts."""
    return "\n".join(
        part.get_payload(decode=True).decode() for part in mail.walk() if not part.is_multipart()
    )


def save(account: Account, *addresses: str, more_than: int = 999) -> None:
    """Save a campaign that its safety check blocks, with addresses."""
    account.save_campaign("safe", "buyers", safety_check={"more_than": more_than}, alert_to=list(addresses))


def outcomes(account: Account, run_id: str) -> list[tuple[str, int, str]]:
    """What the ledger holds about alerts."""
    return [(a.about, a.number, a.outcome) for a in account.workspace.ledger.alerts(run_id)]


def test_a_blocked_run_is_told_by_mail_once(shop: Account, mailbox: tuple[Mailbox, str]) -> None:
    """One mail names the campaign, the run and why; a resume and a second send add none."""
    box, address = mailbox
    save(shop, address)
    run = runs.execute(shop.workspace, runs.plan(shop.workspace, "safe", as_of=NOW)).run
    runs.execute(shop.workspace, runs.plan(shop.workspace, "safe", as_of=NOW))
    runs.resume(shop.workspace, run.run_id)
    ((recipients, mail),) = box.mails
    assert recipients == ["ops@example.com"]
    assert mail["Subject"] == 'Campaign "Safe": blocked by safety check'
    assert f"Run {run.run_id}, environment development." in text(mail)
    assert "Why: 1,000 users qualify, more than 999." in text(mail)
    assert "user1" not in text(mail)
    assert outcomes(shop, run.run_id) == [("blocked by safety check", 1, "sent")]


def test_a_failed_run_is_told_and_resumed(
    shop: Account, mailbox: tuple[Mailbox, str], receiver: Receiver, tmp_path: Path
) -> None:
    """The receiver is down: one mail with the command that goes on; the run itself is as without alerts."""
    box, address = mailbox
    save(shop, address, more_than=5000)
    receiver.play(parse_answers("503*2"))
    with pytest.raises(DestinationError):
        runs.execute(shop.workspace, runs.plan(shop.workspace, "safe", as_of=NOW))
    run = shop.workspace.ledger.newest()[0]
    assert run.state is RunState.INTERRUPTED
    ((_, mail),) = box.mails
    assert mail["Subject"] == 'Campaign "Safe": failed'
    assert f"workbench resume {run.run_id}" in text(mail)
    assert runs.resume(shop.workspace, run.run_id).run.state is RunState.COMPLETED
    assert (len(box.mails), report(tmp_path / "sandbox").accepted) == (1, 1000)


def test_an_alert_that_fails_is_recorded_and_tried_again(
    shop: Account, mailbox: tuple[Mailbox, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of three addresses one takes it; the run stays blocked; a later call reaches the second one, too."""
    box, address = mailbox
    save(shop, "json://127.0.0.1:9/", address.replace("ops@", "${TEAM}@"), address)
    run = runs.execute(shop.workspace, runs.plan(shop.workspace, "safe", as_of=NOW)).run
    assert run.state is RunState.BLOCKED
    about = "blocked by safety check"
    assert outcomes(shop, run.run_id) == [(about, 1, "not sent"), (about, 2, "not sent"), (about, 3, "sent")]
    monkeypatch.setenv("TEAM", "second")
    runs.resume(shop.workspace, run.run_id)
    assert outcomes(shop, run.run_id) == [(about, 1, "not sent"), (about, 2, "sent"), (about, 3, "sent")]
    assert [to for to, _ in box.mails] == [["ops@example.com"], ["second@example.com"]]
    assert shop.workspace.ledger.alerts(run.run_id)[0].outcome is AlertOutcome.NOT_SENT


def test_only_what_apprise_knows_is_an_address() -> None:
    """A plain mail address has no server to go to; an unset variable counts as any text."""
    assert alerts.is_address("mailtos://alerts:${NOT_SET}@mail.example.com?to=ops@example.com")
    assert not alerts.is_address("ops@example.com")
    assert not alerts.is_address("")
    assert not alerts.is_address("nosuch://x")


def test_a_missing_variable_tells_nobody() -> None:
    """An address that cannot be filled in is not tried with the hole in it."""
    assert not alerts.tell("json://127.0.0.1:9/${NOT_SET}", "title", "text")
