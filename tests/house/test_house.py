"""The rules of the house: sizes, words and doors, kept by reading the source."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

ROOT = Path(__file__).parents[2]
PACKAGE = sorted((ROOT / "attention_zoo").rglob("*.py"))
CODE = PACKAGE + sorted((ROOT / "recipes").rglob("*.py")) + sorted((ROOT / "benchmarks").rglob("*.py"))
# Keras's own constructor has these arguments; ours must take them all.
WIDE = {"attention_zoo/layers/multi_head.py", "attention_zoo/layers/heads/segment_memory.py"}
BACKENDS = re.compile(r"\b(tensorflow|jax|torch|pytorch)\b", re.IGNORECASE)
NAMED_BACKENDS = ("attention_zoo/backends.py", "attention_zoo/export/")
READS_ENVIRONMENT = ("presets/shelf.py", "data/store.py", "backends.py", "export/", "cli/", "testing/")


def name(path: Path) -> str:
    """Write a path from the root of the repository."""
    return path.relative_to(ROOT).as_posix()


def functions(path: Path) -> list[ast.FunctionDef]:
    """List the functions of a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def public(path: Path) -> list[ast.AST]:
    """List the classes and functions at the top of a file, and the methods of its public classes, that users see."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = [n for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef) and not n.name.startswith("_")]
    return found


def test_files_are_short():
    lengths = {name(path): len(path.read_text(encoding="utf-8").splitlines()) for path in PACKAGE}
    assert {file: lines for file, lines in lengths.items() if lines > 400} == {}
    assert sorted(lengths.values())[len(lengths) // 2] <= 120


@pytest.mark.parametrize("path", CODE, ids=name)
def test_functions_are_short_and_have_few_arguments(path):
    for node in functions(path):
        lines = node.end_lineno - node.lineno + 1 - len((ast.get_docstring(node) or "").splitlines())
        assert lines <= 60, f"{node.name} has {lines} lines"
        count = len(node.args.args) + len(node.args.kwonlyargs)
        assert count <= 13 or name(path) in WIDE, f"{node.name} has {count} parameters"


@pytest.mark.parametrize("path", CODE, ids=name)
def test_public_things_say_what_they_do(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree) or not tree.body, "the file has no docstring"
    for node in public(path):
        assert ast.get_docstring(node), f"{node.name} has no docstring"


@pytest.mark.parametrize("path", CODE, ids=name)
def test_nothing_unsafe_and_nothing_unfinished(path):
    text = path.read_text(encoding="utf-8")
    for word in (
        r"import (pickle|dill|joblib)",
        r"allow_pickle\s*=\s*True",
        r"(?<![\w.])eval\(",
        r"\bTODO\b",
        r"\bFIXME\b",
    ):
        assert not re.search(word, text), f"{word} found"
    tree = ast.parse(text)
    if "attention_zoo" in path.parts and "testing" not in path.parts:
        assert not [node for node in ast.walk(tree) if isinstance(node, ast.Assert)], "assert in the package"
    raised = [
        node for node in ast.walk(tree) if isinstance(node, ast.Raise) and "NotImplementedError" in ast.dump(node)
    ]
    assert not raised, "a stub"


@pytest.mark.parametrize("path", PACKAGE, ids=name)
def test_backends_are_named_in_few_places(path):
    if name(path).startswith(NAMED_BACKENDS):
        return
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            modules = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
            found = [module for module in modules if BACKENDS.fullmatch(module.split(".")[0])]
            assert not found, f"line {node.lineno} imports {found}"


@pytest.mark.parametrize("path", PACKAGE, ids=name)
def test_the_environment_is_read_in_few_places(path):
    if any(part in name(path) for part in READS_ENVIRONMENT):
        return
    assert "os.environ" not in path.read_text(encoding="utf-8")


def test_importing_and_listing_is_fast_and_loads_no_keras():
    # Seconds of the processor, not of the clock: other tests run beside this one.
    listing = "import attention_zoo, sys; attention_zoo.list_models(); print('keras' in sys.modules)"
    taken = {listing: [], "print(False)": []}
    for _ in range(3):
        for code in taken:
            source = f"{code}\nimport time; print(time.process_time())"
            done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
            loaded, seconds = done.stdout.split()
            assert loaded == "False"
            taken[code].append(float(seconds))
    assert min(taken[listing]) - min(taken["print(False)"]) < 0.3


def test_every_preset_is_small():
    presets = ROOT / "attention_zoo" / "presets"
    sizes = {
        folder.name: sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        for folder in presets.iterdir()
        if (folder / "card.json").exists()
    }
    assert all(size <= 10 * 2**20 for size in sizes.values()), sizes
    assert sum(sizes.values()) <= 70 * 2**20, sizes
