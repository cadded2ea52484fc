from typing import Any

import pytest
from accounts import NOW, SETTINGS, Account, make_account, purchases

from workbench.campaigns import codec
from workbench.errors import CampaignError, NotFoundError


def refused(account: Account, **fields: Any) -> str:
    """Save a campaign that must be refused, and return the message."""
    with pytest.raises(CampaignError) as caught:
        account.save_campaign("hello", "buyers", **fields)
    return str(caught.value)


@pytest.mark.parametrize("share", [0.01, 0.0199, 0.991, 1, 0, -0.1, float("nan"), float("inf")])
def test_a_share_outside_the_limits_is_refused(shop: Account, share: float) -> None:
    """2 % to 99 %; no control is said by leaving it out."""
    assert "control > share" in refused(shop, control={"share": share})


@pytest.mark.parametrize("cap", [1, 99, 0, -5])
def test_a_small_cap_is_refused(tmp_path: Any, cap: int) -> None:
    """Below 100 only tiny accounts go, and below 1 nobody."""
    account = make_account(tmp_path / "home", SETTINGS.replace("allow_small_cap = true", ""))
    account.ingest("events", purchases(1))
    account.save_segment("buyers", {"kind": "did", "events": ["Purchase"]})
    assert f"{cap} is below 100" in refused(account, cap={"per_run": cap})


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"kind": "live"}, "kind"),
        ({"live": {"trigger": "action"}}, "live"),
        ({"cap": {"per_day": 500}}, "cap > per_day"),
        ({"cap": {"overall": 500}}, "cap > overall"),
        ({"schedule": {"kind": "later"}}, "schedule > kind"),
        ({"schedule": {"rule": "FREQ=DAILY"}}, "schedule > rule"),
        ({"delivery": {"timezone": "user"}}, "delivery > timezone"),
        ({"delivery": {"per_minute": 5}}, "delivery > per_minute"),
        ({"delivery": {"cut_off": "22:00"}}, "delivery > cut_off"),
        ({"needs_approval": True}, "needs_approval"),
    ],
)
def test_a_field_whose_time_has_not_come_is_refused(shop: Account, fields: dict[str, Any], path: str) -> None:
    """Set and not acted on would be a promise broken in silence."""
    message = refused(shop, **fields)
    assert f"- {path}: " in message
    assert "not in this version" in message


def test_an_address_is_not_a_template(shop: Account) -> None:
    """An e-mail address inside a value is plain text."""
    shop.save_campaign("hello", "buyers", content={"values": {"reply_to": "help@example.com"}})
    saved = shop.workspace.campaigns.get("hello").campaign
    assert saved.content.values == {"reply_to": "help@example.com"}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"x": ""}, "is empty"),
        ({"x": "y" * 4097}, "has 4097 characters"),
        ({"k" * 257: "y"}, "this one 257"),
        ({"run_id": "y"}, "set by the workbench itself"),
        ({"test": "y"}, "set by the workbench itself"),
        (
            {"x": float("nan")},
            "content > values > x: is neither a text nor a finite number nor true or false",
        ),
        ({"x": 2**63}, "content > values > x: does not fit 64 bits"),
        ({"x": -(10**5000)}, "content > values > x: does not fit 64 bits"),
        ({f"k{n}": n for n in range(96)}, "more than 94 values"),
    ],
)
def test_content_that_would_not_arrive_whole_is_refused(shop: Account, values: Any, message: str) -> None:
    """MParticle cuts or drops it without a word; the workbench says so when the campaign is saved."""
    assert message in refused(shop, content={"values": values})


def test_the_largest_whole_number_is_taken(shop: Account) -> None:
    """What fits 64 bits arrives."""
    shop.save_campaign("hello", "buyers", content={"values": {"x": 2**63 - 1}})
    assert shop.workspace.campaigns.get("hello").campaign.content.values == {"x": 2**63 - 1}


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"name": "a\ud800"}, "name"),
        ({"content": {"values": {"x": "\udfff"}}}, "content > values > x"),
        ({"content": {"values": {f"k{half}": 1 for half in ("\ud800", "\udfff")}}}, "content > values > k?"),
        ({"labels": ["a", "\ud800"]}, "labels"),
    ],
)
def test_half_of_a_character_is_refused(shop: Account, fields: dict[str, Any], path: str) -> None:
    """It has no bytes, and two keys with halves would become one."""
    lines = refused(shop, **fields).splitlines()[1:]
    assert lines == [
        f"  - {path}: holds half of a surrogate pair, which is no character; write the whole character"
    ]


