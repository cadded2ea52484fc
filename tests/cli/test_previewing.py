import json

from accounts import Account
from command_line import Run

AS_OF = "2026-07-01T12:00:00Z"


def prepared(shop: Account) -> Account:
    """The shop with a campaign that greets by country."""
    values = {"b": "Hi {{ Profile.country | downcase }} {{ Profile.first_name | default: 'you' }}"}
    shop.save_campaign("greet", "buyers", content={"values": values})
    return shop


def test_a_preview_of_one_user(run: Run, shop: Account) -> None:
    """Text, verdict and batch, for people and for programs."""
    config = prepared(shop).config
    found = run("campaign", "preview", "greet", "--user", "00007", "--as-of", AS_OF, "--config", config)
    assert found.code == 0
    assert "asked for (user 00007), send" in found.out
    assert "  b: Hi us you" in found.out
    found = run(
        "campaign", "preview", "greet", "--user", "00007", "--as-of", AS_OF, "--config", config, "--json"
    )
    (example,) = json.loads(found.out)["examples"]
    assert example["values"] == {"b": "Hi us you"}
    assert example["bodies"][0]["events"][0]["data"]["custom_attributes"]["b"] == "Hi us you"


def test_a_preview_of_the_worst(run: Run, shop: Account) -> None:
    """Without a user the worst cases; an unknown user is wrong input."""
    config = prepared(shop).config
    found = run("campaign", "preview", "greet", "--as-of", AS_OF, "--config", config)
    assert (found.code, "longest" in found.out, "nothing was sent" in found.out) == (0, True, True)
    found = run("campaign", "preview", "greet", "--user", "nobody", "--as-of", AS_OF, "--config", config)
    assert (found.code, 'no profile of user "nobody"' in found.err) == (3, True)
