"""Answer with a bundle from the command line: `python -m attention_zoo.runtime FOLDER "text or path" ...`."""

import argparse
import json
import sys

from attention_zoo.errors import ZooError, ZooValueError
from attention_zoo.runtime import answer_options, load

OPTIONS = ("all_scores", "beam", "k", "length_penalty", "max_length", "nbest")


def main(arguments: list[str] | None = None) -> int:
    """Print one JSON line for each input, from the arguments or else line by line from the standard input.

    Args:
        arguments: the command line; None takes the process's own.

    Returns:
        0, or 2 after one sentence on the standard error.
    """
    parser = argparse.ArgumentParser(prog="python -m attention_zoo.runtime", description="Answer with a bundle.")
    parser.add_argument("folder", help="what `export` wrote")
    parser.add_argument("inputs", nargs="*", metavar="input", help="texts, paths, or histories; lines without any")
    parser.add_argument("--all-scores", action="store_true", default=None, help="classifier: each label's probability")
    parser.add_argument("--beam", type=int, help="translator: hypotheses kept alive; 1 is greedy search")
    parser.add_argument("--k", type=int, help="recommender: items for each history")
    parser.add_argument("--length-penalty", type=float, help="translator: power by which longer ones are favoured")
    parser.add_argument("--max-length", type=int, help="translator: tokens of a translation at most")
    parser.add_argument("--nbest", type=int, help="translator: translations of each text")
    chosen = parser.parse_args(arguments)
    try:
        runner = load(chosen.folder)
        options = answer_options(runner.description["family"], {name: vars(chosen)[name] for name in OPTIONS})
        inputs = chosen.inputs or _lines(sys.stdin.buffer.read())
        for record in runner.records(inputs, **options):
            print(json.dumps(record, ensure_ascii=False))
    except ZooError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _lines(content: bytes) -> list[str]:
    """Return the lines that hold something."""
    try:
        return [line for line in content.decode("utf-8").split("\n") if line.strip()]
    except UnicodeDecodeError as error:
        raise ZooValueError(f"the standard input must be UTF-8; byte {error.start} is not") from error


if __name__ == "__main__":
    sys.exit(main())
