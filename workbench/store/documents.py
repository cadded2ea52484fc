"""YAML and JSON files. YAML 1.2: ``NO`` is Norway, not false."""

import io
import json
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from workbench.errors import InputError


def read(path: Path) -> Any:
    """Return the values of one YAML or JSON file.

    Raises:
        InputError: unreadable, or not YAML; with the line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise InputError(f'"{path}" cannot be read: {reason}') from error
    return parse(text, path.name)


def parse(text: str, name: str = "document") -> Any:
    """Return the values of a YAML (or JSON) text.

    Raises:
        InputError: not YAML; with the line.
    """
    try:
        return YAML(typ="safe", pure=True).load(text)
    except MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise InputError(f'"{name}"{line}: {error.problem or "not YAML"}') from error
    except YAMLError as error:
        raise InputError(f'"{name}": {str(error).splitlines()[0]}') from error


def dump(body: Any) -> str:
    """Return JSON values as YAML that ``parse`` reads back equal."""
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.width = 100
    stream = io.StringIO()
    yaml.dump(json.loads(json.dumps(body)), stream)
    return stream.getvalue()
