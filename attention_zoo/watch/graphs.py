"""Which graph of an exported model tells what its attention does."""

from typing import Any

from attention_zoo.errors import ZooValueError, unknown
from attention_zoo.watch.names import PREFIX


def watched_graph(runner: Any, graph: str | None) -> tuple[str, list[str]]:
    """Return the name of the graph of an exported model that has statistics, and its outputs that are statistics.

    Args:
        runner: of `runtime.load`.
        graph: its name; None is the only one that has them.

    Raises:
        ZooValueError: if no graph has statistics, or several have and none is named, or there is no such graph.
    """
    found = {name: [one for one in outputs if one.startswith(PREFIX)] for name, outputs in runner.outputs.items()}
    if graph is not None and graph not in found:
        raise unknown("graph", graph, found)
    having = [name for name, ours in found.items() if ours and graph in (None, name)]
    if not having:
        raise ZooValueError(
            "this bundle was exported without statistics of its attention; export it with attention='statistics'"
        )
    if len(having) > 1:
        raise ZooValueError(f"graph must be given where several have statistics: {', '.join(having)}")
    return having[0], found[having[0]]
