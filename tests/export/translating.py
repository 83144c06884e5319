"""A network that translates in miniature: what a decoder must have, and nothing else."""

import keras
import numpy as np
from keras import layers, ops

from attention_zoo.core import cache

VOCABULARY, WIDTH, EOS = 30, 8, 3


@keras.saving.register_keras_serializable("export_tests")
class LittleDecoder(layers.Layer):
    """Read what was said by attention (a cache), its sum and number (replaced at each step), and the source.

    The longer it speaks the more it wants to end.
    """

    growing = ("past",)

    def __init__(self, scale=2.0, watched=True, **kwargs):
        super().__init__(**kwargs)
        self.scale, self.watched = scale, watched

    def build(self, target_ids_shape, memory_shape):
        def weight(name, *shape):
            return self.add_weight(shape=shape, name=name)

        self.table, self.first = weight("table", VOCABULARY, WIDTH), weight("first", memory_shape[-1], WIDTH)
        self.keys, self.scores = weight("keys", memory_shape[-1], WIDTH), weight("scores", WIDTH, VOCABULARY)

    def compute_output_shape(self, target_ids_shape, memory_shape):
        return (*target_ids_shape, VOCABULARY)

    def prepare(self, memory, memory_mask=None):
        mask = ops.ones(ops.shape(memory)[:2], "bool") if memory_mask is None else memory_mask
        counted = ops.cast(ops.expand_dims(mask, -1), memory.dtype)
        mean = ops.sum(memory * counted, axis=1) / ops.sum(counted, axis=1)
        return {"keys": ops.matmul(memory, self.keys), "mask": mask, "mean": ops.matmul(mean, self.first)}

    def start(self, prepared, rows, length):
        beams = rows // ops.shape(prepared["mean"])[0]
        total = ops.repeat(prepared["mean"], beams, axis=0)
        past = ops.zeros((rows, length, WIDTH), dtype=self.compute_dtype)
        return {"past": past, "total": total, "count": total[:, :1] * 0.0}

    def step(self, token_ids, state, prepared, index, need_weights=False):
        token = ops.take(self.table, token_ids, axis=0)
        past = cache.write(state["past"], ops.expand_dims(token, 1), index)
        seen = cache.written(ops.shape(past)[1], index, 1)
        said, _ = self.read(ops.expand_dims(token, 1), past, seen)
        batch = ops.shape(prepared["keys"])[0]
        queries = ops.reshape(token + said[:, 0], (batch, -1, WIDTH))
        read, weights = self.read(queries, prepared["keys"], prepared["mask"])
        total, count = state["total"] + token, state["count"] + 1.0
        logits = self.logits(token + said[:, 0] + ops.reshape(read, (-1, WIDTH)) + ops.tanh(total), count)
        weights = ops.reshape(weights, (-1, ops.shape(weights)[-1]))
        return (
            logits,
            {"past": past, "total": total, "count": count},
            weights if need_weights and self.watched else None,
        )

    def call(self, target_ids, memory, memory_mask=None):
        prepared, tokens = self.prepare(memory, memory_mask), ops.take(self.table, target_ids, axis=0)
        places = ops.arange(ops.shape(target_ids)[1])
        before = ops.expand_dims(ops.expand_dims(places, 0) <= ops.expand_dims(places, 1), 0)
        said, _ = self.read(tokens, tokens, before)
        read, _ = self.read(tokens + said, prepared["keys"], prepared["mask"])
        total = ops.expand_dims(prepared["mean"], 1) + ops.cumsum(tokens, axis=1)
        count = ops.cast(ops.reshape(places + 1, (1, -1, 1)), "float32")
        return self.logits(tokens + said + read + ops.tanh(total), count)

    def read(self, queries, keys, mask):
        """Attend from [batch, query, width] to [batch, key, width]; mask [batch or 1, key] or [1, query, key]."""
        mask = ops.expand_dims(mask, 1) if len(mask.shape) == 2 else mask
        scores = ops.einsum("bqc,bkc->bqk", queries, keys)
        weights = ops.softmax(ops.where(mask, scores, -1e9), axis=-1)
        return ops.einsum("bqk,bkc->bqc", weights, keys), weights

    def logits(self, vectors, count):
        end = ops.one_hot(EOS, VOCABULARY, dtype="float32")
        return ops.cast(ops.matmul(vectors, self.scores) * self.scale, "float32") + 0.6 * count * end

    def get_config(self):
        return {**super().get_config(), "scale": self.scale, "watched": self.watched}


@keras.saving.register_keras_serializable("export_tests")
class Constant(keras.Model):
    """A second graph of the network's own weights: its logits times a number."""

    def __init__(self, network, factor=1.0, **kwargs):
        super().__init__(**kwargs)
        self.network, self.factor, self.built = network, factor, True

    def call(self, inputs, training=None):
        return {"scaled": self.network(inputs, training=False) * self.factor}

    def get_config(self):
        network = keras.saving.serialize_keras_object(self.network)
        return {**super().get_config(), "network": network, "factor": self.factor}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        return cls(**{**config, "network": keras.saving.deserialize_keras_object(config["network"])})


@keras.saving.register_keras_serializable("export_tests")
class Forgetful(Constant):
    """Its config forgets the number, so that the reloaded graph is another one."""

    def get_config(self):
        return {name: value for name, value in super().get_config().items() if name != "factor"}


def network(seed=0, width=WIDTH, dtype=None, **options):
    """Return a network from {"source_ids", "target_ids"} to logits, with the same weights on every backend."""
    source = keras.Input((None,), dtype="int32", name="source_ids")
    target = keras.Input((None,), dtype="int32", name="target_ids")
    embedded = layers.Embedding(VOCABULARY, width, name="embedding")(source)
    memory = layers.Dense(width, "tanh", name="memory", dtype=dtype)(embedded)
    logits = LittleDecoder(name="decoder", **options)(target, memory, ops.not_equal(source, 0))
    model = keras.Model({"source_ids": source, "target_ids": target}, logits)
    generator = np.random.default_rng(seed)
    for weight in model.weights:
        weight.assign(generator.normal(scale=2 / np.sqrt(width), size=weight.shape))
    return model


def sources(*shapes, seed=0):
    """Return ids of sources, the last padded at its end."""
    generator = np.random.default_rng(seed)
    found = []
    for shape in shapes:
        ids = generator.integers(4, VOCABULARY, shape).astype("int32")
        ids[-1, shape[1] // 2 :] = 0
        found.append({"source_ids": ids})
    return found
