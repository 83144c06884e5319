"""The page docs/calibration_results.md: what watching and mending did. Written by `benchmarks/pages.py`."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

METHODS = {"robust_z": "robust z", "mahalanobis": "Mahalanobis", "autoencoder": "autoencoder"}
LEAST = 0.01
FEW_SITES = 2  # of a model whose sites stand in a table one by one


def share(value: float | None) -> str:
    """Write a share in percent."""
    return "-" if value is None else f"{100 * value:.1f} %"


def _mean(values: list) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def table(found: dict, heads: list[str], *rows: Callable[[dict], Iterable[list[str]]]) -> list[str]:
    """Write a table of all presets.

    Args:
        found: results by preset.
        heads: of the columns after the preset's.
        *rows: give the cells of one preset's rows; what one gives of all presets comes before what the next gives.
    """
    lines = [f"| {' | '.join(['model', *heads])} |", "|" + "--|" * (len(heads) + 1)]
    for one in rows:
        lines += [
            f"| {' | '.join([f'`{preset}`', *cells])} |" for preset, parts in found.items() for cells in one(parts)
        ]
    return lines


def measure(parts: dict) -> str:
    """Return the name of the measure that says how good a preset's answers are."""
    return parts.get("measure", "accuracy")


def score(parts: dict, row: dict | None, digits: int) -> str:
    """Write how good answers are; where it is no accuracy, say what it is."""
    if row is None:
        return "-"
    name = measure(parts)
    return f"{row[name]:.{digits}f}" + ("" if name == "accuracy" else f" ({name})")


def real(parts: dict, part: str) -> list[dict]:
    """Return the rows of faults that change something."""
    return [row for row in parts.get(part, {}).get("rows", []) if row["change"] >= LEAST]


def _found(parts: dict) -> Iterator[list[str]]:
    rows = real(parts, "faults")
    for method, title in METHODS.items() if rows else ():
        told = [row[method] for row in rows]
        cells = [share(_mean([one[name] for one in told])) for name in ("two windows", "one window")]
        delay, named = (_mean([one[name] for one in told]) for name in ("delay", "named"))
        late = "-" if delay is None else f"{delay:.2f}"
        yield [title, str(len(rows)), *cells, late, share(named), share(parts["faults"]["false alarms"][method])]


def _tested(parts: dict) -> Iterator[list[str]]:
    if rows := real(parts, "self_test"):
        told = parts["self_test"]
        seen = share(_mean([row["found"] for row in rows]))
        named = share(_mean([row["named"] for row in rows if row["found"]]))
        false = share(_mean([score > 1 for score in told["sound"].values()]))
        yield [f"self-test, {told['inputs']} inputs on record", str(len(rows)), seen, seen, "1.00", named, false]


def _other_inputs(parts: dict) -> Iterator[list[str]]:
    for row in parts.get("faults", {}).get("inputs", []):
        yield [row["inputs"], score(parts, row, 3), *(share(row["alarms"][method]) for method in METHODS)]


def faults(found: dict) -> list[str]:
    """Write how many faults are found, how soon, and at how many false alarms."""
    lines = [
        "## Faults that were put in",
        "",
        "Each head of each site of the trained models, broken one at a time (`benchmarks/calibration.py`). Windows of",
        "16 test inputs, false alarms stated at 1 % of windows. Found: within two windows; delay: windows until the",
        "first alarm; named: alarms that name the head. Left out are faults that change no weight by 0.01 in the mean:",
        "what a head does already is no fault. Self-test: validation inputs on record are asked again, and an alarm",
        "must name that head alone; false alarms are of the sound model in batches of other sizes.",
        *_notes(found),
        "",
    ]
    heads = ["detector", "faults", "found", "found in one window", "delay", "named", "false alarms"]
    lines += table(found, heads, _found, _tested)
    kinds = list(dict.fromkeys(row["kind"] for parts in found.values() for row in _rows(parts, "faults")))

    def by_kind(parts: dict) -> Iterator[list[str]]:
        if rows := real(parts, "faults"):
            told = {kind: [row["mahalanobis"]["two windows"] for row in rows if row["kind"] == kind] for kind in kinds}
            yield [share(_mean(shares)) for shares in told.values()]

    lines += ["", "By kind, within two windows, Mahalanobis:", "", *table(found, kinds, by_kind)]
    lines += ["", "Inputs of another kind, windows that raise an alarm:", ""]
    return [*lines, *table(found, ["inputs", "accuracy", *METHODS.values()], _other_inputs), ""]


