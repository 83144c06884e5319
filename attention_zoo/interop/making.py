"""Make layers whose names and weights do not depend on what was made before."""

import collections
import contextlib
import random
from collections.abc import Iterator
from typing import Any

import keras
from keras.src.backend.common import global_state

from attention_zoo.checks import whole_number

NAMES = "object_name_uids"  # where Keras counts the names that it gave


@contextlib.contextmanager
def seeded(seed: int | None) -> Iterator[None]:
    """Have Keras's initializers draw their seeds, which they take from `random`, from `seed`; None changes nothing.

    Raises:
        ZooValueError: if it is no whole number of at least 0.
    """
    if seed is None:
        yield
        return
    state = random.getstate()
    random.seed(whole_number("seed", seed, 0))
    try:
        yield
    finally:
        random.setstate(state)


@contextlib.contextmanager
def fresh_names() -> Iterator[None]:
    """Have Keras name layers as in a new process, and go on counting where it was afterwards.

    Some backbones leave names of layers within layers to Keras ("conv2d_3"), so that the paths of their weights would
    depend on how many were made before.
    """
    before = global_state.get_global_attribute(NAMES)
    global_state.set_global_attribute(NAMES, collections.defaultdict(int))
    try:
        yield
    finally:
        global_state.set_global_attribute(NAMES, collections.defaultdict(int) if before is None else before)


@contextlib.contextmanager
def policy_of(policy: Any) -> Iterator[None]:
    """Build what takes no dtype under a dtype policy; None is Keras's current one."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(before if policy is None else policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
