"""The detector that can also learn: its network is trained here, and runs without Keras."""

from collections.abc import Callable
from typing import Any, ClassVar

import keras
import numpy as np

from attention_zoo import watch
from attention_zoo.watch.autoencoder import CLIP
from attention_zoo.watch.columns import Columns

HIDDEN, CODE = 128, 16  # widths of the network, at most
COPIES = 8  # times that each window is shown in an epoch, each time broken elsewhere
BROKEN = 0.1  # share of heads that are broken in what the network reads
EPOCHS, PATIENCE, BATCH, RATE = 75, 5, 256, 2e-3
HELD_OUT = 0.2  # share of windows that tells when to stop


def train_autoencoder(distances: np.ndarray, columns: Columns, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Train a network to restore the statistics of all heads, also where some heads are broken.

    In what it reads, a tenth of the heads hold chance instead of statistics; it is asked for what was there. So it
    learns to tell each head from the others, and a broken head spoils little of what it says of the sound ones.

    Args:
        distances: of normal windows, [windows, columns], from -4 to 4.
        columns: of the distances.
        seed: of weights, order and what is broken; nothing else random is touched.

    Returns:
        kernel and bias of each dense layer.

    Cost: at most 75 epochs of 8 x windows examples; mean squared error, Adam.
    Source: Vincent et al. 2008, denoising autoencoders. Differs: whole heads are replaced, not single values.
    """
    random = np.random.default_rng((seed, 1))
    distances = distances[random.permutation(len(distances))].astype(np.float32)
    kept = len(distances) - max(1, round(HELD_OUT * len(distances)))
    wanted, judged = np.tile(distances[:kept], (COPIES, 1)), distances[kept:]
    network = _network(len(columns), seed)
    network.compile(optimizer=keras.optimizers.Adam(RATE), loss="mean_squared_error")
    stop = keras.callbacks.EarlyStopping("val_loss", patience=PATIENCE, restore_best_weights=True)
    network.fit(
        _broken(wanted, columns, random),
        wanted,
        validation_data=(_broken(judged, columns, random), judged),
        epochs=EPOCHS,
        batch_size=BATCH,
        shuffle=False,
        verbose=0,
        callbacks=[stop],
    )
    arrays = [np.asarray(one, np.float64) for one in network.get_weights()]
    return list(zip(arrays[::2], arrays[1::2]))


class AttentionDetector(watch.AttentionDetector):
    """As `watch.AttentionDetector`, and `fit` also trains the network of the method "autoencoder".

    What it saves is loaded by either.
    """

    trainer: ClassVar[Callable[..., Any] | None] = staticmethod(train_autoencoder)


def _network(width: int, seed: int) -> keras.Model:
    hidden, code = min(HIDDEN, 2 * width), min(CODE, width)
    sizes = {"read": hidden, "squeeze": code, "widen": hidden, "restore": width}
    layers = [
        keras.layers.Dense(
            size,
            activation=None if name == "restore" else "tanh",
            kernel_initializer=keras.initializers.GlorotUniform(seed=seed + number),
            dtype="float32",
            name=name,
        )
        for number, (name, size) in enumerate(sizes.items())
    ]
    return keras.Sequential([keras.Input((width,)), *layers])


def _broken(distances: np.ndarray, columns: Columns, random: np.random.Generator) -> np.ndarray:
    heads = random.random((len(distances), len(columns.heads))) < BROKEN
    chance = random.uniform(-CLIP, CLIP, distances.shape).astype(np.float32)
    return np.where(heads[:, columns.owners], chance, distances)
