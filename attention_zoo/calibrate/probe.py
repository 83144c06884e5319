"""Turn any model into one that also returns statistics of its attention, computed in the graph."""

from typing import Any

import keras
from keras import ops

from attention_zoo.calibrate.capture import Watched, a_model, by_name
from attention_zoo.calibrate.statistics import statistics_of
from attention_zoo.checks import whole_number
from attention_zoo.core.tape import Seen, Tape
from attention_zoo.watch.names import PREFIX, statistics_in

ROWS = 64


@keras.saving.register_keras_serializable(package="attention_zoo")
class Probed(Watched):
    """A model whose outputs are a flat dict: "output", and one entry "statistics.<site>" for each site.

    What is kept of a map does not depend on its size. Of a long map only `rows` rows are looked at, evenly spaced over
    the padded length; where the layer need not form the others it does not, so that memory does not grow with the
    square of the length. The output is that of the path which the model takes while nobody looks.

    Args:
        model: the model to watch; its weights are shared, not copied.
        only: a glob on site paths; the rest is not returned.
        rows: how many queries of a map are looked at, at most.
        outputs: False leaves out what `model` returns, so that nothing is kept of large outputs, and what comes after
            the last map is not computed where graphs are compiled.

    Call:
        inputs: what `model` takes.

    Returns:
        {"output": what `model` returns, "statistics.<site>": float32 [batch, head, statistics]}, in the order of
        `watch.names.MIX` (or `GATE`); a "/" in a site's path is written "." here.

    Raises:
        ZooValueError: if rows is no whole number of at least 2.

    Cost: see `calibrate.statistics.mix_statistics`, for min(rows, length) queries.
    """

    def __init__(self, model: keras.Model, only: str = "*", rows: int = ROWS, outputs: bool = True, **kwargs: Any):
        super().__init__(model, only, **kwargs)
        self.tells = outputs
        self.rows = whole_number("rows", rows, least=2, unit="queries looked at")

    def call(self, inputs: Any, training: bool | None = None) -> dict[str, Any]:
        batch = ops.shape(keras.tree.flatten(inputs)[0])[0]
        found: dict[str, Any] = {}

        def note(seen: Seen) -> Any:
            found[PREFIX + dotted(seen.name)] = _for_each(statistics_of(seen, self.rows), batch)
            return seen.weights

        with Tape(note, only=self.only, keep=False, rows=self.rows) as tape:
            output = self.model(inputs, training=training)
        self.sites.update({dotted(name): site for name, site in tape.sites.items()})
        # Without any site something must be told still.
        return {**(by_name(output) if self.tells or not found else {}), **found}

    def get_config(self) -> dict:
        return {**super().get_config(), "rows": self.rows, "outputs": self.tells}


def dotted(site: str) -> str:
    """Return a site's name as outputs of graphs, files and findings have it: without a slash."""
    return site.replace("/", ".")


def _for_each(values: Any, batch: Any) -> Any:
    """Bring statistics of windows to one for each example, which they are cut from in order."""
    heads, count = values.shape[1], values.shape[2]
    return ops.mean(ops.reshape(values, (batch, -1, heads, count)), axis=1)


def probe(model: keras.Model, only: str = "*", rows: int = ROWS, outputs: bool = True) -> Probed:
    """Wrap `model` so that `predict` returns statistics of its attention beside its output.

    Args:
        model: any Keras model; statistics come from the layers of the zoo in it.
        only: a glob on site paths, for example "encoder*".
        rows: how many queries of a long map are looked at.
        outputs: whether what `model` returns is told beside.

    Returns:
        A model that shares the weights of `model`; it can be saved, exported, and runs compiled.

    Raises:
        ZooTypeError: if `model` is not a Keras model.
        ZooValueError: if rows is no whole number of at least 2.
    """
    return Probed(a_model(model), only=only, rows=rows, outputs=outputs)


def collect(model: keras.Model, data: Any, only: str = "*", batch_size: int = 64) -> dict[str, Any]:
    """Return statistics of a model's attention on data.

    Args:
        model: any Keras model with layers of the zoo in it.
        data: what `model.predict` takes.
        only: a glob on site paths.
        batch_size: examples run at once, where `data` is arrays.

    Returns:
        By site, in the order in which the model runs them, float32 [examples, head, statistics].

    Raises:
        ZooTypeError: if `model` is not a Keras model.
    """
    size = {} if isinstance(data, keras.utils.PyDataset) else {"batch_size": batch_size}
    probed = probe(model, only, outputs=False)
    found = statistics_in(probed.predict(data, verbose=0, **size))
    return {site: found[site] for site in probed.sites}
