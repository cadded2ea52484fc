"""CleverTap's shorthand: ``@first_name`` and ``@Profile.first_name`` for ``{{ Profile.first_name }}``."""

import re
from collections.abc import Container, Iterator

WRITTEN = re.compile(r"(?<![\w@])(?P<at>@@?)(?:(?P<root>Profile|Event)\.)?(?P<name>[^\W\d]\w*)")
LIQUID = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
TEMPLATE = re.compile(r"\{\{|\{%|(?<![\w@])@@?[^\W\d]")


def is_template(text: str) -> bool:
    """Return whether a text differs from user to user.

    >>> is_template("Hi @first_name"), is_template("help@example.com")
    (True, False)
    """
    return TEMPLATE.search(text) is not None


def written_out(text: str, attributes: Container[str]) -> tuple[str, tuple[str, ...]]:
    """Return a text in Liquid alone, and the names after ``@`` that are no attribute.

    Within Liquid nothing is changed. ``@@`` is a plain ``@``.

    >>> written_out("Hi @first_name, follow @@acme", {"first_name"})
    ('Hi {{ Profile.first_name }}, follow @acme', ())
    """
    unknown: list[str] = []

    def replaced(found: re.Match[str]) -> str:
        name, root = found["name"], found["root"]
        if found["at"] == "@@":
            return found[0][1:]
        if root is None and name not in attributes:
            unknown.append(name)
        return f"{{{{ {root or 'Profile'}.{name} }}}}"

    parts = [part if liquid else WRITTEN.sub(replaced, part) for part, liquid in _split(text)]
    return "".join(parts), tuple(unknown)


def _split(text: str) -> Iterator[tuple[str, bool]]:
    """Yield the parts of a text, and whether each is Liquid."""
    end = 0
    for found in LIQUID.finditer(text):
        yield text[end : found.start()], False
        yield found[0], True
        end = found.end()
    yield text[end:], False
