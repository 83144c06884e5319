"""The layer under check: built, with weights that hide no mistake, and the ways to run it."""

import contextlib
import inspect
from collections.abc import Iterator
from typing import Any, NamedTuple

import keras
import numpy as np

from attention_zoo.core.part import Part
from attention_zoo.core.tape import Tape
from attention_zoo.testing.case import BATCH, Case, Inputs, Scene, Visible, padded
from attention_zoo.testing.report import AttentionCheckError


class Ran(NamedTuple):
    """What one call gave.

    Args:
        output: float32.
        maps: where positions are mixed, by site, float32; empty where nobody watched.
        gates: the weights of gates likewise.
        returned: the map that the call returned, or None.
    """

    output: np.ndarray
    maps: dict[str, np.ndarray]
    gates: dict[str, np.ndarray]
    returned: np.ndarray | None = None


class Subject:
    """A built layer of a case, and what its calls gave, kept for the checks that ask again.

    Args:
        case: what to build.
    """

    def __init__(self, case: Case):
        self.case = case
        self.scenes = {scene.name: scene for scene in case.scenes()}
        self.layer = self.build(case.make())
        self.weights = drawn_weights(self.layer)
        self.layer.set_weights(self.weights)
        self.check = (0, "")
        self.watching: Any = None  # the model that `capture` made, once it is made
        self._kept: dict[Any, Ran] = {}

    @property
    def plain(self) -> Scene:
        """The scene without masks."""
        return next(iter(self.scenes.values()))

    @property
    def padded(self) -> Scene:
        """A scene with padding and, of a mixing layer, another sequence of values."""
        return self.scenes["padded" if self.case.role == "pool" else "cross, padded"]

    def build(self, layer: Any) -> Any:
        """Build a layer by calling it once, on symbols: nothing is computed."""
        query = self.plain.inputs.query
        layer(keras.Input(batch_shape=query.shape, dtype=layer.compute_dtype))
        return layer

    def twin(self, **changes: Any) -> Any:
        """Make the layer again from its config, with `changes` and the same weights."""
        layer = self.build(type(self.layer).from_config({**self.layer.get_config(), **changes}))
        layer.set_weights(self.weights)
        return layer

    def under(self, policy: str) -> Any:
        """Make the layer again under a dtype policy, with the same weights."""
        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy(policy)
        try:
            layer = self.build(self.case.make())
        finally:
            keras.config.set_dtype_policy(before)
        layer.set_weights(self.weights)
        return layer

    def ran(self, scene: Scene, watched: bool = False) -> Ran:
        """Run the layer in a scene, or return what it gave the last time."""
        key = (scene.name, watched)
        if key not in self._kept:
            self._kept[key] = run(self.layer, scene.inputs, scene.visible, watched=watched)
        return self._kept[key]

    def blind(self) -> list[tuple[str, Inputs, Visible, tuple]]:
        """Return ways to call in which some outputs see nothing: (name, inputs, masks, index of those outputs)."""
        inputs = self.plain.inputs
        mask = padded(BATCH, self.case.lengths)
        mask[1] = False
        if self.case.role == "pool":
            return [("a sequence of padding", inputs, Visible(mask), (1,))]
        pairs = np.ones((BATCH, mask.shape[1], mask.shape[1]), bool)
        pairs[:, 3] = False
        return [
            ("a sequence of padding", inputs, Visible(keys=mask), (1,)),
            ("a query that may see nothing", inputs, Visible(pairs=pairs), (slice(None), 3)),
        ]

    def named(self) -> dict[str, np.ndarray]:
        """Return the layer's weights by their paths below it."""
        return dict(zip(weight_names(self.layer), self.weights))

    def map_of(self, ran: Ran) -> np.ndarray:
        """Return the map of a watched call: the last, where there are several."""
        if not ran.maps:
            self.fail("a map at the tap", "none")
        return list(ran.maps.values())[-1]

    def fail(self, wanted: str, got: str) -> None:
        """Raise the error of the check that is running."""
        raise AttentionCheckError(self.case.name, *self.check, wanted, got)

    def near(self, what: str, wanted: np.ndarray, got: np.ndarray, tolerance: float) -> float:
        """Return the largest difference, or fail if it is over `tolerance` (relative for numbers over 1)."""
        if wanted.shape != got.shape:
            self.fail(f"{what} of shape {wanted.shape}", f"{got.shape}")
        if not wanted.size:
            return 0.0
        distance = np.abs(wanted.astype("float64") - got) / np.maximum(1.0, np.abs(wanted))
        worst = np.unravel_index(np.argmax(np.nan_to_num(distance, nan=np.inf)), distance.shape)
        largest = float(distance[worst])
        if not largest <= tolerance:
            place = [int(index) for index in worst]
            self.fail(
                f"{what} within {tolerance:g}",
                f"a difference of {largest:.3g} at {place}: {got[worst]}, not {wanted[worst]}",
            )
        return largest


