"""What a training may ask of attention besides its task: losses on the maps, each for sites of its own."""

import abc
from typing import Any

import keras
from keras import ops

from attention_zoo.calibrate.capture import a_model, untrained
from attention_zoo.calibrate.chosen import by_site, fits, fitting
from attention_zoo.calibrate.layout import as_rows, evenness, places
from attention_zoo.calibrate.probe import dotted
from attention_zoo.core.tape import Seen, Tape
from attention_zoo.errors import ZooValueError


class Penalty(abc.ABC):
    """Base of penalties.

    Args:
        weight: factor of the loss; 0 or more.

    Raises:
        ZooValueError: if it is negative.
    """

    def __init__(self, weight: float = 0.01):
        if isinstance(weight, bool) or not weight >= 0:
            raise ZooValueError(f"weight must be at least 0 (factor of the loss), got {weight!r}")
        self.weight = weight

    def get_config(self) -> dict:
        """Return the arguments, for saving."""
        return {"weight": self.weight}

    @classmethod
    def from_config(cls, config: dict) -> "Penalty":
        """Make a penalty of what `get_config` gave."""
        return cls(**config)

    @abc.abstractmethod
    def of(self, shares: Any, seen: Any) -> Any:
        """Return the penalty of each head, [batch, head].

        Args:
            shares: float32 [batch, head, query, key], rows sum to 1, or to 0 where nothing may be seen.
            seen: float32 of the same shape: 1 where a pair may meet.
        """


def _mean(values: Any, rows: Any) -> Any:
    """Return the mean of [batch, head, query] over rows that count."""
    return ops.sum(values * rows, axis=-1) / ops.maximum(ops.sum(rows, axis=-1), 1.0)


@keras.saving.register_keras_serializable(package="attention_zoo")
class EntropyPenalty(Penalty):
    """Hold entropy / log(keys) within a band: (how far it is outside)^2.

    Args:
        low: the least entropy, 0 to 1.
        high: the most.
        weight: factor of the loss.

    Source: Zhai et al. 2023, arXiv:2303.06296 (collapse of entropy).
    """

    def __init__(self, low: float = 0.1, high: float = 1.0, weight: float = 0.01):
        super().__init__(weight)
        if not 0 <= low <= high <= 1:
            raise ZooValueError(
                f"low and high must be 0 <= low <= high <= 1 (entropy / log keys), got {low} and {high}"
            )
        self.low, self.high = low, high

    def get_config(self) -> dict:
        return {**super().get_config(), "low": self.low, "high": self.high}

    def of(self, shares: Any, seen: Any) -> Any:
        even = _mean(*evenness(shares, seen))
        return ops.square(ops.maximum(self.low - even, 0.0) + ops.maximum(even - self.high, 0.0))


@keras.saving.register_keras_serializable(package="attention_zoo")
class DiversityPenalty(Penalty):
    """Ask heads to look at different places: mean cosine of each head's rows with those of the others.

    Source: Li et al. 2018, arXiv:1810.10183, section 3.2 (disagreement on attended positions, by cosine here).
    """

    def of(self, shares: Any, seen: Any) -> Any:
        rows = ops.cast(ops.sum(seen, axis=-1) > 0, "float32")
        heads = shares.shape[1]
        if heads == 1:
            return ops.zeros_like(rows[:, :, 0])
        length = ops.sqrt(ops.maximum(ops.sum(ops.square(shares), axis=-1, keepdims=True), 1e-12))
        units = shares / length
        alike = ops.sum(units * (ops.sum(units, axis=1, keepdims=True) - units), axis=-1) / (heads - 1)
        return _mean(alike, rows)


@keras.saving.register_keras_serializable(package="attention_zoo")
class GuidedPenalty(Penalty):
    """Ask for weight near the diagonal, where input and output go on at one pace (speech).

    sum over keys of p (1 - exp(-delta^2 / (2 width^2))), delta between places of 0 ... 1

    Args:
        width: of the diagonal, places of 0 ... 1; positive.
        weight: factor of the loss.

    Source: Tachibana et al. 2017, arXiv:1710.08969, section 4.1.
    """

    def __init__(self, width: float = 0.2, weight: float = 0.01):
        super().__init__(weight)
        if not width > 0:
            raise ZooValueError(f"width must be positive (places of 0 ... 1), got {width}")
        self.width = width

    def get_config(self) -> dict:
        return {**super().get_config(), "width": self.width}

    def of(self, shares: Any, seen: Any) -> Any:
        rows, keys = ops.max(seen, axis=3), ops.max(seen, axis=2)
        delta = ops.expand_dims(places(keys), 2) - ops.expand_dims(places(rows), 3)
        far = 1.0 - ops.exp(ops.square(delta) * (-0.5 / self.width**2))
        return _mean(ops.sum(shares * far, axis=-1), rows)


