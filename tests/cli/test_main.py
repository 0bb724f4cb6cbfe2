import errno
import json
import os
import subprocess
import sys

import pytest

from descend.cli import main

COMMANDS = [
    "fit",
    "predict",
    "generate",
    "recommend",
    "drive",
    "report",
    "methods",
    "applications",
    "export",
    "watch",
    "diagnose",
    "inspect",
    "landscape",
    "lab",
    "corpus",
]


def test_help_names_every_command(descend):
    said = descend("--help")
    assert said.code == 0 and not said.err
    assert all(name in said.out for name in COMMANDS)
    assert descend().out == said.out  # no words at all: the same help
    assert list(main.COMMANDS) == COMMANDS


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_help_and_json(descend, name):
    said = descend(name, "--help")
    assert said.code == 0 and not said.err
    assert "--json" in said.out and "Traceback" not in said.out


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["fit", "--help"],
        ["fit", "digits", "--lr", "-1"],
        ["fit", "--nonsense"],
        ["fot"],
        ["fit", "digitz"],
    ],
)
def test_torch_is_not_loaded_to_say_this(words):
    code = (
        "import sys; from descend.cli.main import run; run(sys.argv[1:]);"
        "print([m for m in ('torch', 'numpy', 'polars', 'plotly') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


def test_as_a_module_and_with_its_exit_code():
    done = subprocess.run(
        [sys.executable, "-m", "descend", "fit", "x", "--steps", "0"], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and not done.stdout


def test_an_error_in_json(descend):
    said = descend("fit", "x", "--steps", "0", "--json")
    assert said.code == 2
    assert said.err == f"descend: {json.loads(said.out)['error']}\n"


def raising(error):
    def command(*_, **__):
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (KeyboardInterrupt(), 130, ["interrupted"]),
        (MemoryError(), 2, ["memory", "--batch-size"]),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"), 2, ["memory"]),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), 2, ["memory"]),
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "runs/x"), 2, ["full", "runs/x"]),
        (PermissionError(errno.EACCES, os.strerror(errno.EACCES), "runs/x"), 2, ["permission", "runs/x"]),
        (OSError(errno.EROFS, os.strerror(errno.EROFS), "runs/x"), 2, ["permission", "Read-only"]),
        (ZeroDivisionError("division by zero"), 1, ["unexpected ZeroDivisionError", "DESCEND_TRACEBACK"]),
    ],
)
def test_whatever_goes_wrong_is_one_line(descend, monkeypatch, error, code, words):
    monkeypatch.setattr("descend.cli.methods.table", raising(error))
    said = descend("methods")
    assert said.code == code and not said.out
    assert said.err.count("\n") == 1 and "Traceback" not in said.err
    assert all(word in said.err for word in words), said.err


def test_the_traceback_is_there_for_who_asks(descend, monkeypatch):
    monkeypatch.setattr("descend.cli.methods.table", raising(ZeroDivisionError()))
    monkeypatch.setenv("DESCEND_TRACEBACK", "1")
    with pytest.raises(ZeroDivisionError):
        descend("methods")


def test_a_reader_who_leaves_is_no_error():
    for words in ("fit --help", "--help"):
        done = subprocess.run(
            f"'{sys.executable}' -m descend {words} | true", shell=True, capture_output=True, text=True
        )
        assert done.stderr == ""


def test_a_broken_pipe_in_the_middle(descend, monkeypatch):
    monkeypatch.setattr("descend.cli.methods.table", raising(BrokenPipeError(errno.EPIPE, "Broken pipe")))
    monkeypatch.setattr(main, "silence", lambda: None)
    said = descend("methods")
    assert (said.code, said.err) == (0, "")


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["fot"], ["'fot'", "fit"]),
        (["fit", "x", "--stesp", "3"], ["--stesp", "--steps"]),
        (["fit", "x", "--steps"], ["--steps", "none"]),
        (["fit", "x", "--json=1"], ["--json alone"]),
        (["fit"], ["TARGET", "--help"]),
        (["fit", "x", "y"], ["y", "quote"]),
        (["predict", "x"], ["INPUT"]),
        (["export", "x"], ["--to"]),
        (["--nonsense"], ["--nonsense"]),
    ],
)
def test_words_that_cannot_be_read(descend, words, named):
    said = descend(*words)
    assert said.code == 2 and not said.out
    assert said.err.startswith("descend: expected ") and said.err.count("\n") == 1
    assert all(name in said.err for name in named), said.err
