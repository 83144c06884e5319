"""Break attention on purpose: is it found, how soon, and does a correction mend it? And what does watching cost?

    ATTENTION_ZOO_DATA=... python benchmarks/calibration.py clinc150_intent faults self_test correction calibrate \
        explain rules overhead

Parts that `benchmarks/results/calibration_PRESET.json` holds already are left out; `--again` measures them anew. What
is normal, what is judged and by which measure depends on the family: `subjects.py`, `subjects_sequence.py`.

faults: detectors learn what is normal from half of the normal data and set their threshold on the other half, or on
validation data where that is other data and enough; faults and false alarms are judged on test data, which neither has
seen. A window is 16 examples, a probe interval one window; 20 windows are judged. Where there are fewer test examples
than that, the 20 windows are drawn from all of them with a fixed seed: two windows may share examples, and rates hang
on fewer of them than it seems ("windows" says so). Each head of each site is broken in turn; of a translator, which has
48 heads that mix, two of each site, drawn with a fixed seed ("heads of a site" says so; `--heads` draws others than
two). Some faults are none: a head that is flat by itself cannot be flattened; where no weight changes by more than 0.01
in the mean over examples (of sequences: the beginnings of 16, as long as the shortest), that is told apart. self_test:
the same faults, with 32 normal inputs on record, and the sound model in batches of other sizes. correction: all heads
of a site are broken; rules learn only for classifiers, as `calibrate` knows no other loss. calibrate: rules of a
classifier learn on validation data, clean or noisy, and are judged on test data of the same kind. explain: deletion and
insertion of 60 test inputs (30 sounds) against random orders. rules: by how much new rules change outputs, and how
exact an export with rules is. overhead: time. The last two are measured on the backend of this process, each backend
for itself.
"""

import argparse
import importlib
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import harness
import numpy as np
from subjects import Subject, chosen, examples, first, subject_of

WINDOW, RATE, DRAWN = 16, 0.01, 1000
JUDGED, OTHERS = 20, 60  # windows of a fault, and of inputs of another kind
METHODS = ("robust_z", "mahalanobis", "autoencoder")
KINDS = ("collapsed", "flat", "sink", "shifted", "dead", "nan")
RECORDED = 32  # inputs of a self-test
LEAST = 0.01  # mean change of a weight, largest over rows, under which a fault is none
METHODS_OF_EXPLANATION = ("attention", "gradient", "occlusion")  # of tasks that name none


def alarms(detector: Any, found: dict, windows: np.ndarray) -> list:
    """Judge windows of examples."""
    return [detector.judge(chosen(found, window)) for window in windows]


def windows_of(count: int, wanted: int) -> np.ndarray:
    """Cut examples into windows; where they are too few, draw each window from all of them.

    Args:
        count: examples.
        wanted: windows.

    Returns:
        numbers of examples, [wanted, 16].
    """
    if count >= wanted * WINDOW:
        return np.arange(wanted * WINDOW).reshape(wanted, WINDOW)
    random = np.random.default_rng(3)
    return np.array([random.permutation(count)[:WINDOW] for _ in range(wanted)])


def broken(subject: Subject, site: str, kind: str, heads: Any) -> Any:
    """Return a model with some heads of a site broken; of a gate, all of it is shut."""
    from attention_zoo.calibrate import FaultRule
    from attention_zoo.calibrate.reweight import Reweighted
    from attention_zoo.calibrate.rules import HeadGateRule

    rule = HeadGateRule(0.0) if kind == "shut" else FaultRule(kind, heads)
    return Reweighted(subject.model, [(site, rule)], subject.sites)


class Changes:
    """Say by how much faults change weights: the largest mean change over examples; NaN counts 1.

    Args:
        subject: the preset.
        arrays: what the maps are made of.
    """

    def __init__(self, subject: Subject, arrays: Any):
        self.model, self.arrays = subject.model, subject.even(arrays)
        self._sound: dict[str, np.ndarray] = {}  # maps of one site alone: faults come site by site

    def __call__(self, faulty: Any, site: str) -> float:
        if site not in self._sound:
            self._sound = {site: self._maps(self.model, site)}
        change = np.abs(self._sound[site] - self._maps(faulty, site))
        return float(np.nan_to_num(change, nan=1.0).mean(axis=0).max())

    def _maps(self, model: Any, site: str) -> np.ndarray:
        from attention_zoo.calibrate import capture

        # Names of outputs have a dot where paths have a slash.
        found = capture(model, only=site.replace(".", "?")).predict(self.arrays, verbose=0)
        return np.asarray(found["attention." + site])


