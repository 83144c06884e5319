"""Answer with a bundle from the command line: `python -m attention_zoo.runtime FOLDER "text or path" ...`."""

import argparse
import dataclasses
import json
import sys

from attention_zoo.errors import ZooError, ZooValueError
from attention_zoo.runtime import load


def main(arguments: list[str] | None = None) -> int:
    """Print one JSON line for each input, from the arguments or else line by line from the standard input.

    Args:
        arguments: the command line; None takes the process's own.

    Returns:
        0, or 2 after one sentence on the standard error.
    """
    parser = argparse.ArgumentParser(prog="python -m attention_zoo.runtime", description="Answer with a bundle.")
    parser.add_argument("folder", help="what `export` wrote")
    parser.add_argument("inputs", nargs="*", metavar="input", help="texts, or paths of images; lines without any")
    parser.add_argument("--all-scores", action="store_true", help="print each label's probability")
    chosen = parser.parse_args(arguments)
    try:
        runner = load(chosen.folder)
        inputs = chosen.inputs or _lines(sys.stdin.buffer.read())
        for one, answer in zip(inputs, runner.predict(inputs, all_scores=chosen.all_scores)):
            print(json.dumps({runner.preprocessor.noun: one, **dataclasses.asdict(answer)}, ensure_ascii=False))
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
