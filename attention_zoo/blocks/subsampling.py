"""Fewer steps than frames: convolutions that halve time twice, and the masks that go with them."""

from typing import Any

import keras
from keras import ops

from attention_zoo.blocks.convolution import hide
from attention_zoo.checks import whole_number

HALVINGS = 2
FACTOR = 2**HALVINGS  # frames in a step


def reduced(count: Any, factor: int) -> Any:
    """Return how many steps hold `count` frames, `factor` to a step; None where the count is not known."""
    return None if count is None else -(-count // factor)


def frame_mask(frames: Any, length: Any) -> Any:
    """Tell frames from padding.

    Args:
        frames: int [batch], how many are real.
        length: how many there are with padding; may be a tensor.

    Returns:
        bool [batch, length].
    """
    return ops.expand_dims(ops.arange(length), 0) < ops.expand_dims(ops.cast(frames, "int32"), 1)


@keras.saving.register_keras_serializable(package="attention_zoo")
class FrameMask(keras.layers.Layer):
    """Tell the steps of an encoder from padding.

    Args:
        factor: frames in a step, at least 1.

    Call:
        features: [batch, frames, mels], of which the number of frames counts.
        frames: int [batch], how many frames of each are real.

    Returns:
        bool [batch, ceil(frames / factor)]; True where there is a real frame in the step.

    Raises:
        ZooValueError: if factor is under 1.
    """

    def __init__(self, factor: int = FACTOR, **kwargs: Any):
        super().__init__(**kwargs)
        self.factor = whole_number("factor", factor, unit="frames")

    def get_config(self) -> dict:
        return {**super().get_config(), "factor": self.factor}

    def call(self, features: Any, frames: Any) -> Any:
        return frame_mask(reduced(frames, self.factor), reduced(ops.shape(features)[1], self.factor))

    def compute_output_spec(self, features: Any, frames: Any) -> Any:
        return keras.KerasTensor((features.shape[0], reduced(features.shape[1], self.factor)), dtype="bool")


@keras.saving.register_keras_serializable(package="attention_zoo")
class Subsampling(keras.layers.Layer):
    """Make one step of four frames, by two convolutions of stride 2 in time and in frequency.

    h = relu(conv_1(x)), g = relu(conv_2(h)), output = W [g's channels and frequencies] + b

    A convolution sees three frames: the two that it makes one of, and the one before. So step t depends on frames
    4t - 3 to 4t + 3 and on none beyond its own four: a sound gets the same steps all at once and chunk by chunk.

    Args:
        width: channels of a step.
        filters: channels of both convolutions. With 32 they cost a tenth of an encoder of width 144 and depth 8; with
            as many as `width`, as published, as much as all its blocks.

    Call:
        features: [batch, frames, mels].
        frames: int [batch], how many frames of each are real. What stands beyond them has no effect.

    Returns:
        [batch, ceil(frames / 4), width]; zero at padding.

    Raises:
        ZooValueError: if a number is under 1.

    Cost: time batch x frames x mels x filters x (9 / 4 + 9 filters / 16 + width / 16).
    Source: Gulati et al. 2020, arXiv:2005.08100, section 2 (convolution subsampling); Watanabe et al. 2018,
    arXiv:1804.00015 (two 3 x 3 convolutions of stride 2). Differs: fewer filters, padding that follows the real length.
    """

    def __init__(self, width: int, filters: int = 32, **kwargs: Any):
        super().__init__(**kwargs)
        self.width = whole_number("width", width, unit="channels")
        self.filters = whole_number("filters", filters, unit="channels")

    def get_config(self) -> dict:
        return {**super().get_config(), "width": self.width, "filters": self.filters}

    def build(self, features_shape: Any, frames_shape: Any = None) -> None:
        policy, self.mels, channels, bands = {"dtype": self.dtype_policy}, features_shape[-1], 1, features_shape[-1]
        self.convolutions, self.tails = [], {}
        for number in range(1, HALVINGS + 1):
            convolution = keras.layers.Conv2D(
                self.filters,
                3,
                strides=2,
                activation="relu",
                data_format="channels_last",
                name=f"convolution_{number}",
                **policy,
            )
            convolution.build((None, None, bands + 2, channels))
            self.convolutions.append(convolution)
            self.tails[f"frame_{number}"] = (1, bands, channels)
            channels, bands = self.filters, reduced(bands, 2)
        self.channels = bands * channels
        self.project = keras.layers.Dense(self.width, name="project", **policy)
        self.project.build((None, None, self.channels))

    def call(self, features: Any, frames: Any) -> Any:
        return self._run(features, frames, {})[0]

    def start_stream(self, batch: Any) -> dict[str, Any]:
        """Return the state of `batch` sounds of which nothing has been read: zeros [batch, 1, bands, channels]."""
        return {name: ops.zeros((batch, *shape), dtype=self.compute_dtype) for name, shape in self.tails.items()}

    def stream(self, features: Any, frames: Any, state: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Read one chunk.

        Args:
            features: [batch, frames, mels]; a multiple of 4 frames.
            frames: int [batch], how many of them are real; only the last chunk of a sound may have fewer than all.
            state: from `start_stream` or the step before.

        Returns:
            [batch, frames / 4, width], zero at padding, and the state for the next chunk.
        """
        return self._run(ops.cast(features, self.compute_dtype), frames, state)

    def _run(self, features: Any, frames: Any, state: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Halve twice and project; without a state nothing was before."""
        current = hide(features, frame_mask(frames, ops.shape(features)[1]))
        current, after = ops.expand_dims(current, -1), {}
        for name, convolution in zip(self.tails, self.convolutions):
            after[name] = current[:, -1:]
            if name in state:
                current = ops.pad(ops.concatenate([state[name], current], axis=1), ((0, 0), (0, 1), (1, 1), (0, 0)))
            else:
                current = ops.pad(current, ((0, 0), (1, 1), (1, 1), (0, 0)))
            current, frames = convolution(current), reduced(frames, 2)
            mask = frame_mask(frames, ops.shape(current)[1])
            current = hide(current, ops.expand_dims(mask, -1))
        steps = ops.shape(current)[1]
        return hide(self.project(ops.reshape(current, (-1, steps, self.channels))), mask), after

    def compute_output_spec(self, features: Any, frames: Any) -> Any:
        shape = (features.shape[0], reduced(features.shape[1], FACTOR), self.width)
        return keras.KerasTensor(shape, dtype=self.compute_dtype)
