"""A command out of a dataclass."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pytest
import typer

from attention_zoo.cli.options import takes

pytestmark = pytest.mark.once


@dataclass(frozen=True)
class Options:
    """Options of a command."""

    size: Annotated[int, typer.Option(help="how large")] = 3
    place: Annotated[Path | None, typer.Option("--at", help="where")] = None
    fast: Annotated[bool, typer.Option("--fast")] = False


def made():
    """Return a command and what it was called with."""
    calls = []

    @takes(Options)
    def main(options: Options) -> None:
        """Do something."""
        calls.append(options)

    return main, calls


def test_the_fields_are_the_options():
    main, calls = made()
    command = typer.Typer(add_completion=False)
    command.command()(main)
    command(args=["--size", "5", "--at", "here", "--fast"], standalone_mode=False)
    command(args=[], standalone_mode=False)
    assert calls == [Options(5, Path("here"), True), Options()]


def test_it_is_called_from_python_with_keywords_and_keeps_its_name():
    main, calls = made()
    main(size=7)
    assert calls == [Options(size=7)]
    assert (main.__name__, main.__doc__) == ("main", "Do something.")
    with pytest.raises(TypeError, match="colour"):
        main(colour=1)
