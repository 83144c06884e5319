"""Watch the attention of a model that answers, without Keras."""

import copy
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from attention_zoo.errors import unknown
from attention_zoo.watch.graphs import watched_graph
from attention_zoo.watch.monitor import Monitor
from attention_zoo.watch.names import PREFIX, statistics_in

LOG = logging.getLogger("attention_zoo.watch")


def monitored(runner: Any, monitor: Monitor, graph: str | None = None) -> Any:
    """Let a runner feed a monitor with each of its answers; the answers are the same.

        runner = monitored(runtime.load("bundle"), Monitor(AttentionDetector.load("detector.npz"), [LogSink()]))
        runner.predict("Book me a flight")

    Examples that are run together are taken one by one; windows are filled in the order of answers. What goes wrong in
    the watching never reaches an answer: it is logged once, and counted in `watch_failures` of what is returned.

    Args:
        runner: of `runtime.load`, from a bundle that was exported with statistics; it stays as it is.
        monitor: its detector was fitted on statistics of the same sites.
        graph: which graph is watched; None is the one that has statistics.

    Returns:
        A runner of the same class.

    Raises:
        ZooValueError: if no graph has statistics, several have and none is named, or a site is missing.
    """
    name, outputs = watched_graph(runner, graph)
    sites = {output.removeprefix(PREFIX) for output in outputs}
    for site in monitor.sites:
        if site not in sites:
            raise unknown(f"site of the detector, in the statistics of the graph {name!r},", site, sites)
    wanted = [PREFIX + site for site in monitor.sites]
    only = next(iter(runner.graphs)) if len(runner.graphs) == 1 else None  # what is run where no graph is named
    watched, run = copy.copy(runner), runner.run
    watched.watch_failures = 0

    def run_and_watch(
        inputs: Mapping[str, np.ndarray], outputs: Sequence[str] | None = None, *, graph: str | None = None
    ) -> dict[str, np.ndarray]:
        if (graph or only) != name:
            return run(inputs, outputs, graph=graph)
        asked = None if outputs is None else list(outputs)
        found = run(inputs, None if asked is None else list(dict.fromkeys([*asked, *wanted])), graph=graph)
        _feed(watched, monitor, {output: found[output] for output in wanted})
        return found if asked is None else {output: found[output] for output in asked}

    watched.run = run_and_watch
    return watched


def _feed(watched: Any, monitor: Monitor, outputs: Mapping[str, np.ndarray]) -> None:
    try:
        monitor.observe(statistics_in(outputs))
    except Exception as error:  # whatever it is: an answer that is there is given
        watched.watch_failures += 1
        if watched.watch_failures == 1:
            LOG.exception("the attention could not be watched: %s", error)
