"""mParticle's limits on one user's batch, checked for every user of both arms before the first request.

A bulk request with a bad batch is answered 202 all the same and the batch vanishes, so nothing is
left to the receiver. Limits on names, on their number and on fixed values are checked when a campaign
is saved; nested values, empty identities and ids that are numbers cannot come about.
"""

from collections.abc import Iterable, Mapping

from workbench.export.packing import MOST_BATCH_BYTES
from workbench.store import engine
from workbench.store.catalogue import Catalogue, Property

LONGEST_VALUE = 4096
LONGEST_LIST = 1000
LONGEST_ENTRY = 512
LONGEST_NUMBER = 40
ESCAPED = 6


def lint_sql(
    attributes: Iterable[str],
    catalogue: Catalogue,
    *,
    identities: Iterable[str] = (),
    rendered: Mapping[str, str] | None = None,
    overhead: int = 0,
) -> str:
    """Return SQL over ``p`` (profiles) and ``u`` (users) that names the first broken rule, or NULL.

    Source: mParticle, default service limits (attribute value 4096 characters; list attribute 1000
    entries of 512 characters; batch 128 kB).

    Args:
        attributes: the profile attributes that are sent.
        catalogue: of the lake.
        identities: the profile attributes that are sent as identities.
        rendered: SQL of the rendered values, by key.
        overhead: the bytes of a batch without anything of the user's.
    """
    chosen = [catalogue.attributes[name] for name in attributes]
    values = rendered or {}
    rules = [rule for item in chosen for rule in _rules(item)]
    rules += [_too_long(value, key) for key, value in values.items()]
    texts = [_column(item) for item in chosen if item.type in {"text", "version"}]
    texts += [f"{_column(catalogue.attributes[name])}::VARCHAR" for name in identities]
    texts += values.values()
    lists = [_column(item) for item in chosen if item.type == "list"]
    fixed = overhead + LONGEST_NUMBER * (len(chosen) - len(lists))
    if fixed > MOST_BATCH_BYTES or texts or lists:
        rules.append(_too_large(texts, lists, fixed))
    return f"coalesce({', '.join(rules)})" if rules else "NULL::VARCHAR"


def _rules(item: Property) -> list[str]:
    column = _column(item)
    match item.type:
        case "text" | "version":
            return [_too_long(column, item.name)]
        case "number":
            return [_rule(f"NOT isfinite({column})", f"{item.name} is not a finite number")]
        case "list":
            longest = f"list_max(list_transform({column}, lambda entry: length(entry)))"
            return [
                _rule(f"len({column}) > {LONGEST_LIST}", f"{item.name} over {LONGEST_LIST} entries"),
                _rule(
                    f"{longest} > {LONGEST_ENTRY}",
                    f"{item.name} has an entry over {LONGEST_ENTRY} characters",
                ),
            ]
        case _:
            return []


def _too_large(texts: list[str], lists: list[str], fixed: int) -> str:
    """The encoded bytes are counted only where they could be too many, were every byte escaped."""
    of_lists = [f"coalesce(strlen(to_json({item})::VARCHAR), 0)" for item in lists]
    worst = [f"coalesce(strlen({item}), 0) * {ESCAPED}" for item in texts] + of_lists
    exact = [f"coalesce(strlen(to_json({item})::VARCHAR) - 2, 0)" for item in texts] + of_lists
    return _rule(
        f"{' + '.join([str(fixed), *worst])} > {MOST_BATCH_BYTES} "
        f"AND {' + '.join([str(fixed), *exact])} > {MOST_BATCH_BYTES}",
        f"batch over {MOST_BATCH_BYTES} bytes",
    )


def _too_long(value: str, name: str) -> str:
    return _rule(f"length({value}) > {LONGEST_VALUE}", f"{name} over {LONGEST_VALUE} characters")


def _column(item: Property) -> str:
    return "u.user_id" if item.column == "user_id" else f"p.{engine.quote(item.column)}"


def _rule(condition: str, name: str) -> str:
    return f"CASE WHEN {condition} THEN {engine.literal(name)} END"
