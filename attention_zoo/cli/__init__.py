"""The command `attention-zoo`: list, show, predict, explain, export, train, inspect, monitor, calibrate, doctor.

Whatever goes wrong by the user's hand ends in one sentence on stderr and exit code 2; `--debug` shows the traceback.
"""

import os
import sys
import warnings

from attention_zoo.errors import ZooError

BAD_INPUT = 2
INTERRUPTED = 130


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and leave the process with its exit code.

    Args:
        arguments: the words after the command's name; those of this process when None.

    Raises:
        SystemExit: always; 0 when all went well, 2 for bad input, 130 after Ctrl-C.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    debug = "--debug" in options
    if debug:
        arguments.remove("--debug")
    warnings.showwarning = _note
    sys.exit(_run(arguments, debug))


def _run(arguments: list[str], debug: bool) -> int:
    from attention_zoo.cli import watching  # noqa: F401 - adds its commands
    from attention_zoo.cli.app import app

    try:
        code = app(args=arguments or ["--help"], prog_name="attention-zoo", standalone_mode=False)
        sys.stdout.flush()
        return _ended(code)
    except BrokenPipeError:
        # `attention-zoo list | head`: the reader has left, and Python must not complain about it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return _ended(INTERRUPTED)
    except Exception as error:
        if type(error).__name__ == "Abort":  # what older versions of typer make of Ctrl-C
            return _ended(INTERRUPTED)
        sentence = _sentence(error)
        if debug or sentence is None:
            raise
        print(f"attention-zoo: {sentence}", file=sys.stderr)
        return BAD_INPUT


def _ended(code: object) -> int:
    if code == INTERRUPTED:
        print("attention-zoo: stopped", file=sys.stderr)
    return code if isinstance(code, int) else 0


def _sentence(error: Exception) -> str | None:
    """Return what to say about an error of the user's, None for one of ours (a bug, which keeps its traceback)."""
    # Typer's and Click's errors have no common base across the versions of typer that we take.
    if hasattr(error, "format_message"):
        return " ".join(error.format_message().split())
    if isinstance(error, ZooError):
        return " ".join(str(error).split())
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return None


def _note(message, category, filename, lineno, file=None, line=None) -> None:
    """Show a warning as a sentence, without the place in the code where it was raised."""
    if issubclass(category, UserWarning):
        print(f"note: {message}", file=sys.stderr)
