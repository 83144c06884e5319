"""The scorers by the name of their method."""

from attention_zoo.errors import unknown
from attention_zoo.watch.autoencoder import Autoencoder
from attention_zoo.watch.scorers import Mahalanobis, RobustZ, Scorer

METHODS: dict[str, type[Scorer]] = {one.name: one for one in (RobustZ, Mahalanobis, Autoencoder)}


def find(method: str) -> type[Scorer]:
    """Return the scorer of a method.

    Raises:
        ZooValueError: if there is none; names the nearest.
    """
    if method not in METHODS:
        raise unknown("method", method, METHODS)
    return METHODS[method]
