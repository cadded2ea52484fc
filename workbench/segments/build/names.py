"""Names from the catalogue with completion: ``names.events.Charged``, ``names.user["Country of birth"]``."""

import keyword
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Generic, TypeVar

from workbench.errors import nearest
from workbench.segments.build.events import DidExpression, did
from workbench.segments.build.expression import Expression
from workbench.segments.build.users import Filter, Name, device, in_list, in_segment, prop, user
from workbench.store.catalogue import Catalogue

Result = TypeVar("Result")


class Completed(Mapping[str, Result], Generic[Result]):
    """Names of one kind: an attribute where a name is one, or becomes one; any exact name in brackets.

    >>> names = Completed("event", ["Charged", "Added To Cart"], did)
    >>> names.added_to_cart, names["Charged"]
    (did "Added To Cart", did "Charged")
    """

    def __init__(self, noun: str, names: Iterable[str], make: Callable[[str], Result]) -> None:
        """Take the exact names, and what each becomes."""
        self._noun = noun
        self._names = tuple(names)
        self._make = make
        written: dict[str, list[str]] = {}
        for name in self._names:
            written.setdefault(_identifier(name), []).append(name)
        self._attributes = {key: found[0] for key, found in written.items() if len(found) == 1}

    def __getitem__(self, name: str) -> Result:
        """Return what an exact name becomes.

        Raises:
            KeyError: no such name; the message names near ones.
        """
        if name not in self._names:
            raise KeyError(f'unknown {self._noun} "{name}".{nearest(name, self._names)}')
        return self._make(name)

    def __getattr__(self, attribute: str) -> Result:
        """Return what a name becomes.

        Raises:
            AttributeError: no name is written like that; the message says which are near.
        """
        if attribute.startswith("_"):
            raise AttributeError(attribute)
        if attribute not in self._attributes:
            hint = nearest(attribute, self._attributes)
            raise AttributeError(f'no {self._noun} is written "{attribute}".{hint}')
        return self._make(self._attributes[attribute])

    def __dir__(self) -> list[str]:
        """Give what completion offers after a dot."""
        return list(self._attributes)

    def _ipython_key_completions_(self) -> list[str]:
        """Give what completion offers inside brackets."""
        return list(self._names)

    def __iter__(self) -> Iterator[str]:
        """Give the exact names."""
        return iter(self._names)

    def __len__(self) -> int:
        """Count them."""
        return len(self._names)

    def __repr__(self) -> str:
        """List them."""
        return f"{self._noun}: {', '.join(self._names) or 'none'}"


class Names:
    """Everything that a condition may name at one version of the lake.

    Attributes:
        events: ``did(…)`` of an event.
        properties: ``prop(…)`` of an event's property.
        user: ``user(…)`` of an attribute of the profile.
        device: ``device(…)`` of a property of devices.
        lists: ``in_list(…)`` of a custom list.
        segments: ``in_segment(…)`` of a saved segment.
    """

    events: Completed[DidExpression]
    properties: Completed[Name[Filter]]
    user: Completed[Name[Expression]]
    device: Completed[Name[Expression]]
    lists: Completed[Expression]
    segments: Completed[Expression]

    def __init__(self, catalogue: Catalogue, segments: Iterable[str] = ()) -> None:
        """Take the names of a catalogue and of the saved segments."""
        self.events = Completed("event", catalogue.events, did)
        self.properties = Completed("property", catalogue.properties, prop)
        self.user = Completed("user property", catalogue.attributes, user)
        self.device = Completed("device property", catalogue.devices, device)
        self.lists = Completed("list", catalogue.lists, in_list)
        self.segments = Completed("segment", segments, in_segment)

    def __repr__(self) -> str:
        """Count each kind."""
        return ", ".join(f"{kind}: {len(found)}" for kind, found in vars(self).items())


def _identifier(name: str) -> str:
    """Write a name as an attribute: as it is where it can be, else in small letters with underscores."""
    if name.isidentifier() and not keyword.iskeyword(name) and not name.startswith("_"):
        return name
    text = re.sub(r"\W+", "_", name.lower()).strip("_") or "x"
    return f"n_{text}" if text[0].isdigit() or keyword.iskeyword(text) else text
