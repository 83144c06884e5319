"""The commands that look at attention: what is normal, what is not, and rules that mend it."""

from pathlib import Path
from typing import Annotated, Any

import typer

from attention_zoo.cli import screen
from attention_zoo.cli.app import Json, Name, app, load_task, writable

Inputs = Annotated[list[str] | None, typer.Argument(help="texts or paths; from stdin when none and no --file")]
File = Annotated[Path | None, typer.Option(help="one input a line, or a table (.csv .tsv .jsonl)")]
Column = Annotated[str | None, typer.Option(help="the table's column of inputs; found when not given")]
SHOWN = ("entropy", "peak", "sink", "distance", "coverage", "agreement", "mass", "mean", "closed")
ALARM = 1  # exit code of `monitor` where something is wrong


@app.command()
def inspect(
    name: Name,
    inputs: Inputs = None,
    file: File = None,
    column: Column = None,
    baseline: Annotated[Path | None, typer.Option(help="write the table here (.json, .parquet)")] = None,
    detector: Annotated[Path | None, typer.Option(help="learn what is normal and write it here (.npz)")] = None,
    method: Annotated[str, typer.Option(help="of the detector: robust_z, mahalanobis, autoencoder")] = "mahalanobis",
    false_alarms: Annotated[float, typer.Option(help="share of normal windows that may raise an alarm")] = 0.01,
    window: Annotated[int, typer.Option(help="inputs that are judged together")] = 16,
    self_test: Annotated[
        Path | None, typer.Option(help="put the inputs and what they give on record here (.npz)")
    ] = None,
    json: Json = False,
) -> None:
    """Show what the attention of a model does on inputs that are normal for it, head by head.

    Prints the median of each statistic. With --detector, `monitor` can tell later when something is wrong; with
    --self-test (a few dozen inputs are enough), `self-test` can.
    """
    from attention_zoo.watch import Baseline

    for path in (baseline, detector, self_test):
        if path is not None:
            writable(path.parent)
    task, wanted = _task_and_inputs(name, inputs, file, column)
    found = _statistics(task, wanted)
    table = Baseline.of(found, model=name)
    if detector is not None:
        from attention_zoo.calibrate import AttentionDetector

        with screen.progress("learning what is normal"):
            AttentionDetector(method, false_alarms, window).fit(found).save(detector)
    if baseline is not None:
        table.save(baseline)
    if self_test is not None:
        task.self_test(wanted).save(self_test)
    if json:
        screen.print_json(table.rows())
        return
    heads: dict[tuple[str, int], dict[str, float]] = {}
    for row in table.rows():
        heads.setdefault((row["site"], row["head"]), {})[row["statistic"]] = row["median"]
    cells = [(site, head, *(_number(told.get(one)) for one in SHOWN)) for (site, head), told in heads.items()]
    screen.print_table(cells, ("SITE", "HEAD", *(one.upper() for one in SHOWN)))


@app.command()
def monitor(
    name: Name,
    detector: Annotated[Path, typer.Option(help="what `inspect --detector` wrote")],
    inputs: Inputs = None,
    file: File = None,
    column: Column = None,
    json: Json = False,
) -> None:
    """Judge the attention of a model on inputs, window by window; leave with 1 where something is wrong.

    Prints a line for each finding: window, site, head, what is wrong, and what would be normal.
    """
    from attention_zoo.errors import ZooValueError
    from attention_zoo.watch import AttentionDetector

    judge = AttentionDetector.load(detector)
    found = _statistics(*_task_and_inputs(name, inputs, file, column))
    count = len(next(iter(found.values()), ()))
    if count < judge.window:
        raise ZooValueError(f"the detector judges {judge.window} inputs together, got {count}")
    windows = [range(start, start + judge.window) for start in range(0, count - judge.window + 1, judge.window)]
    judged = [judge.judge({site: values[list(window)] for site, values in found.items()}) for window in windows]
    alarms = [number for number, one in enumerate(judged, start=1) if one.alarm]
    for number in alarms:
        for finding in judged[number - 1].findings:
            if json:
                screen.print_json({"window": number, **finding.as_dict()})
            else:
                print(f"window {number}: {finding.sentence()}")
    screen.note(f"{len(alarms)} of {len(windows)} windows of {judge.window} inputs raised an alarm")
    raise typer.Exit(ALARM if alarms else 0)


