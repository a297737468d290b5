"""The house keeps its own rules."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import grimp
import networkx

SOURCE = Path(__file__).parents[1] / "src" / "triarch"


def modules_after(code):
    """The modules that are loaded after `code` ran in a fresh process."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_import_loads_no_torch():
    loaded = modules_after("import triarch; triarch.VERBS; dir(triarch)")
    assert not loaded & {"torch", "numpy", "pandas", "sklearn", "typer"}


def test_help_loads_no_torch():
    code = "import triarch.cli, typer.testing as t; r = t.CliRunner().invoke(triarch.cli.application(), ['--help'])\n"
    loaded = modules_after(code + "assert r.exit_code == 0 and 'choose' in r.stdout")
    assert not loaded & {"torch", "numpy", "pandas", "sklearn", "pydantic"}


def test_no_import_circles():
    graph = grimp.build_graph("triarch", exclude_type_checking_imports=True)
    edges = [(module, found) for module in graph.modules for found in graph.find_modules_directly_imported_by(module)]
    assert not list(networkx.simple_cycles(networkx.DiGraph(edges)))


def test_torchvision_is_absent():
    assert find_spec("torchvision") is None


def test_no_pickle():
    for path in SOURCE.rglob("*.py"):
        text = path.read_text()
        for forbidden in ("import pickle", "torch.load(", "joblib", "allow_pickle=True", "yaml.load(", "eval("):
            found = [line for line in text.splitlines() if forbidden in line and "literal_eval(" not in line]
            found = [line for line in found if "_eval(" not in line and ".eval(" not in line]
            assert not found, f"{path}: {found}"


def test_files_are_short():
    for path in SOURCE.rglob("*.py"):
        assert len(path.read_text().splitlines()) <= 400, path


def test_public_face_is_small():
    import triarch

    assert len(set(triarch.__all__) - set(triarch.VERBS)) <= 10
    for name in triarch.__all__:
        assert getattr(triarch, name) is not None
