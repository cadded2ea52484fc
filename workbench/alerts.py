"""The door to the people who hear of a run: Apprise addresses, whose credentials are never shown.

An address is an Apprise URL, such as ``mailtos://alerts:${SMTP_PASSWORD}@mail.example.com?to=ops@example.com``.
``${NAME}`` is taken from the environment when somebody is told, so that a saved campaign need not hold a secret.
"""

import logging
import os
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
EXAMPLE = "mailtos://alerts:${SMTP_PASSWORD}@mail.example.com?to=ops@example.com"


def is_address(address: str) -> bool:
    """Whether Apprise knows what to do with an address; variables that are not set count as any text."""
    with _silence():
        return _service(VARIABLE.sub(lambda found: os.environ.get(found[1], "x"), address)) is not None


def tell(address: str, title: str, text: str) -> bool:
    """Tell one address; return whether it was taken. Nothing that goes wrong on the way is raised or logged."""
    missing = [name for name in VARIABLE.findall(address) if name not in os.environ]
    if missing:
        return False
    filled = _filled(address, os.environ)
    with _silence():
        try:
            service = _service(filled)
            return service is not None and bool(service.notify(body=text, title=title))
        except Exception:
            return False


def _filled(address: str, environment: Mapping[str, str]) -> str:
    return VARIABLE.sub(lambda found: environment[found[1]], address)


def _service(address: str) -> Any:
    import apprise  # noqa: PLC0415 - it loads two hundred services, a second or two

    return apprise.Apprise.instantiate(address, suppress_exceptions=True)


@contextmanager
def _silence() -> Iterator[None]:
    """Keep Apprise's log to itself: it names addresses and people."""
    log = logging.getLogger("apprise")
    before, log.disabled = log.disabled, True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.disabled = before
