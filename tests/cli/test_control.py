import json

from accounts import Account
from command_line import Run


def test_groups_are_added_listed_and_removed(run: Run, shop: Account) -> None:
    """The system group, a custom one with a salt of its own, and both in the list with their size."""
    added = run("control", "add", "system", "0.05", "-c", shop.config)
    assert (added.code, added.out.strip()) == (0, 'system group "system": 45 of 1,000 users')
    assert run("control", "add", "vip", "0.03", "--custom", "--salt", "old", "-c", shop.config).code == 0
    shown = run("control", "list", "-c", shop.config).out
    assert "of 1,000 users; 0 profiles are never in control" in shown
    assert "system and vip share" in shown
    found = json.loads(run("control", "list", "--json", "-c", shop.config).out)
    assert [(group["name"], group["kind"], group["share"], group["salt"]) for group in found["groups"]] == [
        ("system", "system", 0.05, "test-salt/group/system"), ("vip", "custom", 0.03, "old"),
    ]  # fmt: skip
    assert (found["users"], found["warnings"], len(found["overlaps"])) == (1000, [], 1)
    assert json.loads(run("control", "remove", "vip", "--json", "-c", shop.config).out) == {"removed": "vip"}


def test_a_group_that_breaks_a_rule_is_one_line(run: Run, shop: Account) -> None:
    """Exit code 3, and the rule; a group that a campaign holds out stays."""
    found = run("control", "add", "system", "0.5", "-c", shop.config)
    assert (found.code, found.out) == (3, "")
    assert "a share of 0.5 is outside 0.02 to 0.05 of all users" in found.err
    assert run("control", "add", "vip", "0.05", "--custom", "-c", shop.config).code == 3
    run("control", "add", "system", "0.05", "-c", shop.config)
    found = run("control", "remove", "system", "-c", shop.config)
    assert (found.code, 'held out by campaign "hello"' in found.err) == (3, True)


def test_one_salt_for_two_groups_is_told_at_once(run: Run, shop: Account) -> None:
    """The second group is added and the warning says what that means."""
    run("control", "add", "system", "0.05", "--salt", "old", "-c", shop.config)
    found = run("control", "add", "vip", "0.05", "--custom", "--salt", "old", "-c", shop.config)
    assert found.code == 0
    assert 'group "system" and group "vip" have the same salt' in found.out


def test_profiles_are_flagged_and_unflagged(run: Run, shop: Account) -> None:
    """Only the number is told back."""
    assert run("control", "flag", "00001", "-c", shop.config).out.strip() == "1 profiles are never in control"
    found = json.loads(run("control", "unflag", "00001", "--json", "-c", shop.config).out)
    assert found == {"never_in_control": 0}
    assert run("control", "unflag", "00001", "-c", shop.config).code == 3
    unknown = run("control", "flag", "1", "-c", shop.config)
    assert (unknown.code, 'no user "1" in the lake' in unknown.err) == (3, True)


def test_a_blocked_send_tells_why_and_exits_with_8(run: Run, shop: Account) -> None:
    """The plan warns; the send records the run, prints the verdicts, and says so in its exit code."""
    shop.save_campaign("safe", "buyers", safety_check={"more_than": 999}, alert_to=["json://127.0.0.1:9/"])
    options = ("--as-of", "2026-07-01T12:00:00Z", "-c", shop.config)
    shown = run("plan", "safe", *options)
    assert (shown.code, "blocked by the safety check: 1,000 users qualify, more than 999" in shown.out) == (
        0,
        True,
    )
    found = run("send", "safe", *options)
    assert found.code == 8
    assert "run blocked by safety check" in found.out
    assert "nobody was sent to, the safety check of safe-" in found.err
    assert run("send", "safe", *options).code == 8
