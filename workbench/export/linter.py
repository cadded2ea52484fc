"""mParticle's limits on one user's batches, checked for every user of both arms before the first request.

A bulk request with a bad batch is answered 202 all the same and the batch vanishes, so nothing is
left to the receiver. Limits on names, on their number and on fixed values are checked when a campaign
is saved; nested values, empty identities and ids that are numbers cannot come about. Whoever passes
here has batches that ``packing`` takes: sizes are never below those of the bytes that are sent.
"""

from collections.abc import Iterable, Mapping

from workbench.export import tokens
from workbench.export.packing import MOST_BATCH_BYTES, MOST_BATCHES, MOST_BYTES
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
    devices: bool = False,
) -> str:
    """Return SQL over ``p`` (profiles) and ``u`` (users) that names the first broken rule, or NULL.

    Source: mParticle, default service limits (attribute value 4096 characters; list attribute 1000
    entries of 512 characters; batch 128 kB; 100 batches and under 256 kB a request). For a push token no
    limit is given; the one of a value is taken.

    Args:
        attributes: the profile attributes that are sent.
        catalogue: of the lake.
        identities: the profile attributes that are sent as identities.
        rendered: SQL of the rendered values, by key.
        overhead: the bytes of a batch without anything of the user's.
        devices: whether a batch goes to each device; reads ``d``, see ``devices_sql``.
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
    worst, exact = _sizes(texts, lists, fixed)
    if devices:
        rules += _of_devices(worst, exact)
    elif fixed > MOST_BATCH_BYTES or texts or lists:
        rules.append(_too_large(worst, exact, MOST_BATCH_BYTES, "batch"))
    return f"coalesce({', '.join(rules)})" if rules else "NULL::VARCHAR"


def devices_sql(catalogue: Catalogue, overhead: int) -> str:
    """Return the query for what the devices of a user add: ``user_code, devices, longest, largest, bytes``.

    It needs ``tokens.prepare``, and binds what ``tokens.devices_sql`` does.

    Args:
        catalogue: of the lake.
        overhead: the bytes that a device adds to a batch beside its token.
    """
    size = f"strlen(to_json(push_token)::VARCHAR) - 2 + {overhead}"
    return (
        f"SELECT user_code, count(*) AS devices, max(length(push_token)) AS longest, max({size}) AS largest, "
        f"sum({size})::BIGINT AS bytes FROM ({tokens.devices_sql(catalogue)}) GROUP BY user_code"
    )


def _of_devices(worst: str, exact: str) -> list[str]:
    """The rules of a user with devices: one token, their number, the largest batch, all of them together."""
    largest = "coalesce(d.largest, 0)"
    every = "coalesce(d.devices, 1)"
    together = [f"2 + ({size} + 1) * {every} + coalesce(d.bytes, 0)" for size in (worst, exact)]
    return [
        _too_long("d.longest", "push token", length=""),
        _rule(f"d.devices > {MOST_BATCHES}", f"over {MOST_BATCHES} devices with a push token"),
        _too_large(f"{worst} + {largest}", f"{exact} + {largest}", MOST_BATCH_BYTES, "batch"),
        _too_large(together[0], together[1], MOST_BYTES, "batches of all devices"),
    ]


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


def _sizes(texts: list[str], lists: list[str], fixed: int) -> tuple[str, str]:
    """Return SQL for the bytes of a batch were every byte of a text escaped, and as it is encoded."""
    of_lists = [f"coalesce(strlen(to_json({item})::VARCHAR), 0)" for item in lists]
    worst = [f"coalesce(strlen({item}), 0) * {ESCAPED}" for item in texts] + of_lists
    exact = [f"coalesce(strlen(to_json({item})::VARCHAR) - 2, 0)" for item in texts] + of_lists
    return f"({' + '.join([str(fixed), *worst])})", f"({' + '.join([str(fixed), *exact])})"


def _too_large(worst: str, exact: str, most: int, what: str) -> str:
    """The encoded bytes are counted only where they could be too many."""
    return _rule(f"{worst} > {most} AND {exact} > {most}", f"{what} over {most} bytes")


def _too_long(value: str, name: str, length: str = "length") -> str:
    return _rule(f"{length}({value}) > {LONGEST_VALUE}", f"{name} over {LONGEST_VALUE} characters")


def _column(item: Property) -> str:
    return "u.user_id" if item.column == "user_id" else f"p.{engine.quote(item.column)}"


def _rule(condition: str, name: str) -> str:
    return f"CASE WHEN {condition} THEN {engine.literal(name)} END"
