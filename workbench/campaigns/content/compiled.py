"""Templates of fixed text, names, defaults and upper or lower case, as SQL over ``p`` and ``u``.

What the engine cannot do as Liquid does it is *unsure* and left to Liquid: a whole template, or those
users whose text is beyond ASCII where upper and lower case are asked for.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

from workbench.campaigns.content import liquid
from workbench.campaigns.content.template import PROFILE, Template
from workbench.settings import PropertyType

Bind = Callable[[str], str]
CASES = {
    "upcase": "upper({0})",
    "downcase": "lower({0})",
    "capitalize": "upper({0}[1]) || lower({0}[2:])",
}
SAFE = 2**53


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where the value of a name is: SQL, and its type."""

    sql: str
    type: PropertyType


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """A template as SQL.

    Attributes:
        value: the text; NULL where a value is missing.
        reason: why there is none, else NULL.
        unsure: whether Liquid is to be asked instead.
    """

    value: str
    reason: str
    unsure: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Output:
    value: str
    missing: str | None
    unsure: str | None
    name: str


def compiled(
    template: Template, attributes: Mapping[str, Source], constants: Mapping[str, Source], bind: Bind
) -> Compiled | None:
    """Return a template as SQL, or None where Liquid has to render it.

    Args:
        template: without problems.
        attributes: the columns of the profile attributes, by name.
        constants: the list columns of the constant properties, with the type of their values.
        bind: binds a text and returns its placeholder.
    """
    parts: list[str] = []
    reasons: list[str] = []
    unsure: list[str] = []
    for node in template.parsed.nodes:
        match node:
            case liquid.ContentNode():
                parts.append(bind(node.text))
            case liquid.OutputNode(expression=liquid.FilteredExpression() as expression):
                output = _output(expression, attributes, constants, bind)
                if output is None:
                    return None
                parts.append(f"({output.value})")
                if output.missing:
                    reasons.append(f"WHEN {output.missing} THEN {bind(f'{output.name} missing')}")
                if output.unsure:
                    unsure.append(output.unsure)
            case _:
                return None
    return Compiled(
        value=" || ".join(parts),
        reason=f"CASE {' '.join(reasons)} END" if reasons else "NULL",
        unsure=" OR ".join(unsure) or "false",
    )


def _output(
    expression: liquid.FilteredExpression,
    attributes: Mapping[str, Source],
    constants: Mapping[str, Source],
    bind: Bind,
) -> _Output | None:
    if not isinstance(expression.left, liquid.Path):
        return None
    source = _source(expression.left, attributes, constants)
    if source is None:
        return None
    name = str(expression.left) if expression.left.path[0] == PROFILE else str(expression.left.path[0])
    missing: str | None = absent(source)
    value, unsure = text(source), None
    falsy = f"({source.sql}) = false" if source.type == "boolean" else "false"
    plain = source.type in {"text", "version"}
    for number, item in enumerate(expression.filters or ()):
        if item.name == "default":
            given = _default(item.args)
            if given is None or number > 0:
                return None
            value = f"CASE WHEN ({missing}) OR {falsy} THEN {bind(given)} ELSE {value} END"
            missing, plain = None, plain or source.type == "boolean"
        elif item.name in CASES and not item.args and plain:
            unsure = f"{unsure} OR {_beyond_ascii(value)}" if unsure else _beyond_ascii(value)
            value = CASES[item.name].format(f"({value})")
        else:
            return None
    return _Output(value=value, missing=missing, unsure=unsure, name=name)


def _beyond_ascii(value: str) -> str:
    return f"coalesce(length({value}) <> strlen({value}), false)"


def _source(
    path: liquid.Path, attributes: Mapping[str, Source], constants: Mapping[str, Source]
) -> Source | None:
    match path.path:
        case ["Profile", str(name)]:
            return attributes[name]
        case [str(name), int(position)] if position >= 0 and name in constants:
            item = constants[name]
            return Source(sql=f"{item.sql}[{position + 1}]", type=item.type)
        case _:
            return None


def _default(args: Sequence[object]) -> str | None:
    match args:
        case [liquid.PositionalArgument(value=liquid.StringLiteral() | liquid.IntegerLiteral())]:
            return str(args[0].value.value)  # type: ignore[attr-defined]
        case _:
            return None


def absent(source: Source) -> str:
    """Return SQL of whether a value is missing: null, an empty text or list, no finite number."""
    match source.type:
        case "text" | "version":
            return f"coalesce({source.sql}, '') = ''"
        case "number":
            return f"NOT coalesce(isfinite({source.sql}), false)"
        case "list":
            return f"coalesce(len(list_filter({source.sql}, lambda entry: entry IS NOT NULL)), 0) = 0"
        case "boolean" | "date" | "instant":
            return f"{source.sql} IS NULL"
        case _:
            assert_never(source.type)


def text(source: Source) -> str:
    """Return SQL of a value as Liquid writes it."""
    column = source.sql
    match source.type:
        case "text" | "version":
            return column
        case "number":
            whole = f"abs({column}) < {SAFE} AND {column} = trunc({column})"
            return f"CASE WHEN {whole} THEN {column}::BIGINT::VARCHAR ELSE {column}::VARCHAR END"
        case "list":
            return f"array_to_string({column}, '')"
        case "boolean" | "date":
            return f"{column}::VARCHAR"
        case "instant":
            utc, form = f"timezone('UTC', {column})", "%Y-%m-%d %H:%M:%S"
            whole = f"microsecond({column}) % 1000000 = 0"
            parts = f"CASE WHEN {whole} THEN '' ELSE strftime({utc}, '.%f') END"
            return f"strftime({utc}, '{form}') || {parts} || '+00:00'"
        case _:
            assert_never(source.type)
