"""A stream gives what the whole gives: chunk by chunk, compiled, read back, in half precision and as ONNX."""

import keras
import numpy as np
import pytest
from keras import ops

from attention_zoo.blocks.conformer import ConformerBlock, ConformerConvolution
from attention_zoo.blocks.heads import PaddingMask
from attention_zoo.blocks.streaming_encoder import StreamingEncoder, StreamingStep
from attention_zoo.errors import ZooTypeError, ZooValueError
from attention_zoo.export import Graph, export_graphs

MELS, CHUNK = 6, 2
SMALL = {"depth": 2, "width": 8, "num_heads": 2, "chunk": CHUNK, "feed_forward": 12, "kernel_size": 5, "filters": 2}
FRAMES = 4 * CHUNK


@keras.saving.register_keras_serializable("streaming_tests")
class Head(keras.layers.Layer):
    """Score units; at padding the first is certain."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def build(self, memory_shape):
        self.kernel = self.add_weight(shape=(memory_shape[-1], 3), name="kernel")

    def call(self, memory, mask=None):
        blank = ops.convert_to_tensor([0.0, -1e4, -1e4])
        return ops.where(ops.expand_dims(mask, -1), ops.matmul(memory, self.kernel), blank)


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def array(tensor):
    return ops.convert_to_numpy(tensor)


def encoder(**changes):
    """Make an encoder whose weights are drawn so that none is zero."""
    made = StreamingEncoder(**{**SMALL, "left": 2, **changes}, name="encoder")
    made.build((None, None, MELS), (None,))
    for seed, weight in enumerate(made.weights):
        weight.assign(weight + 0.3 * numbers(*weight.shape, seed=seed))
    return made


def offline(encoder):
    """Return what reads whole sounds."""
    features, frames = keras.Input((None, MELS), name="features"), keras.Input((), dtype="int32", name="frames")
    model = keras.Model({"features": features, "frames": frames}, encoder(features, frames))
    return lambda features, frames: model.predict_on_batch({"features": features, "frames": frames})


def whole(encoder, features, frames):
    return offline(encoder)(features, frames)


def chunks(features, frames):
    """Cut sounds into chunks of one size; beyond their end stands something."""
    for first in range(0, features.shape[1], FRAMES):
        chunk = features[:, first : first + FRAMES]
        chunk = np.pad(chunk, ((0, 0), (0, FRAMES - chunk.shape[1]), (0, 0)), constant_values=5.0)
        yield {"features": chunk, "frames": np.clip(frames - first, 0, FRAMES).astype("int32")}


def streamed(step, features, frames, run=None):
    """Read sounds chunk by chunk; return what was told of each, one behind the other."""
    run = step.predict_on_batch if run is None else run
    state, found = step.start(len(frames)), []
    for chunk in chunks(features, frames):
        told = run({**chunk, **state})
        state = step.carry(told)
        found.append(told)
    return {name: np.concatenate([told[name] for told in found], 1) for name in ("memory", *step.heads)}


@pytest.mark.parametrize(
    ("attention", "left"),
    [("rotary", 1), ("transformer_xl", 3), ({"name": "multi_query", "use_gate": True, "position": "alibi"}, 2)],
)
def test_a_stream_gives_what_the_whole_gives(attention, left):
    made = encoder(attention=attention, left=left)
    # Two sounds end within a chunk, one with a chunk, one within the first; the past is empty, part full and full.
    features, frames = numbers(4, 53, MELS), np.array([53, 30, 40, 3], "int32")
    wanted = whole(made, features, frames)
    found = streamed(StreamingStep(made), features, frames)["memory"]
    assert np.abs(wanted).max() > 0.5
    np.testing.assert_allclose(found[:, : wanted.shape[1]], wanted, atol=1e-5)
    assert not found[:, wanted.shape[1] :].any()


def test_one_chunk_is_a_sound_too():
    made = encoder()
    features = numbers(1, FRAMES, MELS)
    memory, _ = made.step(features, made.start(1))
    np.testing.assert_allclose(array(memory), whole(made, features, np.array([FRAMES], "int32")), atol=1e-5)


def test_a_chunk_sees_nothing_that_comes_later_and_no_farther_back_than_its_depth_allows():
    made = encoder(left=1, kernel_size=3)
    features, frames = numbers(1, 12 * FRAMES, MELS), np.array([12 * FRAMES], "int32")
    run, late, early = offline(made), features.copy(), features.copy()
    wanted = run(features, frames)
    late[:, 8 * FRAMES :] += 2.0
    np.testing.assert_allclose(run(late, frames)[:, : 8 * CHUNK], wanted[:, : 8 * CHUNK], atol=1e-6)
    # Two blocks see a chunk back each; their convolutions and the frames before a step a little more.
    early[:, :FRAMES] += 2.0
    changed = np.abs(run(early, frames) - wanted)[0].max(-1)
    assert changed[2 * CHUNK] > 1e-4 and changed[6 * CHUNK :].max() < 1e-6


def test_what_a_stream_remembers_has_one_size_and_a_step_compiles_once():
    made, traced = encoder(), []
    step, inner = StreamingStep(made), made.step
    made.step = lambda *args: (traced.append(1), inner(*args))[1]
    features, frames = numbers(2, 5 * FRAMES, MELS), np.array([5 * FRAMES, 11], "int32")
    state, told, counts = step.start(2), None, []
    sizes = {name: value.shape for name, value in state.items()}
    for chunk in chunks(features, frames):
        told = step.predict_on_batch({**chunk, **state})
        state = step.carry(told)
        counts.append(len(traced))
        assert {name: value.shape for name, value in state.items()} == sizes
    assert state["state_steps"].tolist() == [10, 3]
    assert all(name.isidentifier() for name in state)  # the same in a SavedModel and in ONNX
    assert sizes["state_key"] == (2, 2, 4, 2, 4)
    if keras.backend.backend() != "torch":  # which runs every step as it is written
        assert counts[0] == counts[-1]


def test_a_step_is_read_back_with_its_heads(tmp_path):
    made, head = encoder(), Head(name="units")
    head.build((None, None, 8))
    step = StreamingStep(made, {"units": head})
    features, frames = numbers(2, 20, MELS), np.array([20, 9], "int32")
    wanted = streamed(step, features, frames)
    assert wanted["units"].shape == (2, 3 * CHUNK, 3)
    assert (wanted["units"][1, 3:] == [0.0, -1e4, -1e4]).all()
    step.predict_on_batch(step.probes(1)[0])
    step.save(tmp_path / "step.keras")
    found = streamed(keras.saving.load_model(tmp_path / "step.keras"), features, frames)
    for name, value in wanted.items():
        np.testing.assert_allclose(found[name], value, atol=1e-6)


def test_a_stream_goes_on_in_half_precision():
    made = encoder(dtype="mixed_bfloat16")
    features, frames = numbers(1, 40, MELS), np.array([40], "int32")
    wanted = whole(made, features, frames).astype("float32")
    found = streamed(StreamingStep(made), features, frames)["memory"].astype("float32")
    np.testing.assert_allclose(found, wanted, atol=0.1)  # of numbers of 8 bits, up to 3, after two blocks


def test_the_wait_is_told_in_seconds():
    assert StreamingEncoder(**{**SMALL, "chunk": 16}).latency == pytest.approx(0.64)
    assert StreamingEncoder(**SMALL, hop=0.02).latency == pytest.approx(0.16)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"attention": "performer"}, "'performer' cannot go chunk by chunk: it does not keep.*transformer_xl.*can"),
        ({"attention": "sliding_window"}, "has 'pattern' of its own"),
        ({"attention": {"name": "chunked", "left": 3}}, "has 'left' of its own"),
        ({"attention": "sinusoidal"}, "must not count from its start"),
        ({"attention": "rotary_2d"}, "must not count from its start"),
        ({"chunk": 0}, "chunk"),
        ({"left": 0}, "left"),
        ({"kernel_size": 1}, "kernel_size"),
        ({"hop": 0.0}, "hop"),
    ],
)
def test_what_cannot_be_streamed_is_refused(changes, words):
    with pytest.raises(ZooValueError, match=words):
        StreamingEncoder(**{**SMALL, **changes})


def test_a_stream_wants_what_it_needs():
    with pytest.raises(ZooTypeError, match="a name or a dict"):
        StreamingEncoder(**SMALL, attention=PaddingMask())
    with pytest.raises(ZooValueError, match="built"):
        StreamingEncoder(**SMALL).start(1)
    with pytest.raises(ZooValueError, match="built"):
        StreamingStep(StreamingEncoder(**SMALL))
    with pytest.raises(ZooTypeError, match="StreamingEncoder"):
        StreamingStep(PaddingMask())
    block, convolution = ConformerBlock(2, causal=True), ConformerConvolution(3)
    block.build((None, None, 8))
    with pytest.raises(ZooValueError, match="'chunked'"):
        block.start_stream(1)
    with pytest.raises(ZooValueError, match="looks ahead"):
        convolution.start_stream(1)


@pytest.mark.costly
@pytest.mark.parametrize("attention", ["rotary", "transformer_xl"])
def test_onnx_and_savedmodel_hear_a_whole_utterance_as_keras_does(attention, tmp_path):
    import onnxruntime

    made = encoder(attention=attention)
    step = StreamingStep(made)
    graph = Graph(step, step.probes(), ("onnx", "savedmodel"))
    report = export_graphs({"encoder": graph}, tmp_path / "out")
    assert max(report.graphs["encoder"].differences.values()) < 1e-4
    session = onnxruntime.InferenceSession(tmp_path / "out" / "encoder.onnx")
    names = [output.name for output in session.get_outputs()]

    def run(inputs):
        fed = {name.replace(".", "_"): value for name, value in inputs.items()}
        return dict(zip(names, session.run(None, fed)))

    features, frames = numbers(3, 53, MELS), np.array([53, 30, 5], "int32")
    wanted = whole(made, features, frames)
    found = streamed(step, features, frames, run)["memory"]
    np.testing.assert_allclose(found[:, : wanted.shape[1]], wanted, atol=1e-5)
