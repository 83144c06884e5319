"""The commands. Nothing heavy is imported here: each command imports what it needs."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from attention_zoo.cli import screen

app = typer.Typer(
    name="attention-zoo",
    help="Attention models by name: list them, use them, look into them, export them, train your own.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Name = Annotated[
    str, typer.Argument(help="a name of `list`, a folder, https://... or hf://owner/name", show_default=False)
]
Json = Annotated[bool, typer.Option("--json", help="print JSON")]


def _version(wanted: bool) -> None:
    if wanted:
        from attention_zoo.cli.doctor import version_of

        print(f"attention-zoo {version_of('attention-zoo')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="print the version")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="show the traceback of an error (anywhere on the line)")
    ] = False,
) -> None:
    """Take the options before the command; `--debug` itself is read by `main`."""


@app.command("list")
def list_(
    pattern: Annotated[str, typer.Argument(help="pattern of the name; quote it: '*intent*'")] = "*",
    family: Annotated[str | None, typer.Option(help="only this family")] = None,
    licence: Annotated[str | None, typer.Option(help="'permissive', or a pattern: 'CC*'")] = None,
    trained: Annotated[bool | None, typer.Option("--trained/--untrained", help="only one kind")] = None,
    attention: Annotated[str | None, typer.Option(help="pattern of the attention's name")] = None,
    json: Json = False,
) -> None:
    """List the models that can be loaded by name."""
    from attention_zoo.catalogue import list_models

    cards = list_models(pattern, family=family, licence=licence, trained=trained, attention=attention)
    if json:
        import dataclasses

        screen.print_json([dataclasses.asdict(card) for card in cards])
        return
    rows = [_row(card) for card in cards]
    if rows:
        screen.print_table(rows, ("NAME", "TRAINED ON", "ATTENTION", "LICENCE", "SIZE", "WHAT"))
    else:
        screen.note("no model is like this; `attention-zoo list` shows all")


def _row(card: Any) -> tuple[str, ...]:
    trained = card.data if card.trained else "-"
    return (
        card.name,
        trained,
        card.attention,
        card.licence,
        screen.size(card.bytes) if card.trained else "-",
        card.description,
    )


@app.command()
def show(name: Name, json: Json = False) -> None:
    """Show a model's card: data, licence, measures."""
    import dataclasses

    from attention_zoo import catalogue
    from attention_zoo.presets import shelf
    from attention_zoo.presets.card import Card

    folder = catalogue.find(name)
    if folder is None:
        card = dataclasses.asdict(catalogue.architecture(name))
        card["config"] = shelf.architectures()[name]["config"]
    else:
        card = dataclasses.asdict(Card.from_folder(folder))
        card["folder"] = str(folder)
    if json:
        screen.print_json(card)
    else:
        screen.print_table([row for field, value in card.items() for row in _field(field, value)])


def _field(name: str, value: object) -> list[tuple[str, str]]:
    """Turn one field of a card into lines; a table gets one line an entry."""
    if not value and not isinstance(value, bool):
        return []
    if isinstance(value, dict):
        return [(f"{name}.{key}", str(entry)) for key, entry in value.items()]
    return [(name, screen.size(value) if name == "bytes" else str(value))]


@app.command()
def layers(
    pattern: Annotated[
        str, typer.Argument(help="pattern of the name, quoted: '*window*'; one name shows all of it")
    ] = "*",
    role: Annotated[str | None, typer.Option(help="what it is for: self, cross, pool, image, graph ...")] = None,
    tier: Annotated[str | None, typer.Option(help="of the catalogue: P0, P1 or P2")] = None,
    causal: Annotated[bool | None, typer.Option("--causal/--not-causal", help="only one kind")] = None,
    linear: Annotated[bool | None, typer.Option("--linear/--not-linear", help="by cost in the length")] = None,
    json: Json = False,
) -> None:
    """List the attention layers that can be had by name."""
    from attention_zoo.cli.variants import print_variants

    _prepare()
    print_variants(pattern, {"role": role, "tier": tier, "causal": causal, "linear": linear}, json)


