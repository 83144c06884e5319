"""Rules as plain data: names and numbers, nothing that could run."""

from typing import Any

import keras

from attention_zoo.calibrate.reweight import RULES, Reweighted, rule
from attention_zoo.errors import ZooValueError, unknown

FORMAT = 1
KERAS_OWN = frozenset({"name", "trainable", "dtype"})


def to_dict(model: Reweighted) -> dict[str, Any]:
    """Describe the rules of a model, without what they have learned: that is among its weights.

    Args:
        model: of `reweight`.

    Raises:
        ZooValueError: if a rule is none of `RULES`, which only its own program knows.
    """
    names = {kind: name for name, kind in RULES.items()}
    rows = []
    for glob, one in model.planned():
        if type(one) not in names:
            raise ZooValueError(f"rules that are saved must be of {sorted(RULES)}, got {type(one).__name__}")
        options = {key: value for key, value in one.get_config().items() if key not in KERAS_OWN}
        rows.append({"sites": glob, "rule": names[type(one)], "options": options})
    return {"format": FORMAT, "rules": rows, "sites": {name: list(told) for name, told in model.known.items()}}


def from_dict(model: keras.Model, described: dict[str, Any]) -> Reweighted:
    """Put described rules into a model.

    Args:
        model: whose attention they change.
        described: of `to_dict`, without its format.

    Raises:
        ZooValueError: if an entry is missing or of another kind, or a rule cannot be made.
    """
    try:
        rows = [(row["sites"], row["rule"], dict(row["options"])) for row in described["rules"]]
        sites = {str(name): (str(kind), int(heads)) for name, (kind, heads) in described["sites"].items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ZooValueError(
            f"rules must be a list of sites, rule and options, and sites a table; got {error!r}"
        ) from error
    made = []
    for glob, name, options in rows:
        if name not in RULES:
            raise unknown("rule", name, RULES)
        try:
            made.append((glob, rule(name, **options)))
        except TypeError as error:
            raise ZooValueError(f"options of the rule {name!r} cannot be used: {error}") from error
    return Reweighted(model, made, sites)
