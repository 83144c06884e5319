"""The network of an emotion recognizer: a plain functional Keras model, modalities in, logits out."""

from typing import Any

import keras

from attention_zoo.blocks import ConversationBlock, ModalityDropout, TaskWeights
from attention_zoo.blocks.encoder import EPSILON
from attention_zoo.errors import ZooValueError
from attention_zoo.layers.fusion import GatedMultimodalUnit
from attention_zoo.models.classifier.head import classify
from attention_zoo.models.emotion_recognizer.config import OUTPUT, UNCERTAINTY, EmotionRecognizerConfig
from attention_zoo.models.emotion_recognizer.encoders import encode, take_in
from attention_zoo.models.emotion_recognizer.fusion import Reads, fuse
from attention_zoo.multimodal.kinds import CONVERSATION, steps_of

MAIN = "main"  # the labels, where layers are named by their task
WEIGHTS = "task_weights"  # the layer that holds how much each task counts


def build_network(config: EmotionRecognizerConfig) -> keras.Model:
    """Build the network of a config, with new weights.

    Every layer has a fixed name, so that weights and attention sites have the same paths in every process.

    Args:
        config: with at least two labels, also of each task, and with the widths of all vectors.

    Returns:
        A model from a dict of arrays to logits. In: of each modality m what it comes as (pictures float32 0..1
        [batch, picture, height, width, channels], log-mel features float32 [batch, frame, mels], words int32
        [batch, token], vectors float32 [batch, step, features]) and "m_steps", int32 [batch], how many steps are real:
        0 where the modality is missing, whatever its array holds. With a context also "conversation", int32 [batch],
        one number for the rows of a conversation. Out: float32 [batch, labels]; with several tasks a dict of these,
        "logits" and each task by its name.

    Raises:
        ZooValueError: if labels or widths are not known yet, or a layer refuses its arguments.
    """
    _check_known(config)
    inputs, counts = {}, []
    for name in config.modalities:
        inputs[name] = take_in(name, config)
        inputs[steps_of(name)] = keras.Input((), dtype="int32", name=steps_of(name))
        counts.append(inputs[steps_of(name)])
    if config.context != "none":
        inputs[CONVERSATION] = keras.Input((), dtype="int32", name=CONVERSATION)
    if config.modality_dropout and len(counts) > 1:
        counts = ModalityDropout(config.modality_dropout, name="modality_dropout")(counts)
    reads = [encode(name, inputs[name], count, config) for name, count in zip(config.modalities, counts)]
    vectors = _vectors(reads, config)
    vectors = {task: _in_context(vector, inputs, config, task) for task, vector in vectors.items()}
    return keras.Model(inputs, _answers(vectors, config), name="emotion_recognizer")


def _check_known(config: EmotionRecognizerConfig) -> None:
    if not config.modalities:
        raise ZooValueError("modalities must be known before the network is built, got none")
    for name, labels in ((MAIN, config.labels), *config.tasks):
        if not labels:
            what = "labels" if name == MAIN else f"labels of task {name!r}"
            raise ZooValueError(f"{what} must be known before the network is built, got none")
    for name in config.modalities:
        if config.kind(name) == "features" and not getattr(config, f"{name}_features"):
            raise ZooValueError(f"{name}_features must be known before the network is built, got 0")


def _vectors(reads: Reads, config: EmotionRecognizerConfig) -> dict[str, Any]:
    """Return the vector that each task reads; all tasks have one where pooling and fusion are shared."""
    if config.sharing == "shared":
        return {MAIN: fuse(reads, config)}
    own = {task: fuse(reads, config, f"{task}_") for task in (MAIN, *config.task_labels)}
    if config.sharing == "specific":
        return own
    shared = fuse(reads, config, "shared_")
    joined = {}
    for task, vector in own.items():
        gate = GatedMultimodalUnit(config.width, tied=True, name=f"{task}_sharing")
        joined[task] = gate([shared, vector])
    return joined


def _in_context(vector: Any, inputs: dict[str, Any], config: EmotionRecognizerConfig, task: str) -> Any:
    """Let the rows of a conversation see each other."""
    if config.context == "none":
        return vector
    prefix = "" if config.sharing == "shared" else f"{task}_"
    if vector.shape[-1] != config.width:
        vector = keras.layers.Dense(config.width, name=f"{prefix}context_projection")(vector)
    for number in range(1, config.context_depth + 1):
        block = ConversationBlock(
            config.heads, config.feed_forward, config.causal, config.dropout, name=f"{prefix}context_{number}"
        )
        vector = block(vector, inputs[CONVERSATION])
    return keras.layers.LayerNormalization(epsilon=EPSILON, name=f"{prefix}context_norm")(vector)


def _answers(vectors: dict[str, Any], config: EmotionRecognizerConfig) -> Any:
    """Return the logits; of several tasks a dict of them."""
    logits = classify(vectors[MAIN], config)
    if not config.tasks:
        return logits
    found = {OUTPUT: logits}
    for task, labels in config.tasks:
        found[task] = classify(vectors.get(task, vectors[MAIN]), config, len(labels), f"{task}_")
    if config.task_weights == UNCERTAINTY:
        found = dict(zip(found, TaskWeights(name=WEIGHTS)(list(found.values()))))
    return found