@app.command()
def predict(
    name: Name,
    inputs: Annotated[
        list[str] | None, typer.Argument(help="texts, paths, or histories; from stdin when none and no --file")
    ] = None,
    file: Annotated[Path | None, typer.Option(help="one input a line, or a table (.csv .tsv .jsonl)")] = None,
    column: Annotated[str | None, typer.Option(help="the table's column of inputs; found when not given")] = None,
    all_scores: Annotated[
        bool | None, typer.Option("--all-scores", help="classifiers: the scores of all labels")
    ] = None,
    k: Annotated[int | None, typer.Option("--k", help="recommenders: items for each history")] = None,
    beam: Annotated[int | None, typer.Option(help="translators: hypotheses kept alive; 1 is greedy search")] = None,
    length_penalty: Annotated[
        float | None, typer.Option(help="translators: power by which longer translations are favoured")
    ] = None,
    max_length: Annotated[int | None, typer.Option(help="translators: pieces of a translation at most")] = None,
    nbest: Annotated[int | None, typer.Option(help="translators: translations of each text")] = None,
    json: Json = False,
) -> None:
    """Predict labels of texts or pictures, translate texts, or recommend items.

    Prints score, answer and input, one line each; with --json one JSON object a line.
    """
    from attention_zoo.cli.inputs import read_inputs
    from attention_zoo.runtime import answer_options, preprocessor_class

    given = {"all_scores": all_scores, "beam": beam, "length_penalty": length_penalty, "max_length": max_length}
    family = family_of(name)
    asked = answer_options(family, {**given, "nbest": nbest, "k": k})
    noun = preprocessor_class(family).noun
    wanted = read_inputs(inputs or [], file, column, noun)
    task = load_task(name)
    answers = []
    with screen.progress("predicting", len(wanted)) as advance:
        for start in range(0, len(wanted), 256):
            part = wanted[start : start + 256]
            answers += task.predict(part, **asked)
            advance(len(part))
    # Printed when all is done, so that bad input in the last line leaves no half of an output.
    _print_answers(noun, wanted, answers, json)


def family_of(name: str) -> str:
    """Return the family of a model; nothing heavy is imported for it."""
    from attention_zoo import catalogue
    from attention_zoo.presets.card import Card

    folder = catalogue.find(name)
    card = catalogue.architecture(name) if folder is None else Card.from_folder(folder)
    return card.family


def _print_answers(noun: str, inputs: list[Any], answers: list[Any], json: bool) -> None:
    from attention_zoo.cli import answering

    if json:
        for one, answer in zip(inputs, answers):
            screen.print_json(answering.record(noun, one, answer))
        return
    screen.print_table([row for one, answer in zip(inputs, answers) for row in answering.rows(one, answer)])


@app.command()
def explain(
    name: Name,
    one: Annotated[
        str, typer.Argument(help="the text, the path of the picture or sound, a row or a history", show_default=False)
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="the file to write: .html .png .svg .json")],
) -> None:
    """Draw where a model looked in a text, a picture, a sound or a row of these.

    Shows the attention on each word or place, and how much the answer loses without it; of a translation, which words
    of the source each of its words looked at; of a row ('{"audio": "a.wav", "text": "..."}'), how much each part of it
    weighed; of a history ("B001 B007"), which of its items moved the recommendation.
    """
    from attention_zoo.cli.answering import headline
    from attention_zoo.cli.inputs import one_input
    from attention_zoo.errors import ZooValueError
    from attention_zoo.runtime import preprocessor_class

    if output.suffix.lower() not in (".html", ".png", ".svg", ".json"):
        raise ZooValueError(f"--output must end in .html, .png, .svg or .json, got {str(output)!r}")
    writable(output.parent)
    given = one_input(one, preprocessor_class(family_of(name)).noun)
    task = load_task(name)
    with screen.progress("explaining"):
        explanation = task.explain(given)
        explanation.save(output)
    print(f"{headline(explanation)}  {output}")


