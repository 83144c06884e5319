"""Alignments of decoders: step by step, inside `keras.layers.RNN`, for beam search; what a walk and a loss are."""

import keras
import numpy as np
import pytest
from keras import ops

from attention_zoo.core import Tape
from attention_zoo.errors import ZooTypeError, ZooValueError
from attention_zoo.layers.alignment import (
    Alignment,
    AlignmentCell,
    Coverage,
    InputFeeding,
    LocalAlignment,
    LocationAware,
    LocationBased,
    MoChA,
    Monotonic,
    StepwiseAlignment,
    coverage_loss,
)
from attention_zoo.layers.alignment.stepping import _blocked, linear_recurrence

MAKERS = {
    "additive": lambda: Alignment(),
    "general_projected": lambda: Alignment("general", units=6),
    "location_based": lambda: LocationBased(9),
    "location_aware": lambda: LocationAware(6, filters=2, kernel_size=3),
    "cumulative": lambda: LocationAware(6, filters=2, kernel_size=3, cumulative=True),
    "coverage": lambda: Coverage(6),
    "monotonic": lambda: Monotonic(6, offset=0.3),
    "monotonic_soft": lambda: Monotonic(6, inference="soft"),
    "mocha_soft": lambda: MoChA(3, 6, inference="soft"),
    "local_monotonic": lambda: LocalAlignment(2),
    "local_predictive": lambda: LocalAlignment(3, predict=True),
}
STEPS, KEYS, WIDTH = 6, 7, 5


def numbers(tensor):
    return ops.convert_to_numpy(tensor)


def arrays(batch=2, seed=0):
    """Return queries, a memory and its mask."""
    generator = np.random.default_rng(seed)
    mask = np.ones((batch, KEYS), bool)
    mask[0, -2:] = False
    queries, memory = (generator.normal(size=(batch, size, WIDTH)).astype("float32") for size in (STEPS, KEYS))
    return queries, memory, mask


def shaken(layer):
    """Move a built layer's weights, so that no bias is zero."""
    generator = np.random.default_rng(1)
    layer.set_weights([w + 0.4 * generator.normal(size=w.shape).astype("float32") for w in layer.get_weights()])
    return layer


def built(name):
    """Make an alignment and build it."""
    layer = MAKERS[name]()
    layer.build((None, None, WIDTH), (None, None, WIDTH))
    return shaken(layer)


def by_steps(layer, queries, prepared):
    """Ask step by step; return contexts, weights and the state after each step."""
    state, contexts, maps, states = layer.initial_state(prepared), [], [], []
    for step in range(queries.shape[1]):
        context, weights, state = layer.step(ops.convert_to_tensor(queries[:, step]), prepared, state)
        contexts.append(numbers(context))
        maps.append(numbers(weights))
        states.append(state)
    return np.stack(contexts, 1), np.stack(maps, 1), states


@pytest.mark.parametrize("name", MAKERS)
def test_a_whole_call_equals_its_steps(name):
    layer = built(name)
    queries, memory, mask = arrays()
    whole, table = layer(queries, memory, memory_mask=mask, return_attention_scores=True)
    contexts, maps, states = by_steps(layer, queries, layer.prepare(ops.convert_to_tensor(memory), mask))
    np.testing.assert_allclose(numbers(whole), contexts, atol=1e-5)
    np.testing.assert_allclose(numbers(table)[:, 0], maps, atol=1e-5)
    assert all(len(state) == layer.state_count for state in states)


@pytest.mark.parametrize("name", ["additive", "location_aware", "mocha_soft", "local_monotonic"])
def test_a_step_prepares_a_memory_that_is_not(name):
    layer = built(name)
    queries, memory, mask = arrays()
    prepared = layer.prepare(ops.convert_to_tensor(memory), mask)
    query = ops.convert_to_tensor(queries[:, 0])
    wanted = layer.step(query, prepared, layer.initial_state(prepared))
    got = layer.step(query, ops.convert_to_tensor(memory), layer.initial_state(memory), memory_mask=mask)
    for first, second in zip(wanted[:2], got[:2]):
        np.testing.assert_allclose(numbers(first), numbers(second), atol=1e-6)