def every_fault(subject: Subject):
    """Give out the site, the kind and the head of each fault, and the model that has it."""
    random = np.random.default_rng(4)
    for site, (what, count) in subject.sites.items():
        taken = range(count) if subject.heads is None else sorted(random.permutation(count)[: subject.heads].tolist())
        for kind in KINDS if what == "mix" else ("shut",):
            for head in taken:
                yield site, kind, head, broken(subject, site, kind, [head])


def fitted(subject: Subject, val: dict, test: dict) -> tuple[dict, dict]:
    """Fit detectors, and count their false alarms."""
    from attention_zoo.calibrate import AttentionDetector

    random = np.random.default_rng(0)
    half, count = examples(val) // 2, examples(test)
    clean = np.array([random.permutation(count)[:WINDOW] for _ in range(DRAWN)])
    detectors: dict[str, Any] = {}
    report: dict[str, Any] = {"false alarms": {}, "threshold seconds": {}}
    learned, held = (chosen(val, np.arange(start, start + half)) for start in (0, half))
    if subject.held is not None:
        learned, held = val, subject.statistics(subject.model, subject.held)
        report["thresholds"] = "validation data"
    for method in METHODS:
        began = time.perf_counter()
        detectors[method] = AttentionDetector(method, RATE, WINDOW).fit(learned, held)
        report["threshold seconds"][method] = time.perf_counter() - began
        report["false alarms"][method] = float(np.mean([one.alarm for one in alarms(detectors[method], test, clean)]))
    return detectors, report


def faults(subject: Subject) -> dict:
    """Find faults that are put into each head."""
    normal, test = (subject.statistics(subject.model, subject.arrays[split]) for split in ("normal", "test"))
    detectors, report = fitted(subject, normal, test)
    arrays = first(subject.arrays["test"], JUDGED * WINDOW)
    windows, changed = windows_of(examples(arrays), JUDGED), Changes(subject, arrays)
    report["windows"] = {"count": JUDGED, "examples": examples(arrays), "overlap": examples(arrays) < JUDGED * WINDOW}
    rows = []
    for site, kind, head, faulty in every_fault(subject):
        found = subject.statistics(faulty, arrays)
        row = {"site": site, "head": head, "kind": kind, "change": changed(faulty, site)}
        for method, detector in detectors.items():
            judged = alarms(detector, found, windows)
            raised = np.array([one.alarm for one in judged])
            named = np.array([site in one.heads and head in one.heads[site] for one in judged])
            row[method] = {
                "one window": float(raised.mean()),
                "two windows": float((raised[:-1] | raised[1:]).mean()),
                "delay": float(np.argmax(raised) + 1) if raised.any() else None,
                "named": float(named[raised].mean()) if raised.any() else None,
                "kinds": sorted({finding.kind for one in judged for finding in one.findings}),
            }
        rows.append(row)
        print(site, head, kind, f"{row['change']:.3f}", {m: row[m]["two windows"] for m in METHODS}, flush=True)
    return {**report, "heads of a site": subject.heads, "rows": rows, "inputs": other_inputs(subject, detectors)}


def self_tests(subject: Subject) -> dict:
    """Ask sound and broken models what is on record."""
    from attention_zoo.watch import SelfTest

    arrays = first(subject.arrays["normal"], RECORDED)
    test = SelfTest(subject.statistics(subject.model, arrays))
    asked = {str(size): subject.statistics(subject.model, arrays, size) for size in (1, 5, RECORDED)}
    sound = {size: test.judge(found).score for size, found in asked.items()}
    rows, changed = [], Changes(subject, arrays)
    for site, kind, head, faulty in every_fault(subject):
        judged = test.judge(subject.statistics(faulty, arrays))
        named = judged.heads == {site: [head]}
        rows.append({"site": site, "head": head, "kind": kind, "change": changed(faulty, site)})
        rows[-1] |= {"score": min(judged.score, 1e9), "found": judged.alarm, "named": named}
        print(rows[-1], flush=True)
    told = {"inputs": RECORDED, "tolerance": test.tolerance, "sound": sound}
    return {**told, "heads of a site": subject.heads, "rows": rows}


