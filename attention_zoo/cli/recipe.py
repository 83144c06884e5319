"""Find the recipe of a family and run it as a command."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from attention_zoo.errors import ZooFileError, unknown

PACKAGE = Path(__file__).parents[1]
# A wheel holds the recipes inside the package; a checkout has them beside it.
PLACES = (PACKAGE / "recipes", PACKAGE.parent / "recipes")


def names() -> list[str]:
    """Return the families that can be trained: those of the catalogue that have a recipe."""
    from attention_zoo.catalogue import FAMILIES

    return sorted(name for name in FAMILIES if any((place / f"{name}.py").is_file() for place in PLACES))


def run(family: str, arguments: list[str]) -> int:
    """Run the recipe of a family.

    Args:
        family: its name.
        arguments: the options of the recipe, as on its own command line.

    Returns:
        The exit code.

    Raises:
        ZooValueError: if no family has this name.
        ZooFileError: if its recipe is not installed.
    """
    import typer

    command = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    command.command()(_module(family).main)
    code = command(args=arguments, prog_name=f"attention-zoo train {family}", standalone_mode=False)
    return code if isinstance(code, int) else 0


def _module(family: str) -> ModuleType:
    from attention_zoo.catalogue import FAMILIES

    if family not in FAMILIES:
        raise unknown("family", family, FAMILIES)
    path = next((place / f"{family}.py" for place in PLACES if (place / f"{family}.py").is_file()), None)
    if path is None:
        raise ZooFileError(f"the recipe of {family!r} is missing from {PLACES[0]}; install attention-zoo again")
    spec = importlib.util.spec_from_file_location(f"attention_zoo_recipe_{family}", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses and typer look up annotations there
    spec.loader.exec_module(module)
    return module
