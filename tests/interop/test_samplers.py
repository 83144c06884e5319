"""Samplers of keras-hub let our decoders speak; skipped where keras-hub is not installed."""

import keras
import numpy as np
import pytest
from keras import ops

from attention_zoo.blocks import TokenEmbedding
from attention_zoo.blocks.decode import Generator, decode
from attention_zoo.blocks.transformer_decoder import TransformerDecoder
from attention_zoo.errors import ZooTypeError, ZooValueError
from attention_zoo.interop.samplers import SampledGenerator

hub = pytest.importorskip("keras_hub", reason="keras-hub is not installed (extra 'hub')")

SOURCES = [[5, 9, 17, 3], [8, 3], [20, 21, 7, 6, 3]]


@pytest.fixture(scope="module")
def parts():
    """Make an encoder and a decoder with random weights."""
    source, target = keras.Input((None,), dtype="int32"), keras.Input((None,), dtype="int32")
    memory = TokenEmbedding(30, 16, "sinusoidal")(source)
    decoder = TransformerDecoder(2, 30, 16, {"num_heads": 2, "feed_forward": 32})
    model = keras.Model([source, target], decoder(target, memory, memory_mask=ops.not_equal(source, 0)))
    random = np.random.default_rng(2)  # Keras draws other numbers on each backend
    for weight in model.trainable_weights:
        weight.assign(random.normal(size=weight.shape) * 0.4)
    return keras.Model(source, memory), decoder


def test_its_greedy_sampler_says_what_greedy_search_says(parts):
    ours = decode(Generator(*parts, {"beam": 1, "max_length": 9}), SOURCES)
    theirs = decode(SampledGenerator(*parts, "greedy", {"max_length": 9}), SOURCES)
    for name in ("token_ids", "lengths"):
        np.testing.assert_array_equal(theirs[name], ours[name])
    for name in ("scores", "sums"):
        np.testing.assert_allclose(theirs[name], ours[name], atol=1e-3)


def test_its_beams_find_what_our_beams_find(parts):
    # Theirs go on after an end, so let there be none: the id of the end is not in the vocabulary. And they share out
    # the probability of what is banned, so let nothing be.
    settings = {"max_length": 6, "eos_id": 35, "banned": ()}
    theirs = decode(SampledGenerator(*parts, hub.samplers.BeamSampler(num_beams=8), settings), SOURCES)
    ours = decode(Generator(*parts, {"beam": 8, **settings}), SOURCES)
    greedy = decode(Generator(*parts, {"beam": 1, **settings}), SOURCES)
    np.testing.assert_array_equal(theirs["token_ids"], ours["token_ids"])
    np.testing.assert_allclose(theirs["sums"], ours["sums"], atol=1e-3)
    assert (ours["sums"] > greedy["sums"] + 1e-2).any()


def test_its_draws_go_on_from_call_to_call_and_keep_to_what_is_allowed(parts):
    model = SampledGenerator(*parts, hub.samplers.TopKSampler(k=4, seed=3, temperature=5.0), {"max_length": 8})
    first, second = decode(model, SOURCES), decode(model, SOURCES)
    assert (first["token_ids"] != second["token_ids"]).any()
    assert len(np.unique(first["token_ids"])) > 3
    again = decode(
        SampledGenerator(*parts, hub.samplers.TopKSampler(k=4, seed=3, temperature=5.0), {"max_length": 8}), SOURCES
    )
    np.testing.assert_array_equal(first["token_ids"], again["token_ids"])
    for found in (first, second):
        said = [ids[:length] for ids, length in zip(found["token_ids"][:, 0], found["lengths"][:, 0])]
        assert all((row > 3).all() for row in said) and np.isfinite(found["sums"]).all()


def test_what_cannot_work_is_refused_in_one_sentence(parts):
    with pytest.raises(ZooValueError, match="sampler 'gready' is unknown; the nearest names are 'greedy'"):
        SampledGenerator(*parts, "gready")
    with pytest.raises(ZooTypeError, match="sampler must be a name or a sampler of keras-hub, got int"):
        SampledGenerator(*parts, 3)
    with pytest.raises(ZooValueError, match="which reads hidden states"):
        SampledGenerator(*parts, hub.samplers.ContrastiveSampler())
    with pytest.raises(ZooValueError, match="must give one hypothesis"):
        SampledGenerator(*parts, hub.samplers.BeamSampler(return_all_beams=True))
    with pytest.raises(ZooTypeError, match="cannot be saved"):
        SampledGenerator(*parts, "greedy").get_config()
