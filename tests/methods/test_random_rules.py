"""Any rule, not only ours: what the fast executor computes is what the oracle computes.

Random equations stress what a written method never does: values swapped, used twice, overwritten while
they are still needed, left alone, decided by the step. Two families of them:

* exact: small dyadic numbers, on which float64 makes no rounding error, so that the executors must agree
  bit for bit;
* smooth: roots, quotients and norms, which must agree to rounding.
"""

from copy import deepcopy

import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from descend.methods.equations import (
    absolute,
    exp,
    lerp,
    maximum,
    minimum,
    norm,
    sign,
    sqrt,
    total,
    where,
    whole,
)
from descend.methods.executors import reference
from descend.methods.method import EXECUTORS
from descend.methods.rule import Batch, elementwise, one_a_tensor, one_for_all, rule

BITS = 40  # beyond which an exact value is brought back to its sign
ELEMENT, TENSOR, ALL = 0, 1, 2
PLACES = {"w": ELEMENT, "a": ELEMENT, "b": ELEMENT, "c": ELEMENT, "n": TENSOR, "d": ALL}

EXACT = [
    "add",
    "sub",
    "neg",
    "mul",
    "half",
    "triple",
    "add_host",
    "max",
    "min",
    "max_host",
    "min_host",
    "abs",
    "sign",
    "where",
    "where_step",
    "where_flag",
    "mask",
    "div",
    "reciprocal",
    "lerp",
    "square",
    "total",
    "flip",
    "sum",
]
SMOOTH = [
    "add",
    "sub",
    "neg",
    "mul",
    "half",
    "triple",
    "add_host",
    "max",
    "min",
    "max_host",
    "min_host",
    "abs",
    "lerp",
    "root",
    "quotient",
    "norm",
    "exp",
    "power",
]


def flipped(x):
    return torch.flip(x, list(range(x.dim())))


def shifted_sum(x, by):
    return x.sum() + by


class Term:
    """A value of a random rule: how far it reaches, and how many bits it may need."""

    def __init__(self, value, level, bits):
        self.value, self.level, self.bits = value, level, bits


def combine(op, x, y, z, s, h):
    """One operation; returns (value, level, bits)."""
    a, b, c = x.value, y.value, z.value
    two = min(x.level, y.level)
    most = max(x.bits, y.bits)
    match op:
        case "add":
            return a + b, two, most + 1
        case "sub":
            return a - b, two, most + 1
        case "neg":
            return -a, x.level, x.bits
        case "mul":
            return a * b, two, x.bits + y.bits
        case "half":
            return a * h.half, x.level, x.bits + 1
        case "triple":
            return h.three * a, x.level, x.bits + 2
        case "add_host":
            return 1 - a + h.three * s.step, x.level, max(x.bits, 6) + 2
        case "max":
            return maximum(a, b), two, most
        case "min":
            return minimum(a, b), two, most
        case "max_host":
            return maximum(a, h.half), x.level, max(x.bits, 1)
        case "min_host":
            return minimum(h.half * s.step, a), x.level, max(x.bits, 6)
        case "abs":
            return absolute(a), x.level, x.bits
        case "sign":
            return sign(a), x.level, 1
        case "where":
            return where(a > b, b, c), min(two, z.level), max(most, z.bits)
        case "where_step":
            return where(s.step % 2 == 1, a, b), two, most
        case "where_flag":
            return (a if h.flag else b), two, most
        case "mask":
            return (a >= h.half) * b, two, y.bits
        case "div":
            return a / where(b < 0, sign(absolute(b) + 1) * 2, 4.0), two, x.bits + 2
        case "reciprocal":
            return 1.0 / where(a <= 0, h.half, sign(absolute(a) + 1) * 4), x.level, 3
        case "lerp":
            return lerp(a, b, h.half), two, most + 3
        case "square":
            return a**2, x.level, 2 * x.bits
        case "total":
            return total(a), ALL, x.bits + 6
        case "flip":
            return whole(flipped, a), x.level, x.bits
        case "sum":
            return whole(shifted_sum, a, h.three, gives=one_a_tensor), max(x.level, TENSOR), x.bits + 6
        case "root":
            return sqrt(absolute(a) + 1), x.level, 0
        case "quotient":
            return a / (absolute(b) + h.half), two, 0
        case "norm":
            return norm(a), max(x.level, TENSOR), 0
        case "exp":
            return exp(minimum(a, 1.0)), x.level, 0
        case "power":
            return (absolute(a) + 1) ** 1.5, x.level, 0
    raise AssertionError(op)


