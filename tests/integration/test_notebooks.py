"""The notebooks are kept without outputs, import only what the packages offer, and run without a warning."""

import ast
import base64
import json
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


def executed(path: Path) -> tuple[list[dict], float]:
    """All outputs of a run in which every warning is an error, and the CPU seconds that the cells took."""
    nbformat = pytest.importorskip("nbformat", reason="pip install 'qdt-env[notebooks]'")
    nbclient = pytest.importorskip("nbclient")
    notebook = nbformat.read(path, as_version=4)
    # The kernel's own deprecations are not the notebook's.
    strict = "import warnings; warnings.simplefilter('error'); warnings.filterwarnings('default', module='ipykernel')"
    clock = "import resource; sum(resource.getrusage(resource.RUSAGE_SELF)[:2])"
    cells = [nbformat.v4.new_code_cell(source) for source in (strict, clock, clock)]
    notebook.cells = [*cells[:2], *notebook.cells, cells[2]]
    place = {"metadata": {"path": str(ROOT)}}
    nbclient.NotebookClient(notebook, timeout=1200, startup_timeout=300, resources=place).execute()
    shown = [cell.outputs for cell in notebook.cells if cell.cell_type == "code"]
    began, ended = (float(shown[k][0]["data"]["text/plain"]) for k in (1, -1))
    return [output for outputs in shown for output in outputs], ended - began


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_they_run_without_a_warning_and_show_pictures(path):
    outputs, cpu_s = executed(path)
    if cpu_s > MOST_CPU_S:  # kernels were compiled; now they are
        outputs, cpu_s = executed(path)
    assert cpu_s < MOST_CPU_S
    pictures = [base64.b64decode(o["data"]["image/png"]) for o in outputs if "image/png" in o.get("data", {})]
    assert len(pictures) >= LEAST_PICTURES[path.name[0]]
    assert all(len(picture) > 10_000 for picture in pictures)
    assert not [o["text"] for o in outputs if o.get("name") == "stderr"]
