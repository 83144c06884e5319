"""Answer texts with a bundle from the command line: `python -m attention_zoo.runtime FOLDER "text" ...`."""

import argparse
import dataclasses
import json
import sys

from attention_zoo.errors import ZooError
from attention_zoo.runtime import load


def main(arguments: list[str] | None = None) -> int:
    """Print one JSON line for each text, from the arguments or else line by line from the standard input.

    Args:
        arguments: the command line; None takes the process's own.

    Returns:
        0, or 2 after one sentence on the standard error.
    """
    parser = argparse.ArgumentParser(prog="python -m attention_zoo.runtime", description="Answer texts with a bundle.")
    parser.add_argument("folder", help="what `export` wrote")
    parser.add_argument("texts", nargs="*", metavar="text", help="texts to classify; without any, lines are read")
    parser.add_argument("--all-scores", action="store_true", help="print each label's probability")
    chosen = parser.parse_args(arguments)
    try:
        runner = load(chosen.folder)
        texts = chosen.texts or [line for line in sys.stdin.buffer.read().splitlines() if line.strip()]
        for text, answer in zip(texts, runner.predict(texts, all_scores=chosen.all_scores)):
            shown = text if isinstance(text, str) else text.decode("utf-8")
            print(json.dumps({"text": shown, **dataclasses.asdict(answer)}, ensure_ascii=False))
    except ZooError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
