"""Notebooks stay thin: a title, a paragraph, few cells of few statements, no logic and no output."""

import ast
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from IPython.core.inputtransformer2 import TransformerManager

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted([*ROOT.glob("notebooks/*.ipynb"), *ROOT.glob("dashboards/*.ipynb")])
LOGIC = (
    ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda, ast.For, ast.While, ast.AsyncFor,
    ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.Try, ast.If, ast.With,
)  # fmt: skip
SQL = re.compile(
    r"\b(select\s.+\sfrom|insert\s+into|delete\s+from|create\s+(table|view))\b", re.IGNORECASE | re.DOTALL
)

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)


def read(path: Path) -> Any:
    """Return a valid notebook of format 4.5."""
    notebook = nbformat.read(path, as_version=nbformat.NO_CONVERT)
    nbformat.validate(notebook)
    return notebook


def trees(notebook: Any) -> list[ast.Module]:
    """Parse each code cell, magics as the calls that they are."""
    cells = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    return [ast.parse(TransformerManager().transform_cell(source)) for source in cells]


def test_the_notebooks_are_found() -> None:
    """The rules below look at something."""
    assert {path.name for path in NOTEBOOKS} >= {
        "01_build_segment.ipynb", "02_reach_and_control.ipynb", "send.ipynb", "overview.ipynb",
    }  # fmt: skip


@each_notebook
def test_a_notebook_opens_with_a_title_and_a_paragraph(path: Path) -> None:
    """The first cell is a heading of the first level with text below it."""
    first = read(path).cells[0]
    title, _, text = first.source.partition("\n\n")
    assert first.cell_type == "markdown"
    assert re.fullmatch(r"# \S.*", title)
    assert len(text.split()) >= 10


@each_notebook
def test_a_notebook_has_at_most_six_cells_of_five_statements(path: Path) -> None:
    """Imports and a magic count as they are read: a block of imports is one statement."""
    found = trees(read(path))
    assert 1 <= len(found) <= 6
    for tree in found:
        imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
        assert len(tree.body) - max(len(imports) - 1, 0) <= 5, ast.unparse(tree)


@each_notebook
def test_a_notebook_holds_no_logic(path: Path) -> None:
    """No function, no loop, no branch, no SQL."""
    notebook = read(path)
    found = [
        type(node).__name__ for tree in trees(notebook) for node in ast.walk(tree) if isinstance(node, LOGIC)
    ]
    assert found == []
    assert not [
        cell.source for cell in notebook.cells if cell.cell_type == "code" and SQL.search(cell.source)
    ]


@each_notebook
def test_a_notebook_is_committed_without_output(path: Path) -> None:
    """No output, no execution count, no widget state, and the kernel that every machine has."""
    notebook = read(path)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.outputs for cell in code] == [[]] * len(code)
    assert [cell.execution_count for cell in code] == [None] * len(code)
    assert "widgets" not in notebook.metadata
    assert notebook.metadata.kernelspec.name == "python3"
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)


def test_the_send_notebook_has_its_parameters() -> None:
    """Papermill finds one tagged cell with four texts."""
    cells = [cell for cell in read(ROOT / "notebooks" / "send.ipynb").cells if cell.cell_type == "code"]
    (tagged,) = [cell for cell in cells if "parameters" in cell.metadata.get("tags", [])]
    assert tagged.source.splitlines() == [
        'campaign = "cart-abandoners"', 'occurrence = ""', 'as_of = ""', 'config = ""',
    ]  # fmt: skip
