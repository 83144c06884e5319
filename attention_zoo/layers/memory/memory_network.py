"""Memory networks: a question reads the memory again and again, each time with what it has found."""

from typing import Any

import keras
from keras import ops

from attention_zoo.checks import whole_number
from attention_zoo.core import Masks, Parts, attend, get_part, site_path
from attention_zoo.errors import ZooValueError, unknown

TYINGS = ("adjacent", "layer_wise", "none")


class _Hops(keras.layers.Layer):
    """Shared by the memory networks: reads by plain inner products, several times."""

    def __init__(self, hops: int = 3, units: int | None = None, normalizer: Any = None, **kwargs: Any):
        super().__init__(**kwargs)
        whole_number("hops", hops)
        if units is not None:
            whole_number("units", units)
        self.supports_masking = True
        self.hops, self.units = hops, units
        self.score = get_part("score", None, "dot", self.dtype_policy)
        self.normalizer = get_part("normalizer", normalizer, "softmax", self.dtype_policy)

    def get_config(self) -> dict:
        config = {**super().get_config(), "hops": self.hops, "units": self.units}
        config["normalizer"] = keras.saving.serialize_keras_object(self.normalizer)
        return config

    def dense(self, name: str, units: int, width: int) -> keras.layers.Layer:
        """Make and build a projection of the last axis without a bias."""
        dense = keras.layers.Dense(units, use_bias=False, name=name, dtype=self.dtype_policy)
        dense.build((None, None, width))
        dense.supports_masking = True
        return dense

    def read(self, hop: int, query: Any, key: Any, value: Any, mask: Any, training: bool | None) -> Any:
        """Read the memory once; all arrays are [batch, length, units]."""
        parts = Parts.plain()._replace(score=self.score, normalizer=self.normalizer)
        query, key, value = (ops.expand_dims(array, 2) for array in (query, key, value))
        path, masks = f"{site_path(self)}/hop_{hop + 1}", Masks(keys=mask)
        return ops.squeeze(attend(query, key, value, path=path, parts=parts, masks=masks, training=training).output, 2)

    def compute_output_shape(self, query_shape: Any, *shapes: Any, **named: Any) -> tuple:
        return (*query_shape[:-1], self.units or query_shape[-1])


@keras.saving.register_keras_serializable(package="attention_zoo")
class EndToEndMemory(_Hops):
    """Ask a memory several times, adding what each reading brings to the question.

    u_1 = B q, o_k = sum_i softmax_i(u_k . A_k m_i) C_k m_i, u_(k+1) = u_k + o_k

    Args:
        hops: readings, at least 1.
        units: channels of questions and memories; None is the width of the query.
        tying: "adjacent" (A_(k+1) = C_k), "layer_wise" (one A, one C, and u_(k+1) = H u_k + o_k) or "none".
        normalizer: how scores become weights, by name, dict or object; None is "softmax".

    Call:
        query: [batch, width], or several questions [batch, query, width].
        memory: [batch, key, memory width], the memories as vectors.
        query_mask: bool [batch, query]; passed on, changes nothing here.
        memory_mask: bool [batch, key]; False marks padding.

    Returns:
        u after the last reading, [batch, units] or [batch, query, units]; one map for each hop.

    Raises:
        ZooValueError: if hops or units is under 1, or tying is unknown.

    Cost: time and memory batch x hops x (query + memory width) x key x units.
    Source: Sukhbaatar et al. 2015, arXiv:1503.08895, sections 2.1 and 2.2. Differs: the memories come as vectors, with
    their temporal marks (4.1) if any; B is a matrix of its own under every tying, and the answer's W is the caller's.
    """

    def __init__(self, hops: int = 3, units: int | None = None, tying: str = "adjacent", **kwargs: Any):
        super().__init__(hops, units, **kwargs)
        if tying not in TYINGS:
            raise unknown("tying", tying, TYINGS)
        self.tying = tying

    def get_config(self) -> dict:
        return {**super().get_config(), "tying": self.tying}

    def build(self, query_shape: Any, memory_shape: Any) -> None:
        units, width = self.units or query_shape[-1], memory_shape[-1]
        self.query_dense = self.dense("query", units, query_shape[-1])
        count = {"adjacent": self.hops + 1, "layer_wise": 2, "none": 2 * self.hops}[self.tying]
        self.memories = [self.dense(f"memory_{index + 1}", units, width) for index in range(count)]
        if self.tying == "layer_wise":
            self.state_dense = self.dense("state", units, units)

    def call(
        self, query: Any, memory: Any, query_mask: Any = None, memory_mask: Any = None, training: bool | None = None
    ) -> Any:
        state = self.query_dense(ops.expand_dims(query, 1) if len(query.shape) == 2 else query)
        memories = [dense(memory) for dense in self.memories]
        for hop in range(self.hops):
            first = {"adjacent": hop, "layer_wise": 0, "none": 2 * hop}[self.tying]
            found = self.read(hop, state, memories[first], memories[first + 1], memory_mask, training)
            state = found + (self.state_dense(state) if self.tying == "layer_wise" else state)
        return ops.squeeze(state, 1) if len(query.shape) == 2 else state


