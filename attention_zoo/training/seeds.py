"""One seed for everything random, and a seed of its own for each epoch."""

import keras
import numpy as np
from keras.src.backend.common import global_state
from keras.src.random.seed_generator import GLOBAL_SEED_GENERATOR, global_seed_generator

from attention_zoo.errors import ZooValueError

LARGEST_SEED = 2**31 - 1


def check_seed(seed: int) -> int:
    """Return `seed`, or say why it cannot be one.

    Raises:
        ZooValueError: if it is no whole number from 0 to 2**31 - 1.
    """
    whole = isinstance(seed, (int, np.integer)) and not isinstance(seed, bool)
    if not whole or not 0 <= seed <= LARGEST_SEED:
        raise ZooValueError(f"seed must be a whole number from 0 to {LARGEST_SEED}, got {seed!r}")
    return int(seed)


def set_seeds(seed: int) -> None:
    """Seed Python, NumPy, Keras and its backend; call it before the model is built.

    Args:
        seed: a whole number from 0 to 2**31 - 1.

    Raises:
        ZooValueError: if `seed` is no such number.
    """
    keras.utils.set_random_seed(check_seed(seed))


def derive(seed: int, *place: int) -> int:
    """Return a seed that depends on `seed` and on `place` (epoch, batch ...) and on nothing else.

    Args:
        seed: the seed of the run.
        place: whole numbers, at least 0, that say where in the run we are.
    """
    return int(np.random.SeedSequence([seed, *place]).generate_state(1)[0]) & LARGEST_SEED


def reseed(seed: int) -> None:
    """Seed everything anew in the middle of a training.

    Compiled functions hold the variable of the global `keras.random.SeedGenerator`, so that object stays and only its
    state is set; `keras.utils.set_random_seed` alone would put another generator in its place, which nobody reads.

    Args:
        seed: a whole number from 0 to 2**31 - 1.
    """
    generator = global_seed_generator()
    set_seeds(seed)
    global_state.set_global_attribute(GLOBAL_SEED_GENERATOR, generator)
    generator.state.assign(np.array([seed, 0]))
