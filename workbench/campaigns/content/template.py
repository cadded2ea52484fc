"""One templated value of a campaign: read, and checked against what the account knows."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from workbench.campaigns.content import liquid, shorthand
from workbench.errors import Problem, nearest
from workbench.store.catalogue import Catalogue, Property

PROFILE, EVENT = "Profile", "Event"
CLOCK = ("now", "today")
OF_LISTS = frozenset({"first", "last", "size"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A text that differs from user to user.

    Attributes:
        key: of the value.
        parsed: its syntax tree.
        attributes: the profile attributes that it reads, by name.
        constants: the constant properties of the segment that it reads, by name.
    """

    key: str
    parsed: liquid.BoundTemplate
    attributes: tuple[str, ...]
    constants: tuple[str, ...]


def read(key: str, text: str, catalogue: Catalogue) -> Template:
    """Read a template that ``problems`` has nothing against."""
    source, _ = shorthand.written_out(text, catalogue.attributes)
    parsed = liquid.parse(source)
    attributes: dict[str, None] = {}
    constants: dict[str, None] = {}
    for root, *rest in _variables(parsed):
        if root == PROFILE:
            attributes[str(rest[0])] = None
        elif root not in CLOCK:
            constants[str(root)] = None
    return Template(key=key, parsed=parsed, attributes=tuple(attributes), constants=tuple(constants))


def problems(
    path: str, text: str, catalogue: Catalogue, constants: Mapping[str, Property]
) -> Iterator[Problem]:
    """Yield what is wrong with a template.

    Args:
        path: of the value, for the message.
        text: as it was written.
        catalogue: knows the attributes.
        constants: the constant properties of the segment, by the name under which content finds them.
    """
    source, unknown = shorthand.written_out(text, catalogue.attributes)
    for name in unknown:
        hint = nearest(name, catalogue.attributes)
        message = f'unknown attribute "{name}" after @.{hint} For a plain @ write @@{name}'
        yield Problem(path=path, message=message)
    if unknown:
        return
    try:
        parsed = liquid.parse(source)
    except liquid.LiquidError as error:
        line = liquid.line_of(error)
        at = f", line {line}" if line else ""
        yield Problem(path=path, message=f"the template cannot be read{at}: {error.message}")
        return
    seen = set()
    for segments in _variables(parsed):
        fault = _fault(segments, catalogue, constants)
        if fault and fault not in seen:
            seen.add(fault)
            yield Problem(path=path, message=fault)


def _variables(parsed: liquid.BoundTemplate) -> Iterator[tuple[object, ...]]:
    """Yield the path of every name that the template does not make itself."""
    for found in parsed.analyze(include_partials=False).globals.values():
        yield from (tuple(variable.segments) for variable in found)


def _fault(
    segments: tuple[object, ...], catalogue: Catalogue, constants: Mapping[str, Property]
) -> str | None:
    root, *rest = segments
    if root == EVENT:
        return "Event.… is for live campaigns only: a campaign over past behaviour has no event of its own"
    if root in CLOCK:
        return None
    if root == PROFILE:
        return _attribute_fault(rest, catalogue)
    if root in constants:
        return _part_fault(str(root), rest, "list")
    if isinstance(root, str) and root in catalogue.attributes:
        return f'unknown name "{root}": write Profile.{root}'
    hint = nearest(str(root), (*constants, PROFILE))
    known = "the segment has no constant property" if not constants else "no constant property of the segment"
    return f'unknown name "{root}" ({known}).{hint}'


def _attribute_fault(rest: list[object], catalogue: Catalogue) -> str | None:
    if not rest or not isinstance(rest[0], str):
        return "Profile needs the name of an attribute: Profile.first_name, or Profile['first name']"
    name = rest[0]
    if name not in catalogue.attributes:
        return f'unknown attribute "{name}" of Profile.{nearest(name, catalogue.attributes)}'
    return _part_fault(f"Profile.{name}", rest[1:], catalogue.attributes[name].type)


def _part_fault(name: str, rest: list[object], kind: str) -> str | None:
    if not rest or (kind == "list" and len(rest) == 1 and (isinstance(rest[0], int) or rest[0] in OF_LISTS)):
        return None
    if kind in {"text", "version"} and rest == ["size"]:
        return None
    return f'{name} is a {kind}: it has no part "{rest[0]}"'
