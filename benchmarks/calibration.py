"""Break attention on purpose: is it found, how soon, and does a correction mend it? And what does watching cost?

    ATTENTION_ZOO_DATA=... python benchmarks/calibration.py clinc150_intent faults self_test correction calibrate \
        explain overhead

Parts that `benchmarks/results/calibration_PRESET.json` holds already are left out; `--again` measures them anew.

faults: detectors learn what is normal from half of the validation data and set their threshold on the other half;
faults and false alarms are judged on test data, which neither has seen. A window is 16 examples, a probe interval one
window. Each head of each site is broken in turn. Some faults are none: a head that is flat by itself cannot be
flattened; where no weight changes by more than 0.01 in the mean over examples, that is told apart. self_test: the same
faults, with 32 validation inputs on record, and the sound model in batches of other sizes. correction: all
heads of a site are broken. calibrate: rules learn on validation data, clean or noisy, and are judged on test data of
the same kind. explain: deletion and insertion of 60 test inputs against random orders. overhead: time, each backend
for itself.
"""

import argparse
import json
import time
from typing import Any

import harness
import numpy as np

WINDOW, RATE, NORMAL, DRAWN = 16, 0.01, 2400, 1000
METHODS = ("robust_z", "mahalanobis", "autoencoder")
KINDS = ("collapsed", "flat", "sink", "shifted", "dead", "nan")
RECORDED = 32  # inputs of a self-test
LEAST = 0.01  # mean change of a weight, largest over rows, under which a fault is none
EXPLAINED = 60


class Subject:
    """A preset with arrays and targets of its validation and test data."""

    def __init__(self, name: str):
        import attention_zoo as az
        from attention_zoo import data
        from attention_zoo.models.classifier import examples

        self.task = az.load(name)
        self.model = self.task.model
        dataset = data.load(self.task.card.data.split(" ")[0].rstrip(","))
        self.inputs, self.arrays, self.targets = {}, {}, {}
        for split in ("val", "test"):
            part = self.task._read(dataset, split)
            chosen = np.random.default_rng(0).permutation(len(part.inputs))[:NORMAL]
            self.inputs[split] = [part.inputs[number] for number in chosen]
            self.targets[split] = examples.targets(part, self.task.labels)[chosen]
            self.arrays[split] = self.prepared(self.inputs[split])

    def prepared(self, inputs: list) -> np.ndarray:
        """Return inputs as the one array that the network reads."""
        return next(iter(self.task.preprocessor(inputs).values()))

    def accuracy(self, model: Any, split: str = "test", arrays: Any = None) -> dict[str, float]:
        """Return accuracy and negative log likelihood of a model on a split."""
        from attention_zoo.calibrate.scores import outcomes

        arrays = self.arrays[split] if arrays is None else arrays
        logits = np.nan_to_num(model.predict(arrays, verbose=0, batch_size=256)) / self.task.temperature
        found = outcomes(logits, self.targets[split])
        return {"accuracy": found.mean("accuracy"), "nll": found.mean("nll")}


def part_of(found: dict, chosen: np.ndarray) -> dict:
    """Return statistics of some examples."""
    return {site: values[chosen] for site, values in found.items()}


def alarms(detector: Any, found: dict, windows: np.ndarray) -> list:
    """Judge windows of examples."""
    return [detector.judge(part_of(found, window)) for window in windows]


def broken(model: Any, site: str, kind: str, heads: Any) -> Any:
    """Return a model with some heads of a site broken; of a gate, all of it is shut."""
    from attention_zoo.calibrate import FaultRule, reweight
    from attention_zoo.calibrate.rules import HeadGateRule

    return reweight(model, {site: HeadGateRule(0.0) if kind == "shut" else FaultRule(kind, heads)})


def changed(model: Any, faulty: Any, site: str, arrays: np.ndarray) -> float:
    """Return the largest mean change of a weight."""
    from attention_zoo.calibrate import capture

    maps = [next(iter(_maps(capture(one), arrays, site))) for one in (model, faulty)]
    change = np.abs(maps[0] - maps[1])
    return float(np.nan_to_num(change, nan=1.0).mean(axis=0).max())


def _maps(model: Any, arrays: np.ndarray, site: str):
    found = model.predict(arrays, verbose=0)
    return [np.asarray(found["attention." + site])]


