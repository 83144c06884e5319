"""Names of places: the same in every process, so that what was learned of a place can be found again."""

from typing import Any


def site_path(layer: Any) -> str:
    """Return the path of a layer inside its model, for `Site`.

    Keras sets `path` when the layer is built, from the names of the layers around it; a layer used by itself has its
    own name. Sublayers of the zoo all have fixed names, so a path does not depend on what was built before.
    """
    return layer.path or layer.name
