import io
import json
import math

import pytest

from descend.cli import terminal


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (12345, "12,345"),
        (123456.7, "123,457"),
        (0.00123456, "0.001235"),
        (3e20, "3e+20"),
        (math.nan, "nan"),
    ],
)
def test_figure(value, text):
    assert terminal.figure(value) == text


def test_span_is_never_sixty():
    assert terminal.span(119.7) == "2 min"
    assert terminal.span(3599.9) == "1 h"


def test_json_is_strict(capsys):
    terminal.say_json({"loss": math.nan, "more": [math.inf, (1.0, None)], "name": "β"})
    out = capsys.readouterr().out
    assert out.count("\n") == 1 and "β" in out
    assert json.loads(out, parse_constant=pytest.fail) == {
        "loss": None,
        "more": [None, [1.0, None]],
        "name": "β",
    }


def test_a_complaint_is_one_line(capsys):
    terminal.complain("expected this;\n  came that", as_json=True)
    out, err = capsys.readouterr()
    assert err == "descend: expected this; came that\n"
    assert json.loads(out) == {"error": "expected this; came that"}


def test_a_poor_encoding_is_noticed(monkeypatch):
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    assert not terminal.can_draw()
    terminal.survive_any_encoding()
    terminal.say("√β")  # no error
