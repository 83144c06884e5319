"""Calibrate the attention of a pretrained classifier: look, learn what is normal, break it, mend it, keep what helps.

    python recipes/calibrate.py --preset clinc150_intent --data clinc150
    python recipes/calibrate.py --preset fashion_mnist_hybrid --data fashion_mnist --rules head_gate
    python recipes/calibrate.py --small                              # under a minute, bundled data, no network

Writes into `--output`: `baseline.json` and `detector.npz` (what is normal), `findings.json` (one head broken on
purpose, and what the detector says), `calibration.json` (accuracy, likelihood, calibration error before and after) and
`model`, the preset with its rules where they helped. What each step reaches: docs/calibration_results.md.
"""

import dataclasses
from pathlib import Path
from typing import Annotated, Any

import typer
from typer import Option

import attention_zoo as az
from attention_zoo import calibrate, data
from attention_zoo.files import make_folder, write_json
from attention_zoo.watch import Baseline

SMALL = 400  # inputs of each part


def main(
    preset: Annotated[str, Option(help="a pretrained classifier: a name or a folder")] = "clinc150_intent",
    data_: Annotated[str, Option("--data", help="a data set by name, with the splits val and test")] = "clinc150",
    rules: Annotated[
        str, Option(help="with commas: temperature, head_gate, blend, floor ...")
    ] = "temperature,head_gate",
    method: Annotated[str, Option(help="of the detector: robust_z, mahalanobis, autoencoder")] = "mahalanobis",
    false_alarms: Annotated[float, Option(help="share of normal windows that may raise an alarm")] = 0.01,
    epochs: Annotated[int, Option(help="how often validation data is seen")] = 15,
    seed: Annotated[int, Option(help="of all that is left to chance")] = 0,
    small: Annotated[bool, Option("--small", help="bundled sample, two epochs")] = False,
    output: Annotated[Path, Option("--output", help="folder to write")] = Path("runs/calibrate"),
) -> None:
    """Calibrate the attention of a pretrained classifier."""
    # 1. Data: validation to learn from, test to judge by
    dataset = data.load(data_, sample=small)
    learn, held = (pairs_of(dataset, split, small, seed) for split in ("val", "test"))
    make_folder(output)

    # 2. Model, and what is normal for its attention
    task = az.load(preset)
    normal = pairs_of(dataset, "train", small, seed) if small else learn
    found = task.statistics(normal[0])
    Baseline.of(found, model=preset, data=data_).save(output / "baseline.json")
    detector = calibrate.AttentionDetector(method, false_alarms).fit(found, seed=seed)
    detector.save(output / "detector.npz")

    # 3. Judge: one head broken on purpose
    site, (_, heads) = next((site, told) for site, told in calibrate.sites_of(task.model).items() if told[0] == "mix")
    plain, findings = task.statistics(held[0][: detector.window]), []
    task.reweight({site: calibrate.FaultRule("flat", [heads - 1])})
    broken = task.statistics(held[0][: detector.window])
    task.reweight(None)
    for name, statistics in {"as it is": plain, f"{site}, head {heads - 1}, made flat": broken}.items():
        told = [finding.as_dict() for finding in detector.judge(statistics).findings]
        findings.append({"model": name, "findings": told})
        print(f"{name}: {told[0]['sentence'] if told else 'nothing to say'}")
    write_json(output / "findings.json", {"judged": findings})

    # 4. Mend: rules learn on validation data, and are taken back where they do not help on test data
    wanted = [one.strip() for one in rules.split(",")]
    result = task.calibrate(learn, held, rules=wanted, epochs=2 if small else epochs, seed=seed)
    print(result.table())

    # 5. Keep
    told: dict[str, Any] = {
        part: {name: dataclasses.asdict(value) for name, value in getattr(result, part).items()}
        for part in ("before", "after", "change")
    }
    write_json(output / "calibration.json", {"rules": wanted, "kept": result.kept, **told})
    task.save(output / "model")
    print(output)


def pairs_of(dataset: Any, split: str, small: bool, seed: int) -> tuple[list, list]:
    """Return inputs and labels of a split, some of them where little is wanted."""
    part = dataset[split]
    part = part.take(min(SMALL, len(part)), seed=seed) if small else part
    return list(part[dataset.raw]), list(part["label"])


if __name__ == "__main__":
    typer.run(main)
