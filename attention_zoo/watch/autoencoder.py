"""A small network that has seen what statistics of heads go together; run here in NumPy."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import numpy as np

from attention_zoo.errors import ZooValueError
from attention_zoo.watch.columns import Columns
from attention_zoo.watch.scorers import Scorer
from attention_zoo.watch.windows import MAD

CLIP = 4.0  # distances read by the network; without a bound one broken head would spoil what it says of the others
LEAST = 0.25  # spread of the error of a statistic (in its own spreads) under which rounding would count


class Autoencoder(Scorer):
    """Score a head by how far its statistics are from what a network restores out of those of all heads.

        error = (z - network(clip(z, -4, 4))) / its usual spread
        score = sqrt(mean over the head's statistics of error^2)

    Dense layers, tanh between them, none after the last. They are trained in `calibrate.AttentionDetector`.

    Args:
        layers: kernel [in, out] and bias [out] of each.
        spread: of the error of each column, [columns].
        columns: of the distances.
    """

    name = "autoencoder"

    def __init__(self, layers: Sequence[tuple[np.ndarray, np.ndarray]], spread: np.ndarray, columns: Columns):
        self.layers = [(np.asarray(kernel), np.asarray(bias)) for kernel, bias in layers]
        self.spread, self.columns = spread, columns
        sizes = np.diff(np.append(columns.starts, len(columns)))
        self._sizes = sizes.astype(np.float64)

    @classmethod
    def learn(cls, distances: np.ndarray, columns: Columns, train: Callable[..., Any] | None, seed: int) -> Self:
        if train is None:
            raise ZooValueError("the method 'autoencoder' is trained by attention_zoo.calibrate.AttentionDetector")
        found = cls(train(np.clip(distances, -CLIP, CLIP), columns, seed), np.ones(len(columns)), columns)
        errors = distances - found.restored(distances)
        found.spread = np.maximum(MAD * np.median(np.abs(errors), axis=0), LEAST)
        return found

    def restored(self, distances: np.ndarray) -> np.ndarray:
        """Return what the network makes of distances, [windows, columns]."""
        values = np.clip(distances, -CLIP, CLIP)
        for number, (kernel, bias) in enumerate(self.layers):
            values = values @ kernel + bias
            values = np.tanh(values) if number < len(self.layers) - 1 else values
        return values

    def scores(self, distances: np.ndarray) -> np.ndarray:
        errors = ((distances - self.restored(distances)) / self.spread) ** 2
        return np.sqrt(np.add.reduceat(errors, self.columns.starts, axis=1) / self._sizes)

    def arrays(self) -> dict[str, np.ndarray]:
        layers = {}
        for number, (kernel, bias) in enumerate(self.layers):
            layers |= {f"kernel_{number}": kernel, f"bias_{number}": bias}
        return {"spread": self.spread, **layers}

    @classmethod
    def restore(cls, arrays: Mapping[str, np.ndarray], columns: Columns) -> Self:
        count = sum(name.startswith("kernel_") for name in arrays)
        layers = [(arrays[f"kernel_{number}"], arrays[f"bias_{number}"]) for number in range(count)]
        widths = [len(columns), *(len(bias) for _, bias in layers)]
        fits = [kernel.shape == (width, len(bias)) for width, (kernel, bias) in zip(widths, layers)]
        if not layers or not all(fits) or widths[-1] != len(columns) or arrays["spread"].shape != (len(columns),):
            raise ValueError("the layers do not fit")
        return cls(layers, arrays["spread"], columns)
