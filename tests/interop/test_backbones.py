"""What a backbone's spec may hold, and what is said when its library is missing; needs neither library."""

import json
import subprocess
import sys

import pytest

from attention_zoo.errors import ZooFileError, ZooImportError, ZooTypeError, ZooValueError
from attention_zoo.interop import (
    check_spec,
    keras_cv_backbone,
    keras_hub_backbone,
    pixel_statistics,
    preset_spec,
    to_spec,
)

pytestmark = pytest.mark.once

SPEC = {"library": "keras_hub", "class_name": "BertBackbone", "config": {"num_layers": 1}}


def test_a_spec_is_plain_values_without_what_keras_adds():
    config = {
        "num_layers": 1,
        "image_shape": (8, 8, 3),
        "name": "mine",
        "trainable": False,
        "dtype": {"class_name": "x"},
    }
    spec = to_spec(("BertBackbone", config))
    assert spec == {**SPEC, "config": {"num_layers": 1, "image_shape": [8, 8, 3]}}
    assert json.loads(json.dumps(spec)) == check_spec(spec) == to_spec(spec)


@pytest.mark.parametrize(
    ("spec", "kind", "sentence"),
    [
        (3, ZooTypeError, "spec must be a dict with library, class_name, config, got int"),
        ({**SPEC, "module": "os"}, ZooValueError, "field of a backbone's spec 'module' is unknown"),
        ({**SPEC, "library": "os"}, ZooValueError, "library of backbones 'os' is unknown"),
        ({**SPEC, "class_name": 3}, ZooTypeError, "class_name must be a string and config a dict, got int and dict"),
        ({**SPEC, "config": {"a": object}}, ZooTypeError, "config\\['a'\\] must be a number, a string"),
        ({**SPEC, "config": {"a": [float("nan")]}}, ZooTypeError, "config\\['a'\\]\\[0\\] must be a number"),
        (
            {**SPEC, "config": {"a": {"class_name": "Dense"}}},
            ZooTypeError,
            "plain values, got an object of class 'Dense'",
        ),
    ],
)
def test_a_spec_that_is_not_plain_is_refused(spec, kind, sentence):
    with pytest.raises(kind, match=sentence):
        check_spec(spec)


@pytest.mark.parametrize("thing", [None, 3, object(), ("BertBackbone",)])
def test_what_is_no_backbone_is_refused(thing):
    with pytest.raises(ZooTypeError, match="backbone must be one of keras-hub or keras-cv, a pair"):
        to_spec(thing)


def test_a_folder_that_is_no_preset_is_named(tmp_path):
    with pytest.raises(ZooFileError, match="no local folder of a keras-hub preset"):
        preset_spec("hf://google/bert")
    with pytest.raises(ZooFileError, match=r"config\.json is missing"):
        preset_spec(tmp_path)
    (tmp_path / "config.json").write_text('{"class_name": "BertBackbone"}')
    with pytest.raises(ZooFileError, match="lacks class_name or config"):
        preset_spec(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ZooFileError, match="is damaged: it is not JSON"):
        keras_hub_backbone(tmp_path)


def test_the_pixels_of_a_preset_are_told_as_mean_and_deviation(tmp_path):
    assert pixel_statistics(tmp_path) is None
    converter = {"config": {"scale": [1 / 255 / 0.5, 1 / 255 / 0.25], "offset": [-0.4 / 0.5, -0.6 / 0.25]}}
    (tmp_path / "image_converter.json").write_text(json.dumps(converter))
    mean, deviation = pixel_statistics(tmp_path)
    assert mean == pytest.approx([0.4, 0.6]) and deviation == pytest.approx([0.5, 0.25])
    (tmp_path / "image_converter.json").write_text('{"config": {"scale": 0.00392156862745098}}')
    assert pixel_statistics(tmp_path) == ([0.0], [pytest.approx(1.0)])
    (tmp_path / "image_converter.json").write_text('{"config": {"scale": 0}}')
    with pytest.raises(ZooFileError, match="are no statistics"):
        pixel_statistics(tmp_path)


@pytest.mark.parametrize(
    ("module", "extra", "door"), [("keras_hub", "hub", keras_hub_backbone), ("keras_cv", "cv", keras_cv_backbone)]
)
def test_a_missing_library_is_said_with_its_extra(monkeypatch, module, extra, door):
    monkeypatch.setitem(sys.modules, module, None)  # importing it then fails as if it were not there
    with pytest.raises(
        ZooImportError, match=f"{module} is not installed; run: pip install 'attention-zoo\\[{extra}\\]'"
    ):
        door({"library": module, "class_name": "ResNetBackbone", "config": {}})


def test_one_library_is_not_taken_for_the_other():
    with pytest.raises(ZooValueError, match="spec must be one of keras_cv, got one of keras_hub"):
        keras_cv_backbone(SPEC)
    with pytest.raises(ZooValueError, match="spec must be one of keras_hub, got one of keras_cv"):
        keras_hub_backbone({**SPEC, "library": "keras_cv"})


def test_neither_library_is_imported_before_it_is_needed():
    code = "import sys, attention_zoo.interop; print([m for m in ('keras_hub', 'keras_cv') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
