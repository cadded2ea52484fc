import random
from datetime import timedelta
from typing import Any

import polars as pl
import pytest
from accounts import NOW, SETTINGS, Account, make_account, purchases

from workbench import runs
from workbench.campaigns import candidates, control, duplicates
from workbench.campaigns.verdicts import TEXT
from workbench.reach import reach

PERSON = {"email": None, "phone": None, "unsubscribed": False, "email_opt_in": True}

WITHOUT_IDS = SETTINGS.replace('customer_id = "user_id"\n', 'mobile_number = "phone"\n').replace(
    'unsubscribed = "unsubscribed"', 'unsubscribed = "unsubscribed"\nrequired = ["email_opt_in"]'
)


def planned(home: Any, people: list[dict[str, Any]], **campaign: Any) -> dict[str, tuple[str, str | None]]:
    """Plan a campaign over ``people`` and return verdict and reason by user id."""
    account = make_account(home / "home", WITHOUT_IDS)
    account.ingest(
        "profiles", [{"user_id": f"{n:05d}", **PERSON, **person} for n, person in enumerate(people)]
    )
    account.ingest("events", purchases(len(people)))
    account.save_segment("buyers", {"kind": "did", "events": ["Purchase"]})
    account.save_campaign("hello", "buyers", **campaign)
    return by_user(account)


def by_user(account: Account) -> dict[str, tuple[str, str | None]]:
    """Verdict and reason by user id."""
    frame = runs.plan(account.workspace, "hello", as_of=NOW, now=NOW).verdicts
    return {
        f"{row['user_code']:05d}": (row["verdict"], row["reason"])
        for row in frame.select("user_code", "verdict", "reason").iter_rows(named=True)
    }


def test_a_spelt_out_nothing_is_no_identity(tmp_path: Any) -> None:
    """Empty, blank, nan, null and none are no address, whatever their case; a phone alone is enough."""
    people = [{"email": text} for text in ("", "  ", "nan", "NULL", "None")]
    found = planned(
        tmp_path, [*people, {"email": "nan", "phone": "+12025550100"}, {"email": " a@example.com "}]
    )
    assert [found[f"{n:05d}"][1] for n in range(5)] == ["not reachable"] * 5
    assert found["00005"] == found["00006"] == ("send", None)


def test_reach_counts_whom_a_plan_could_reach(tmp_path: Any) -> None:
    """Of eleven buyers five spell out a nothing and two are unsubscribed or have none: four can be reached."""
    nothing = [{"email": text} for text in ("", " \u00a0", "nan", "NULL", "None")]
    unsubscribed = [{"email": "a@example.com", "unsubscribed": True}, {"unsubscribed": True}]
    fine = [
        {"phone": "+12025550100"}, {"email": " b@example.com "}, {"email": "nan", "phone": "1"},
        {"email": "c@example.com", "unsubscribed": None, "email_opt_in": False},
    ]  # fmt: skip
    account = make_account(tmp_path / "home", WITHOUT_IDS)
    people = [*nothing, *unsubscribed, *fine]
    account.ingest(
        "profiles", [{"user_id": f"{n:05d}", **PERSON, **person} for n, person in enumerate(people)]
    )
    account.ingest("events", purchases(len(people)))
    account.save_segment("buyers", {"kind": "did", "events": ["Purchase"]})
    found = reach(account.workspace, "buyers", as_of=NOW)
    assert (found.counts.qualified, found.reachable) == (11, 4)


def test_an_absent_consent_counts_as_refused(tmp_path: Any) -> None:
    """Required consent that is false or missing is not given; an absent unsubscribe flag is no unsubscribe."""
    found = planned(
        tmp_path,
        [
            {"email": "a@example.com", "email_opt_in": None},
            {"email": "b@example.com", "email_opt_in": False},
            {"email": "c@example.com", "unsubscribed": True},
            {"email": "d@example.com", "unsubscribed": None},
        ],
    )
    assert [found[f"{n:05d}"][1] for n in range(4)] == [
        "consent missing",
        "consent missing",
        "unsubscribed",
        None,
    ]


def test_one_address_is_sent_to_once(tmp_path: Any) -> None:
    """Three profiles of one address, in different case and with blanks: one is sent to."""
    same = [{"email": "Same@Example.com"}, {"email": " same@example.com"}, {"email": "SAME@EXAMPLE.COM "}]
    found = planned(tmp_path, [*same, {"email": "other@example.com"}])
    verdicts = sorted(found[f"{n:05d}"][0] for n in range(3))
    assert verdicts == ["not sent", "not sent", "send"]
    assert found["00003"] == ("send", None)