def drawn_weights(layer: Any) -> list[np.ndarray]:
    """Return the layer's first weights with noise added, so that no bias is zero and no mixing is the identity."""
    generator = np.random.default_rng(3)
    return [weight + 0.3 * generator.normal(size=weight.shape).astype(weight.dtype) for weight in layer.get_weights()]


def weight_names(layer: Any) -> list[str]:
    """Return the paths of the layer's weights below the layer; a part goes by its kind ("score/kernel")."""
    parts = {
        id(weight): part.kind for part in layer._flatten_layers() if isinstance(part, Part) for weight in part.weights
    }
    prefix = f"{layer.path or layer.name}/"
    return [
        f"{parts[id(weight)]}/{weight.name}" if id(weight) in parts else weight.path.removeprefix(prefix)
        for weight in layer.weights
    ]


def call(layer: Any, inputs: Inputs, visible: Visible, training: bool = False, scores: bool = False) -> Any:
    """Call a layer of either role; only what is given is passed."""
    if not _mixes(layer):
        options = {} if visible.queries is None else {"mask": visible.queries}
        return layer(inputs.query, training=training, **options)
    given = {"query_mask": visible.queries, "value_mask": visible.keys, "attention_mask": visible.pairs}
    options = {name: array for name, array in given.items() if array is not None}
    options |= {"use_causal_mask": True} if visible.causal else {}
    options |= {"return_attention_scores": True} if scores else {}
    positional = (inputs.query,) if inputs.value is None else (inputs.query, inputs.value)
    return layer(*positional, training=training, **options)


def _mixes(layer: Any) -> bool:
    """Say whether a layer is called as `keras.layers.MultiHeadAttention`."""
    return "attention_mask" in inspect.signature(layer.call).parameters


def run(
    layer: Any,
    inputs: Inputs,
    visible: Visible,
    *,
    training: bool = False,
    watched: bool = False,
    scores: bool = False,
) -> Ran:
    """Call a layer eagerly and return NumPy arrays."""
    with Tape() if watched else contextlib.nullcontext() as tape:
        result = call(layer, inputs, visible, training, scores)
    output, returned = result if scores else (result, None)
    maps: dict[str, dict[str, np.ndarray]] = {"mix": {}, "gate": {}}
    for name, array in tape.maps.items() if watched else ():
        maps[tape.sites[name].kind][name] = to_numpy(array)
    return Ran(to_numpy(output), maps["mix"], maps["gate"], None if returned is None else to_numpy(returned))


def to_numpy(tensor: Any) -> np.ndarray:
    """Return a tensor of any precision as float32."""
    return keras.ops.convert_to_numpy(keras.ops.cast(tensor, "float32"))


@contextlib.contextmanager
def rewound(layer: Any) -> Iterator[None]:
    """Give the layer's random generators their state back afterwards, so that the next call draws the same."""
    known = {id(weight) for weight in layer.weights}
    states = [(state, keras.ops.convert_to_numpy(state)) for state in layer.variables if id(state) not in known]
    try:
        yield
    finally:
        for state, value in states:
            state.assign(value)


class Hide(keras.layers.Layer):
    """Give a tensor the mask that Keras passes along by itself."""

    def __init__(self, mask: np.ndarray):
        super().__init__()
        self.supports_masking, self.mask_array = True, mask

    def call(self, inputs: Any) -> Any:
        return inputs + 0.0

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return keras.ops.convert_to_tensor(self.mask_array)
