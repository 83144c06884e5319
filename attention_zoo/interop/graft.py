"""Put any attention of the zoo into any functional Keras model."""

import fnmatch
from collections.abc import Mapping
from typing import Any

import keras

from attention_zoo.errors import ZooTypeError, ZooValueError, unknown
from attention_zoo.interop.choosing import Choice
from attention_zoo.interop.grafted import STRENGTHS
from attention_zoo.interop.making import seeded
from attention_zoo.interop.rebuilding import Graft, as_functional, operations, rebuild

TRAINABLE = ("all", "new")


def graft(
    model: keras.Model,
    places: Mapping[str, Any],
    *,
    around: bool = False,
    identity: bool = True,
    strength: str = "scalar",
    trainable: str = "all",
    seed: int | None = None,
) -> keras.Model:
    """Return a new model with attention inserted after named layers, which answers as `model` does until it is trained.

    after:  output = x + s (attention(x) - x), around: output = x + s attention(x); x is what the named layer returns,
    s is learned and starts at 0 (see `Grafted`)

        graft(keras.applications.ResNet50(), {"conv[2-5]_block?_out": "cbam"})

    `model` stays as it is: the new one has copies of its layers, weights, statistics (batch norm) and flags
    `trainable`, and shares nothing with it. It is a plain functional `keras.Model` of the same name, inputs and
    outputs, not compiled. Each graft is a layer "<name of the layer>_graft"; its maps are captured at the sites
    "<name>_graft/<name of the attention>...". A layer that the model calls several times is followed by one graft,
    called as often.

    Args:
        model: a functional `keras.Model` or a built `keras.Sequential`, channels last. Models inside it are entered.
        places: {pattern: attention}. A pattern is a glob on names of layers ("conv4_*_out"), those of a model inside
            the model with its name before ("backbone/conv4_*"). The attention is

            * a name of `layers.names()` with the role "image", "gate" or "self"; the latter reads the pixels of an
              image as a sequence, and has as many heads (8, 4, 2 or 1) as divide the channels into 8 or more,
            * a dict with "name" and arguments of the layer,
            * a layer, for one place only, or
            * a function without arguments that makes a layer.
        around: add the attention's output to that of the layer, in place of replacing it.
        identity: start without effect (s = 0). False applies the attention in full from the start.
        strength: "scalar", one s for each graft, or "channel", one for each channel.
        trainable: "all" leaves the layers as they were; "new" freezes all but the grafts. A frozen batch norm uses
            and keeps the statistics that it has, also while training (Keras's own rule).
        seed: makes the new weights the same in each run; None draws new ones.

    Returns:
        The new model.

    Raises:
        ZooTypeError: if the model is no functional one, or an attention is of the wrong kind.
        ZooValueError: if the model is channels_first, a pattern matches nothing, two patterns match one layer, one
            layer instance is meant for several places, an attention does not fit what the layer returns, or a layer
            cannot be copied: each is made again from its own config, as by reading a saved file, which a Lambda and
            some layers of keras-hub (the patches of its ViT) do not allow.

    Cost: a copy of the weights, and one run of each new attention over one example (is it without effect at first?).
    Source: Bachlechner et al. 2020, arXiv:2003.04887 (ReZero); Touvron et al. 2021, arXiv:2103.17239 (LayerScale).
    """
    _check_options(places, strength, trainable)
    functional = as_functional(model)
    chosen = _choose(list(operations(functional)), places)
    with seeded(seed):
        return rebuild(functional, chosen, Graft(around, identity, strength), freeze=trainable == "new")


def _check_options(places: Any, strength: str, trainable: str) -> None:
    if not isinstance(places, Mapping):
        raise ZooTypeError(f"places must be a dict of patterns and attentions, got {type(places).__name__}")
    if not places:
        raise ZooValueError("places must hold at least one pattern and its attention, got none")
    if strength not in STRENGTHS:
        raise unknown("strength", strength, STRENGTHS)
    if trainable not in TRAINABLE:
        raise unknown("trainable", trainable, TRAINABLE)


def _choose(paths: list[str], places: Mapping[str, Any]) -> dict[str, Choice]:
    """Return which path gets which attention.

    Raises:
        ZooValueError: if a pattern matches nothing, a path is matched twice, or a layer instance has several places.
    """
    chosen: dict[str, Choice] = {}
    by: dict[str, str] = {}
    for pattern, attention in places.items():
        choice = Choice(attention)
        found = [path for path in paths if fnmatch.fnmatchcase(path, str(pattern))]
        if not found:
            raise unknown("layer", pattern, paths)
        for path in found:
            if path in by:
                raise ZooValueError(f"each layer may be matched once, got {path!r} for {by[path]!r} and {pattern!r}")
            by[path], chosen[path] = str(pattern), choice
    for choice in chosen.values():
        if choice.single:
            held = [path for path, other in chosen.items() if other.attention is choice.attention]
            if len(held) > 1:
                raise ZooValueError(
                    f"a layer instance may have one place, got {choice.attention.name!r} for {held}: give its name, a "
                    "dict, or a function that makes one"
                )
    return chosen
