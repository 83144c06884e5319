"""The config of a text classifier: what it refuses, and that it goes to JSON and back."""

import json

import pytest

from attention_zoo import catalogue
from attention_zoo.errors import ZooError, ZooFileError, ZooValueError
from attention_zoo.files import read_json
from attention_zoo.models.text_classifier import NETWORKS, TextClassifierConfig
from attention_zoo.presets import shelf
from attention_zoo.runtime.runner import PREPROCESSORS, preprocessor_class

pytestmark = pytest.mark.once


SPEC = {"library": "keras_hub", "class_name": "BertBackbone", "config": {"num_layers": 2}}


@pytest.mark.parametrize("network", NETWORKS)
def test_a_config_goes_to_json_and_back(network):
    backbone = SPEC if network == "backbone" else None
    config = TextClassifierConfig.of(
        network=network,
        backbone=backbone,
        labels=["a", "b"],
        multi_label=True,
        thresholds=[0.25, 0.5],
        pooling={"name": "mean"},
    )
    read = TextClassifierConfig.from_dict(json.loads(json.dumps(config.to_dict())))
    assert read == config
    assert set(config.to_dict()) == {
        "format", "family", "labels", "multi_label", "thresholds", "temperature", "network"
    }  # fmt: skip


def test_a_network_fills_in_only_what_is_left_open():
    plain = TextClassifierConfig(network="recurrent")
    assert (plain.recurrent, plain.depth, plain.convolutions) == ("gru", 0, ())
    mixed = TextClassifierConfig(network="recurrent", depth=2, convolutions=(2, 3), recurrent="lstm", width=64)
    assert (mixed.recurrent, mixed.depth, mixed.convolutions) == ("lstm", 2, (2, 3))
    assert (mixed.filters, mixed.units, mixed.feed_forward) == (64, 32, 256)
    assert TextClassifierConfig(network="transformer", feed_forward=0).feed_forward == 0


def test_its_attention_is_that_of_the_blocks_or_of_the_pooling():
    assert TextClassifierConfig(attention={"name": "rotary"}).attention_name == "rotary"
    assert TextClassifierConfig(network="recurrent").attention_name == "attention_pooling"


REFUSED = [
    ({"widht": 3}, "'widht' is unknown; the nearest names are 'width'"),
    ({"network": "transfomer"}, "'transformer'"),
    ({"width": 0}, r"width must be a whole number of at least 1 \(channels\), got 0"),
    ({"width": 10, "heads": 4}, "width must be a multiple of heads"),
    ({"depth": 2.5}, "depth must be a whole number"),
    ({"dropout": 1.0}, "dropout must be at least 0 and under 1"),
    ({"convolutions": 3}, "convolutions must be a list"),
    ({"convolutions": (0,)}, "convolutions must be a whole number of at least 1"),
    ({"labels": ["a"]}, "labels must be at least two, got only 'a'"),
    ({"labels": ["a", "a"]}, "'a' twice"),
    ({"labels": ["a", 3]}, "labels must be strings"),
    ({"labels": ["a", "b"], "thresholds": (0.5,), "multi_label": True}, "one number a label"),
    ({"temperature": 0.0}, "temperature must be above 0"),
    ({"recurrent": "gru2"}, "'gru'"),
    ({"attention": 3}, "attention must be a name"),
    ({"pooling": "none"}, "max_pooling is False"),
    ({"network": "hierarchical", "position": "learned"}, "position must be 'none'"),
]


@pytest.mark.parametrize(("values", "sentence"), REFUSED)
def test_what_cannot_work_is_refused_in_one_sentence(values, sentence):
    with pytest.raises(ZooError, match=sentence) as caught:
        TextClassifierConfig.of(**values)
    assert "\n" not in str(caught.value)


def test_a_config_of_another_family_or_format_is_refused():
    values = TextClassifierConfig().to_dict()
    for change in ({"format": 2}, {"family": "translator"}, {"network": None}):
        with pytest.raises(ZooFileError):
            TextClassifierConfig.from_dict({**values, **change})
    with pytest.raises(ZooValueError):
        TextClassifierConfig.of(network="x")


@pytest.mark.parametrize("name", sorted(shelf.folders()))
def test_the_config_of_a_preset_is_written_as_it_was(name):
    values = read_json(shelf.folders()[name] / "config.json")
    written = catalogue._task_class(values["family"]).config_class.from_dict(values).to_dict()
    # A field that is younger than the preset stands among those of the network; all else is as it was, in its order.
    network = {key: value for key, value in written["network"].items() if key in values["network"]}
    assert json.dumps({**written, "network": network}) == json.dumps(values)


@pytest.mark.parametrize("name", sorted(shelf.architectures()))
def test_every_architecture_of_the_catalogue_can_be_loaded(name):
    row = shelf.architectures()[name]
    is_classifier = row["family"].endswith("classifier")
    task = catalogue.load(name, **({"labels": ["a", "b"]} if is_classifier else {}))
    assert task.config.family == row["family"]
    assert catalogue.architecture(name).attention


def test_every_family_says_what_its_bundles_read():
    assert set(PREPROCESSORS) == set(catalogue.FAMILIES)
    for family in catalogue.FAMILIES:
        reader = preprocessor_class(family)
        assert reader.noun and reader.example
