"""AdamW as transformers want it, and the dtype policy of a training."""

import contextlib
from collections.abc import Iterator

import keras

from attention_zoo.errors import ZooValueError

NEVER_DECAYED = {"bias", "gamma", "beta", "scale"}


def undecayed(model: keras.Model, decay_embeddings: bool = True) -> list:
    """Return the variables that weight decay leaves alone: biases, gains of norms, single vectors, embeddings if asked.

    Args:
        model: a built model.
        decay_embeddings: whether embedding tables are decayed.
    """
    names = NEVER_DECAYED if decay_embeddings else NEVER_DECAYED | {"embeddings"}
    return [v for v in model.trainable_variables if len(v.shape) < 2 or v.name in names]


def adamw(
    model: keras.Model,
    learning_rate,
    *,
    weight_decay: float = 0.01,
    clip: float | None = 1.0,
    averaging: float | None = None,
    decay_embeddings: bool = True,
    beta_2: float = 0.999,
) -> keras.optimizers.AdamW:
    """Build AdamW for `model`: no decay on biases and gains, gradients clipped together, weights averaged on request.

    Args:
        model: a built model; its variables decide what is decayed.
        learning_rate: a number or a schedule.
        weight_decay: share of a weight taken off per step, times the learning rate.
        clip: largest norm of all gradients together; None leaves them alone.
        averaging: momentum of the running average of the weights (0.999, say); None keeps none. With it, `fit` judges
            the averaged weights and leaves them in the model.
        decay_embeddings: whether embedding tables are decayed.
        beta_2: decay of the second moment.

    Raises:
        ZooValueError: if the model is not built or a value is out of its range.

    Source: Loshchilov and Hutter 2019, arXiv:1711.05101.
    """
    if not model.built:
        raise ZooValueError(f"model must be built before its optimizer, got {model.name!r} without weights")
    if clip is not None and not clip > 0:
        raise ZooValueError(f"clip must be above 0 (norm of all gradients) or None, got {clip}")
    if averaging is not None and not 0 < averaging < 1:
        raise ZooValueError(f"averaging must be between 0 and 1 (momentum) or None, got {averaging}")
    optimizer = keras.optimizers.AdamW(
        learning_rate,
        weight_decay=weight_decay,
        beta_2=beta_2,
        global_clipnorm=clip,
        use_ema=averaging is not None,
        ema_momentum=0.99 if averaging is None else averaging,
    )
    optimizer.exclude_from_weight_decay(var_list=undecayed(model, decay_embeddings))
    return optimizer


@contextlib.contextmanager
def precision(policy: str) -> Iterator[None]:
    """Build what is inside under a dtype policy, then put the old policy back.

    A model keeps the policy it was built under. Keras scales the loss by itself under "mixed_float16".

    Args:
        policy: "float32", "mixed_bfloat16", "mixed_float16" or whatever Keras knows.

    Raises:
        ZooValueError: if Keras knows no such policy.
    """
    before = keras.config.dtype_policy()
    try:
        keras.config.set_dtype_policy(policy)
    except (ValueError, TypeError) as error:
        raise ZooValueError(f"policy must be a dtype policy such as 'mixed_bfloat16', got {policy!r}") from error
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
