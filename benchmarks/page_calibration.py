"""The page docs/calibration_results.md: what watching and mending did. Written by `benchmarks/pages.py`."""

METHODS = {"robust_z": "robust z", "mahalanobis": "Mahalanobis", "autoencoder": "autoencoder"}
LEAST = 0.01


def share(value: float | None) -> str:
    """Write a share in percent."""
    return "-" if value is None else f"{100 * value:.1f} %"


def _mean(values: list) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def self_tests(found: dict) -> list[str]:
    """Write how many faults a self-test finds, as rows of the table of detectors."""
    lines = []
    for preset, parts in found.items():
        told = parts.get("self_test", {})
        rows = [row for row in told.get("rows", []) if row["change"] >= LEAST]
        if rows:
            seen = share(_mean([row["found"] for row in rows]))
            named = share(_mean([row["named"] for row in rows if row["found"]]))
            false = share(_mean([score > 1 for score in told["sound"].values()]))
            title = f"self-test, {told['inputs']} inputs on record"
            lines.append(f"| `{preset}` | {title} | {len(rows)} | {seen} | {seen} | 1.00 | {named} | {false} |")
    return lines


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
        "",
        "| model | detector | faults | found | found in one window | delay | named | false alarms |",
        "|--|--|--|--|--|--|--|--|",
    ]
    for preset, parts in found.items():
        rows = [row for row in parts.get("faults", {}).get("rows", []) if row["change"] >= LEAST]
        for method, title in METHODS.items():
            told = [row[method] for row in rows]
            if not told:
                continue
            cells = [share(_mean([one[name] for one in told])) for name in ("two windows", "one window")]
            delay, named = (_mean([one[name] for one in told]) for name in ("delay", "named"))
            false = share(parts["faults"]["false alarms"][method])
            cells = [f"`{preset}`", title, str(len(rows)), *cells, f"{delay:.2f}", share(named), false]
            lines.append("| " + " | ".join(cells) + " |")
    lines += self_tests(found)
    lines += ["", "By kind, within two windows, Mahalanobis:", ""]
    kinds = list(
        dict.fromkeys(row["kind"] for parts in found.values() for row in parts.get("faults", {}).get("rows", []))
    )
    lines += ["| model | " + " | ".join(kinds) + " |", "|--|" + "--|" * len(kinds)]
    for preset, parts in found.items():
        rows = [row for row in parts.get("faults", {}).get("rows", []) if row["change"] >= LEAST]
        if rows:
            cells = [
                share(_mean([row["mahalanobis"]["two windows"] for row in rows if row["kind"] == kind]))
                for kind in kinds
            ]
            lines.append(f"| `{preset}` | " + " | ".join(cells) + " |")
    lines += ["", "Inputs of another kind, windows that raise an alarm:", ""]
    lines += [
        "| model | inputs | accuracy | " + " | ".join(METHODS.values()) + " |",
        "|--|--|--|" + "--|" * len(METHODS),
    ]
    for preset, parts in found.items():
        for row in parts.get("faults", {}).get("inputs", []):
            cells = [
                f"`{preset}`",
                row["inputs"],
                f"{row['accuracy']:.3f}",
                *(share(row["alarms"][m]) for m in METHODS),
            ]
            lines.append("| " + " | ".join(cells) + " |")
    return [*lines, ""]


def corrections(found: dict) -> list[str]:
    """Write what corrections bring back."""
    lines = [
        "## Corrections",
        "",
        "All heads of a site broken; test accuracy with the fault, with balancers whose bands come from normal data,",
        "and with `temperature` and `blend` learned on validation data. Several labels: share of right ones.",
        "",
        "| model | site | fault | clean | broken | balanced | learned |",
        "|--|--|--|--|--|--|--|",
    ]
    for preset, parts in found.items():
        told = parts.get("correction", {})
        for row in told.get("rows", []):
            ways = (told["clean"], row["fault"], row["balanced"], row["learned"])
            values = " | ".join(f"{one['accuracy']:.4f}" for one in ways)
            lines.append(f"| `{preset}` | {row['site']} | {row['kind']} | {values} |")
    return [*lines, ""]


def calibrations(found: dict) -> list[str]:
    """Write whether rules help models that are in order."""
    lines = [
        "## Does it help a model that is in order?",
        "",
        "Rules learned on 2,400 validation inputs, judged on 2,400 test inputs; change with its 95 % interval. Noisy",
        "inputs keep their labels: typing errors in 8 of 100 letters; blur, noise.",
        "",
        "| model | inputs | rules | accuracy | change | nll | change | calibration error | change | kept |",
        "|--|--|--|--|--|--|--|--|--|--|",
    ]
    for preset, parts in found.items():
        for row in parts.get("calibrate", []):
            cells = []
            for name in ("accuracy", "nll", "calibration_error"):
                value, low, high = row["change"][name]
                cells += [f"{row['before'][name][0]:.4f}", f"{value:+.4f} [{low:+.4f}, {high:+.4f}]"]
            told = [f"`{preset}`", row["inputs"], ", ".join(row["rules"]), *cells, "yes" if row["kept"] else "no"]
            lines.append("| " + " | ".join(told) + " |")
    return [*lines, ""]


def explanations(found: dict) -> list[str]:
    """Write how faithful explanations are."""
    lines = [
        "## Explanations against chance",
        "",
        "60 test inputs; area under the score of the answer while parts are hidden (deletion, lower is better) or",
        "shown (insertion, higher is better), the most important first; random: the mean of five random orders. Gain:",
        "both together against random, with its standard error.",
        "",
        "| model | method | deletion | random | insertion | random | gain |",
        "|--|--|--|--|--|--|--|",
    ]
    for preset, parts in found.items():
        for row in parts.get("explain", []):
            names = ("deletion", "random_deletion", "insertion", "random_insertion")
            values = " | ".join(f"{row[name]:.3f}" for name in names)
            lines.append(f"| `{preset}` | {row['method']} | {values} | {row['gain']:+.3f} +- {row['error']:.3f} |")
    return [*lines, ""]


def costs(found: dict) -> list[str]:
    """Write what watching costs."""
    rows = [(preset, row) for preset, parts in found.items() for row in parts.get("overhead", [])]
    if not rows:
        return []
    lines = [
        "## Cost",
        "",
        "Closed: `predict` of 64 inputs while nobody watches, against the same without the tap. Monitor: a look at 64",
        "inputs each 100 steps of 32, as a share of the steps' time.",
        "",
        "| model | backend | closed | probe, against closed | monitor |",
        "|--|--|--|--|--|",
    ]
    for preset, row in rows:
        values = f"{row['closed / no tap']:.2f} | {row['probe / closed']:.2f}"
        lines.append(f"| `{preset}` | {row['backend']} | {values} | {share(row['share of step time at every 100'])} |")
    return [*lines, ""]


def page(found: dict, made: str) -> str:
    """Return the page.

    Args:
        found: results by preset.
        made: the line that says that the page is made.
    """
    parts = (faults, corrections, calibrations, explanations, costs)
    return (
        "\n".join(
            ["# Calibration: what was measured", "", made, *(line for part in parts for line in part(found))]
        ).rstrip()
        + "\n"
    )
