"""Checks of the layer inside a model: captured, compiled, saved, with open sizes."""

import json
import tempfile
from pathlib import Path
from typing import Any

import keras
import numpy as np

from attention_zoo.calibrate.capture import capture
from attention_zoo.testing.case import Case, Inputs, Visible, padded
from attention_zoo.testing.mapping import check_rows
from attention_zoo.testing.subject import Subject, run, to_numpy

# Batch, and what is added to every length.
OTHER_SIZE = (3, 2)


def open_model(case: Case, layer: Any) -> keras.Model:
    """Put a layer into a functional model with open batch and lengths: inputs and their mask in, output out."""
    axes = (None,) * len(case.lengths)
    inputs = keras.Input((*axes, case.width), name="inputs")
    mask = keras.Input(axes, dtype="bool", name="mask")
    masks = {"mask": mask} if case.role == "pool" else {"query_mask": mask, "value_mask": mask}
    return keras.Model([inputs, mask], layer(inputs, **masks))


def probe(case: Case, batch: int, extra: int = 0) -> list[np.ndarray]:
    """Return inputs for `open_model`; `extra` is added to every length."""
    lengths = tuple(length + extra for length in case.lengths)
    return [case.arrays(batch, lengths, seed=8), padded(batch, lengths)]


def eager(subject: Subject, arrays: list[np.ndarray], watched: bool = False) -> Any:
    """Run the layer itself on what `probe` returned."""
    visible = Visible(arrays[1], None if subject.case.role == "pool" else arrays[1])
    return run(subject.layer, Inputs(arrays[0]), visible, watched=watched)


def _expected(subject: Subject, arrays: list[np.ndarray]) -> np.ndarray:
    """Return the oracle's answer to what `probe` returned, or the layer's own where there is no oracle."""
    if subject.case.oracle is None:
        return eager(subject, arrays).output
    return subject.case.oracle(Inputs(arrays[0]), subject.named(), Visible(arrays[1], arrays[1]))[0]


def capture_sees(subject: Subject) -> dict[str, float]:
    """Predict through `capture`, compiled: every map is there, rows as promised, numbers as in an eager call."""
    arrays = probe(subject.case, 2)
    found = _watched(subject, arrays)
    wanted = eager(subject, arrays, watched=True)
    subject.map_of(wanted)
    output = subject.near("the eager output", wanted.output, found.pop("output"), 1e-5)
    worst = 0.0
    for site, kept in {**wanted.maps, **wanted.gates}.items():
        got = _rows(subject, arrays, found, site, of_gate=site in wanted.gates)
        worst = max(worst, subject.near(f"the eager map of {site}", kept, got, 1e-5))
    return {"output": output, "map": worst}


def _watched(subject: Subject, arrays: list[np.ndarray]) -> dict[str, np.ndarray]:
    """Predict through `capture`, with one model for all sizes."""
    if subject.watching is None:
        subject.watching = capture(open_model(subject.case, subject.layer))
    found = subject.watching.predict_on_batch(arrays)
    return {name: np.asarray(value, "float32") for name, value in found.items()}


def _rows(subject: Subject, arrays: list[np.ndarray], found: dict, site: str, of_gate: bool) -> np.ndarray:
    """Return the map of a site, its rows checked."""
    # Within a model a site's path may have more in front than that of the layer by itself.
    names = (name for name in found if name.startswith("attention.") and name.endswith(site.replace("/", ".")))
    name = next(names, None)
    if name is None:
        subject.fail(f"an output for the site {site}", str(sorted(found)))
    if not of_gate:
        check_rows(subject, subject.padded._replace(visible=Visible(arrays[1], arrays[1])), site, found[name])
    return found[name]


def reload_keeps_all(subject: Subject) -> dict[str, float]:
    """Go through the config as JSON, and through a `.keras` file: outputs and config stay."""
    config = keras.saving.serialize_keras_object(subject.layer)
    again = keras.saving.deserialize_keras_object(json.loads(json.dumps(config)))
    if json.dumps(keras.saving.serialize_keras_object(again), sort_keys=True) != json.dumps(config, sort_keys=True):
        subject.fail("the same config after a round trip", "another")
    scene = subject.padded
    subject.build(again).set_weights(subject.weights)
    wanted = subject.ran(scene).output
    first = subject.near("the output after the config's round trip", wanted, _plain(again, scene), 0.0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        open_model(subject.case, subject.layer).save(path)
        model = keras.saving.load_model(path)
    arrays = probe(subject.case, 2)
    second = subject.near("the output after `.keras`", eager(subject, arrays).output, to_numpy(model(arrays)), 1e-6)
    return {"config": first, "keras": second}


def _plain(layer: Any, scene: Any) -> np.ndarray:
    return run(layer, scene.inputs, scene.visible).output


def sizes_stay_open(subject: Subject) -> dict[str, float]:
    """Predict, compiled, at another batch and other lengths than those before: output and maps of the right size."""
    _watched(subject, probe(subject.case, 2))
    arrays = probe(subject.case, *OTHER_SIZE)
    found = _watched(subject, arrays)
    output = subject.near(f"the output at {arrays[0].shape}", _expected(subject, arrays), found.pop("output"), 1e-5)
    for site in subject.ran(subject.plain, watched=True).maps:
        _rows(subject, arrays, found, site, of_gate=False)
    return {"output": output}