def random_rule(script, exact):
    """Turn a script into a rule: operations on what there is so far, and assignments."""

    @rule(a=elementwise, b=elementwise, c=elementwise, n=one_a_tensor, d=one_for_all.starting(1.0))
    def equations(w, g, s, h):
        pool = [Term(x, level, 3) for x, level in ((w, 0), (g, 0), (s.a, 0), (s.b, 0), (s.n, 1), (s.d, 2))]
        new_w = None

        def small(term):  # what goes into the next step must not grow from step to step
            return sign(term.value) if exact and term.bits > 3 else term.value

        for op, i, j, k in script:
            if op in PLACES:
                reachable = [t for t in pool if t.level >= PLACES[op]]
                value = small(reachable[-1 - i % len(reachable)])
                if op == "w":
                    new_w = value
                else:
                    setattr(s, op, value)
                continue
            x, y, z = (pool[-1 - m % len(pool)] for m in (i, j, k))  # most often the newest
            value, level, bits = combine(op, x, y, z, s, h)
            if exact and bits > BITS:
                value, bits = sign(value), 1
            if not exact:
                value = maximum(minimum(value, 8.0), -8.0)
            pool.append(Term(value, level, bits))
        return small(pool[-1]) if new_w is None else new_w

    return equations


def batches(seed):
    """Two groups of parameters of all shapes, some of which have been used less often than others."""
    generator = torch.Generator().manual_seed(seed)

    def some(shape):
        return torch.randint(-3, 4, shape, generator=generator).double()

    def group(shapes, steps, **hyperparameters):
        w = [some((4, 3)).t() if shape == "transposed" else some(shape) for shape in shapes]
        kept = {name: [some(x.shape).t().contiguous().t() for x in w] for name in "abc"}
        kept |= {"n": [some(()) for _ in w], "d": [torch.tensor(2.0, dtype=torch.float64)]}
        h = {"half": 0.5, "three": 3.0, **hyperparameters}
        return Batch(w, [some(x.shape) for x in w], kept, list(steps), h)

    return [
        group([(2, 3), "transposed", (), (0,)], [1, 1, 1, 1], flag=True),
        group([(5,), (2, 2), (1,)], [2, 1, 2], flag=False),
    ]


def numbers(found):
    return [x for batch in found for values in (batch.w, *batch.kept.values()) for x in values]


FAST = [run for name, run in EXECUTORS.items() if name != "reference"]


def check(script, seed, exact):
    equations = random_rule(script, exact)
    sure, *rest = ([*batches(seed)] for _ in range(1 + len(FAST)))
    for _ in range(3):
        gradients = deepcopy([batch.g for batch in sure])
        reference.run(equations, sure)
        for run, mine in zip(FAST, rest, strict=True):
            run(equations, mine)
            for batch, before in zip(mine, gradients, strict=True):
                assert all(map(torch.equal, batch.g, before)), "a gradient was overwritten"
            for x, y in zip(numbers(mine), numbers(sure), strict=True):
                if exact:
                    assert torch.equal(x, y)
                else:
                    assert_close(x, y, rtol=1e-6, atol=1e-6)
        for batch in (*sure, *(batch for mine in rest for batch in mine)):
            batch.steps = [step + 1 for step in batch.steps]


def scripts(operations):
    index = st.integers(0, 9)
    # Assignments are as likely as operations: liveness is what is at stake.
    instruction = st.tuples(
        st.one_of(st.sampled_from(operations), st.sampled_from(list(PLACES))), index, index, index
    )
    return st.lists(instruction, min_size=3, max_size=16)


COMMON = {"deadline": None, "derandomize": True, "suppress_health_check": list(HealthCheck)}


@settings(max_examples=200, **COMMON)
@given(script=scripts(EXACT), seed=st.integers(0, 1000))
def test_exact_rules_agree_bit_for_bit(script, seed):
    check(script, seed, exact=True)


@settings(max_examples=100, **COMMON)
@given(script=scripts(SMOOTH), seed=st.integers(0, 1000))
def test_smooth_rules_agree(script, seed):
    check(script, seed, exact=False)
