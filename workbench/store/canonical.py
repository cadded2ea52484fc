"""One text for one content, so that equal things have equal digests."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def content_digest(body: Mapping[str, Any]) -> str:
    """Return the sha256 of the canonical JSON: sorted keys, no blanks, UTF-8."""
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