@keras.saving.register_keras_serializable(package="attention_zoo")
class KeyValueMemory(_Hops):
    """Find memories by their keys, take their values, and ask again.

    q_1 = A q, o_j = sum_i softmax_i(q_j . A k_i) A v_i, q_(j+1) = R_j (q_j + o_j)

    Args:
        hops: readings, at least 1.
        units: channels of questions and memories; None is the width of the query.
        tied: True uses one A for questions, keys and values, which must then have one width; False gives each its own.
        normalizer: how scores become weights, by name, dict or object; None is "softmax".

    Call:
        query: [batch, width], or several questions [batch, query, width].
        keys: [batch, key, key width].
        values: [batch, key, value width].
        query_mask: bool [batch, query]; passed on, changes nothing here.
        keys_mask: bool [batch, key]; False marks padding.

    Returns:
        q after the last reading, [batch, units] or [batch, query, units]; one map for each hop.

    Raises:
        ZooValueError: if hops or units is under 1, or widths differ where they must not.

    Cost: time and memory batch x (hops x query + key width) x key x units.
    Source: Miller et al. 2016, arXiv:1606.03126, section 3.1. Differs: the features come as vectors; the answer's B is
    the caller's.
    """

    def __init__(self, hops: int = 2, units: int | None = None, tied: bool = True, **kwargs: Any):
        super().__init__(hops, units, **kwargs)
        self.tied = tied

    def get_config(self) -> dict:
        return {**super().get_config(), "tied": self.tied}

    def build(self, query_shape: Any, keys_shape: Any, values_shape: Any) -> None:
        widths = [shape[-1] for shape in (query_shape, keys_shape, values_shape)]
        units = self.units or widths[0]
        if self.tied and len(set(widths)) > 1:
            raise ZooValueError(f"query, keys and values must have one width where tied, got widths {widths}")
        names = ("query",) if self.tied else ("query", "key", "value")
        self.features = [self.dense(name, units, width) for name, width in zip(names, widths)]
        self.states = [self.dense(f"state_{hop + 1}", units, units) for hop in range(self.hops)]

    def call(
        self,
        query: Any,
        keys: Any,
        values: Any,
        query_mask: Any = None,
        keys_mask: Any = None,
        training: bool | None = None,
    ) -> Any:
        state = self.features[0](ops.expand_dims(query, 1) if len(query.shape) == 2 else query)
        keys, values = self.features[-2:][0](keys), self.features[-1](values)
        for hop in range(self.hops):
            state = self.states[hop](state + self.read(hop, state, keys, values, keys_mask, training))
        return ops.squeeze(state, 1) if len(query.shape) == 2 else state
