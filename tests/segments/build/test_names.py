"""Names with completion."""

import pytest
from accounts import Account

from workbench.segments.build.names import Completed


def test_names_are_attributes_where_they_can_be() -> None:
    """An identifier stays as it is, others become one; two that would be the same are for brackets only."""
    names = Completed("event", ["Charged", "Added To Cart", "class", "2nd Visit", "a b", "a-b", "ÄÖ"], str)
    assert dir(names) == sorted(["Charged", "added_to_cart", "n_class", "n_2nd_visit", "ÄÖ"])
    assert (names.added_to_cart, names.n_class, names["a-b"]) == ("Added To Cart", "class", "a-b")
    assert names._ipython_key_completions_() == [
        "Charged",
        "Added To Cart",
        "class",
        "2nd Visit",
        "a b",
        "a-b",
        "ÄÖ",
    ]


def test_an_unknown_name_is_told_with_the_nearest() -> None:
    """In both spellings."""
    names = Completed("event", ["Charged", "Added To Cart"], str)
    with pytest.raises(KeyError, match=r'unknown event "charged".*Did you mean "Charged"'):
        names["charged"]
    with pytest.raises(AttributeError, match=r'no event is written "chargd"\. Did you mean "Charged"'):
        names.chargd  # noqa: B018


def test_a_workspace_names_what_its_lake_has(shop: Account) -> None:
    """Events, properties, attributes, devices, segments become what a condition begins with."""
    names = shop.workspace.names()
    assert repr(names.events.Purchase.in_last(days=7)) == 'did "Purchase" in the last 7 days'
    assert repr(names.user.country == "US") == 'country is "US"'
    assert repr(names.device["app_version"] > "2.9") == 'has a device with app_version > "2.9"'
    assert repr(names.segments.buyers) == 'is in segment "buyers"'
    assert repr(names.events.Purchase.where(names.properties.price > 5)) == 'did "Purchase" (price > 5)'