def other_inputs(subject: Subject, detectors: dict) -> list[dict]:
    """Say how often inputs of another kind raise an alarm."""
    rows = []
    for name, given in {**subject.noisy("test"), **subject.others()}.items():
        found = subject.statistics(subject.model, first(given, OTHERS * WINDOW))
        windows = windows_of(examples(found), OTHERS)
        shares = {m: float(np.mean([one.alarm for one in alarms(d, found, windows)])) for m, d in detectors.items()}
        rows.append({"inputs": name, **subject.measures(subject.model, arrays=given), "alarms": shares})
        print(rows[-1], flush=True)
    return rows


def correction(subject: Subject) -> dict:
    """Break all heads of a site, and mend it: by balancers with the bands of normal data, and by rules that learn."""
    from attention_zoo.calibrate import balance
    from attention_zoo.watch import Baseline

    baseline = Baseline.of(subject.statistics(subject.model, subject.arrays["normal"]))
    arrays = first(subject.arrays["test"], subject.judged)
    rows, clean = [], subject.measures(subject.model, arrays=arrays)
    for site in [site for site, (what, _) in subject.sites.items() if what == "mix"]:
        for kind in KINDS:
            faulty = broken(subject, site, kind, None)
            row = {"site": site, "kind": kind, "fault": subject.measures(faulty, arrays=arrays)}
            row["balanced"] = subject.measures(balance(faulty, baseline), arrays=arrays)
            row["learned"] = learned(subject, faulty, site) if subject.learns else None
            rows.append(row)
            print(row, flush=True)
    return {"inputs": examples(arrays), "clean": clean, "rows": rows}


def learned(subject: Subject, faulty: Any, site: str) -> dict[str, float]:
    """Return what a broken model is worth with rules that learned to mend it."""
    from attention_zoo.calibrate import calibrate, reweight

    mended = reweight(faulty, {"*": ["repair"], site: ["temperature", "blend"]})
    learn, held = ((subject.arrays[split], subject.truths[split]) for split in ("normal", "test"))
    options = {"temperature": subject.task.temperature, "epochs": 5, "batch_size": 128}
    found = calibrate(mended, learn, held, **options)
    return {name: found.after[name].value for name in ("accuracy", "nll")}


def calibrating(subject: Subject) -> list[dict]:
    """Let rules learn on clean and on noisy data."""
    from attention_zoo.calibrate import calibrate

    pairs = {"clean": (subject.arrays["normal"], subject.arrays["test"])}
    noise = subject.noisy("normal"), subject.noisy("test")
    pairs |= {name: (noise[0][name], noise[1][name]) for name in noise[0]}
    rows = []
    for name, (learn, held) in pairs.items():
        for rules in ("temperature", "head_gate", ["temperature", "head_gate", "blend", "floor"]):
            found = calibrate(
                subject.model,
                (learn, subject.truths["normal"]),
                (held, subject.truths["test"]),
                rules=rules,
                temperature=subject.task.temperature,
                epochs=subject.epochs,
                batch_size=128,
            )
            told = {
                part: {measure: [one.value, one.low, one.high] for measure, one in getattr(found, part).items()}
                for part in ("before", "after", "change")
            }
            listed = [rules] if isinstance(rules, str) else rules
            rows.append({"inputs": name, "rules": listed, "epochs": subject.epochs, "kept": found.kept, **told})
            print(name, rules, found.table(), sep="\n", flush=True)
    return rows


def explain(subject: Subject) -> list[dict]:
    """Judge explanations of test inputs against random orders."""
    rows, inputs = [], subject.inputs["test"][: subject.explained]
    for method in getattr(subject.task, "methods", METHODS_OF_EXPLANATION):
        found = [subject.task.faithfulness(one, method, seed=n) for n, one in enumerate(inputs)]
        gains = np.array([one.gain for one in found])
        rows.append(
            {
                "method": method,
                "inputs": len(found),
                "gain": float(gains.mean()),
                "error": float(gains.std(ddof=1) / np.sqrt(len(gains))),
                **{
                    name: float(np.mean([getattr(one, name) for one in found]))
                    for name in ("deletion", "random_deletion", "insertion", "random_insertion")
                },
            }
        )
        print(rows[-1], flush=True)
    return rows


