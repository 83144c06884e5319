"""What the commands print: tables on stdout, notes and progress on stderr."""

import json
import os
import shutil
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr

PATIENCE = 2.0  # seconds before progress is shown


def print_table(rows: Sequence[Sequence[object]], header: Sequence[str] = ()) -> None:
    """Print rows in aligned columns; on a terminal a line is cut at its width, elsewhere never.

    Args:
        rows: the cells.
        header: names of the columns; no header line when empty.
    """
    cells = [[str(cell) for cell in row] for row in ([header] if header else []) + list(rows)]
    if not cells:
        return
    widths = [max(map(len, column)) for column in zip(*cells)]
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for row in cells:
        print("  ".join(cell.ljust(size) for cell, size in zip(row, widths)).rstrip()[:width])


def print_json(value: object) -> None:
    """Print one JSON document on one line, in UTF-8's own letters."""
    print(json.dumps(value, ensure_ascii=False))


def note(sentence: str) -> None:
    """Say something beside the result, on stderr."""
    print(f"note: {sentence}", file=sys.stderr)


def size(count: int) -> str:
    """Write a number of bytes for a person: 1234567 as "1.2 MB"."""
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"


@contextmanager
def progress(what: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """Show a bar on stderr as soon as the work inside has taken two seconds, on a terminal only.

    Args:
        what: what goes on.
        total: number of steps; a spinner without an end when None.

    Yields:
        `advance(steps)`, to be called as the work goes on.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = [SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()]
    if total is not None:
        columns[2:2] = [BarColumn(), TextColumn("{task.completed}/{task.total}")]
    # stdout is left alone: redirected, what is printed there would land on this console, which is stderr.
    bar = Progress(*columns, console=console, transient=True, redirect_stdout=False)
    task = bar.add_task(what, total=total)
    timer = threading.Timer(PATIENCE, bar.start)
    timer.daemon = True
    if console.is_terminal:
        timer.start()
    try:
        yield lambda steps=1: bar.advance(task, steps)
    finally:
        timer.cancel()
        if timer.ident is not None:
            timer.join()
        if bar.live.is_started:
            bar.stop()


@contextmanager
def native_logs_hidden() -> Iterator[None]:
    """Keep what libraries write to stderr behind Python's back off the screen; `sys.stderr` goes on as it was.

    TensorFlow greets with lines from C++ that no setting of its own silences.
    """
    if sys.stderr is not sys.__stderr__ or sys.stderr is None:
        yield
        return
    sys.stderr.flush()
    screen, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    seen = os.fdopen(os.dup(screen), "w", encoding=sys.stderr.encoding, errors=sys.stderr.errors, buffering=1)
    try:
        with seen, redirect_stderr(seen):
            yield
    finally:
        os.dup2(screen, 2)
        os.close(screen)
