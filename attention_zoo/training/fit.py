"""Train a Keras model: `keras.Model.fit` with the zoo's habits around it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import keras

from attention_zoo.errors import ZooValueError
from attention_zoo.training.averaging import AveragedValidation
from attention_zoo.training.callbacks import EpochSeed, StopOnNan
from attention_zoo.training.checkpoint import Checkpoint
from attention_zoo.training.images import ImageBatches
from attention_zoo.training.reports import EpochLines

COMPILING = ("jit_compile", "loss_weights", "run_eagerly", "steps_per_execution")


def _steps(data) -> int | None:
    """Return how many batches an epoch has, None where the data does not say."""
    if isinstance(data, (tuple, list)):
        return None
    try:
        return len(data)
    except TypeError:
        return None


def _inputs(train) -> dict:
    """Spread (x, y) and (x, y, sample weights) over Keras's arguments."""
    if isinstance(train, tuple) and 1 <= len(train) <= 3:
        return dict(zip(("x", "y", "sample_weight"), train))
    # These are shuffled already, and can only be made ahead while they are asked for in order.
    return {"x": train, "shuffle": False} if isinstance(train, ImageBatches) else {"x": train}


def fit(
    model: keras.Model,
    train,
    validation=None,
    *,
    epochs: int,
    optimizer,
    loss,
    metrics: Sequence | Mapping = (),
    callbacks: Sequence[keras.callbacks.Callback] = (),
    resume_folder: str | Path | None = None,
    seed: int = 0,
    progress: bool = True,
    **keras_arguments,
) -> dict[str, list[float]]:
    """Train `model` and return its history, from the first epoch on even when this call only did the last ones.

    Each epoch is seeded by (seed, epoch). NaN ends the training. Averaged weights (`use_ema`) are what is validated and
    what is left in the model. With `resume_folder` a checkpoint is written after each epoch, and a training that finds
    one there goes on: the same arguments give the same curve as one that was never interrupted, if the order of the
    data derives from the epoch (as that of `Batches` does).

    Args:
        model: a built model that returns logits.
        train: `Batches`, or whatever `keras.Model.fit` takes (tuples are x, y, sample weights).
        validation: the same for validation, or None.
        epochs: how often all data is seen in the whole training, at least 1.
        optimizer, loss, metrics: Keras's, new; the loss is on logits. Of a model with several outputs, loss and metrics
            by the name of the output.
        callbacks: any Keras callbacks; those with `get_state` and `set_state` are kept in the checkpoint.
        resume_folder: folder of the checkpoint; None keeps none.
        seed: of this training, 0 to 2**31 - 1.
        progress: whether to print one line an epoch (after two seconds).
        keras_arguments: `jit_compile`, `loss_weights`, `run_eagerly`, `steps_per_execution` go to `compile`, the rest
            (`class_weight`, `batch_size`, `steps_per_epoch` ...) to `keras.Model.fit`.

    Returns: {measure: [value per epoch]}.

    Raises:
        ZooValueError: if epochs < 1, or the checkpoint belongs to another training.
        ZooFileError: if the checkpoint is damaged or cannot be written.
        TrainingDiverged: if the loss is no longer a number.
    """
    if epochs < 1:
        raise ZooValueError(f"epochs must be at least 1, got {epochs}")
    seeder = EpochSeed(seed, train)
    compiling = {name: keras_arguments.pop(name) for name in COMPILING if name in keras_arguments}
    metrics = dict(metrics) if isinstance(metrics, Mapping) else list(metrics)
    model.compile(optimizer=optimizer, loss=loss, metrics=metrics, **compiling)
    checkpoint, begin, stopped = None, 0, False
    if resume_folder is not None:
        settings = {"seed": seed, "batches an epoch": _steps(train)}
        checkpoint = Checkpoint(resume_folder, settings=settings, partners=callbacks)
        begin, stopped = checkpoint.restore(model)
    last = begin if stopped else max(begin, epochs)
    arguments = {**_inputs(train), "validation_data": validation, "epochs": last, "initial_epoch": begin}
    watchers = _watchers(callbacks, checkpoint, seeder, progress)
    history = _run(model, watchers, {**arguments, **keras_arguments})
    return checkpoint.history if checkpoint else history


def _run(model: keras.Model, watchers: list, arguments: dict) -> dict[str, list[float]]:
    try:
        return model.fit(callbacks=watchers, verbose=0, **arguments).history
    finally:
        for watcher in watchers:
            if isinstance(watcher, EpochLines):
                watcher.close()


def _watchers(callbacks: Sequence, checkpoint: Checkpoint | None, seeder: EpochSeed, progress: bool) -> list:
    """Order the callbacks: seeds first, then the user's own, and the checkpoint after all that could change it."""
    hint = f"; the last good epoch is kept in {checkpoint.folder}" if checkpoint else ""
    lines = [EpochLines()] if progress else []
    kept = [checkpoint] if checkpoint else []
    return [seeder, AveragedValidation(), *callbacks, StopOnNan(hint), *lines, *kept]