def test_all_problems_are_told_at_once(shop: Account) -> None:
    """Four faults, four lines, each with its path."""
    message = refused(
        shop, name=" ", control={"share": 2}, content={"attributes": ["emial"]}, needs_approval=True
    )
    assert [line.split(":")[0].strip() for line in message.splitlines()[1:]] == [
        "- name", "- needs_approval", "- control > share", "- content > attributes",
    ]  # fmt: skip
    assert 'unknown attribute "emial". Did you mean "email"?' in message


@pytest.mark.parametrize("name", ["Hello", "a b", "", "-a", "a/b", "a" * 61, "ä"])
def test_an_id_is_safe_in_a_path(shop: Account, name: str) -> None:
    """Ids become folder names and parts of run ids."""
    with pytest.raises(CampaignError, match="is not an id"):
        shop.save_campaign(name, "buyers")


def test_an_unknown_key_is_refused() -> None:
    """A misspelt key is not ignored."""
    with pytest.raises(CampaignError, match="contrl: is not a known key"):
        codec.from_json({"id": "a", "name": "A", "segment": {"name": "s"}, "contrl": {"share": 0.1}})


def test_an_unknown_segment_is_refused(shop: Account) -> None:
    """The message lists what is saved."""
    with pytest.raises(CampaignError, match='unknown segment "buyer"; saved are: "buyers"'):
        shop.save_campaign("hello", "buyer")


def test_saving_pins_the_segment(shop: Account) -> None:
    """A later version of the segment changes nothing until the campaign is saved again."""
    shop.save_segment("buyers", {"kind": "did", "events": ["Purchase"]})
    library = shop.workspace.campaigns
    assert library.get("hello").campaign.segment.version == 1
    shop.save_campaign("hello", "buyers", control={"share": 0.1}, cap={"per_run": 500})
    assert library.get("hello").campaign.segment.version == 2
    assert library.get("hello").stored.version == 2


def test_saving_the_same_again_makes_no_version(shop: Account) -> None:
    """A campaign saved twice by a script has one version."""
    shop.save_campaign("hello", "buyers", control={"share": 0.1}, cap={"per_run": 500})
    assert shop.workspace.campaigns.get("hello").stored.version == 1


def test_a_clone_is_a_campaign_of_its_own(shop: Account) -> None:
    """Another id, another control group; an id is never used twice."""
    library, catalogue = shop.workspace.campaigns, shop.workspace.lake.at().catalogue
    clone = library.clone("hello", "hello-2", catalogue=catalogue, now=NOW)
    assert (clone.campaign.id, clone.campaign.cap.per_run, clone.campaign.name) == (
        "hello-2",
        500,
        "Hello (copy)",
    )
    with pytest.raises(CampaignError, match="is taken"):
        library.clone("hello", "hello-2", catalogue=catalogue, now=NOW)


def test_an_archived_campaign_is_gone_from_the_lists(shop: Account) -> None:
    """Its name is no longer found; its version still is."""
    shop.workspace.campaigns.archive("hello", now=NOW)
    assert shop.workspace.campaigns.newest() == []
    with pytest.raises(NotFoundError, match='unknown campaign "hello"'):
        shop.workspace.campaigns.get("hello")
    assert shop.workspace.campaigns.get("hello", 1).campaign.id == "hello"


def test_the_creator_is_kept(shop: Account) -> None:
    """WORKBENCH_ACTOR says who saved it."""
    assert shop.workspace.campaigns.get("hello").stored.created_by == "tester"


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"cap": {"per_run": True}}, "cap > per_run"),
        ({"cap": {"per_run": "500"}}, "cap > per_run"),
        ({"control": {"share": "0.1"}}, "control > share"),
        ({"control": {"share": True}}, "control > share"),
        ({"frequency": {"up_to": 2.0}}, "frequency > up_to"),
        ({"needs_approval": "no"}, "needs_approval"),
        ({"content": {"push_tokens": 1}}, "content > push_tokens"),
    ],
)
def test_a_value_keeps_the_type_that_was_written(shop: Account, body: Any, path: str) -> None:
    """``true`` is no 1 and ``"0.1"`` no number: what is meant is asked, not guessed."""
    assert path in refused(shop, **body)
