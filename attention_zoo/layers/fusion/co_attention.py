"""Co-attention: two modalities, each summed up with an eye on the other."""

from typing import Any

import keras
from keras import ops

from attention_zoo.checks import whole_number
from attention_zoo.core import Site, get_part, site_path, tap
from attention_zoo.layers.fusion.dense import project, shown


class _CoAttention(keras.layers.Layer):
    """Shared by the two kinds: arguments, and the weighted sum."""

    def __init__(self, units: int, normalizer: Any = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True
        self.units = whole_number("units", units, unit="hidden channels")
        self.normalizer = get_part("normalizer", normalizer, "softmax", self.dtype_policy)

    def get_config(self) -> dict:
        own = {"units": self.units, "normalizer": keras.saving.serialize_keras_object(self.normalizer)}
        return {**super().get_config(), **own}

    def _sum_up(self, name: str, inputs: Any, scores: Any, mask: Any, training: bool | None) -> Any:
        """Weigh inputs [batch, length, width] by scores [batch, length, 1] and sum."""
        seen = None if mask is None else ops.expand_dims(ops.cast(mask, "bool"), 1)
        mask = None if mask is None else ops.expand_dims(seen, 1)
        scores = ops.expand_dims(ops.swapaxes(scores, 1, 2), 1)
        weights = ops.squeeze(self.normalizer.normalize(scores, mask, training), 1)
        weights = ops.cast(weights, inputs.dtype)
        weights = tap(Site(f"{site_path(self)}/{name}", "mix", ("batch", "head", "key")), weights, seen)
        return ops.squeeze(ops.matmul(weights, inputs), 1)

    def _build_normalizer(self, width: int) -> None:
        """Give the normalizer its weights, if it has any."""
        if not self.normalizer.built:
            self.normalizer.build((1, width, width, width))

    def compute_mask(self, first: Any, second: Any = None, first_mask: Any = None, second_mask: Any = None) -> Any:
        """Drop the masks of the lengths, which are gone."""
        return None, None

    def compute_output_shape(self, first_shape: Any, second_shape: Any) -> tuple:
        return (first_shape[0], first_shape[-1]), (second_shape[0], second_shape[-1])


@keras.saving.register_keras_serializable(package="attention_zoo")
class ParallelCoAttention(_CoAttention):
    """Sum up two modalities at once, each by what its positions have in common with all positions of the other.

    C = tanh(F W_b S^T)
    H_f = tanh(F W_f + C S W_s), H_s = tanh(S W_s + C^T F W_f)
    first = normalize(H_f w_f) F, second = normalize(H_s w_s) S

    Args:
        units: hidden channels of the scores.
        normalizer: how scores become weights, by name, dict or object; None is "softmax".

    Call:
        first: F, [batch, length of first, width of first].
        second: S, [batch, length of second, width of second].
        first_mask, second_mask: bool [batch, length]; False marks padding. All False is a missing modality: its own
            sum is zero, and the other is summed up as if there were no affinity (C = 0).

    Returns:
        the pair [batch, width of first], [batch, width of second].

    Raises:
        ZooValueError: if units < 1.

    Cost: time and memory batch x length of first x length of second, and units times the sum of both.
    Source: Lu et al. 2016, arXiv:1606.00061, section 3.3, equations 3 to 5.
    """

    def build(self, first_shape: Any, second_shape: Any) -> None:
        first, second = first_shape[-1], second_shape[-1]
        self.affinity = project(self, "affinity", second, first, use_bias=False)
        self.first_hidden = project(self, "first_hidden", self.units, first, use_bias=False)
        self.second_hidden = project(self, "second_hidden", self.units, second, use_bias=False)
        self.first_score = project(self, "first_score", 1, self.units, use_bias=False)
        self.second_score = project(self, "second_score", 1, self.units, use_bias=False)
        self._build_normalizer(self.units)

    def call(
        self,
        first: Any,
        second: Any,
        first_mask: Any = None,
        second_mask: Any = None,
        training: bool | None = None,
    ) -> Any:
        first, second = shown(first, first_mask), shown(second, second_mask)
        # What is hidden is zero by now, and so is its affinity: the hyperbolic tangent of zero.
        common = ops.tanh(ops.matmul(self.affinity(first), ops.swapaxes(second, 1, 2)))
        first_hidden, second_hidden = self.first_hidden(first), self.second_hidden(second)
        with_second = ops.tanh(first_hidden + ops.matmul(common, second_hidden))
        with_first = ops.tanh(second_hidden + ops.matmul(ops.swapaxes(common, 1, 2), first_hidden))
        return (
            self._sum_up("first", first, self.first_score(with_second), first_mask, training),
            self._sum_up("second", second, self.second_score(with_first), second_mask, training),
        )


@keras.saving.register_keras_serializable(package="attention_zoo")
class AlternatingCoAttention(_CoAttention):
    """Sum up the first modality, with that the second, and with that the first once more.

    sum(X, g) = normalize(tanh(X W_x + g W_g) w) X
    start = sum(F, 0), second = sum(S, start), first = sum(F, second)

    Args:
        units: hidden channels of the scores.
        normalizer: how scores become weights, by name, dict or object; None is "softmax".

    Call:
        first: F, [batch, length of first, width of first].
        second: S, [batch, length of second, width of second].
        first_mask, second_mask: bool [batch, length]; False marks padding. All False is a missing modality: its sum is
            zero and guides nobody.

    Returns:
        the pair [batch, width of first], [batch, width of second].

    Raises:
        ZooValueError: if units < 1.

    Cost: time and memory batch x units x the sum of both lengths.
    Source: Lu et al. 2016, arXiv:1606.00061, section 3.3, equation 6. The three steps have weights of their own.
    """

    def build(self, first_shape: Any, second_shape: Any) -> None:
        first, second = first_shape[-1], second_shape[-1]
        self.steps = {}
        for name, width, guide in (("start", first, None), ("second", second, first), ("first", first, second)):
            step = {"hidden": project(self, f"{name}_hidden", self.units, width, use_bias=False)}
            if guide is not None:
                step["guide"] = project(self, f"{name}_guide", self.units, guide, use_bias=False)
            step["score"] = project(self, f"{name}_score", 1, self.units, use_bias=False)
            self.steps[name] = step
        self._build_normalizer(self.units)

    def call(
        self,
        first: Any,
        second: Any,
        first_mask: Any = None,
        second_mask: Any = None,
        training: bool | None = None,
    ) -> Any:
        start = self._step("start", first, None, first_mask, training)
        read = self._step("second", second, start, second_mask, training)
        return self._step("first", first, read, first_mask, training), read

    def _step(self, name: str, inputs: Any, guide: Any, mask: Any, training: bool | None) -> Any:
        """Sum up `inputs` under the guidance of a vector [batch, width], or of none."""
        step, inputs = self.steps[name], shown(inputs, mask)
        hidden = step["hidden"](inputs)
        if guide is not None:
            hidden = hidden + ops.expand_dims(step["guide"](guide), 1)
        return self._sum_up(name, inputs, step["score"](ops.tanh(hidden)), mask, training)
