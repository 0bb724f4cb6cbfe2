"""What a kernel makes of a step count: the numbers that the host makes of it."""

import math

import pytest
import torch
from cases import methods
from hypothesis import given, settings
from hypothesis import strategies as st
from interpreted import DEVICE, READY, as_on_cuda

from descend.methods import TABLE
from descend.methods.executors.cuda import compiled
from descend.methods.executors.cuda.code import Code
from descend.methods.executors.cuda.counting import references, written
from descend.methods.executors.cuda.words import Text
from descend.methods.executors.cuda.writing import Function

pytestmark = pytest.mark.skipif(not READY, reason="Triton was imported before")
STEPS = [1, 2, 3, 10, 77, 1000, 54_321, 10**6, 10**9]


@pytest.fixture(autouse=True)
def device():
    with as_on_cuda():
        yield


def on_device(expressions, h, steps):
    """Return what a kernel makes of expressions, a row a step."""
    text = Text()
    text.do("step = tl.load(steps.to(tl.pointer_type(tl.float64)) + tl.program_id(0))")
    names = list(dict.fromkeys(x for e in expressions for x in references(e)))
    values = torch.tensor([float(eval(x, {"h": h})) for x in names] or [0.0], dtype=torch.float64)

    def hyperparameter(name):
        return text.new(f"tl.load(values.to(tl.pointer_type(tl.float64)) + {names.index(name)})")

    for k, e in enumerate(expressions):
        x = written(text, e, hyperparameter)
        place = f"out.to(tl.pointer_type(tl.float64)) + tl.program_id(0) * {len(expressions)} + {k}"
        text.do(f"tl.store({place}, {x})")
    source = "\n".join(["def numbers(steps, values, out):", *text.lines, ""])
    function = Function("numbers", source, ["steps", "values", "out"], 1)
    kernel = compiled.load([function], DEVICE)["numbers"]
    counts = torch.tensor(steps, dtype=torch.float64)
    out = torch.empty(len(steps), len(expressions), dtype=torch.float64)
    words = compiled.Words(["steps", "values", "out"], 0)
    words["steps"], words["values"], words["out"] = counts.data_ptr(), values.data_ptr(), out.data_ptr()
    kernel.bind(words)(len(steps), 0)
    return out.tolist()


@methods
def test_every_methods_numbers(name):
    rule, h = TABLE[name].rule, TABLE[name].defaults
    form = rule.form(torch.empty(64, 32, device="meta")) if rule.form else None
    code = Code(rule, h, 7, form, (torch.float32,) * (2 + len(rule.keeps(h, form))))
    expressions = list(code.machine.hosts)
    steps = [step for step in STEPS if code.holds(h, step)]
    for step, row in zip(steps, on_device(expressions, h, steps), strict=True):
        for found, sure in zip(row, code.numbers(h, step), strict=True):
            # Relative, or to one: 1 − βᵗ is known as well as βᵗ is.
            assert math.isclose(found, sure, rel_tol=5e-15, abs_tol=5e-15), (name, step)


numbers = st.floats(0.01, 4.0).map(lambda x: round(x, 3))
leaves = st.one_of(numbers.map(repr), st.just("step"), st.sampled_from(["h['lr']", "h['betas'][1]"]))
expressions = st.recursive(
    leaves,
    lambda x: st.one_of(
        st.tuples(x, st.sampled_from("+-*/"), x).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        x.map(lambda t: f"(-{t})"),
        x.map(lambda t: f"abs({t})"),
        x.map(lambda t: f"math.sqrt(abs({t}))"),
        x.map(lambda t: f"math.exp((-abs({t})))"),
        x.map(lambda t: f"math.log((abs({t}) + 1.0))"),
        st.tuples(x, x).map(lambda t: f"(abs({t[0]}) ** min({t[1]}, 3.0))"),
        st.tuples(x, numbers).map(lambda t: f"({t[0]} % {t[1]})"),
        st.tuples(x, x, x).map(lambda t: f"({t[0]} if ({t[1]} > {t[2]}) else {t[2]})"),
        st.tuples(x, x).map(lambda t: f"(({t[0]} >= {t[1]}) - ({t[0]} < 0))"),
        st.tuples(x, x, x).map(lambda t: f"max({t[0]}, {t[1]}, {t[2]})"),
    ),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(expressions, st.integers(1, 50))
def test_any_expression(expression, step):
    h = {"lr": 0.3, "betas": (0.9, 0.99)}
    try:
        sure = float(eval(expression, {"h": h, "step": step, "math": math}))
        near = [
            float(
                eval(
                    expression,
                    {"h": {"lr": 0.3 * e, "betas": (0.9, 0.99 * e)}, "step": step * e, "math": math},
                )
            )
            for e in (1 - 1e-13, 1 + 1e-13)
        ]
    except (ZeroDivisionError, OverflowError, ValueError):
        return
    if isinstance(sure, complex) or not all(math.isclose(x, sure, rel_tol=1e-9, abs_tol=1e-9) for x in near):
        return  # at a jump, or where digits cancel
    ((found,),) = on_device([expression], h, [step])
    assert math.isclose(found, sure, rel_tol=1e-9, abs_tol=1e-9)
