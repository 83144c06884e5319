"""Two texts read each other: soft alignments in both directions."""

from typing import Any

import keras
from keras import ops

from attention_zoo.checks import whole_number
from attention_zoo.core import Masks, Parts, Site, attend, get_part, site_path, tap
from attention_zoo.core.masks import MASKED
from attention_zoo.errors import ZooValueError
from attention_zoo.layers.memory.energies import over_memory


@keras.saving.register_keras_serializable(package="attention_zoo")
class DecomposableAlignment(keras.layers.Layer):
    """Give each word of one text the words of the other that it corresponds to, and the other way round.

    e_ij = F(a_i) . F(b_j), output_1[i] = sum_j softmax_j(e_ij) b_j, output_2[j] = sum_i softmax_i(e_ij) a_i

    Args:
        units: width of both layers of the network F (ReLU); None is the width of the first text.

    Call:
        first: [batch, length, width].
        second: [batch, other length, other width]; the widths must be equal, as both are read by F.
        first_mask: bool [batch, length]; False marks padding.
        second_mask: bool [batch, other length]; likewise.

    Returns:
        [batch, length, width], what the second text says to the first; [batch, other length, width], the first to the
        second. Without a word to see a row is zero.

    Raises:
        ZooValueError: if units is under 1, or the widths differ.

    Cost: time batch x length x other length x units, memory batch x length x other length where a map is formed.
    Source: Parikh et al. 2016, arXiv:1606.01933, section 3.1; ESIM (Chen et al. 2016, arXiv:1609.06038, section 3.2)
    is the same with the identity for F.
    """

    def __init__(self, units: int | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        if units is not None:
            whole_number("units", units)
        self.supports_masking = True
        self.units = units
        self.score = get_part("score", None, "dot", self.dtype_policy)

    def get_config(self) -> dict:
        return {**super().get_config(), "units": self.units}

    def build(self, first_shape: Any, second_shape: Any) -> None:
        width = first_shape[-1]
        if second_shape[-1] != width:
            raise ZooValueError(f"first and second must have one width, got {width} and {second_shape[-1]}")
        units, policy = self.units or width, {"dtype": self.dtype_policy}
        self.inner = keras.layers.Dense(units, "relu", name="inner", **policy)
        self.outer = keras.layers.Dense(units, "relu", name="outer", **policy)
        for dense, size in ((self.inner, width), (self.outer, units)):
            dense.build((None, None, size))
            dense.supports_masking = True

    def call(self, first: Any, second: Any, first_mask: Any = None, second_mask: Any = None) -> Any:
        one, other = (self.outer(self.inner(text)) for text in (first, second))
        read = self._read("first", one, other, second, second_mask)
        return read, self._read("second", other, one, first, first_mask)

    def _read(self, name: str, query: Any, key: Any, value: Any, mask: Any) -> Any:
        """Read `value` with one head."""
        query, key, value = (ops.expand_dims(array, 2) for array in (query, key, value))
        parts, path = Parts.plain()._replace(score=self.score), f"{site_path(self)}/{name}"
        return ops.squeeze(attend(query, key, value, path=path, parts=parts, masks=Masks(keys=mask)).output, 2)

    def compute_mask(self, first: Any, mask: Any = None) -> None:
        """Return None: each output has the mask of its own text, which the caller knows."""
        return None

    def compute_output_shape(self, first_shape: Any, second_shape: Any) -> tuple:
        return tuple(first_shape), tuple(second_shape)


@keras.saving.register_keras_serializable(package="attention_zoo")
class BidirectionalFlow(keras.layers.Layer):
    """Read a question into a context, word by word and as a whole (BiDAF).

    s_tj = w . [h_t; u_j; h_t * u_j], u'_t = sum_j softmax_j(s_tj) u_j, h' = sum_t softmax_t(max_j s_tj) h_t,
    output_t = [h_t; u'_t; h_t * u'_t; h_t * h']

    Call:
        context: [batch, time, width].
        question: [batch, word, width].
        context_mask: bool [batch, time]; False marks padding.
        question_mask: bool [batch, word]; likewise.

    Returns:
        [batch, time, 4 x width].

    Raises:
        ZooValueError: if context and question differ in width.

    Cost: time batch x time x word x width, memory batch x time x (word + width).
    Source: Seo et al. 2016, arXiv:1611.01603, section 2, layer 4, equations 1 and 2.
    """

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True

    def build(self, context_shape: Any, question_shape: Any) -> None:
        width = context_shape[-1]
        if question_shape[-1] != width:
            raise ZooValueError(f"context and question must have one width, got {width} and {question_shape[-1]}")
        shape = {"shape": (width,), "initializer": "random_normal"}
        self.of_context, self.of_question, self.of_product = (
            self.add_weight(name=name, **shape) for name in ("of_context", "of_question", "of_product")
        )

    def call(self, context: Any, question: Any, context_mask: Any = None, question_mask: Any = None) -> Any:
        context_part, question_part, product = (
            ops.cast(weight, context.dtype) for weight in (self.of_context, self.of_question, self.of_product)
        )
        # w . [h; u; h * u] is a sum of three, so that no array has an entry for each pair and channel.
        scores = ops.matmul(context * product, ops.transpose(question, (0, 2, 1)))
        scores = scores + ops.sum(context * context_part, axis=-1, keepdims=True)
        scores = ops.cast(scores + ops.expand_dims(ops.sum(question * question_part, axis=-1), 1), "float32")
        back_mask = over_memory(context_mask)
        best = ops.max(_hidden(scores, over_memory(question_mask)), axis=-1)
        back = self._weigh("back", ops.expand_dims(best, 1), back_mask, context.dtype)
        forth = self._weigh("forth", scores, over_memory(question_mask), context.dtype)
        asked, whole = ops.matmul(forth, question), ops.matmul(back, context)
        return ops.concatenate([context, asked, context * asked, context * whole], axis=-1)

    def _weigh(self, name: str, scores: Any, mask: Any, dtype: Any) -> Any:
        """Take the softmax of scores [batch, query, key] and show it."""
        weights = ops.softmax(_hidden(scores, mask), axis=-1)
        weights = weights if mask is None else ops.where(mask, weights, 0.0)
        return tap(Site(f"{site_path(self)}/{name}", "mix", ("batch", "query", "key")), ops.cast(weights, dtype))

    def compute_output_shape(self, context_shape: Any, question_shape: Any) -> tuple:
        return (*context_shape[:-1], 4 * context_shape[-1])


def _hidden(scores: Any, mask: Any) -> Any:
    """Set hidden scores to a very low value."""
    return scores if mask is None else ops.where(mask, scores, MASKED)