@pytest.mark.parametrize("name", ["additive", "coverage", "mocha_soft", "local_monotonic"])
def test_a_beam_may_gather_memory_and_state_by_example(name):
    layer = built(name)
    queries, memory, mask = arrays(batch=3)
    prepared = layer.prepare(ops.convert_to_tensor(memory), mask)
    state = by_steps(layer, queries[:, :3], prepared)[2][-1]
    chosen = ops.convert_to_tensor(np.array([2, 0, 0, 1], "int32"))
    context, weights, _ = layer.step(ops.convert_to_tensor(queries[:, 3]), prepared, state)
    beam = type(prepared)(*(ops.take(tensor, chosen, axis=0) for tensor in prepared))
    beam_state = tuple(ops.take(tensor, chosen, axis=0) for tensor in state)
    query = ops.take(ops.convert_to_tensor(queries[:, 3]), chosen, axis=0)
    beam_context, beam_weights, _ = layer.step(query, beam, beam_state)
    np.testing.assert_allclose(numbers(beam_context), numbers(context)[[2, 0, 0, 1]], atol=1e-6)
    np.testing.assert_allclose(numbers(beam_weights), numbers(weights)[[2, 0, 0, 1]], atol=1e-6)


@pytest.mark.parametrize("name", ["additive", "general_projected", "coverage", "mocha_soft", "local_predictive"])
def test_several_queries_of_one_memory_stand_next_to_each_other(name):
    layer = built(name)
    queries, memory, mask = arrays()
    prepared = layer.prepare(ops.convert_to_tensor(memory), mask)
    repeated = type(prepared)(*(ops.repeat(tensor, STEPS, axis=0) for tensor in prepared))
    state = tuple(ops.repeat(tensor, STEPS, axis=0) for tensor in layer.initial_state(prepared))
    rows = ops.convert_to_tensor(queries.reshape(-1, WIDTH))
    wanted, found = (layer.step(rows, memory, state) for memory in (repeated, prepared))
    for first, second in zip(wanted[:2], found[:2]):
        np.testing.assert_allclose(numbers(second), numbers(first), atol=1e-6)
    assert [tuple(tensor.shape) for tensor in found[2]] == [tuple(tensor.shape) for tensor in wanted[2]]


@pytest.mark.parametrize("name", ["location_aware", "coverage", "monotonic_soft", "local_monotonic"])
def test_a_padded_step_leaves_the_state_as_it_is(name):
    layer = built(name)
    queries, memory, _ = arrays()
    shown = np.array([[True, False, True, True, False, True]] * 2)
    found = numbers(layer(queries, memory, query_mask=shown))
    wanted = numbers(layer(queries[:, shown[0]], memory))
    np.testing.assert_allclose(found[:, shown[0]], wanted, atol=1e-5)
    np.testing.assert_array_equal(found[:, ~shown[0]], 0.0)


@pytest.mark.parametrize("name", ["location_aware", "mocha_soft"])
def test_a_loop_is_taped_once(name):
    layer = built(name)
    queries, memory, _ = arrays()
    with Tape() as tape:
        layer(queries, memory)
    assert [tuple(taped.shape) for taped in tape.maps.values()] == [(2, 1, STEPS, KEYS)]


# Decoders.


@pytest.mark.parametrize("fed", [True, False])
@pytest.mark.parametrize("name", ["additive", "location_aware", "monotonic_soft", "local_monotonic"])
def test_a_cell_in_keras_rnn_equals_a_loop_and_the_decoder(name, fed):
    queries, memory, mask = arrays()
    decoder = InputFeeding(WIDTH, "gru", MAKERS[name](), input_feeding=fed)
    whole, table = decoder(queries, memory, memory_mask=mask, return_attention_scores=True)
    shaken(decoder)
    whole, table = decoder(queries, memory, memory_mask=mask, return_attention_scores=True)
    cell = decoder.decoder
    start = cell.initial_state(ops.convert_to_tensor(memory), mask)
    assert len(start) == len(cell.state_size)
    state, looped = start, []
    for step in range(STEPS):
        output, state = cell(ops.convert_to_tensor(queries[:, step]), state)
        looped.append(numbers(output))
    run = keras.layers.RNN(cell, return_sequences=True)(ops.convert_to_tensor(queries), initial_state=start)
    np.testing.assert_allclose(numbers(run), np.stack(looped, 1), atol=1e-5)
    np.testing.assert_allclose(numbers(whole), np.stack(looped, 1), atol=1e-5)
    sums = numbers(table).sum(-1)
    assert np.all(sums < 1 + 1e-5)


