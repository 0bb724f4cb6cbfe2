"""What a type checker makes of a method's constructor: hyperparameters, parameters, modifiers."""

import json
import subprocess
import sys

import pytest

from descend.methods import TABLE
from descend.methods.modifiers import MODIFIERS

pytest.importorskip("pyright")


def calls():
    """Calls that are right, one a line: every method, and every keyword of a modifier."""
    for cls in TABLE.values():
        yield f"{cls.__name__}(w, maximize=True, executor='foreach', foreach=True)"
        yield f"{cls.__name__}([{{'params': w}}])"
        for name, value in cls.defaults.items():
            if name != "maximize":
                yield f"{cls.__name__}(w, {name}={value!r})"
    yield "Adam(w, 0.1, (0.9, 0.99), 1e-8)"
    for name, part in MODIFIERS.items():
        yield f"SGD(w, {name}={part.example!r})"
        for other, value in part.others.items():
            yield f"SGD(w, {other}={1 if callable(value) else value!r})"


WRONG = ["Adam(w, lr='fast')", "Adam(w, learning_rate=0.1)", "Adam(w, clip_norm='a')", "Adam()"]


def test_a_type_checker_knows_the_constructor(tmp_path):
    good = list(calls())
    lines = ["import torch", "from math import inf", "from descend.methods import *"]
    lines += ["w = [torch.nn.Parameter(torch.ones(2, 2))]"]
    file = tmp_path / "snippet.py"
    file.write_text("\n".join([*lines, *good, *WRONG]))
    command = [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable, str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    errors = json.loads(done.stdout)["generalDiagnostics"]
    found = {e["range"]["start"]["line"] - len(lines): e["message"] for e in errors}
    wrong = {(good + WRONG)[i]: message for i, message in found.items()}
    assert not {call: message for call, message in wrong.items() if call not in WRONG}
    assert list(wrong) == WRONG
