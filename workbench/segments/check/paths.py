"""Where in a tree a problem lies."""

from workbench.segments.codec import ordinal


def join(path: str, step: str) -> str:
    """Return the path of a part."""
    return f"{path} > {step}" if path else step


def nth(path: str, number: int, noun: str) -> str:
    """Return the path of a numbered part.

    >>> nth("did", 2, "filter")
    'did > 2nd filter'
    """
    return join(path, f"{number}{ordinal(number)} {noun}")