class Decode(keras.layers.Layer):
    """Run a cell over a memory by Keras's own loop, as a user's layer would."""

    def build(self, query_shape, memory_shape):
        self.cell = AlignmentCell(keras.layers.LSTMCell(4), LocationAware(6, 2, 3))
        self.cell.build((query_shape[0], query_shape[-1]), memory_shape)
        self.loop = keras.layers.RNN(self.cell, return_sequences=True)

    def call(self, query, memory):
        return self.loop(query, initial_state=self.cell.initial_state(memory))

    def compute_output_shape(self, query_shape, memory_shape):
        return (*query_shape[:-1], 4)


def test_a_cell_runs_compiled_and_learns():
    queries, memory, _ = arrays(batch=4)
    places = [keras.Input((None, WIDTH)), keras.Input((None, WIDTH))]
    model = keras.Model(places, Decode()(*places))
    model.compile(keras.optimizers.Adam(0.05), "mse")
    wanted = np.tanh(queries[:, :, :4] + memory[:, :1, :4])
    assert model.predict_on_batch([queries, memory]).shape == (4, STEPS, 4)
    losses = [float(model.train_on_batch([queries, memory], wanted)) for _ in range(15)]
    assert losses[-1] < 0.8 * losses[0]


def test_input_feeding_changes_what_is_decoded():
    queries, memory, _ = arrays()
    decoder = InputFeeding(4)
    decoder(queries, memory)
    cell = decoder.decoder
    prepared = cell.alignment.prepare(ops.convert_to_tensor(memory))
    state = cell.first_state(prepared)
    plain = numbers(cell.step(ops.convert_to_tensor(queries[:, 0]), prepared, list(state))[0])
    state[0] = state[0] + 1.0
    fed = numbers(cell.step(ops.convert_to_tensor(queries[:, 0]), prepared, list(state))[0])
    assert np.abs(plain - fed).max() > 1e-3


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("name", ["additive", "coverage", "monotonic", "mocha_soft"])
def test_a_decoder_with_any_alignment_learns_compiled(name, precision):
    keras.utils.set_random_seed(1)
    queries, memory, mask = arrays(batch=4)
    places = [keras.Input((None, WIDTH)), keras.Input((None, WIDTH)), keras.Input((None,), dtype="bool")]
    made = MAKERS[name]()
    alignment = type(made).from_config({**made.get_config(), "dtype": precision})
    decoder = InputFeeding(WIDTH, "gru", alignment, dtype=precision)
    model = keras.Model(places, decoder(*places[:2], memory_mask=places[2]))
    model.compile(keras.optimizers.Adam(0.05), "mse")
    wanted = np.tanh(queries + memory[:, :1])
    losses = [float(model.train_on_batch([queries, memory, mask], wanted)) for _ in range(25)]
    assert losses[-1] < 0.8 * losses[0]


def test_a_decoder_draws_anew_at_each_step_and_each_call():
    queries, memory, _ = arrays()
    queries[:] = queries[:, :1]
    alignment = Monotonic(6, noise=3.0, seed=5)
    decoder = InputFeeding(WIDTH, "gru", alignment, input_feeding=False)
    decoder(queries, memory)
    # A cell that forgets at once asks the same at each step: without noise walks would not differ but by their start.
    tables = [numbers(decoder(queries, memory, return_attention_scores=True, training=True)[1]) for _ in range(2)]
    assert np.abs(tables[0] - tables[1]).max() > 1e-2
    assert np.abs(np.diff(tables[0], axis=2)).max() > 1e-2