def faults(subject: Subject) -> dict:
    """Find faults that are put into each head."""
    from attention_zoo.calibrate import AttentionDetector, collect

    random = np.random.default_rng(0)
    val, test = collect(subject.model, subject.arrays["val"]), collect(subject.model, subject.arrays["test"])
    half = len(subject.arrays["val"]) // 2
    count = len(subject.arrays["test"])
    clean = np.array([random.permutation(count)[:WINDOW] for _ in range(DRAWN)])
    detectors, report = {}, {"false alarms": {}, "threshold seconds": {}}
    for method in METHODS:
        began = time.perf_counter()
        detectors[method] = AttentionDetector(method, RATE, WINDOW).fit(
            part_of(val, np.arange(half)), part_of(val, np.arange(half, 2 * half))
        )
        report["threshold seconds"][method] = time.perf_counter() - began
        report["false alarms"][method] = float(np.mean([one.alarm for one in alarms(detectors[method], test, clean)]))
    rows = []
    windows = np.arange(20 * WINDOW).reshape(20, WINDOW)
    arrays = subject.arrays["test"][: 20 * WINDOW]
    for site, kind, head, faulty in every_fault(subject):
        found = collect(faulty, arrays)
        row = {"site": site, "head": head, "kind": kind, "change": changed(subject.model, faulty, site, arrays)}
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
    return {**report, "rows": rows, "inputs": other_inputs(subject, detectors)}


def every_fault(subject: Subject):
    """Give out the site, the kind and the head of each fault, and the model that has it."""
    from attention_zoo.calibrate import sites_of

    for site, (what, heads) in sites_of(subject.model).items():
        for kind in KINDS if what == "mix" else ("shut",):
            for head in range(heads):
                yield site, kind, head, broken(subject.model, site, kind, [head])


def self_tests(subject: Subject) -> dict:
    """Ask sound and broken models what is on record."""
    from attention_zoo.calibrate import collect
    from attention_zoo.watch import SelfTest

    arrays = subject.arrays["val"][:RECORDED]
    test = SelfTest(collect(subject.model, arrays))
    sound = {str(size): test.judge(collect(subject.model, arrays, batch_size=size)).score for size in (1, 5, RECORDED)}
    rows = []
    for site, kind, head, faulty in every_fault(subject):
        judged = test.judge(collect(faulty, arrays))
        named = judged.heads == {site: [head]}
        change = changed(subject.model, faulty, site, arrays)
        rows.append({"site": site, "head": head, "kind": kind, "change": change})
        rows[-1] |= {"score": min(judged.score, 1e9), "found": judged.alarm, "named": named}
        print(rows[-1], flush=True)
    return {"inputs": RECORDED, "tolerance": test.tolerance, "sound": sound, "rows": rows}


def noisy(subject: Subject, split: str) -> dict[str, np.ndarray]:
    """Return versions of the inputs that have the same labels, or, of "other data", none."""
    random = np.random.default_rng(1)
    inputs = subject.inputs[split]
    if isinstance(inputs[0], str):
        return {"typos": subject.prepared([typed(text, random) for text in inputs])}
    from scipy.ndimage import gaussian_filter

    pixels = subject.arrays[split]
    noise = np.clip(pixels + 0.15 * random.normal(size=pixels.shape), 0, 1).astype(np.float32)
    return {"blur": gaussian_filter(pixels, (0, 1.0, 1.0, 0)).astype(np.float32), "noise": noise}


def typed(text: str, random: np.random.Generator, rate: float = 0.08) -> str:
    """Return a text with wrong letters: left out, doubled, exchanged with the next."""
    letters, place = list(text), 0
    while place < len(letters) - 1:
        if random.random() < rate:
            way = random.integers(3)
            if way == 0:
                del letters[place]
            elif way == 1:
                letters.insert(place, letters[place])
                place += 1
            else:
                letters[place], letters[place + 1] = letters[place + 1], letters[place]
        place += 1
    return "".join(letters) or text


def other_inputs(subject: Subject, detectors: dict) -> list[dict]:
    """Say how often inputs of another kind raise an alarm."""
    from attention_zoo.calibrate import collect

    random = np.random.default_rng(2)
    arrays = dict(noisy(subject, "test"))
    if isinstance(subject.inputs["test"][0], str):
        arrays["words in random order"] = subject.prepared(
            [" ".join(random.permutation(text.split())) for text in subject.inputs["test"]]
        )
    else:
        arrays["upside down"] = np.ascontiguousarray(subject.arrays["test"][:, ::-1])
        arrays["chance"] = random.random(subject.arrays["test"].shape).astype(np.float32)
    rows = []
    for name, given in arrays.items():
        found = collect(subject.model, given[: 60 * WINDOW])
        windows = np.arange(60 * WINDOW).reshape(60, WINDOW)
        shares = {m: float(np.mean([one.alarm for one in alarms(d, found, windows)])) for m, d in detectors.items()}
        rows.append({"inputs": name, **subject.accuracy(subject.model, arrays=given), "alarms": shares})
        print(rows[-1], flush=True)
    return rows


