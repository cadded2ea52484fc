import pytest
from accounts import NOW, Account

from workbench.errors import InputError, NotFoundError


def test_a_flagged_profile_is_listed_once(shop: Account) -> None:
    """Adding it again changes nothing; the list says since when and by whom."""
    testers = shop.workspace.testers
    for user in ("00002", "00001", "00002"):
        testers.add(user, now=NOW)
    assert [(t.user_id, t.flagged_at, t.flagged_by) for t in testers.flagged()] == [
        ("00001", NOW, "tester"), ("00002", NOW, "tester"),
    ]  # fmt: skip


def test_only_a_profile_of_the_lake_is_flagged(shop: Account) -> None:
    """A mistyped id, and a user who has events only, are refused by name; nobody is flagged."""
    shop.ingest("events", [{"user_id": "ghost", "event": "Purchase", "ts": "2026-06-30T12:00:00Z"}])
    for user in ("0001", "ghost", ""):
        with pytest.raises(NotFoundError, match=f'no profile of user "{user}"'):
            shop.workspace.testers.add(user, now=NOW)
    assert shop.workspace.testers.flagged() == ()


def test_fifty_are_the_most(shop: Account) -> None:
    """The 51st is refused until one is removed; one of the fifty may be added again."""
    testers = shop.workspace.testers
    for n in range(50):
        testers.add(f"{n:05d}", now=NOW)
    with pytest.raises(InputError, match="50 test profiles are flagged, which is the most"):
        testers.add("00050", now=NOW)
    testers.add("00049", now=NOW)
    testers.remove("00000")
    testers.add("00050", now=NOW)
    assert len(testers.flagged()) == 50


def test_whoever_is_not_flagged_is_not_removed(shop: Account) -> None:
    """The nearest test profile is named."""
    shop.workspace.testers.add("00012", now=NOW)
    with pytest.raises(NotFoundError, match=r'"0012" is not a test profile\. Did you mean "00012"'):
        shop.workspace.testers.remove("0012")
    shop.workspace.testers.remove("00012")
    assert shop.workspace.testers.flagged() == ()
