"""Completion of names inside quotes: ``did("Add⇥`` offers the events of the catalogue."""

import re
from collections.abc import Callable, Iterable

from IPython.core.completer import CompletionContext, SimpleCompletion, SimpleMatcherResult, context_matcher
from IPython.core.interactiveshell import InteractiveShell

from workbench.errors import WorkbenchError
from workbench.workspace import Workspace

PLACE = re.compile(
    r"\b(?P<function>did|did_all|prop|user|device|in_list|in_segment|by|predominantly|mostly|sum|average|"
    r"minimum|maximum|distinct)\(\s*(?:(?P<quotes>['\"])(?:(?!(?P=quotes)).)*(?P=quotes)\s*,\s*)*"
    r"['\"](?P<fragment>[^'\"]*)$"
)
MOST = 200


def register(shell: InteractiveShell, workspace: Callable[[], Workspace | None]) -> None:
    """Offer the names of the workspace that the notebook has opened."""

    @context_matcher(identifier="workbench")  # type: ignore[untyped-decorator]
    def names_in_quotes(context: CompletionContext) -> SimpleMatcherResult:
        before = context.full_text[: _position(context)]
        place = PLACE.search(before)
        opened = workspace() if place else None
        if place is None or opened is None:
            return SimpleMatcherResult(completions=[])
        fragment = place["fragment"]
        try:
            names = _names(opened, place["function"])
        except WorkbenchError:
            return SimpleMatcherResult(completions=[])
        found = [name for name in names if name.lower().startswith(fragment.lower())][:MOST]
        return SimpleMatcherResult(
            completions=[SimpleCompletion(name, type="name") for name in found],
            matched_fragment=fragment,
            suppress=bool(found),
            ordered=True,
        )

    if shell.Completer is not None:
        shell.Completer.custom_matchers.append(names_in_quotes)


def _names(workspace: Workspace, function: str) -> Iterable[str]:
    catalogue = workspace.lake.at().catalogue
    match function:
        case "did" | "did_all":
            return catalogue.events
        case "user":
            return catalogue.attributes
        case "device":
            return catalogue.devices
        case "in_list":
            return catalogue.lists
        case "in_segment":
            return workspace.segments.names()
        case "prop":
            return {**catalogue.properties, **catalogue.devices}
        case _:
            return catalogue.properties


def _position(context: CompletionContext) -> int:
    lines = context.full_text.split("\n")
    before = sum(len(line) + 1 for line in lines[: context.cursor_line])
    return before + int(context.cursor_position)
