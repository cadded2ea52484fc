"""Liquid as campaigns speak it: strict, without files and clock, and limited in loops and length.

python-liquid is imported here only.
"""

import functools
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime
from io import StringIO
from typing import Any, TextIO

from dateutil import parser
from liquid import Environment, Mode, RenderContext
from liquid.ast import Node
from liquid.builtin.content import ContentNode
from liquid.builtin.expressions import FilteredExpression, Path, PositionalArgument
from liquid.builtin.expressions.primitive import Blank, Empty, IntegerLiteral, RangeLiteral, StringLiteral
from liquid.builtin.output import OutputNode
from liquid.exceptions import (
    FilterArgumentError,
    LiquidError,
    LiquidSyntaxError,
    OutputStreamLimitError,
    ResourceLimitError,
    UndefinedError,
)
from liquid.expression import Expression
from liquid.filter import with_context
from liquid.output import LimitedStringIO
from liquid.stream import TokenStream
from liquid.tag import Tag
from liquid.template import BoundTemplate
from liquid.token import TOKEN_EXPRESSION, Token
from liquid.undefined import FalsyStrictUndefined

__all__ = (
    "ENVIRONMENT", "AbortedError", "BoundTemplate", "ContentNode", "FilteredExpression", "IntegerLiteral",
    "LiquidError", "OutputNode", "Path", "PositionalArgument", "StringLiteral", "UndefinedError", "line_of", "parse", "render",
    "render_reason",
)  # fmt: skip

MOST_LOOPS = 10_000
LONGEST_OUTPUT = 65_536
LARGEST_VARIABLES = 1_000_000
NOT_HERE = ("include", "render", "tablerow")


class AbortedError(Exception):
    """A template skips this user; the reason is the template's own fixed text."""


class Missing(FalsyStrictUndefined):
    """A name without a value: may be tested and given a default, and nothing else."""

    force_liquid_default = True

    def __init__(
        self, name: str, *, token: Token | None = None, obj: object = None, hint: str | None = None
    ) -> None:
        path = (hint or "").removesuffix(" is undefined")
        named = name if path in {"", repr(name)} or path == hint else path
        super().__init__(name, token=token, obj=obj, hint=f"{named} missing")


class Abort(Node):
    """``{% abort "reason" %}``."""

    __slots__ = ("reason",)

    def __init__(self, token: Token, reason: str) -> None:
        super().__init__(token)
        self.reason = reason
        self.blank = False

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        """Stop here."""
        raise AbortedError(self.reason)


class AbortTag(Tag):
    """Reads ``{% abort %}``, ``{% abort "reason" %}`` and ``{% abort_message("reason") %}``."""

    name = "abort"
    block = False

    def parse(self, stream: TokenStream) -> Abort:
        """Take the reason as it is written: a fixed text, so that reasons can be counted and name nobody."""
        token = stream.current
        text = ""
        if stream.peek.kind == TOKEN_EXPRESSION:
            next(stream)
            text = stream.current.value
        text = text.strip().removeprefix(":").strip()
        if text.startswith("(") and text.endswith(")"):
            text = text[1:-1].strip()
        if not text:
            return Abort(token, "no reason given")
        quote = text[0]
        if len(text) < 2 or quote not in "\"'" or text[-1] != quote or quote in text[1:-1]:
            rule = 'the reason of abort is a fixed text in quotes: {% abort "why" %}'
            raise LiquidSyntaxError(rule, token=token)
        return Abort(token, text[1:-1].strip()[:100] or "no reason given")


class AbortMessageTag(AbortTag):
    """The same under another spelling."""

    name = "abort_message"


class CampaignEnvironment(Environment):
    """Strict in everything; see the limits at the top of this file."""

    loop_iteration_limit = MOST_LOOPS
    local_namespace_limit = LARGEST_VARIABLES
    output_stream_limit = LONGEST_OUTPUT


def _limited(name: str, found: Callable[..., Any]) -> Callable[..., Any]:
    """A filter that takes and gives values of a bounded size; chained ones would grow without end."""

    @functools.wraps(found)
    def apply(*values: Any, **named: Any) -> Any:
        result = found(*values, **named)
        if isinstance(result, str | list | tuple) and len(result) > LONGEST_OUTPUT:
            raise OutputStreamLimitError(f"{name}: over {LONGEST_OUTPUT:,} characters", token=None)
        return result

    return apply


