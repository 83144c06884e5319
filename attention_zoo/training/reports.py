"""What a training tells: one line an epoch on the screen, and a file of all epochs."""

import csv
import io
import json
import time
from pathlib import Path

import keras

from attention_zoo.errors import ZooFileError, ZooValueError
from attention_zoo.files import replace_file

QUIET_SECONDS = 2.0


def _time(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{minutes} min {rest:02d} s"


def epoch_line(epoch: int, epochs: int, logs: dict[str, float], seconds: float, left: float) -> str:
    """Return the one line of an epoch.

    Args:
        epoch: number of the epoch, from 1.
        epochs: how many there are.
        logs: its measures.
        seconds: how long it took.
        left: how long the rest will take.
    """
    measures = "  ".join(f"{name} {value:.4g}" for name, value in logs.items() if name != "learning_rate")
    rest = f", {_time(left)} left" if epoch < epochs else ""
    return f"epoch {epoch:>{len(str(epochs))}}/{epochs}  {measures}  {_time(seconds)}{rest}"


class EpochLines(keras.callbacks.Callback):
    """Print one line an epoch, and on a terminal a bar for the running one; nothing at all before two seconds.

    Args:
        console: a `rich.console.Console`; standard error by default.
        quiet: seconds before anything is printed. Earlier epochs are then printed too.
    """

    def __init__(self, console=None, quiet: float = QUIET_SECONDS):
        super().__init__()
        self.console, self.quiet = console, quiet
        self._bar = self._task = None

    def on_train_begin(self, logs=None):
        self._began = time.perf_counter()
        self._held: list[str] = []
        self._done = 0

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch, self._epoch_began = epoch, time.perf_counter()

    def on_train_batch_begin(self, batch, logs=None):
        if self._bar is None and time.perf_counter() - self._began >= self.quiet:
            self._open()
        if self._bar is not None:
            label = f"epoch {self._epoch + 1}/{self.params['epochs']}"
            self._bar.update(self._task, completed=batch, total=self.params.get("steps"), description=label)

    def on_epoch_end(self, epoch, logs=None):
        now = time.perf_counter()
        self._done += 1
        left = (now - self._began) / self._done * (self.params["epochs"] - epoch - 1)
        line = epoch_line(epoch + 1, self.params["epochs"], logs or {}, now - self._epoch_began, left)
        if self._bar is None and now - self._began < self.quiet:
            self._held.append(line)
            return
        if self._bar is None:
            self._open()
        self._print(line)

    def on_train_end(self, logs=None):
        self.close()

    def close(self) -> None:
        """Take the bar off the screen."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _open(self) -> None:
        from rich.console import Console
        from rich.progress import Progress

        console = self.console or Console(stderr=True)
        self._bar = Progress(console=console, transient=True, disable=not console.is_terminal)
        self._task = self._bar.add_task("", total=None)
        self._bar.start()
        for line in self._held:
            self._print(line)
        self._held = []

    def _print(self, line: str) -> None:
        self._bar.console.print(line, markup=False, highlight=False, soft_wrap=True)


class EpochLog(keras.callbacks.Callback):
    """Keep all epochs in a file: JSON lines (`.jsonl`) or a table (`.csv`), with epoch, seconds and all measures.

    The whole file is replaced after each epoch, so that it is never half a line; after a kill it goes on where the
    checkpoint stands.

    Args:
        path: file ending in .jsonl or .csv.

    Raises:
        ZooValueError: if it ends otherwise.
        ZooFileError: in training, if it cannot be written.
    """

    def __init__(self, path: str | Path):
        super().__init__()
        self.path = Path(path)
        if self.path.suffix not in (".jsonl", ".csv"):
            raise ZooValueError(f"path must end in .jsonl or .csv, got {self.path.name!r}")
        self.rows: list[dict[str, float]] = []
        self._resumed = False

    def on_train_begin(self, logs=None):
        if not self._resumed:
            self.rows = []
        self._resumed = False

    def on_epoch_begin(self, epoch, logs=None):
        self._began = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        measures = {name: float(value) for name, value in (logs or {}).items()}
        seconds = round(time.perf_counter() - self._began, 3)
        self.rows.append({"epoch": epoch + 1, "seconds": seconds, **measures})
        self._write()

    def get_state(self) -> dict:
        """Return the rows so far, as one JSON string."""
        return {"rows": json.dumps(self.rows)}

    def set_state(self, state: dict) -> None:
        """Go on after the rows that `get_state` returned."""
        self.rows, self._resumed = json.loads(state["rows"]), True

    def _write(self) -> None:
        if self.path.suffix == ".jsonl":
            text = "".join(json.dumps(row) + "\n" for row in self.rows)
        else:
            columns = list(dict.fromkeys(name for row in self.rows for name in row))
            buffer = io.StringIO(newline="")
            writer = csv.DictWriter(buffer, columns, lineterminator="\n")
            writer.writeheader()
            writer.writerows(self.rows)
            text = buffer.getvalue()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ZooFileError(f"folder {self.path.parent} cannot be made: {error}") from error
        replace_file(self.path, lambda file: file.write(text.encode()))
