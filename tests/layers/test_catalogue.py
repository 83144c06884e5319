"""The catalogue, the names and the pages say the same."""

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from attention_zoo import core, layers
from attention_zoo.layers.catalogue import catalogue, support

pytestmark = pytest.mark.once
ROOT = Path(__file__).parents[2]


def named():
    """Return the catalogue's row of each name."""
    return {name: number for number, row in catalogue().items() for name in row.get("names", [])}


def test_the_rows_are_numbered_and_have_a_tier():
    assert list(catalogue()) == list(range(1, 200))
    assert {row["tier"] for row in catalogue().values()} == {"P0", "P1", "P2"}


def test_every_row_of_the_first_tier_has_a_name_a_part_or_is_a_path():
    for number, row in catalogue().items():
        if row["tier"] == "P0":
            assert row.get("names") or row.get("parts") or row.get("instead"), f"row {number}: {row['title']}"
    first = {number: row for number, row in catalogue().items() if row["tier"] == "P0"}
    paths = [number for number, row in first.items() if not row.get("names") and not row.get("parts")]
    assert paths == [97]


def test_names_and_rows_are_one_to_one():
    listed = [name for row in catalogue().values() for name in row.get("names", [])]
    assert len(listed) == len(set(listed))
    assert named() == {name: layers.info(name).row for name in layers.names() if layers.info(name).row is not None}


def test_the_parts_that_the_catalogue_names_are_registered():
    for row in catalogue().values():
        for part in row.get("parts", []):
            kind, name = part.split(":")
            assert name in core.part_names(kind)


@pytest.mark.parametrize("name", layers.names())
def test_a_variant_says_all_about_itself(name):
    variant = layers.info(name)
    assert variant.formula and variant.source and variant.cost, name
    assert set(variant.roles) <= set(layers.ROLES) and variant.roles
    assert variant.docs == f"docs/attention.md#{name}"
    assert f"### {name}\n" in (ROOT / "docs" / "attention.md").read_text(encoding="utf-8")
    assert set(support(name)) == {"tensorflow", "jax", "torch"}, f"run `make matrix`: {name} is not in support.json"
    assert "failed" not in {status for found in variant.checks.values() for status in found.values()}


def test_tiers_filter_the_names():
    assert set(layers.names(tier="P0")) == {name for name, row in named().items() if catalogue()[row]["tier"] == "P0"}
    with pytest.raises(ValueError, match="P9"):
        layers.names(tier="P9")


def test_the_pages_are_those_that_the_tables_make():
    done = subprocess.run([sys.executable, "benchmarks/pages.py", "--check"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr[-500:]


def sources():
    return sorted((ROOT / "attention_zoo" / "layers").rglob("*.py"))


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_layers_import_only_keras_the_core_and_their_own_family(path):
    allowed = ("attention_zoo.checks", "attention_zoo.core", "attention_zoo.errors", "attention_zoo.layers")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        modules += [node.module] if isinstance(node, ast.ImportFrom) else []
        for module in modules:
            top = module.split(".")[0]
            if top in sys.stdlib_module_names or top == "keras":
                continue
            assert module.startswith(allowed), f"{path}: {module}"
    assert importlib.util.find_spec("attention_zoo.layers")


VARIANTS = [path for path in sources() if path.parent.name != "layers"]


@pytest.mark.parametrize("path", VARIANTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_variant_is_longer_than_150_lines(path):
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef):
            assert node.end_lineno - node.lineno + 1 <= 150, f"{path.name}: {node.name}"