def rules(subject: Subject) -> dict:
    """Say by how much rules that begin change outputs of a model that is watched; export rules that are at work."""
    import keras

    from attention_zoo.calibrate import RULES, capture, reweight, rule

    arrays = first(subject.arrays["test"], 2 * WINDOW)
    watched = capture(subject.model).predict(arrays, verbose=0)
    found = reweight(subject.model, list(RULES), arrays).predict(arrays, verbose=0)
    # Where a model has one output, `capture` calls it "output".
    found = found if isinstance(found, dict) else {"output": found}
    change = max(float(np.abs(np.asarray(value) - watched[name]).max()) for name, value in found.items())
    row = {"backend": keras.backend.backend(), "rules": len(RULES), "change": change, "export": None}
    if subject.learns:  # of the others exports are several graphs, whose answers tests compare
        task, plain = subject.task, np.asarray(subject.model.predict(arrays, verbose=0))
        task.reweight([rule("temperature", initial=2.0), rule("head_gate", initial=0.5)])
        row["effect"] = float(np.abs(np.asarray(task.model.predict(arrays, verbose=0)) - plain).max())
        with tempfile.TemporaryDirectory() as folder:
            row["export"] = max(task.export(folder, "onnx").differences.values())
    print(row, flush=True)
    return row


def overhead(subject: Subject) -> dict:
    """Time what watching costs on this backend: a closed tap, a probe, a monitor in training."""
    import keras

    from attention_zoo.calibrate import AttentionDetector, AttentionMonitor, probe

    normal = subject.arrays["normal"]
    batch = first(normal, 64)
    model, probed = subject.copied(), probe(subject.model)
    # By their names, as the package gives out functions that are called like its modules.
    modules = [importlib.import_module(f"attention_zoo.core.{name}") for name in ("attend", "gate")]
    taps = [(module, module.tap) for module in modules]
    for module, _ in taps:
        module.tap = lambda site, weights, mask=None: weights
    # Compiled without the tap; where nothing is compiled, it is off for this call alone.
    model.predict_on_batch(batch)
    for module, tap in taps:
        module.tap = tap
    calls = {"no tap": lambda: model.predict_on_batch(batch), "closed": lambda: subject.model.predict_on_batch(batch)}
    calls["probe"] = lambda: probed.predict_on_batch(batch)
    seconds = harness.compare(calls, seconds=20)
    detector = AttentionDetector(window=WINDOW).fit(subject.statistics(subject.model, normal))
    monitor = AttentionMonitor(detector, batch)
    model.compile(keras.optimizers.SGD(1e-9), subject.loss())
    lessons, steps = subject.lessons()
    model.fit(**{**lessons, "epochs": 1}, verbose=0)
    began = time.perf_counter()
    model.fit(**lessons, verbose=0, callbacks=[monitor])
    whole = time.perf_counter() - began
    # The first look compiles the probe: that is paid once, not at each interval.
    looking = (monitor.seconds - monitor.first_seconds) / max(monitor.looks - 1, 1)
    step = (whole - monitor.seconds) / steps
    return {
        "backend": keras.backend.backend(),
        "closed / no tap": seconds["closed"] / seconds["no tap"],
        "probe / closed": seconds["probe"] / seconds["closed"],
        "look seconds": looking,
        "step seconds": step,
        "share of step time at every 100": looking / (100 * step),
    }


PARTS = {
    "faults": faults,
    "self_test": self_tests,
    "correction": correction,
    "calibrate": calibrating,
    "explain": explain,
    "rules": rules,
    "overhead": overhead,
}
EACH = ("rules", "overhead")  # measured on each backend for itself


def main() -> None:
    """Measure parts of one preset."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("preset", help="a name, or the folder of a model that is not among the presets")
    parser.add_argument("parts", nargs="+", choices=PARTS)
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--heads", type=int, help="heads of each site that are broken")
    parser.add_argument("--folder", type=Path, default=harness.RESULTS, help="where the results are kept")
    options = parser.parse_args()
    subject = subject_of(options.preset)
    card = subject.task.card
    path = options.folder / f"calibration_{card.name}.json"
    found = json.loads(path.read_text("utf-8")) if path.exists() else {"preset": card.name}
    found |= {} if card.name == options.preset else {"command": card.command}
    if "calibrate" in options.parts and not subject.learns:
        raise SystemExit(f"calibrate learns from logits of classes: {options.preset} must be a classifier, and is none")
    subject.heads = options.heads or subject.heads
    found |= {"family": card.family, "measure": subject.measure}
    for part in options.parts:
        if part in EACH:
            rows = {row["backend"]: row for row in found.get(part, [])}
            row = PARTS[part](subject)
            found[part] = list({**rows, row["backend"]: row}.values())
        elif part not in found or options.again:
            began = time.perf_counter()
            found[part] = PARTS[part](subject)
            print(part, f"took {time.perf_counter() - began:.0f} s", flush=True)
        found["machine"] = harness.machine()
        path.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
