"""A command whose options are the fields of a dataclass: a recipe has more of them than a function should have."""

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any, get_type_hints


def takes(kind: type) -> Callable[[Callable[[Any], Any]], Callable[..., Any]]:
    """Let typer see a function of one dataclass as a function of its fields.

        @takes(Options)
        def main(options: Options) -> None: ...

        typer.run(main)          # --seed 3 ...
        main(seed=3)             # the same from Python

    Args:
        kind: a dataclass whose fields are annotated for typer and have defaults.

    Returns:
        A decorator; what it returns takes the fields as keywords.
    """
    hints = get_type_hints(kind, include_extras=True)
    parameters = [
        inspect.Parameter(
            field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=hints[field.name]
        )
        for field in dataclasses.fields(kind)
    ]

    def decorate(function: Callable[[Any], Any]) -> Callable[..., Any]:
        def command(**values: Any) -> Any:
            return function(kind(**values))

        command.__name__, command.__doc__, command.__module__ = function.__name__, function.__doc__, function.__module__
        command.__signature__ = inspect.Signature(parameters)
        command.__annotations__ = dict(hints)
        return command

    return decorate
