"""Tables for people and for pipes; progress only when something takes long."""

import subprocess
import sys
import time

import pytest

from attention_zoo.cli import screen

pytestmark = pytest.mark.once


@pytest.fixture
def terminal(monkeypatch):
    """Make rich take stderr for a terminal, and show progress after 20 ms."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(screen, "PATIENCE", 0.02)


def test_columns_are_aligned_and_never_cut_in_a_pipe(capsys):
    screen.print_table([("a", 1, "x" * 500), ("longer", 22, "y")], ("NAME", "N", "WHAT"))
    header, first, second = capsys.readouterr().out.splitlines()
    assert header == "NAME    N   WHAT"
    assert first == "a       1   " + "x" * 500
    assert second == "longer  22  y"


def test_lines_are_cut_at_the_width_of_a_terminal(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    screen.print_table([("name", "x" * 500)])
    assert capsys.readouterr().out == "name  " + "x" * 14 + "\n"


def test_an_empty_table_prints_nothing(capsys):
    screen.print_table([])
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("total", [None, 3])
def test_progress_shows_itself_when_the_work_takes_long(capsys, terminal, total):
    with screen.progress("counting sheep", total) as advance:
        time.sleep(0.2)
        advance(1)
        print("a result")
    printed = capsys.readouterr()
    assert "counting sheep" in printed.err
    assert printed.out == "a result\n", "what the work prints stays on stdout"


def test_progress_is_silent_when_the_work_is_quick(capsys, terminal, monkeypatch):
    monkeypatch.setattr(screen, "PATIENCE", 5.0)
    with screen.progress("counting sheep", 3) as advance:
        advance(3)
    assert capsys.readouterr().err == ""


def test_progress_is_silent_outside_a_terminal(capsys, monkeypatch):
    monkeypatch.setattr(screen, "PATIENCE", 0.01)
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    with screen.progress("counting sheep"):
        time.sleep(0.1)
    assert capsys.readouterr().err == ""


def test_progress_ends_when_the_work_fails(terminal):
    with pytest.raises(ZeroDivisionError), screen.progress("dividing"):
        time.sleep(0.1)
        raise ZeroDivisionError


def test_what_libraries_write_behind_pythons_back_is_hidden_for_the_moment():
    program = (
        "import os, sys\n"
        "from attention_zoo.cli import screen\n"
        "with screen.native_logs_hidden():\n"
        "    os.write(2, b'noise'); print('seen', file=sys.stderr)\n"
        "os.write(2, b'later'); print(' and seen', file=sys.stderr)\n"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert answer.stderr == "seen\nlater and seen\n"


def test_sizes_are_for_people():
    assert [screen.size(count) for count in (0, 1500, 1_234_567)] == ["0.0 kB", "1.5 kB", "1.2 MB"]
