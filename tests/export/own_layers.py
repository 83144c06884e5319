"""Layers of a user's own module, for the export tests."""

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable("export_tests")
class Operations(layers.Layer):
    """What attention is made of and a converter stumbles over, each with an open length."""

    def build(self, input_shape):
        self.buckets = self.add_weight(shape=(32, 1), initializer="random_normal", name="buckets")
        # A tensor that is no weight, as a table of positions may be.
        self.decay = ops.exp(-ops.arange(200, dtype="float32") / 50.0)

    def compute_output_shape(self, input_shape):
        return input_shape

    def call(self, inputs):
        scores = ops.einsum("bqc,bkc->bqk", inputs, inputs) + self.relative_bias(ops.shape(inputs)[1])
        weights = self.sparsemax(scores)
        mixed = ops.einsum("bqk,bkc->bqc", weights, inputs)
        known = ops.where(inputs > 0, ops.sqrt(inputs), 0.0)  # what is not chosen is NaN
        return ops.gelu(mixed, approximate=False) + self.in_blocks(inputs) + known

    def relative_bias(self, length):
        """Look up a bias by the bucket of key - query; floor mod and floor divide of negative numbers."""
        steps = ops.arange(length)
        apart = ops.expand_dims(steps, 0) - ops.expand_dims(steps, 1)
        bucket = ops.mod(apart, 7) + 8 * ops.cast(ops.mod(ops.floor_divide(apart, 3), 4), apart.dtype)
        return ops.squeeze(ops.take(self.buckets, bucket, axis=0), -1) * ops.take(self.decay, ops.abs(apart), axis=0)

    def sparsemax(self, scores):
        """Project onto the simplex: sort, cumulative sum, gather."""
        ordered = ops.flip(ops.sort(scores, axis=-1), axis=-1)
        rank = ops.arange(1, ops.shape(scores)[-1] + 1, dtype="float32")
        total = ops.cumsum(ordered, axis=-1)
        support = ops.sum(ops.cast(1.0 + rank * ordered > total, "int32"), axis=-1, keepdims=True)
        threshold = (ops.take_along_axis(total, support - 1, axis=-1) - 1.0) / ops.cast(support, "float32")
        return ops.maximum(scores - threshold, 0.0)

    def in_blocks(self, inputs):
        """Pad to whole blocks of 4, average in each, cut back."""
        length, width = ops.shape(inputs)[1], inputs.shape[-1]
        padded = ops.pad(inputs, [[0, 0], [0, (-length) % 4], [0, 0]])
        blocks = ops.reshape(padded, (-1, ops.shape(padded)[1] // 4, 4, width))
        mean = ops.broadcast_to(ops.mean(blocks, axis=2, keepdims=True), ops.shape(blocks))
        return ops.reshape(mean, (-1, ops.shape(padded)[1], width))[:, :length]


@keras.saving.register_keras_serializable("export_tests")
class Forgetful(layers.Layer):
    """Adds a number that its config forgets, so that the reloaded layer is another one."""

    def __init__(self, amount=0.0, **kwargs):
        super().__init__(**kwargs)
        self.amount = amount

    def call(self, inputs):
        return inputs + self.amount

    def get_config(self):
        return {"name": self.name}


def hidden():
    """Return a layer of a class that no other process can find."""

    class Hidden(layers.Layer):
        def call(self, inputs):
            return inputs * 2.0

    return Hidden()
