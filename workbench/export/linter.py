"""mParticle's limits on one user's batch, checked for every user before the first request.

A bulk request with a bad batch is answered 202 all the same and the batch vanishes, so nothing is
left to the receiver. Limits on names and fixed values are checked when a campaign is saved.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from workbench.store import engine
from workbench.store.catalogue import Catalogue, Property

LONGEST_VALUE = 4096
LONGEST_LIST = 1000
LONGEST_ENTRY = 512
NOTHING: Mapping[str, str] = MappingProxyType({})


def lint_sql(attributes: Iterable[str], catalogue: Catalogue, rendered: Mapping[str, str] = NOTHING) -> str:
    """Return SQL over ``p`` (profiles) that names the first broken rule, or NULL.

    Source: mParticle, default service limits (attribute value 4096 characters; list attribute 1000
    entries of 512 characters).
    """
    rules = [rule for name in attributes for rule in _rules(catalogue.attributes[name])]
    rules += [
        _rule(f"length({value}) > {LONGEST_VALUE}", f"{key} over {LONGEST_VALUE} characters")
        for key, value in rendered.items()
    ]
    return f"coalesce({', '.join(rules)})" if rules else "NULL::VARCHAR"


def _rules(item: Property) -> list[str]:
    if item.column == "user_id":
        return [_rule(f"length(u.user_id) > {LONGEST_VALUE}", f"{item.name} over {LONGEST_VALUE} characters")]
    column = f"p.{engine.quote(item.column)}"
    if item.type == "text":
        return [_rule(f"length({column}) > {LONGEST_VALUE}", f"{item.name} over {LONGEST_VALUE} characters")]
    if item.type == "list":
        longest = f"list_max(list_transform({column}, lambda entry: length(entry)))"
        return [
            _rule(f"len({column}) > {LONGEST_LIST}", f"{item.name} over {LONGEST_LIST} entries"),
            _rule(
                f"{longest} > {LONGEST_ENTRY}", f"{item.name} has an entry over {LONGEST_ENTRY} characters"
            ),
        ]
    return []


def _rule(condition: str, name: str) -> str:
    return f"CASE WHEN {condition} THEN {engine.literal(name)} END"
