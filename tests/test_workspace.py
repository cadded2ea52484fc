import pytest
from accounts import NOW, SETTINGS, make_account, people, purchases

from workbench import runs
from workbench.errors import ProblemsError


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            'email = "emial"',
            '[identities] email: the profiles have no attribute "emial". Did you mean "email"?',
        ),
        ('email = "points"', '[identities] email: "points" is a number, a text is needed'),
    ],
)
def test_an_identity_is_a_text_that_exists(tmp_path: object, line: str, message: str) -> None:
    """A number would go out as 12025550100.0: somebody else's identity, or nobody's."""
    account = make_account(tmp_path / "home")  # type: ignore[operator]
    account.ingest("profiles", [{**person, "points": 7} for person in people(3)])
    account.ingest("events", purchases(3))
    account = make_account(account.home, SETTINGS.replace('email = "email"', line))
    account.save_segment("buyers", {"kind": "did", "events": ["Purchase"]})
    account.save_campaign("hello", "buyers")
    with pytest.raises(ProblemsError) as caught:
        runs.plan(account.workspace, "hello", as_of=NOW, now=NOW)
    assert message in str(caught.value)


def test_consent_is_true_or_false(tmp_path: object) -> None:
    """A text flag is asked about when a plan is made, not read as given."""
    settings = SETTINGS.replace('unsubscribed = "unsubscribed"', 'required = ["opt_in"]')
    account = make_account(tmp_path / "home", settings)  # type: ignore[operator]
    account.ingest("profiles", [{**person, "opt_in": "yes"} for person in people(3)])
    account.ingest("events", purchases(3))
    account.save_segment("buyers", {"kind": "did", "events": ["Purchase"]})
    account.save_campaign("hello", "buyers")
    with pytest.raises(ProblemsError, match='"opt_in" is a text, a boolean is needed'):
        runs.plan(account.workspace, "hello", as_of=NOW, now=NOW)


def test_a_mapped_identity_is_ingested_as_text(tmp_path: object) -> None:
    """A phone number of digits alone stays what it was, without an exponent and without .0."""
    account = make_account(tmp_path / "home", SETTINGS.replace('email = "email"', 'mobile_number = "mobile"'))  # type: ignore[operator]
    path = account.home / "p.csv"
    path.write_text("user_id,mobile\n1,12025550100\n2,12025550101\n")
    account.ingest_file("profiles", path)
    assert account.workspace.lake.at().catalogue.attributes["mobile"].type == "text"


def test_a_flag_of_0_and_1_can_be_a_consent(tmp_path: object) -> None:
    """Declared as boolean, 1, yes and true are given; 0, no and false are not."""
    settings = SETTINGS.replace('unsubscribed = "unsubscribed"', 'required = ["opt_in"]')
    account = make_account(tmp_path / "home", settings)  # type: ignore[operator]
    path = account.home / "p.csv"
    rows = [
        f"{n:05d},user{n}@example.com,{flag}"
        for n, flag in enumerate(("1", "0", "yes", "no", "true", "FALSE"))
    ]
    path.write_text("\n".join(["user_id,email,opt_in", *rows, ""]))
    account.ingest_file("profiles", path, types={"opt_in": "boolean"})
    account.ingest("events", purchases(6))
    account.save_segment("buyers", {"kind": "did", "events": ["Purchase"]})
    account.save_campaign("hello", "buyers")
    frame = runs.plan(account.workspace, "hello", as_of=NOW, now=NOW).verdicts
    assert frame["verdict"].to_list() == ["send", "not sent", "send", "not sent", "send", "not sent"]