def _rows(parts: dict, part: str) -> list[dict]:
    return parts.get(part, {}).get("rows", [])


def _notes(found: dict) -> list[str]:
    """Say what is otherwise with some presets."""
    drawn = _those(found, lambda parts: parts.get("faults", {}).get("windows", {}).get("overlap"))
    heard = _those(found, lambda parts: parts.get("family") in ("speech_recognizer", "emotion_recognizer"))
    lines = []
    if drawn:
        lines += ["", f"Of {drawn} test inputs are too few for 20 windows: windows are drawn, and overlap."]
    if heard:
        lines += ["", f"Of {heard} training data is normal, as there is too little validation data."]
    if held := _those(found, lambda parts: parts.get("faults", {}).get("thresholds") == "validation data"):
        lines += ["", f"Of {held} thresholds are set on validation data. This was chosen after thresholds from"]
        lines += ["training data had given more false alarms on test data than stated."]
    for preset, parts in found.items():
        if "command" in parts:
            lines += ["", f"`{preset}` is not among the presets: `{parts['command']}` trains it."]
    for part in ("faults", "self_test"):
        if few := _those(found, lambda parts, part=part: parts.get(part, {}).get("heads of a site")):
            lines += ["", f"Of {few} not all heads were broken but some of each site, drawn by chance ({part})."]
    return lines


def _those(found: dict, wanted: Callable[[dict], Any]) -> str:
    return ", ".join(f"`{preset}`" for preset, parts in found.items() if wanted(parts))


def corrections(found: dict) -> list[str]:
    """Write what corrections bring back."""
    lines = [
        "## Corrections",
        "",
        "All heads of a site broken, one site at a time: how good test answers are with the fault, with balancers",
        "whose bands come from normal data, and of classifiers with `temperature` and `blend` that learned on",
        f"validation data. Models of more than {FEW_SITES} sites: the mean over sites. Accuracy of several labels:",
        "share of right ones.",
        "",
    ]
    ways = ("fault", "balanced", "learned")

    def rows(parts: dict) -> Iterator[list[str]]:
        told, name = parts.get("correction", {}), measure(parts)
        sites = list(dict.fromkeys(row["site"] for row in told.get("rows", [])))
        groups = [[site] for site in sites] if len(sites) <= FEW_SITES else [sites]
        for group, kind in itertools.product(groups, dict.fromkeys(row["kind"] for row in told.get("rows", []))):
            some = [row for row in told["rows"] if row["site"] in group and row["kind"] == kind]
            values = [told["clean"][name], *(_mean([row[way][name] for row in some if row[way]]) for way in ways)]
            where = group[0] if len(group) == 1 else f"mean of {len(group)}"
            yield [name, where, kind, *("-" if value is None else f"{value:.4f}" for value in values)]

    return [*lines, *table(found, ["measure", "site", "fault", "clean", "broken", "balanced", "learned"], rows), ""]


def calibrations(found: dict) -> list[str]:
    """Write whether rules help models that are in order."""
    lines = [
        "## Does it help a model that is in order?",
        "",
        "Rules learned on 2,400 validation inputs (of texts for 15 epochs, of pictures for 6), judged on 2,400 test",
        "inputs; change with its 95 % interval. Noisy inputs keep their labels: typing errors in 8 of 100 letters;",
        "blur, noise.",
        "",
    ]

    def rows(parts: dict) -> Iterator[list[str]]:
        for row in parts.get("calibrate", []):
            cells = []
            for name in ("accuracy", "nll", "calibration_error"):
                value, low, high = row["change"][name]
                cells += [f"{row['before'][name][0]:.4f}", f"{value:+.4f} [{low:+.4f}, {high:+.4f}]"]
            yield [row["inputs"], ", ".join(row["rules"]), *cells, "yes" if row["kept"] else "no"]

    heads = ["inputs", "rules", "accuracy", "change", "nll", "change", "calibration error", "change", "kept"]
    return [*lines, *table(found, heads, rows), ""]


