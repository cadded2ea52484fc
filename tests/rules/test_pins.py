import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from pins import environment, locked
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")


def test_conda_has_the_pins_of_the_lock() -> None:
    """Every requirement of requirements.lock is in environment.yml, with the same version, and no other one."""
    body = YAML(typ="safe").load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    (pip,) = (item["pip"] for item in body["dependencies"] if isinstance(item, dict))
    assert [str(Requirement(line)) for line in pip] == [str(Requirement(line)) for line in locked(LOCK)]


def test_the_conda_file_is_the_written_one() -> None:
    """`make lock` writes it; nobody edits it by hand."""
    assert (ROOT / "environment.yml").read_text(encoding="utf-8") == environment(LOCK)


def test_conda_asks_for_the_python_of_the_project() -> None:
    """The same lower bound in both files."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    body = YAML(typ="safe").load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    assert f"python{project['requires-python']}" in body["dependencies"]


def test_the_lock_pins_everything_that_the_project_asks_for() -> None:
    """Each dependency of pyproject.toml is in the lock at a version that it allows."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    pins = {requirement.name: requirement for requirement in map(Requirement, locked(LOCK))}
    for text in wanted:
        requirement = Requirement(text)
        name = re.sub(r"[-_.]+", "-", requirement.name).lower()
        (pin,) = pins[name].specifier
        assert pin.operator == "=="
        assert requirement.specifier.contains(pin.version), text


def test_the_lock_names_no_host() -> None:
    """No index, no address: it installs from whatever index the reader has."""
    assert "://" not in LOCK
    assert "--index" not in LOCK
    assert "--find-links" not in LOCK