@app.command("self-test")
def self_test(
    name: Annotated[str, typer.Argument(help="a model, or the folder of one exported with --statistics")],
    record: Annotated[Path, typer.Argument(help="what `inspect --self-test` wrote")],
    json: Json = False,
) -> None:
    """Give a model the inputs on record, and leave with 1 where a head answers otherwise than then.

    Prints a line for each head that is to blame. An exported model is run without Keras.
    """
    from attention_zoo import runtime
    from attention_zoo.watch import SelfTest

    test = SelfTest.load(record)
    if runtime.is_bundle(name):
        judged = test.run(runtime.load(name))
    else:
        from attention_zoo.calibrate import collect

        judged = test.judge(collect(load_task(name).model, test.inputs))
    for finding in judged.findings:
        if json:
            screen.print_json(finding.as_dict())
        else:
            print(finding.sentence())
    what = "differs from what is on record" if judged.alarm else "is as on record"
    screen.note(f"{name} {what}: largest change {judged.score * test.tolerance:.2g}, rounding {test.tolerance:g}")
    raise typer.Exit(ALARM if judged.alarm else 0)


@app.command()
def calibrate(
    name: Name,
    data: Annotated[str, typer.Option(help="labelled inputs to learn from: a table or a folder")],
    held_out: Annotated[str, typer.Option(help="other labelled inputs, which tell whether it helps")],
    output: Annotated[Path, typer.Option("--output", "-o", help="folder of the calibrated model")],
    rules: Annotated[str, typer.Option(help="with commas: temperature, head_gate, blend, floor ...")] = "temperature",
    epochs: Annotated[int, typer.Option(help="how often the inputs are seen")] = 20,
    seed: Annotated[int, typer.Option(help="of the order")] = 0,
) -> None:
    """Learn rules of attention, and nothing else of a model, and keep them if they help.

    Prints accuracy, negative log likelihood and calibration error before and after, on the held-out inputs. Where they
    got worse the model is written as it was.
    """
    writable(output.parent)
    task = _classifier(name)
    with screen.progress("learning"):
        found = task.calibrate(
            data, held_out, rules=[one.strip() for one in rules.split(",")], epochs=epochs, seed=seed
        )
    task.save(output)
    print(found.table())
    print(output)


def _task_and_inputs(
    name: str, inputs: list[str] | None, file: Path | None, column: str | None
) -> tuple[Any, list[Any]]:
    """Return a model and the inputs of a command line."""
    from attention_zoo.cli.app import family_of
    from attention_zoo.cli.inputs import read_inputs
    from attention_zoo.runtime import preprocessor_class

    wanted = read_inputs(inputs or [], file, column, preprocessor_class(family_of(name)).noun)
    return load_task(name), wanted


def _statistics(task: Any, wanted: list[Any]) -> dict[str, Any]:
    """Return the statistics of a model on inputs."""
    with screen.progress("looking"):
        return task.statistics(wanted)


def _classifier(name: str) -> Any:
    """Load a task whose rules can learn from labels.

    Raises:
        ZooValueError: if its family has none.
    """
    from attention_zoo.errors import ZooValueError

    task = load_task(name)
    if not hasattr(task, "calibrate"):
        raise ZooValueError(
            f"this command is for classifiers, {name!r} is a {task.config.family}; in Python use `reweight` of the "
            "model, and `attention_zoo.calibrate.adapt`, which needs no labels"
        )
    return task


def _number(value: float | None) -> str:
    return "-" if value is None or value != value else f"{value:.3f}"