def test_a_decoder_adds_the_loss_of_its_alignment():
    queries, memory, _ = arrays()
    shown = np.array([[True] * STEPS, [True] * 4 + [False] * 2])
    decoder = InputFeeding(WIDTH, "gru", Coverage(6, factor=2.0))
    _, table = decoder(queries, memory, query_mask=shown, return_attention_scores=True)
    wanted = 2.0 * numbers(coverage_loss(table[:, 0], shown))
    np.testing.assert_allclose([float(numbers(loss)) for loss in decoder.losses], [wanted], rtol=1e-5)


# Walks.


def restless(layer):
    """Set a built layer's weights so that about two in three keys are good enough, others for each query."""
    generator = np.random.default_rng(2)
    layer.set_weights([generator.normal(size=weight.shape) for weight in layer.get_weights()])
    layer.energy.gain.assign(4.0)
    layer.energy.offset.assign(1.5)
    return layer


def test_a_hard_walk_never_moves_back_and_ends_for_good():
    queries, memory, mask = arrays(batch=40, seed=3)
    layer = restless(built("monotonic"))
    table = numbers(layer(queries, memory, memory_mask=mask, return_attention_scores=True)[1])[:, 0]
    assert set(np.unique(table)) == {0.0, 1.0}
    moved = 0
    for rows in table:
        stops = [int(row.argmax()) if row.any() else KEYS for row in rows]
        assert stops == sorted(stops)
        moved += len(set(stops)) > 1
    assert moved > 5


@pytest.mark.parametrize("name", ["monotonic", "mocha"])
def test_a_hard_walk_is_the_limit_of_the_soft_one(name):
    queries, memory, mask = arrays(batch=20, seed=4)
    make = {"monotonic": Monotonic, "mocha": MoChA}[name]
    hard, soft = make(units=6, inference="hard"), make(units=6, inference="soft")
    hard(queries, memory)
    soft(queries, memory)
    # The sharper the scores, the nearer the probabilities to 0 and 1.
    soft.set_weights(restless(hard).get_weights())
    for weight in (soft.energy.gain, soft.energy.offset):
        weight.assign(1e4 * weight)
    wanted = numbers(hard(queries, memory, memory_mask=mask, return_attention_scores=True)[1])
    found = numbers(soft(queries, memory, memory_mask=mask, return_attention_scores=True)[1])
    close = np.abs(wanted - found).max(axis=(1, 2, 3)) < 1e-4
    assert close.mean() > 0.9
    assert wanted.sum() > 20


def test_the_soft_walk_is_the_expectation_of_sampled_walks():
    generator = np.random.default_rng(0)
    stop = generator.random((STEPS, KEYS))
    counts = np.zeros((STEPS, KEYS))
    walks = 4000
    for _ in range(walks):
        place = 0
        for step in range(STEPS):
            while place < KEYS and generator.random() > stop[step, place]:
                place += 1
            if place == KEYS:
                break
            counts[step, place] += 1
    layer = Monotonic(2, inference="soft")
    state = (ops.eye(1, KEYS, dtype="float32"),)
    for step in range(STEPS):
        weights, state = layer.advance(ops.convert_to_tensor(stop[None, step].astype("float32")), None, state)
        np.testing.assert_allclose(numbers(weights)[0], counts[step] / walks, atol=0.03)


def test_noise_moves_walks_while_training_alone():
    queries, memory, _ = arrays()
    layer = built("monotonic_soft")
    first, second = (numbers(layer(queries, memory, training=True)) for _ in range(2))
    assert np.abs(first - second).max() > 1e-3
    np.testing.assert_array_equal(numbers(layer(queries, memory)), numbers(layer(queries, memory)))


@pytest.mark.parametrize("length", [1, 2, 63, 64, 65, 300])
def test_a_recurrence_is_solved_alike_with_and_without_known_length(length):
    generator = np.random.default_rng(length)
    decay = generator.random((2, length)) * (generator.random((2, length)) > 0.1)
    decay[generator.random((2, length)) > 0.8] = 1.0
    inputs = generator.normal(size=(2, length))
    wanted, value = np.zeros((2, length)), np.zeros(2)
    for place in range(length):
        value = decay[:, place] * value + inputs[:, place]
        wanted[:, place] = value
    decay, inputs = (ops.convert_to_tensor(array.astype("float32")) for array in (decay, inputs))
    np.testing.assert_allclose(numbers(linear_recurrence(decay, inputs)), wanted, atol=2e-5)
    np.testing.assert_allclose(numbers(_blocked(decay, inputs, 3)), wanted, atol=2e-5)