@keras.saving.register_keras_serializable(package="attention_zoo")
class CoveragePenalty(Penalty):
    """Ask that every key is looked at by someone, and none over and over: sum over queries of min(p, coverage before).

    Source: See, Liu, Manning 2017, arXiv:1704.04368, section 2.3.
    """

    def of(self, shares: Any, seen: Any) -> Any:
        before = ops.cumsum(shares, axis=2) - shares
        rows = ops.cast(ops.sum(seen, axis=-1) > 0, "float32")
        return _mean(ops.sum(ops.minimum(shares, before), axis=-1), rows)


PENALTIES: dict[str, type[Penalty]] = {
    "entropy": EntropyPenalty,
    "diversity": DiversityPenalty,
    "guided": GuidedPenalty,
    "coverage": CoveragePenalty,
}


@keras.saving.register_keras_serializable(package="attention_zoo")
class Penalized(keras.Model):
    """A model that adds penalties on its maps to the loss while it is trained; what it answers is the same.

    Args:
        model: the model; its weights are shared.
        penalties: pairs of a glob on sites ("/" written ".") and a `Penalty`.

    Call:
        inputs: what `model` takes.

    Returns:
        What `model` returns.

    Raises:
        ZooValueError: in training, if a glob finds no site that mixes.
    """

    def __init__(self, model: keras.Model, penalties: Any, **kwargs: Any):
        super().__init__(**kwargs)
        self.model, self.penalties = model, [(glob, one) for glob, one in penalties]
        self.built = True

    def build(self, input_shape: Any = None) -> None:
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        if not training:
            return self.model(inputs, training=training)
        losses: list[Any] = []
        sites = []

        def judge(seen: Seen) -> Any:
            if seen.site.kind == "mix":
                sites.append(dotted(seen.site.path))
                losses.extend(self._judged(seen))
            return seen.weights

        with Tape(judge, keep=False):
            output = self.model(inputs, training=training)
        for glob, _ in self.penalties:
            fitting(glob, sites, "penalties")
        if losses:
            self.add_loss(sum(losses))
        return output

    def _judged(self, seen: Seen) -> list[Any]:
        wanted = [one for glob, one in self.penalties if fits(glob, dotted(seen.site.path))]
        if not wanted:
            return []
        rows, allowed = as_rows(ops.cast(seen.weights, "float32"), seen.mask, seen.site.axes)
        total = ops.sum(rows, axis=-1, keepdims=True)
        shares, shown = rows / ops.where(total > 0, total, 1.0), ops.cast(allowed, "float32") * ops.ones_like(rows)
        return [one.weight * ops.mean(one.of(shares, shown)) for one in wanted]

    def get_config(self) -> dict:
        listed = [[glob, keras.saving.serialize_keras_object(one)] for glob, one in self.penalties]
        return {**super().get_config(), "model": untrained(self.model), "penalties": listed}

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> "Penalized":
        def made(described: Any) -> Any:
            return keras.saving.deserialize_keras_object(described, custom_objects=custom_objects)

        listed = [(glob, made(one)) for glob, one in config["penalties"]]
        return cls(**{**config, "model": made(config["model"]), "penalties": listed})


def penalize(model: keras.Model, penalties: Any) -> Penalized:
    """Let a training ask something of attention besides its task.

    Args:
        model: any Keras model; its maps come from the layers of the zoo in it.
        penalties: a `Penalty` or a name of `PENALTIES`, a list of them, or a dict from globs on sites to such.

    Returns:
        A model that shares the weights of `model`; compile and fit it, then go on with `model`.

    Raises:
        ZooTypeError: if `model` is no Keras model, or a penalty is none.
        ZooValueError: if no penalty has this name.
    """
    return Penalized(a_model(model), by_site(penalties, Penalty, PENALTIES, "penalty"))
