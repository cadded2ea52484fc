"""S1 to S7 as an analyst writes them; `reference.py` says at which time they are asked."""

from collections.abc import Callable, Mapping

from workbench.segments.build import Expression, did, prop, same, user


def _carts() -> Expression:
    return did("add_to_cart").where(prop("price") > 100).at_least(3).in_last(days=30)


def _s2() -> Expression:
    return _carts() & ~did("purchase").in_last(days=7) & (user("country") == "US")


def _s3() -> Expression:
    spent = did("purchase").in_last(days=90).sum("price") > 500
    return spent & (did("product_viewed").in_last(days=30).distinct("product_id") >= 5)


def _s4() -> Expression:
    views = did("page_view").at_least(20).in_last(days=180)
    searches = did("search").at_least(3).in_last(days=30)
    mailed = did("email_clicked").in_last(days=14) & ~did("App Uninstalled")
    return ((views & searches) | mailed) & user("plan").is_in("pro", "enterprise")


def _s5() -> Expression:
    viewed = did("product_viewed").at_least(2).in_last(days=14)
    bought = did("purchase").in_last(days=14)
    return same(viewed.by("product_id"), ~bought.by("product_id")) & (user("country") == "US")


def _s6() -> Expression:
    return did("add_to_cart").in_last(days=14).not_then(did("purchase"), hours=2)


def _s7() -> Expression:
    return did("purchase").first_time().in_last(days=30)


SEGMENTS: Mapping[str, Callable[[], Expression]] = {
    "S1": _carts, "S2": _s2, "S3": _s3, "S4": _s4, "S5": _s5, "S6": _s6, "S7": _s7,
}  # fmt: skip