def test_a_held_out_person_is_not_sent_to_through_a_second_profile(tmp_path: Any) -> None:
    """Of 300 pairs that share an address, none has one profile held out and the other one sent to."""
    people = [{"email": f"pair{n // 2}@example.com"} for n in range(600)]
    found = planned(tmp_path, people, control={"share": 0.5})
    pairs = [{found[f"{2 * n:05d}"][0], found[f"{2 * n + 1:05d}"][0]} for n in range(300)]
    assert not [pair for pair in pairs if pair == {"holdout", "send"}]
    assert {"not sent"} in pairs
    assert {"holdout", "not sent"} in pairs
    assert {"send", "not sent"} in pairs


def test_an_over_long_attribute_is_found_before_the_first_request(tmp_path: Any) -> None:
    """4,096 characters arrive, 4,097 do not: the user is left out with the rule's name, and only if it is sent."""
    people = [
        {"email": "a@example.com", "note": "x" * 4096},
        {"email": "b@example.com", "note": "x" * 4097},
    ]
    found = planned(tmp_path, people, content={"attributes": ["note"]})
    assert found == {
        "00000": ("send", None),
        "00001": ("not sent", "invalid profile: note over 4096 characters"),
    }
    assert planned(tmp_path / "2", people)["00001"] == ("send", None)


def test_plan_frames_hold_no_attribute(tmp_path: Any) -> None:
    """Codes, arms, verdicts, reasons and times: a plan has few bytes a user, whatever the profiles and the texts."""
    account = make_account(tmp_path / "home")
    account.ingest("profiles", [{"user_id": "1", "email": "a@example.com"}])
    account.ingest("events", [{"user_id": "1", "event": "Purchase", "ts": "2026-06-30T12:00:00Z"}])
    account.save_segment("buyers", {"kind": "did", "events": ["Purchase"]})
    account.save_campaign("hello", "buyers")
    frame = runs.plan(account.workspace, "hello", as_of=NOW, now=NOW).verdicts
    assert frame.schema == {
        "user_code": pl.UInt32, "arm": pl.Enum(["target", "control"]), "held_by": TEXT,
        "verdict": pl.Enum(["send", "holdout", "not sent"]), "reason": TEXT,
        "send_at": pl.Datetime("us", "UTC"),
    }  # fmt: skip


def test_a_held_out_profile_that_does_not_qualify_protects_its_address(tmp_path: Any) -> None:
    """Of 300 pairs only the second profile qualifies: it is sent to only where the first one is not held out."""
    account = make_account(tmp_path / "home", WITHOUT_IDS)
    rows = [{"user_id": f"{n:05d}", **PERSON, "email": f"pair{n % 300}@example.com"} for n in range(600)]
    account.ingest("profiles", rows)
    account.ingest("events", purchases(600)[300:])
    account.save_segment("buyers", {"kind": "did", "events": ["Purchase"]})
    account.save_campaign("hello", "buyers", control={"share": 0.5})
    found = by_user(account)
    held_out = {n for n in range(600) if control.key("test-salt/control/hello", f"{n:05d}") < "80000000"}
    sent = {n for n in range(300, 600) if found[f"{n:05d}"][0] == "send"}
    assert sent == {n for n in range(300, 600) if n not in held_out and n - 300 not in held_out}


def test_blanks_of_every_kind_are_trimmed(tmp_path: Any) -> None:
    """Tab, line break and no-break space around an address make no second person; alone they are no address."""
    people = [{"email": text} for text in ("a@example.com", "a@example.com\t", "\u00a0a@example.com\n", "\t")]
    found = planned(tmp_path, people)
    assert sorted(found[f"{n:05d}"][0] for n in range(3)) == ["not sent", "not sent", "send"]
    assert found["00003"][1] == "not reachable"