# Coverage.


def test_looking_twice_costs():
    generator = np.random.default_rng(0)
    weights = generator.dirichlet(np.ones(4), size=(2, 3))
    shown = np.array([[True, True, True], [True, True, False]])
    wanted = []
    for rows, mask in zip(weights, shown):
        past, losses = np.zeros(4), []
        for row in rows[mask]:
            losses.append(np.minimum(row, past).sum())
            past += row
        wanted.append(np.mean(losses))
    found = coverage_loss(ops.convert_to_tensor(weights.astype("float32")), shown)
    np.testing.assert_allclose(float(numbers(found)), np.mean(wanted), rtol=1e-5)


@pytest.mark.parametrize("factor", [0.0, 1.0, 2.5])
def test_a_call_adds_the_loss_of_its_coverage(factor):
    queries, memory, _ = arrays()
    layer = Coverage(6, factor=factor)
    _, table = layer(queries, memory, return_attention_scores=True)
    if factor:
        wanted = factor * numbers(coverage_loss(table[:, 0]))
        np.testing.assert_allclose([float(numbers(loss)) for loss in layer.losses], [wanted], rtol=1e-5)
    else:
        assert layer.losses == []


# Mistakes.


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Alignment(units=0), "units must be a whole number of at least 1"),
        (lambda: LocationBased(0), "max_length must be a whole number of at least 1"),
        (lambda: LocationAware(0), "units must be a whole number of at least 1"),
        (lambda: LocationAware(filters=0), "filters must be a whole number of at least 1"),
        (lambda: LocationAware(normalizer="gumbel_softmax"), "normalizer must draw no noise, got 'gumbel_softmax'"),
        (lambda: Coverage(factor=-1), "factor must be at least 0"),
        (lambda: Monotonic(0), "units must be a whole number of at least 1"),
        (lambda: Monotonic(noise=-1), "noise must be at least 0"),
        (lambda: Monotonic(inference="firm"), "inference 'firm' is unknown"),
        (lambda: MoChA(0), "chunk must be a whole number of at least 1"),
        (lambda: LocalAlignment(0), "reach must be a whole number of at least 1"),
        (lambda: InputFeeding(0), "units must be a whole number of at least 1"),
        (lambda: InputFeeding(4, "lstn"), "cell 'lstn' is unknown; the nearest names are 'lstm'"),
        (lambda: AlignmentCell(keras.layers.LSTMCell(4, dropout=0.1), Alignment()), "cell must have no dropout"),
    ],
)
def test_a_wrong_argument_is_named(make, sentence):
    with pytest.raises(ZooValueError, match=f"^{sentence}"):
        make()


def test_unequal_widths_ask_for_units():
    with pytest.raises(ZooValueError, match=r"^units must be given where .*, got widths \(5, 4\)"):
        Alignment().build((None, None, 5), (None, None, 4))


def test_steps_want_a_built_layer_and_a_state():
    with pytest.raises(ZooValueError, match=r"must be built before it is used by steps"):
        Alignment().prepare(np.zeros((1, 2, 3), "float32"))
    with pytest.raises(ZooTypeError, match=r"^cell must be a recurrent cell of Keras, got Dense"):
        AlignmentCell(keras.layers.Dense(3), Alignment())
    with pytest.raises(ZooTypeError, match=r"^alignment must be a StepwiseAlignment, got Dense"):
        AlignmentCell(keras.layers.GRUCell(3), keras.layers.Dense(3))
    cell = AlignmentCell(keras.layers.GRUCell(3), Alignment(units=3))
    with pytest.raises(ZooValueError, match=r"^memory_shape must be given"):
        cell.build((None, 3))
    with pytest.raises(ZooValueError, match=r"^initial_state must be given"):
        cell.get_initial_state(2)


def test_every_alignment_is_one_of_the_family():
    assert all(isinstance(make(), StepwiseAlignment) for make in MAKERS.values())
