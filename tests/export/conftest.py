"""One child process exports every model that the tests of this folder look at."""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest


def token_probes():
    """Return token numbers of two batches and lengths, padded at the end."""
    generator = np.random.default_rng(0)
    probes = []
    for shape in ((2, 7), (3, 13)):
        ids = generator.integers(1, 50, shape).astype("int32")
        ids[-1, -3:] = 0
        probes.append({"token_ids": ids})
    return probes


@dataclass
class Exported:
    """The models of the session, what they were asked and what came of each."""

    folder: Path
    models: dict[str, Any] = field(default_factory=dict)
    probes: dict[str, list] = field(default_factory=dict)
    outcomes: dict[str, Any] = field(default_factory=dict)


@pytest.fixture(scope="session")
def own_layers():
    """Import the module of own layers as a user's module lies: somewhere on the import path."""
    import importlib

    sys.path.insert(0, str(Path(__file__).parent))
    yield importlib.import_module("own_layers")
    sys.path.remove(str(Path(__file__).parent))


@pytest.fixture(scope="session")
def exported(tmp_path_factory, own_layers):
    """Export all models through one child."""
    import keras

    from attention_zoo.export import ExportRequest, export_many

    keras.utils.set_random_seed(0)
    session = Exported(tmp_path_factory.mktemp("exported"))
    for name, (model, probes) in build_models(keras, own_layers).items():
        session.models[name], session.probes[name] = model, probes
    requests = [
        ExportRequest(session.models[name], session.folder / name, session.probes[name], attention=name == "watched")
        for name in session.models
    ]
    session.outcomes = dict(zip(session.models, export_many(requests)))
    return session


def build_models(keras, own_layers):
    from attention_zoo.layers import AttentionPooling, MultiHeadAttention

    layers = keras.layers
    tokens = keras.Input((None,), dtype="int32", name="token_ids")
    embedded = layers.Embedding(50, 8, mask_zero=True)(tokens)

    states = layers.Bidirectional(layers.GRU(6, return_sequences=True))(embedded)
    mixed, scores = layers.MultiHeadAttention(2, 4, dropout=0.5)(states, states, return_attention_scores=True)
    pooled = layers.GlobalAveragePooling1D()(layers.LayerNormalization()(states + mixed))
    classifier = keras.Model(tokens, {"output": layers.Dense(4)(pooled), "attention.encoder_1.attention": scores})

    operations = keras.Model(tokens, own_layers.Operations()(layers.Embedding(50, 8)(tokens)))

    left, right = keras.Input((None, 3), name="left"), keras.Input((5,), name="right side")
    summed = layers.GlobalMaxPooling1D()(layers.Conv1D(5, 3, padding="same", dtype="mixed_bfloat16")(left))
    two = keras.Model([left, right], [summed + right, summed * right])
    generator = np.random.default_rng(1)
    shapes = ((2, 4), (3, 9))
    pairs = [
        {
            "left": generator.normal(size=(batch, length, 3)).astype("float32"),
            "right side": generator.normal(size=(batch, 5)).astype("float32"),
        }
        for batch, length in shapes
    ]
    forgetful = keras.Model(tokens, own_layers.Forgetful(0.25, name="shift")(layers.Embedding(50, 8)(tokens)))
    scaled = keras.Model(tokens, layers.Lambda(lambda x: x * 2.0)(layers.Embedding(50, 8)(tokens)))
    mixing = MultiHeadAttention(2, 4, position="rotary", name="mixing")(embedded, embedded)
    watched = keras.Model(tokens, layers.Dense(4)(AttentionPooling(units=3, name="pooling")(mixing)))
    hidden = keras.Model(tokens, own_layers.hidden()(layers.Embedding(50, 8)(tokens)))
    ids = token_probes()
    return {
        "classifier": (classifier, ids),
        "operations": (operations, ids),
        "two_inputs": (two, pairs),
        "watched": (watched, ids),
        "forgetful": (forgetful, ids),
        "lambda": (scaled, ids),
        "hidden": (hidden, ids),
    }
