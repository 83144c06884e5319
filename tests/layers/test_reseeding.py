"""Random numbers in a loop over time: others at each step, others at each call, the same from the same seed."""

import keras
import numpy as np
from keras import ops

from attention_zoo.layers.alignment.reseeding import reseed_steps
from attention_zoo.layers.alignment.stepping import run_steps


class Noise(keras.layers.Layer):
    """Draw twice at each step."""

    def __init__(self, seed, **kwargs):
        super().__init__(**kwargs)
        self.random = keras.random.SeedGenerator(seed)
        self.scale = self.add_weight(shape=(), initializer="ones", name="scale")

    def call(self, inputs, training=None):
        def advance(inputs, state):
            first, second = (keras.random.uniform(ops.shape(inputs), seed=self.random) for _ in range(2))
            return self.scale * ops.concatenate([first, second], axis=-1), state

        advance, packed, finish = reseed_steps(advance, inputs, self)
        outputs, _ = run_steps(advance, packed, (inputs[:, 0],))
        finish()
        return outputs

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], 2 * input_shape[-1])


def drawn(layer, dtype="float32"):
    inputs = ops.cast(np.zeros((2, 6, 3)), dtype)
    return ops.convert_to_numpy(layer(inputs))


def test_every_step_and_every_call_draws_anew():
    layer = Noise(1)
    numbers = np.concatenate([drawn(layer), drawn(layer)])
    assert len(np.unique(numbers)) == numbers.size
    again = Noise(1)
    np.testing.assert_array_equal(np.concatenate([drawn(again), drawn(again)]), numbers)
    assert np.abs(drawn(Noise(2)) - numbers[:2]).max() > 0.1


def test_a_compiled_training_leaves_no_trace_behind():
    layer = Noise(1)
    inputs = keras.Input((6, 3))
    model = keras.Model(inputs, layer(inputs))
    model.compile(keras.optimizers.SGD(0.1), "mse")
    losses = [model.train_on_batch(np.zeros((2, 6, 3)), np.ones((2, 6, 6))) for _ in range(3)]
    assert len(set(map(float, losses))) == 3
    assert np.isfinite(drawn(layer)).all()


def test_a_layer_that_draws_nothing_stays_as_it_is():
    def advance(inputs, state):
        return inputs, state

    inputs = ops.zeros((1, 2, 3))
    found, packed, finish = reseed_steps(advance, inputs, keras.layers.Dense(2))
    assert found is advance and packed is inputs and finish() is None