@with_context
def _date(value: Any, form: Any = None, *, context: RenderContext) -> str:
    """Format a date; ``now`` and ``today`` are the instant of the send, so that a template has no clock."""
    now = context.globals["now"]
    if isinstance(value, Missing):
        str(value)
    if not isinstance(form, str):
        raise FilterArgumentError("date needs a format in quotes", token=None)
    return str(_instant(value, now).strftime(form))


def _instant(value: Any, now: Any) -> datetime:
    try:
        match value:
            case "now" | "today":
                return _instant(now, now)
            case datetime():
                return value
            case date():
                return datetime(value.year, value.month, value.day, tzinfo=UTC)
            case int() | float() if not isinstance(value, bool):
                return datetime.fromtimestamp(value, tz=UTC)
            case str():
                begins = datetime(2000, 1, 1, tzinfo=UTC)
                return parser.parse(value, default=begins)
    except (ValueError, OverflowError, OSError) as error:
        raise FilterArgumentError("date: not a date", token=None) from error
    raise FilterArgumentError("date: not a date", token=None)


class AsWritten(RenderContext):
    """Keeps line breaks as they are; python-liquid would make each one a line feed."""

    def get_buffer(self, buf: TextIO | None = None) -> StringIO:
        """Return a stream with what is left of the limit."""
        carry = buf.size if isinstance(buf, LimitedStringIO) else 0
        return LimitedStringIO(limit=LONGEST_OUTPUT - carry, newline="")


def _environment() -> CampaignEnvironment:
    found = CampaignEnvironment(tolerance=Mode.STRICT, undefined=Missing, strict_filters=True)
    for name in NOT_HERE:
        del found.tags[name]
    found.add_tag(AbortTag)
    found.add_tag(AbortMessageTag)
    found.add_filter("date", _date)
    for name, item in list(found.filters.items()):
        found.filters[name] = _limited(name, item)
    return found


ENVIRONMENT = _environment()


def parse(text: str) -> BoundTemplate:
    """Read a template.

    Raises:
        LiquidError: its syntax is wrong, or it holds what campaigns do not take.
    """
    template = ENVIRONMENT.from_string(text)
    for item in expressions(template):
        if isinstance(item, FilteredExpression):
            for used in item.filters or ():
                used.validate_filter_arguments(ENVIRONMENT)
        if isinstance(item, RangeLiteral):
            _refuse_long(item)
        if isinstance(item, Blank | Empty):
            rule = f"{type(item).__name__.lower()} does not fit a missing value; write {{% if Profile.x %}}"
            raise LiquidSyntaxError(rule, token=item.token)
    return template


def expressions(template: BoundTemplate) -> Iterator[Expression]:
    """Yield every expression of a template, inner ones too."""
    context = RenderContext(template)
    nodes: list[Node] = list(template.nodes)
    while nodes:
        node = nodes.pop()
        nodes += node.children(context, include_partials=False)
        found = list(node.expressions())
        while found:
            item = found.pop()
            yield item
            found += item.children()


def _refuse_long(item: RangeLiteral) -> None:
    ends = (item.start, item.stop)
    if not all(isinstance(end, IntegerLiteral) for end in ends):
        raise LiquidSyntaxError("the ends of a range are written as numbers", token=item.token)
    if item.stop.value - item.start.value >= MOST_LOOPS:  # type: ignore[attr-defined]
        raise LiquidSyntaxError(f"a range has at most {MOST_LOOPS:,} numbers", token=item.token)


def line_of(error: LiquidError) -> int | None:
    """Return the line of a template at which an error was found."""
    try:
        context = error.context()
    except ValueError:
        return None
    return context[0] if context else None


def render(template: BoundTemplate, names: Mapping[str, Any]) -> str:
    """Render a template for one user.

    Raises:
        AbortedError: it skips the user.
        LiquidError: it cannot be rendered.
    """
    context = AsWritten(template, globals=template.make_globals(dict(names)))
    buffer = context.get_buffer()
    template.render_with_context(context, buffer)
    return buffer.getvalue()


def render_reason(error: Exception) -> str:
    """Return why a template could not be rendered, without any value of the user's."""
    match error:
        case UndefinedError():
            return f"{error.message}"
        case ResourceLimitError():
            what = "limits of length or loops exceeded"
        case LiquidError():
            what = "a filter does not fit its value"
        case _:
            what = "cannot be rendered"
    line = line_of(error) if isinstance(error, LiquidError) else None
    return f"{what} (line {line})" if line else what