def explanations(found: dict) -> list[str]:
    """Write how faithful explanations are."""
    sounds = [row["inputs"] for parts in found.values() for row in parts.get("explain", []) if row["inputs"] != 60]
    lines = [
        "## Explanations against chance",
        "",
        "60 test inputs; area under the score of the answer while parts are hidden (deletion, lower is better) or",
        "shown (insertion, higher is better), the most important first; random: the mean of five random orders. Gain:",
        f"both together against random, with its standard error.{f' Of sounds, {sounds[0]} inputs.' if sounds else ''}",
        "",
    ]

    def rows(parts: dict) -> Iterator[list[str]]:
        for row in parts.get("explain", []):
            names = ("deletion", "random_deletion", "insertion", "random_insertion")
            values = [f"{row[name]:.3f}" for name in names]
            yield [row["method"], *values, f"{row['gain']:+.3f} +- {row['error']:.3f}"]

    return [*lines, *table(found, ["method", "deletion", "random", "insertion", "random", "gain"], rows), ""]


def costs(found: dict) -> list[str]:
    """Write what watching costs."""
    if not any("overhead" in parts for parts in found.values()):
        return []
    lines = [
        "## Cost",
        "",
        "Closed: `predict` of 64 inputs while nobody watches, against the same without the tap. Monitor: a look at 64",
        "inputs each 100 steps of 32, as a share of the steps' time.",
        "",
    ]

    def rows(parts: dict) -> Iterator[list[str]]:
        for row in parts.get("overhead", []):
            ratios = (f"{row[name]:.2f}" for name in ("closed / no tap", "probe / closed"))
            yield [row["backend"], *ratios, share(row["share of step time at every 100"])]

    return [*lines, *table(found, ["backend", "closed", "probe, against closed", "monitor"], rows), ""]


def new_rules(found: dict) -> list[str]:
    """Write what rules do that begin, and how exact exports are."""
    if not any("rules" in parts for parts in found.values()):
        return []
    lines = [
        "## Rules that begin, and rules that leave",
        "",
        "New rules: the largest change of an output when all kinds of rules are put into a model that is watched, each",
        "as it begins. Export: the largest difference between the ONNX graph and the model, with `temperature` 2 and",
        "`head_gate` 0.5 at all sites (effect: how far these move the logits).",
        "",
    ]

    def rows(parts: dict) -> Iterator[list[str]]:
        for row in parts.get("rules", []):
            export = "-" if row["export"] is None else f"{row['export']:.1e}"
            effect = f"{row['effect']:.2f}" if "effect" in row else "-"
            yield [row["backend"], str(row["rules"]), f"{row['change']:g}", effect, export]

    return [*lines, *table(found, ["backend", "kinds of rules", "new rules", "effect", "export"], rows), ""]


def memory(found: dict) -> list[str]:
    """Write how memory grows with length."""
    if not found:
        return []
    ways = {"plain": "nobody looks", "probe": "a probe", "capture": "all maps"}
    lines = [
        "By how many MiB a process grows when 8 heads of 32 channels read one input (`benchmarks/probe_memory.py`):",
        "",
        "| backend | length | " + " | ".join(ways.values()) + " |",
        "|--|--|" + "--|" * len(ways),
    ]
    for backend, told in found.items():
        for row in told["rows"]:
            lines.append(f"| {backend} | {row['length']:,} | " + " | ".join(f"{row[way]:,.0f}" for way in ways) + " |")
    return [*lines, ""]


def drawing(found: dict) -> list[str]:
    """Write how long pictures take."""
    if not found:
        return []
    told = ", ".join(f"`{row['what']}` {row['seconds']:.1f} s" for row in found["rows"])
    return [
        f"Drawing {found['heads']} heads over {found['tokens']:,} tokens (`benchmarks/drawing.py`): {told}.",
        "",
    ]


PARTS = (faults, corrections, calibrations, explanations, new_rules, costs)


def page(found: dict, more: dict, made: str) -> str:
    """Return the page.

    Args:
        found: results by preset.
        more: results that are of no preset: "probe_memory", "drawing", empty where they were not measured.
        made: the line that says that the page is made.
    """
    lines = [line for part in PARTS for line in part(found)]
    lines += [*memory(more["probe_memory"]), *drawing(more["drawing"])]
    return "\n".join(["# Calibration: what was measured", "", made, *lines]).rstrip() + "\n"
