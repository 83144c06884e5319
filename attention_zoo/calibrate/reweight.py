"""Put rules into any model: they change its attention maps where they are made."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import keras
from keras import ops

from attention_zoo.calibrate.balancer import AttentionBalancer
from attention_zoo.calibrate.capture import a_model, untrained
from attention_zoo.calibrate.chosen import by_site, fitting, one_of
from attention_zoo.calibrate.layout import as_rows, from_rows
from attention_zoo.calibrate.probe import dotted
from attention_zoo.calibrate.references import BlendRule
from attention_zoo.calibrate.rules import (
    FloorRule,
    HeadGateRule,
    LogitCapRule,
    RepairRule,
    Rule,
    TemperatureRule,
    WeightCapRule,
)
from attention_zoo.core.tape import Seen, Tape
from attention_zoo.errors import ZooValueError

RULES: dict[str, type[Rule]] = {
    "temperature": TemperatureRule,
    "weight_cap": WeightCapRule,
    "logit_cap": LogitCapRule,
    "floor": FloorRule,
    "head_gate": HeadGateRule,
    "blend": BlendRule,
    "repair": RepairRule,
    "balancer": AttentionBalancer,
}
OPEN = 8  # size of an axis that a model leaves open, while it is looked at
Planned = tuple[tuple[str, Rule], ...]


def rule(given: Any, **options: Any) -> Rule:
    """Return a rule: the one that is given, or a new one by name.

    Args:
        given: a `Rule`, or a name of `RULES`.
        **options: of a new one.

    Raises:
        ZooTypeError: if it is neither.
        ZooValueError: if no rule has this name, or an option is outside its range.
    """
    return one_of(given, Rule, RULES, "rule", **options)


def planned(rules: Any) -> Planned:
    """Return rules with the sites that each is for.

    Args:
        rules: a rule or a name, a list of them (in order), or a dict from globs on sites to such.

    Raises:
        ZooTypeError, ZooValueError: as `rule`.
    """
    return by_site(rules, Rule, RULES, "rule")


@keras.saving.register_keras_serializable(package="attention_zoo")
class Reweighted(keras.Model):
    """A model whose attention maps pass through rules.

    Each site has rules of its own, made like those that are given, in their order. The weights of `model` are shared,
    not copied; where `model.trainable` is False only the rules learn, and dropout stays off. Inside a loop, as of a
    recurrent decoder, rules meet the map step by step.

    Args:
        model: the model.
        rules: pairs of a glob on sites ("/" written ".") and a rule.
        sites: {site: [kind, heads]}; None looks, which needs a functional model.
        applied: {site: rules}, to share those of another model; None makes new ones.

    Call:
        inputs: what `model` takes.

    Returns:
        What `model` returns.

    Raises:
        ZooValueError: if a glob finds no site, a rule for mixing is asked of gates alone, or nobody knows the sites.
    """

    def __init__(
        self,
        model: keras.Model,
        rules: Iterable[tuple[str, Rule]],
        sites: Any = None,
        applied: Mapping[str, Sequence[Rule]] | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.model = model
        # Described, not kept: Keras takes every layer that it finds here for one of the model's.
        self.described = [[glob, keras.saving.serialize_keras_object(one)] for glob, one in rules]
        self.known = {name: tuple(told) for name, told in (sites or sites_of(model)).items()}
        self.applied = self._made(rules) if applied is None else {site: list(one) for site, one in applied.items()}
        self.rules = [copy for copies in self.applied.values() for copy in copies]
        self._build_rules()
        self.built = True

    def _made(self, rules: Iterable[tuple[str, Rule]]) -> dict[str, list[Rule]]:
        """Make each site its own rules."""
        applied: dict[str, list[Rule]] = {}
        for number, (glob, one) in enumerate(rules):
            found = fitting(glob, self.known, "rules")
            mixing = [site for site in found if self.known[site][0] == "mix" or one.for_gates]
            if not mixing:
                raise ZooValueError(f"{type(one).__name__} is a rule for maps that mix, got {glob!r}: gates alone")
            for site in mixing:
                copy = type(one).from_config({**one.get_config(), "name": f"{site.replace('.', '_')}_{number}"})
                applied.setdefault(site, []).append(copy)
        return applied

    def _build_rules(self) -> None:
        for site, copies in self.applied.items():
            for copy in copies:
                if not copy.built:
                    copy.build((None, self.known[site][1], None, None))
                    copy.built = True

    def build(self, input_shape: Any = None) -> None:
        self.built = True

    @property
    def named_inputs(self) -> bool:
        """Whether a model of a class of its own takes its inputs in a dict."""
        return bool(getattr(self.model, "named_inputs", False))

    @property
    def decoding(self) -> Any:
        """Settings of the search of a model that searches."""
        return self.model.decoding

    def over(self, part: keras.Model) -> "Reweighted":
        """Let the maps of another model pass through these very rules.

        Args:
            part: with layers of this model in it, for example a part of it, or a search by its layers. Rules of sites
                that it does not meet do nothing there.

        Returns:
            A model that shares the weights of `part` and of the rules, so that what a rule learns holds in both. Saved
            together, they share them again when they are read.
        """
        return Reweighted(part, self.planned(), self.known, self.applied, name=part.name)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        with Tape(self._changed, keep=False, loops=True):
            return self.model(inputs, training=training and self.model.trainable)

    def _changed(self, seen: Seen) -> Any:
        rules = self.applied.get(dotted(seen.site.path))
        return apply(rules, seen) if rules else seen.weights

    def planned(self) -> Planned:
        """Return the rules as they were given: new ones, with what they begin with."""
        return tuple((glob, keras.saving.deserialize_keras_object(one)) for glob, one in self.described)

    def get_config(self) -> dict:
        known = {name: list(told) for name, told in self.known.items()}
        # As layers too: Keras marks those that models share, and their weights are then written once.
        applied = {
            site: [keras.saving.serialize_keras_object(one) for one in copies] for site, copies in self.applied.items()
        }
        told = {"model": untrained(self.model), "rules": self.described, "sites": known, "applied": applied}
        return {**super().get_config(), **told}

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> "Reweighted":
        def made(described: Any) -> Any:
            return keras.saving.deserialize_keras_object(described, custom_objects=custom_objects)

        rules = [(glob, made(one)) for glob, one in config["rules"]]
        applied = config.get("applied")
        if applied is not None:
            applied = {site: [made(one) for one in copies] for site, copies in applied.items()}
        return cls(**{**config, "model": made(config["model"]), "rules": rules, "applied": applied})


def apply(rules: Iterable[Rule], seen: Seen) -> Any:
    """Pass one map through rules.

    Args:
        rules: built ones.
        seen: the map.

    Returns:
        The map in its own axes and type. Of maps that mix, rules see magnitudes, and each weight keeps its sign.
    """
    weights = ops.cast(seen.weights, "float32")
    if seen.site.kind == "gate":
        shape = ops.shape(weights)
        rows = ops.reshape(weights, (shape[0], 1, 1, -1))
        for one in rules:
            rows = one(rows, ops.ones_like(rows, dtype="bool"))
        return ops.cast(ops.reshape(rows, shape), seen.weights.dtype)
    rows, allowed = as_rows(weights, seen.mask, seen.site.axes)
    signs = ops.where(rows < 0, -1.0, 1.0)  # exact: what rules leave alone comes back bit by bit
    rows = rows * signs
    for one in rules:
        rows = one(rows, allowed)
    return ops.cast(from_rows(rows * signs, weights, seen.site.axes), seen.weights.dtype)


class _Look(keras.layers.Layer):
    """Run a model once, in a trace that computes nothing, with a tape open."""

    def __init__(self, model: keras.Model, note: Callable[[Seen], Any]):
        super().__init__(name="look")
        self.model, self._note = model, note

    def call(self, inputs: Any) -> Any:
        with Tape(self._note, keep=False, loops=True):
            return self.model(inputs, training=False)


def sites_of(model: keras.Model, example: Any = None) -> dict[str, tuple[str, int]]:
    """Return the places of a model where maps are made.

    Args:
        model: with layers of the zoo in it.
        example: inputs, arrays; needed where `model` is no functional one.

    Returns:
        {site: (kind, heads)}, in the order in which they are met; heads is 1 where a map has none.

    Raises:
        ZooValueError: if the model is not functional and there is no example.
    """
    found: dict[str, tuple[str, int]] = {}
    graph = model
    while example is None and graph is not None:
        example = graph.input if getattr(graph, "inputs", None) else None
        graph = getattr(graph, "model", None)
    if example is None:
        raise ZooValueError("example must be given: the model is no functional one, so its inputs are not known")

    def note(seen: Seen) -> Any:
        axes = seen.site.axes
        heads = seen.weights.shape[axes.index("head")] if "head" in axes and seen.site.kind == "mix" else 1
        found[dotted(seen.site.path)] = (seen.site.kind, int(heads))
        return seen.weights

    # Small sizes first: a backend may have to compute, or cannot see that two ways to count an open size agree.
    try:
        _Look(model, note)(keras.tree.map_structure(_sized, example))
    except Exception:  # of any layer that wants more than it is given here
        found.clear()
        _Look(model, note)(example)
    return found


def _sized(tensor: Any) -> Any:
    """Describe a tensor with a size for each axis that is open; of arrays nothing is open."""
    if not isinstance(tensor, keras.KerasTensor):
        return tensor
    shape = [OPEN if size is None else size for size in tensor.shape]
    return keras.KerasTensor(shape, dtype=tensor.dtype, name=tensor.name)


def apart(model: keras.Model) -> tuple[keras.Model, Callable[[keras.Model], keras.Model]]:
    """Return a network without its rules, and what puts these over a part of it.

    Args:
        model: with rules or without.

    Returns:
        The model that rules are over, or `model` itself; and `Reweighted.over`, or a function that changes nothing.
    """
    if not isinstance(model, Reweighted):
        return model, lambda part: part
    network, inner = apart(model.model)
    return network, lambda part: model.over(inner(part))


def reweight(model: keras.Model, rules: Any, example: Any = None) -> Reweighted:
    """Let a model's attention maps pass through rules.

    Args:
        model: any Keras model; its maps come from the layers of the zoo in it.
        rules: a rule or a name of `RULES`, a list of them (in order), or a dict from globs on sites to such.
        example: inputs of the model, needed where it is no functional one.

    Returns:
        A model that shares the weights of `model`; with rules as they begin it answers exactly alike.

    Raises:
        ZooTypeError: if `model` is no Keras model, or a rule is none.
        ZooValueError: if a rule is unknown, a glob finds no site, or the sites of the model are not known.
    """
    return Reweighted(a_model(model), planned(rules), sites_of(model, example))
