"""A weighted average with a map that a head should look like."""

from typing import Any

import keras
from keras import ops

from attention_zoo.calibrate.layout import places
from attention_zoo.calibrate.rules import Towards, uniform
from attention_zoo.checks import whole_number
from attention_zoo.errors import ZooValueError, unknown

REFERENCES = ("uniform", "diagonal", "mean")


@keras.saving.register_keras_serializable(package="attention_zoo")
class BlendRule(Towards):
    """Average each map with a reference.

    output = (1 - strength) w + strength sum(w) reference

    Args:
        reference: "uniform" (all that may be seen alike), "diagonal" (near places more, a prior for alignments and
            local heads), or "mean" (the running mean of what the head did on the data it was shown by `settle`).
        width: of the diagonal, standard deviation in places scaled to 0 ... 1.
        bins: of the running mean, along queries and along keys, whose places are scaled to 0 ... 1.
        strength: as `Towards`.

    Raises:
        ZooValueError: if an argument is outside its range.

    Source: uniform: as attention smoothing, Chorowski et al. 2015, arXiv:1506.07503, section 2.2 (other form);
    diagonal: Tachibana et al. 2017, arXiv:1710.08969, section 4.1 (there a penalty).
    """

    def __init__(
        self, reference: str = "uniform", width: float = 0.2, bins: int = 16, strength: Any = 0.0, **kwargs: Any
    ):
        super().__init__(strength, **kwargs)
        if reference not in REFERENCES:
            raise unknown("reference", reference, REFERENCES)
        if not width > 0:
            raise ZooValueError(f"width must be positive (places of 0 ... 1), got {width}")
        self.reference, self.width = reference, width
        self.bins = whole_number("bins", bins, unit="along each side")

    @property
    def by_row(self) -> bool:
        """True where the reference does not ask for the place of the query among all queries."""
        return self.reference == "uniform"

    def get_config(self) -> dict:
        own = {"reference": self.reference, "width": self.width, "bins": self.bins}
        return {**super().get_config(), **own}

    def add_parameters(self) -> None:
        super().add_parameters()
        if self.reference == "mean":
            size = (self.heads, self.bins, self.bins)
            self.mean = self.add_weight(shape=size, initializer="ones", trainable=False, name="mean")
            self.count = self.add_weight(shape=(), initializer="zeros", trainable=False, name="count")

    def other(self, weights: Any, allowed: Any) -> Any:
        if self.reference == "uniform":
            return uniform(weights, allowed)
        query, key = _places(weights, allowed)
        if self.reference == "diagonal":
            nearness = ops.exp(ops.square(key - query) * (-0.5 / self.width**2))
        else:
            nearness = self._read(query, key)
        nearness = nearness * ops.cast(allowed, "float32") * ops.ones_like(weights)
        total = ops.sum(nearness, axis=-1, keepdims=True)
        return nearness * (ops.sum(weights, axis=-1, keepdims=True) / ops.where(total > 0, total, 1.0))

    def _bin(self, places: Any) -> Any:
        return ops.one_hot(ops.cast(ops.minimum(places * self.bins, self.bins - 1.0), "int32"), self.bins)

    def _read(self, query: Any, key: Any) -> Any:
        rows, columns = self._bin(ops.squeeze(query, -1)), self._bin(ops.squeeze(key, -2))
        # Products, not one einsum: that wants axes of one size, and rows and columns are the same for all heads.
        read = ops.matmul(rows, ops.expand_dims(ops.convert_to_tensor(self.mean), 0))
        return ops.matmul(read, ops.transpose(columns, (0, 1, 3, 2)))

    def settle(self, weights: Any, allowed: Any) -> None:
        """Take maps into the running mean; outside of `call`, which changes nothing that is kept.

        Args:
            weights: float32 [batch, head, query, key].
            allowed: bool, broadcasting to it.
        """
        query, key = _places(weights, allowed)
        rows, columns = self._bin(ops.squeeze(query, -1)), self._bin(ops.squeeze(key, -2))
        rows = rows * ops.ones_like(weights[:, :, :, :1])
        columns = columns * ops.ones_like(ops.expand_dims(weights[:, :, 0, :], -1))
        sums = ops.einsum("bhqk,bhqi,bhkj->hij", weights, rows, columns)
        pairs = ops.einsum("bhqi,bhkj->hij", rows, columns)
        batch = ops.where(pairs > 0, sums / ops.maximum(pairs, 1.0), 0.0)
        seen = float(self.count) + 1.0
        self.mean.assign(batch if seen == 1.0 else self.mean + (batch - self.mean) / seen)
        self.count.assign(seen)


def _places(weights: Any, allowed: Any) -> tuple[Any, Any]:
    """Return the places 0 ... 1 of queries [batch, 1, query, 1] and keys [batch, 1, 1, key], among what is shown."""
    seen = ops.cast(allowed, "float32") * ops.ones_like(weights[:, :1])
    queries, keys = ops.max(seen, axis=3), ops.max(seen, axis=2)
    return ops.expand_dims(places(queries), 3), ops.expand_dims(places(keys), 2)
