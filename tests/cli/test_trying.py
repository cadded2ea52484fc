import json

from accounts import Account
from command_line import Run

from workbench.campaigns import control
from workbench.export.sandbox import Receiver

AS_OF = "2026-07-01T12:00:00Z"
FREE = next(
    f"{n:05d}" for n in range(1000) if control.key("test-salt/control/hello", f"{n:05d}") >= "1999999a"
)
HELD = next(
    f"{n:05d}" for n in range(1000) if control.key("test-salt/control/hello", f"{n:05d}") < "1999999a"
)


def test_testers_are_added_listed_and_removed(run: Run, shop: Account) -> None:
    """A mistyped id is wrong input; the list says who."""
    config = ("-c", shop.config)
    assert "1 test profile" in run("testers", "add", FREE, *config).out
    refused = run("testers", "add", "nobody", *config)
    assert (refused.code, 'no profile of user "nobody"' in refused.err) == (3, True)
    (listed,) = json.loads(run("testers", "list", "--json", *config).out)
    assert (listed["user_id"], listed["flagged_by"]) == (FREE, "tester")
    assert FREE in run("testers", "list", *config).out
    assert json.loads(run("testers", "remove", FREE, "--json", *config).out) == {"testers": 0}
    assert run("testers", "remove", FREE, *config).code == 3


def test_a_test_send_shows_each_user(run: Run, shop: Account, receiver: Receiver) -> None:
    """Users and verdicts; runs list hides it without --tests, runs show says what it is."""
    config = ("-c", shop.config)
    told = run("campaign", "test", "hello", "--user", FREE, "--user", HELD, "--as-of", AS_OF, *config)
    assert told.code == 0
    assert [line.split() for line in told.out.splitlines() if line.strip()[:5] in {FREE, HELD}] == sorted(
        [[FREE, "send", "accepted"], [HELD, "holdout", "campaign"]]
    )
    assert "a test send: outside caps and reports" in told.out
    found = json.loads(
        run("campaign", "test", "hello", "--identity", f"email=USER{int(FREE)}@example.com", "--as-of", AS_OF,
            "--json", *config).out
    )  # fmt: skip
    assert (found["purpose"], found["sent_now"], found["test_users"][0]["user_id"]) == ("test", 1, FREE)
    assert json.loads(run("runs", "list", "--json", *config).out) == []
    listed = json.loads(run("runs", "list", "--tests", "--json", *config).out)
    assert [item["purpose"] for item in listed] == ["test", "test"]
    assert "test, completed" in run("runs", "list", "--tests", *config).out
    assert "a test send" in run("runs", "show", found["run_id"], *config).out
    again = json.loads(run("resume", found["run_id"], "--json", *config).out)
    assert (again["sent_now"], again["state"]) == (0, "completed")


def test_wrong_names_are_wrong_input(run: Run, shop: Account) -> None:
    """An identity without a value, nobody flagged."""
    config = ("--as-of", AS_OF, "-c", shop.config)
    for arguments, message in (
        (("--identity", "a@b.c"), "--identity is NAME=VALUE"),
        (("--identity", "email="), "--identity is NAME=VALUE"),
        ((), "no test profile is flagged"),
    ):
        found = run("campaign", "test", "hello", *arguments, *config)
        assert (found.code, message in found.err) == (3, True)


def test_production_is_asked_for(run: Run, shop: Account, receiver: Receiver) -> None:
    """Without a terminal and without --yes no test goes to production."""
    text = shop.config.read_text().replace("[mparticle]", '[mparticle]\nenvironment = "production"')
    shop.config.write_text(text)
    arguments = ("campaign", "test", "hello", "--user", FREE, "--as-of", AS_OF, "--json", "-c", shop.config)
    refused = run(*arguments)
    assert (refused.code, "is asked for with --yes" in refused.err) == (3, True)
    assert json.loads(run("runs", "list", "--tests", "--json", "-c", shop.config).out) == []
    assert json.loads(run(*arguments, "--yes").out)["sent_now"] == 1


def test_a_dry_run_is_written_and_can_be_proved(run: Run, shop: Account, receiver: Receiver) -> None:
    """Nothing is sent; after the send a dry run finds the same bytes in the run."""
    config = ("-c", shop.config)
    arguments = ("send", "hello", "--dry-run", "--as-of", AS_OF, "--json", *config)
    dry = json.loads(run(*arguments, "--out", shop.home / "one").out)
    assert (dry["users"], dry["requests"], dry["existing_run"]) == (500, 5, None)
    assert dry["folder"] == str(shop.home / "one")
    again = json.loads(run(*arguments, "--now", dry["now"], "--out", shop.home / "two").out)
    assert again["sha256"] == dry["sha256"]
    assert json.loads(run("runs", "list", "--tests", "--json", *config).out) == []
    assert json.loads(run("send", "hello", "--as-of", AS_OF, "--json", *config).out)["sent_now"] == 500
    proof = json.loads(run("send", "hello", "--dry-run", "--json", *config).out)
    assert (proof["same"], proof["left"], proof["existing_run"]) == (True, 0, "completed")
    told = run("send", "hello", "--dry-run", *config)
    assert "the same as these" in told.out
    assert "nothing was sent" in told.out


def test_a_dry_run_has_its_own_options(run: Run, shop: Account) -> None:
    """--now and --out mean nothing to a send; nobody knows who will have unsubscribed; folders are kept."""
    config = ("--as-of", AS_OF, "-c", shop.config)
    for arguments, message in (
        (("--now", AS_OF), "belong to --dry-run"),
        (("--out", shop.home / "x"), "belong to --dry-run"),
        (("--dry-run", "--now", "2999-01-01T00:00:00Z"), "lies in the future"),
        (("--dry-run", "--out", shop.home), "a folder of its own"),
    ):
        found = run("send", "hello", *arguments, *config)
        assert (found.code, message in found.err) == (3, True)