def test_profiles_of_one_address_are_found_across_the_parts_of_a_look_up(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first 100 users share their address with the 100 after the first part; all others are alone."""
    monkeypatch.setattr(candidates, "USERS", 2_000)
    first, last = candidates.USERS, candidates.USERS + 100
    people = [{"email": f"user{n % first}@example.com"} for n in range(last)]
    found = planned(tmp_path, people, control={"share": 0.5})
    held_out = {n for n in range(last) if control.key("test-salt/control/hello", f"{n:05d}") < "80000000"}
    expected = {0: ["not sent", "send"], 1: ["not sent", "not sent"], 2: ["holdout", "not sent"]}
    for n in range(100):
        pair = sorted(found[f"{code:05d}"][0] for code in (n, n + first))
        assert pair == expected[len(held_out & {n, n + first})]
    alone = {n: found[f"{n:05d}"][0] for n in range(100, first)}
    assert alone == {n: "holdout" if n in held_out else "send" for n in alone}


def naive(people: list[dict[str, str | None]], qualified: set[int], held: set[int], salt: str) -> set[int]:
    """Who is a duplicate, as the rule says it: of each address, one after the other."""
    found: set[int] = set()
    for name in ("email", "phone"):
        groups: dict[str, list[int]] = {}
        for n, person in enumerate(people):
            if (value := person[name]) is not None and (n in qualified or n in held):
                groups.setdefault(value, []).append(n)
        for group in groups.values():
            inside = [n for n in group if n in qualified]
            targets, controls = [n for n in inside if n not in held], [n for n in group if n in held]
            if targets and controls:
                found |= set(inside)
            found |= set(sorted(inside, key=lambda n: (control.key(salt, f"{n:05d}", 16), n))[1:])
    return found


@pytest.mark.parametrize("seed", [1, 2])
def test_duplicates_are_those_that_the_rule_names(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """400 users, two addresses of which many are shared, 300 qualify, 40 % are held out, 11 parts: as in plain Python."""
    monkeypatch.setattr(candidates, "USERS", 37)
    dice = random.Random(seed)
    people = [
        {"email": dice.choice([None, f"e{dice.randrange(400)}"]), "phone": dice.choice([None, f"+1{dice.randrange(300)}"])}
        for _ in range(400)
    ]  # fmt: skip
    qualified = set(dice.sample(range(400), 300))
    account = make_account(tmp_path / "home", WITHOUT_IDS)
    account.ingest(
        "profiles", [{"user_id": f"{n:05d}", **PERSON, **person} for n, person in enumerate(people)]
    )
    account.ingest("events", [row for n, row in enumerate(purchases(400)) if n in qualified])
    account.save_segment("buyers", {"kind": "did", "events": ["Purchase"]})
    account.save_campaign("hello", "buyers", control={"share": 0.4})
    planned = runs.plan(account.workspace, "hello", as_of=NOW, now=NOW)
    held = {
        n for n in range(400) if control.key("test-salt/control/hello", f"{n:05d}") < control.threshold(0.4)
    }
    expected = naive(people, qualified, held, control.cap_salt("test-salt", planned.run_id))
    found = planned.verdicts.filter(pl.col("reason") == "duplicate identity")["user_code"].to_list()
    assert found == sorted(expected)
    assert 60 < len(expected) < 100


def test_only_who_shares_a_mark_is_looked_at_closer() -> None:
    """1 and 2 have a mark in two parts, 5 and 6 another; who has none, or one alone, is nobody's twin."""
    schema = {"user_code": pl.UInt32, "email": pl.UInt32, "phone": pl.UInt32}
    parts = [
        pl.DataFrame([(1, 7, None), (3, 8, None), (4, None, None)], schema, orient="row"),
        pl.DataFrame([(2, 7, 7), (5, 9, 2**32 - 1), (6, None, 2**32 - 1)], schema, orient="row"),
    ]
    assert duplicates.suspects(parts, ["email", "phone"]).to_list() == [1, 2, 5, 6]
    assert duplicates.suspects(parts, []).to_list() == []


def test_consent_is_read_later_than_the_audience(tmp_path: Any) -> None:
    """Who unsubscribed after the question is left out, under the address of the question."""
    account = make_account(tmp_path / "home", WITHOUT_IDS)
    rows = [{"user_id": f"{n:05d}", **PERSON, "email": f"user{n}@example.com"} for n in range(2)]
    account.ingest("profiles", rows, now=NOW - timedelta(days=2), recorded="now")
    later = [{**rows[0], "unsubscribed": True, "email": None}, {**rows[1], "email": None}]
    account.ingest("profiles", later, now=NOW - timedelta(hours=1), recorded="now")
    account.ingest("events", purchases(2))
    account.save_segment("buyers", {"kind": "did", "events": ["Purchase"]})
    account.save_campaign("hello", "buyers")
    frame = runs.plan(account.workspace, "hello", as_of=NOW - timedelta(hours=2), now=NOW).verdicts
    assert frame["reason"].to_list() == ["unsubscribed", None]
    assert frame["verdict"].to_list() == ["not sent", "send"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ΝΊΚΟΣ@example.com", "νίκος@example.com"), ("İpek@example.com", "i\u0307pek@example.com"),
        ("ZOË@example.com", "zoe\u0308@example.com"), ("ſam@example.com", "SAM@example.com"),
    ],
)  # fmt: skip
def test_the_spelling_of_a_letter_makes_no_second_person(tmp_path: Any, one: str, other: str) -> None:
    """Final sigma, dotted capital I, composed letters: nobody of a pair on both sides, or one of a side, is sent to."""
    held = [control.key("test-salt/control/hello", f"{n:05d}") < "80000000" for n in range(20)]
    across = [held.index(True), held.index(False)]
    people = [{"email": f"{n}@example.com"} for n in range(20)]
    for n, email in zip(across, (one, other), strict=True):
        people[n] = {"email": email}
    found = planned(tmp_path / "across", people, control={"share": 0.5})
    assert [found[f"{n:05d}"] for n in across] == [("not sent", "duplicate identity")] * 2
    same = planned(tmp_path / "same", [{"email": one}, {"email": other}])
    assert sorted(same.values(), key=str) == [("not sent", "duplicate identity"), ("send", None)]