def correction(subject: Subject) -> dict:
    """Break all heads of a site, and mend it: by balancers with the bands of normal data, and by rules that learn."""
    from attention_zoo.calibrate import balance, calibrate, collect, reweight, sites_of
    from attention_zoo.watch import Baseline

    baseline = Baseline.of(collect(subject.model, subject.arrays["val"]))
    rows, clean = [], subject.accuracy(subject.model)
    sites = [site for site, (what, _) in sites_of(subject.model).items() if what == "mix"]
    learn = (subject.arrays["val"], subject.targets["val"])
    held = (subject.arrays["test"], subject.targets["test"])
    for site in sites:
        for kind in KINDS:
            faulty = broken(subject.model, site, kind, None)
            row = {"site": site, "kind": kind, "fault": subject.accuracy(faulty)}
            row["balanced"] = subject.accuracy(balance(faulty, baseline))
            mended = reweight(faulty, {"*": ["repair"], site: ["temperature", "blend"]})
            options = {"temperature": subject.task.temperature, "epochs": 5, "batch_size": 128}
            learned = calibrate(mended, learn, held, **options)
            row["learned"] = {name: learned.after[name].value for name in ("accuracy", "nll")}
            rows.append(row)
            print(row, flush=True)
    return {"clean": clean, "rows": rows}


def calibrating(subject: Subject) -> list[dict]:
    """Let rules learn on clean and on noisy data."""
    from attention_zoo.calibrate import calibrate

    pairs = {"clean": (subject.arrays["val"], subject.arrays["test"])}
    noise = noisy(subject, "val"), noisy(subject, "test")
    pairs |= {name: (noise[0][name], noise[1][name]) for name in noise[0]}
    rows = []
    for name, (learn, held) in pairs.items():
        for rules in ("temperature", "head_gate", ["temperature", "head_gate", "blend", "floor"]):
            found = calibrate(
                subject.model,
                (learn, subject.targets["val"]),
                (held, subject.targets["test"]),
                rules=rules,
                temperature=subject.task.temperature,
                epochs=15,
                batch_size=128,
            )
            told = {
                part: {measure: [one.value, one.low, one.high] for measure, one in getattr(found, part).items()}
                for part in ("before", "after", "change")
            }
            listed = [rules] if isinstance(rules, str) else rules
            rows.append({"inputs": name, "rules": listed, "parameters": found.parameters, "kept": found.kept, **told})
            print(name, rules, found.table(), sep="\n", flush=True)
    return rows


def explain(subject: Subject) -> list[dict]:
    """Judge explanations of test inputs against random orders."""
    rows = []
    for method in ("attention", "gradient", "occlusion"):
        found = [
            subject.task.faithfulness(one, method, seed=n) for n, one in enumerate(subject.inputs["test"][:EXPLAINED])
        ]
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


def overhead(subject: Subject) -> dict:
    """Time what watching costs on this backend: a closed tap, a probe, a monitor in training."""
    import keras

    from attention_zoo.calibrate import AttentionDetector, AttentionMonitor, collect, probe
    from attention_zoo.core import attend, gate

    arrays = subject.arrays["val"]
    batch = arrays[:64]
    model, probed = keras.models.clone_model(subject.model), probe(subject.model)
    model.set_weights(subject.model.get_weights())
    taps = [(module, module.tap) for module in (attend, gate)]
    for module, _ in taps:
        module.tap = lambda site, weights, mask=None: weights
    model.predict_on_batch(
        batch
    )  # compiled without the tap; where nothing is compiled, it is off for these calls alone
    for module, tap in taps:
        module.tap = tap
    calls = {"no tap": lambda: model.predict_on_batch(batch), "closed": lambda: subject.model.predict_on_batch(batch)}
    calls["probe"] = lambda: probed.predict_on_batch(batch)
    seconds = harness.compare(calls, seconds=20)
    detector = AttentionDetector(window=WINDOW).fit(collect(subject.model, arrays))
    monitor = AttentionMonitor(detector, batch)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    if subject.targets["val"].ndim == 2:
        loss = keras.losses.BinaryCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(1e-9), loss)
    steps = 300
    index = np.arange(steps * 32) % len(arrays)
    pair = (arrays[index], subject.targets["val"][index])
    model.fit(*pair, batch_size=32, epochs=1, verbose=0)
    began = time.perf_counter()
    model.fit(*pair, batch_size=32, epochs=1, verbose=0, callbacks=[monitor])
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
    "overhead": overhead,
}


def main() -> None:
    """Measure parts of one preset."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("preset")
    parser.add_argument("parts", nargs="+", choices=PARTS)
    parser.add_argument("--again", action="store_true")
    options = parser.parse_args()
    path = harness.RESULTS / f"calibration_{options.preset}.json"
    found = json.loads(path.read_text("utf-8")) if path.exists() else {"preset": options.preset}
    subject = Subject(options.preset)
    for part in options.parts:
        if part == "overhead":
            rows = {row["backend"]: row for row in found.get(part, [])}
            row = overhead(subject)
            found[part] = list({**rows, row["backend"]: row}.values())
        elif part not in found or options.again:
            found[part] = PARTS[part](subject)
        found["machine"] = harness.machine()
        path.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