@app.command()
def export(
    name: Name,
    folder: Annotated[
        Path, typer.Argument(help="the folder to write; it must not exist or be empty", show_default=False)
    ],
    format: Annotated[str, typer.Option(help="savedmodel, onnx or both with a comma")] = "savedmodel,onnx",
    attention: Annotated[bool, typer.Option("--attention", help="attention maps as outputs too")] = False,
    statistics: Annotated[bool, typer.Option("--statistics", help="statistics of attention as outputs too")] = False,
) -> None:
    """Export a model to run without Keras.

    Outputs are compared number by number; on a mismatch nothing is written.
    """
    from attention_zoo.errors import ZooValueError, unknown

    formats = tuple(dict.fromkeys(word.strip().lower() for word in format.split(",") if word.strip()))
    for word in formats:
        if word not in ("savedmodel", "onnx"):
            raise unknown("format", word, ("savedmodel", "onnx"))
    if not formats:
        raise ZooValueError("--format must be savedmodel, onnx or savedmodel,onnx, got nothing")
    if attention and statistics:
        raise ZooValueError("give --attention or --statistics, not both")
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise ZooValueError(f"{folder} exists; export wants a new or an empty folder")
    writable(folder.parent)
    task = load_task(name)
    with screen.progress("exporting and comparing"):
        report = task.export(folder, format=formats, attention="statistics" if statistics else attention)
    for word, difference in report.differences.items():
        print(f"{word}: largest difference {difference:.1e}")
    print(folder)


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
    add_help_option=False,
)
def train(
    context: typer.Context,
    family: Annotated[str, typer.Argument(help="the family; `train FAMILY --help` shows its options")] = "",
) -> None:
    """Train a model of a family by its recipe."""
    from attention_zoo.cli import recipe

    if family in ("", "--help"):
        print("attention-zoo train FAMILY [OPTIONS]; FAMILY is one of:", ", ".join(recipe.names()))
        return
    _prepare()
    raise typer.Exit(recipe.run(family, context.args))


@app.command()
def doctor(json: Json = False) -> None:
    """Say what is installed and what works.

    Tries one attention on each backend, and names the pip command for what is missing.
    """
    from attention_zoo.cli.doctor import examine, print_report

    report = examine()
    if json:
        screen.print_json(report)
    else:
        print_report(report)
    raise typer.Exit(0 if any(row["works"] for row in report["backends"].values()) else 2)


def load_task(name: str) -> Any:
    """Load a trained model on the backend of this process."""
    from attention_zoo import catalogue
    from attention_zoo.errors import ZooValueError

    folder = catalogue.find(name)
    if folder is None:
        family = catalogue.architecture(name).family
        raise ZooValueError(f"{name!r} is not trained yet; train it first: attention-zoo train {family} --help")
    _prepare()
    with screen.progress(f"loading {name}"):
        return catalogue.load(folder)


def _prepare() -> None:
    """Choose a backend, keep its own logs off the screen, and start Keras."""
    import attention_zoo
    from attention_zoo import backends
    from attention_zoo.errors import ZooImportError, ZooValueError

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if not backends.installed():
        raise ZooImportError(f"no backend is installed; run: pip install 'attention-zoo[{backends.NAMES[0]}]'")
    # Importing the package has chosen already where nobody else had.
    chosen = getattr(attention_zoo, "_chosen_backend", None) or backends.choose()
    if chosen:
        screen.note(f"KERAS_BACKEND is not set; using {chosen}")
    try:
        with screen.native_logs_hidden(), screen.progress("starting Keras"):
            import keras

            keras.ops.zeros(1)  # the first operation starts the backend
            # Keras looks for TensorFlow when it first serializes a layer, on every backend, and TensorFlow greets.
            keras.layers.serialize(keras.layers.Identity())
    except ModuleNotFoundError as error:
        if error.name not in backends.NAMES:
            raise
        wanted = f"{error.name} is not installed; run: pip install 'attention-zoo[{error.name}]'"
        raise ZooImportError(f"{wanted}, or set KERAS_BACKEND to one of {backends.installed()}") from error
    except ValueError as error:  # what Keras raises for a name that no backend has
        raise ZooValueError(f"KERAS_BACKEND must be one of {backends.installed()}: {error}") from error


def writable(folder: Path) -> None:
    """Refuse a folder that cannot be written before minutes are spent on what goes into it."""
    from attention_zoo.errors import ZooFileError

    there = folder
    while not there.exists():
        there = there.parent
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise ZooFileError(f"{folder} cannot be written")
