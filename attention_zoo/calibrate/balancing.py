"""Put balancers into a model, with the bands that its baseline knows."""

import keras

from attention_zoo.calibrate.balancer import AttentionBalancer
from attention_zoo.calibrate.capture import a_model
from attention_zoo.calibrate.reweight import Reweighted, sites_of
from attention_zoo.calibrate.rules import RepairRule, Rule
from attention_zoo.errors import ZooValueError, unknown
from attention_zoo.watch import Baseline
from attention_zoo.watch.baseline import QUANTILES


def balance(model: keras.Model, baseline: Baseline, low: str = "q01", high: str = "q99") -> Reweighted:
    """Hold the entropy of every head where it is on normal data, and repair rows that are no numbers.

    Args:
        model: any functional Keras model with layers of the zoo in it.
        baseline: of the statistics of `collect(model, normal_data)`.
        low: which quantile of the baseline is the lower end of the band: q01 or q05.
        high: which is the upper end: q95 or q99.

    Returns:
        A model that shares the weights of `model`. Heads whose entropy is not defined (of one query and one key) are
        repaired alone.

    Raises:
        ZooTypeError: if `model` is no Keras model.
        ZooValueError: if a quantile is unknown, or the baseline and the model have no site in common.
    """
    for name in (low, high):
        if name not in QUANTILES:
            raise unknown("quantile", name, QUANTILES)
    sites = sites_of(a_model(model))
    bands: dict[str, list[tuple[float, float]]] = {}
    for row in baseline.rows():
        if row["statistic"] == "entropy" and row["count"]:
            bands.setdefault(row["site"], []).append((max(row[low], 0.0), min(row[high], 1.0)))
    shared = [site for site in sites if len(bands.get(site, ())) == sites[site][1]]
    if not shared:
        raise ZooValueError(f"baseline must be of this model, got sites {sorted(bands)}; the model's are {list(sites)}")
    rules: list[tuple[str, Rule]] = [("*", RepairRule())]
    for site in shared:
        lows, highs = ([min(max(end, 0.0), 1.0) for end in ends] for ends in zip(*bands[site]))
        rules.append((site, AttentionBalancer(lows, highs)))
    return Reweighted(model, rules, sites)
