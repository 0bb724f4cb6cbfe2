import io
import math
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from descend.cli.live import LiveLine, bar, sparkline


@dataclass
class Now:
    step: int = 1234
    loss: float = 0.0512
    validation: dict = field(default_factory=lambda: {"loss/validation": 0.07, "accuracy/validation": 0.981})
    lr: float = 0.0021
    rate: float = 4123.4
    fraction: float | None = 0.62
    time_left: float | None = 5.0


def line(width: int, now: Now | None = None) -> str:
    screen = Console(file=io.StringIO(), width=width, force_terminal=True)
    return LiveLine("digits", screen).line(now or Now()).plain


def test_the_whole_line(monkeypatch):
    monkeypatch.setattr("descend.cli.live.can_draw", lambda: True)
    said = line(200)
    for part in (
        "digits",
        "62%",
        "step 1,234",
        "loss 0.0512",
        "accuracy 98.1%",
        "rate 0.0021",
        "4,123 steps/s",
    ):
        assert part in said
    assert said.endswith("5.0 s left") and "━" in said


@pytest.mark.parametrize("width", [20, 40, 60, 80, 100, 140])
def test_a_narrow_terminal_leaves_out_the_least(width):
    said = line(width)
    assert "step 1,234" in said and "loss 0.0512" in said
    assert len(said) <= max(width, len("digits  step 1,234  loss 0.0512"))


def test_what_is_not_known_is_not_said():
    said = line(200, Now(fraction=None, time_left=None, validation={}))
    assert "%" not in said and "left" not in said
    assert "validation 0.5" in line(200, Now(validation={"loss": 0.5}))
    assert "loss nan" in line(200, Now(loss=math.nan))


def test_it_draws_and_leaves_nothing():
    file = io.StringIO()
    with LiveLine("digits", Console(file=file, width=100, force_terminal=True)) as live:
        live.look(None, Now())
    assert "1,234" in file.getvalue()
    assert file.getvalue().rstrip().endswith(("\x1b[2K", "\x1b[?25h"))  # erased, and the cursor is back


def test_it_remembers_the_whole_course_in_little_room():
    with LiveLine("digits", Console(file=io.StringIO(), width=100)) as live:
        for i in range(5000):
            live._remember(float(i))
    assert len(live._losses) < 128 and live._losses[0] == 0 and live._losses[-1] > 4800


@given(st.lists(st.floats(), max_size=60), st.integers(0, 30))
def test_sparkline_takes_anything(values, width):
    drawn = sparkline(values, width)
    assert len(drawn) <= width
    assert set(drawn) <= set("▁▂▃▄▅▆▇█")


def test_sparkline_is_logarithmic_where_it_must():
    assert sparkline([1000, 100, 10, 1]) == "█▆▃▁"


def test_bar():
    assert bar(0.5, 4) == ("━━", "──")
    assert bar(7.0, 2) == ("━━", "")
