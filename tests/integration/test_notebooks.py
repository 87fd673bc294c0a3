"""The notebooks are kept without outputs, import only what the packages offer, and run without a warning."""

import ast
import base64
import json
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
LEAST_PICTURES = {"1": 4, "2": 4, "3": 1, "4": 2, "5": 4}  # by the notebook's number
MOST_CPU_S = 60.0


def code_cells(path: Path) -> list[dict]:
    cells = json.loads(path.read_text("utf-8"))["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


def python_of(cell: dict) -> str:
    return "".join(line for line in cell["source"] if not line.startswith("%"))


def test_the_five_notebooks_are_there_and_listed():
    assert [path.name[0] for path in NOTEBOOKS] == list(LEAST_PICTURES)
    listed = (ROOT / "notebooks" / "README.md").read_text("utf-8")
    assert all(f"({path.name})" in listed for path in NOTEBOOKS)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_outputs_are_stripped(path):
    for cell in code_cells(path):
        assert cell["outputs"] == [] and cell["execution_count"] is None
        assert cell["metadata"] == {}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_they_hold_no_logic_of_their_own(path):
    """No functions, no classes, no cell that is longer than a reader's screen."""
    for cell in code_cells(path):
        tree = ast.parse(python_of(cell))
        defined = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Lambda)]
        assert not defined and len(cell["source"]) <= 25


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_they_run_without_a_warning_and_show_pictures(path, tmp_path):
    nbformat = pytest.importorskip("nbformat", reason="pip install 'qdt-env[notebooks]'")
    nbclient = pytest.importorskip("nbclient")
    notebook = nbformat.read(path, as_version=4)
    watch = "import warnings; warnings.simplefilter('error')"
    clock = "import resource; [sum(resource.getrusage(resource.RUSAGE_SELF)[:2])]"
    notebook.cells.insert(0, nbformat.v4.new_code_cell(watch))
    notebook.cells.insert(2, nbformat.v4.new_code_cell(clock))  # behind the imports
    notebook.cells.append(nbformat.v4.new_code_cell(clock))
    started_s = time.monotonic()
    nbclient.NotebookClient(notebook, timeout=1200, resources={"metadata": {"path": str(ROOT)}}).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    pictures = [output.data["image/png"] for output in outputs if "image/png" in output.get("data", {})]
    for number, picture in enumerate(pictures):
        (tmp_path / f"{path.stem}-{number}.png").write_bytes(base64.b64decode(picture))
    assert len(pictures) >= LEAST_PICTURES[path.name[0]]
    assert all(len(base64.b64decode(picture)) > 10_000 for picture in pictures)
    assert not [output.text for output in outputs if output.get("name") == "stderr"]
    print(f"{path.stem}: {len(pictures)} pictures, {time.monotonic() - started_s:.0f} s")
