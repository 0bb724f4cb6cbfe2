"""Number formats inside CUDA kernels: the bits that torch's integers give."""

import io
import json
import os
import subprocess
import sys
from unittest import mock

import pytest
import torch
from interpreted import READY, as_on_cuda, without_waiting
from test_stored_fused import (
    GIVEN,
    VECTORS,
    _equal,
    asked,
    batch,
    descend_by,
    everything,
    in_two_passes,
    made,
    moving,
    opened,
    same_bits,
)

from descend.methods.equations import absolute
from descend.methods.executors import foreach, fused, reference
from descend.methods.executors.cuda.stored import in_flat_blocks
from descend.methods.rule import elementwise, rule
from descend.parameters import formats

pytestmark = pytest.mark.skipif(not READY, reason="Triton was imported before; see test_cuda.py")
FLAT = ((64, 32), (5, 1024), (3, 96), (1, 40), (33, 32, 3, 3), (2, 1056))
"""Shapes whose blocks follow one another."""
OTHERS = ((7, 33), (3, 8), (64, 27))


@pytest.fixture(autouse=True)
def device():
    with as_on_cuda():
        yield


@pytest.fixture
def no_other_way(monkeypatch):
    """Fail where the portable executor is asked for help."""

    def refuse(*args):
        raise AssertionError("it went another way")

    monkeypatch.setattr(foreach, "run", refuse)


@rule(a=elementwise, b=elementwise.non_negative())
def rounding(w, g, s, h):
    """Need every bit that chance gives: each number is one product, the same wherever it is computed."""
    s.a, s.b = g * 1.000978, absolute(s.a * 0.7)
    return w * 1.000978


def alike(mine, oracle):
    for x, y in zip(everything(mine), everything(oracle), strict=True):
        assert same_bits(x, y), (tuple(x.shape), x.dtype)


EQUATIONS = [moving, in_two_passes, rounding]


@asked
@pytest.mark.parametrize("one_step", [True, False], ids=["one step", "several"])
@pytest.mark.parametrize("equations", EQUATIONS, ids=["moving", "two passes", "rounding"])
def test_places_are_loaded_and_stored_bit_for_bit(equations, one_step, state, parameter, no_other_way):
    shapes = FLAT if state == "8-bit" else FLAT + OTHERS + VECTORS
    one, other = (batch(equations, state, parameter, shapes) for _ in range(2))
    for b in (one, other):
        if one_step:
            b.steps = [2**20 + 3] * len(shapes)
        if equations is in_two_passes:  # where norms are not finite nothing can be compared
            b.g = [torch.nan_to_num(x, 0.0, 1.0, -1.0).clamp(-1e6, 1e6) for x in b.g]
    fused.run(equations, [one])
    reference.run(equations, [other])
    alike(one, other)


def test_rows_that_cut_blocks_go_another_way_and_the_others_do_not():
    one, other = (batch(moving, "8-bit", "bfloat16+8", FLAT + OTHERS) for _ in range(2))
    with mock.patch.object(foreach, "run", wraps=foreach.run) as run:
        fused.run(moving, [one])
    (rest,) = run.call_args.args[1]
    assert [tuple(w.shape) for w in rest.w] == list(OTHERS)
    reference.run(moving, [other])
    alike(one, other)
    assert [in_flat_blocks(shape) for shape in FLAT + OTHERS] == [True] * len(FLAT) + [False] * len(OTHERS)


@asked
def test_noise_is_that_of_the_place_in_the_whole_parameter(state, parameter):
    """A part of a parameter that begins elsewhere gives the numbers that it has in the whole."""
    whole, part = (batch(rounding, state, parameter, ((64, 32),)) for _ in range(2))
    fused.run(rounding, [whole])
    lower = slice(16, 64)
    for values in (part.w, part.g, *part.kept.values()):
        values[:] = [x[lower].contiguous() for x in values]
    assert part.stored is not None
    for values in part.stored.beside.values():
        values[:] = [x[lower].contiguous() for x in values]
    with mock.patch.object(fused.sharded, "offsets", lambda batch: [16 * 32]):
        fused.run(rounding, [part])
    for x, y in zip(everything(part), everything(whole), strict=True):
        assert same_bits(x, y[lower])


@asked
@pytest.mark.parametrize("infinite", [0.0, 1.0])
def test_gradients_with_a_scale(state, parameter, infinite, no_other_way):
    """Divided by it in the kernels; where one is infinite nothing moves, and the host does not wait."""
    before, one, other = (batch(moving, state, parameter, FLAT[:3]) for _ in range(3))
    one.g = [x * 4 for x in one.g]
    one.scale, one.found_inf = torch.tensor([4.0]), torch.tensor([infinite])
    with without_waiting():
        fused.run(moving, [one])
    if not infinite:
        reference.run(moving, [other])
    alike(one, before if infinite else other)


# Methods ------------------------------------------------------------------------------------------
SHAPES = (*FLAT[:4], OTHERS[0], VECTORS[0])


@asked
@pytest.mark.parametrize("name", ["adamw", "lion", "sgd", "lamb", "prodigy", "adafactor", "muon"])
def test_one_step_is_that_of_the_oracle(name, state, parameter):
    """All but a few numbers in a thousand agree, and those are a code or a few digits apart."""
    given = GIVEN.get(name, {})
    (ours, one), (theirs, other) = (
        made(name, state, parameter, e, shapes=SHAPES, **given) for e in ("fused", "reference")
    )
    descend_by(ours, one, 1)
    descend_by(theirs, other, 1)
    apart = []
    for p, q in zip(ours, theirs, strict=True):
        mine, oracle = opened(one, p), opened(other, q)
        assert mine.keys() == oracle.keys()
        for what, x in mine.items():
            x, y = x.double(), oracle[what].double()
            apart.append(((x - y).abs() > 3e-6 * y.abs() + 1e-6).double().view(-1))
            assert torch.allclose(x, y, rtol=2**-3, atol=1e-3), (what, tuple(p.shape))
    assert torch.cat(apart).mean() <= 1e-3


@asked
def test_many_steps_stay_near_the_oracle(state, parameter):
    """A code that differs is noise like any other: it must not build up."""
    found = [made("adamw", state, parameter, e, shapes=SHAPES, lr=1e-2) for e in ("fused", "reference")]
    for parameters, method in found:
        descend_by(parameters, method, 12)
    for p, q in zip(found[0][0], found[1][0], strict=True):
        x, y = opened(found[0][1], p)["w"].double(), opened(found[1][1], q)["w"].double()
        assert (x - y).norm() <= 0.02 * y.norm()


@asked
@pytest.mark.parametrize("name", ["adamw", "prodigy", "muon"])
def test_a_resumed_descent_is_the_same(name, state, parameter):
    parameters, method = made(name, state, parameter, shapes=SHAPES)
    descend_by(parameters, method, 2)
    file = io.BytesIO()
    torch.save([[p.detach() for p in parameters], method.state_dict()], file)
    descend_by(parameters, method, 2, first=2)
    file.seek(0)
    values, state_dict = torch.load(file, weights_only=True)
    again, resumed = made(name, state, parameter, shapes=SHAPES)
    for p, x in zip(again, values, strict=True):
        p.data.copy_(x)
    resumed.load_state_dict(state_dict)
    descend_by(again, resumed, 2, first=2)
    assert _equal(method, resumed)


@asked
@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf])
def test_a_gradient_that_is_no_number_is_seen(state, parameter, bad):
    parameters, method = made("adamw", state, parameter, shapes=SHAPES)
    descend_by(parameters, method, 2)
    for p in parameters:
        p.grad = torch.zeros_like(p)
        p.grad.view(-1)[-1] = bad
    method.step()
    for p in parameters:
        assert not p.view(-1)[-1].isfinite()
        assert p.view(-1)[:-1].isfinite().sum() >= p.numel() - formats.BLOCK


@asked
def test_a_held_step_is_the_same(state, parameter, no_other_way):
    one, other = (made("adamw", state, parameter, shapes=FLAT[:3]) for _ in range(2))
    for t in range(4):
        with without_waiting():
            descend_by(*one, 1, first=t)
        other[1]._held.clear()
        descend_by(*other, 1, first=t)
    assert one[1]._held
    assert _equal(one[1], other[1])


# Machine code -------------------------------------------------------------------------------------
COMPILING = """
import json
import torch
from descend.methods import TABLE
from descend.methods.executors.cuda import compiled
from descend.methods.executors.cuda.code import Code
from descend.methods.executors.cuda.writing import Variant
from descend.parameters.formats import Format

found = []
for name in ("adamw", "lamb"):
    method = TABLE[name]
    for coded, w, variant in (
        (True, Format.SPLIT8, Variant()),
        (False, Format.STOCHASTIC, Variant()),
        (True, Format.SPLIT16, Variant(aligned=False, one_row=False, scaled=True)),
    ):
        state = [Format.SIGNED, Format.NON_NEGATIVE] if coded else [Format.STOCHASTIC] * 2
        made = Code(method.rule, method.defaults, 5, None, (w, torch.bfloat16, *state))
        for phase in made.launches(variant):
            for f in phase.passes.values():
                found.append([coded, variant.aligned, compiled.triton_kernel(f, (9, 0)).asm["ptx"]])
print(json.dumps(found))
"""


def test_kernels_compile():
    environment = {**os.environ}
    environment.pop("TRITON_INTERPRET", None)
    done = subprocess.run([sys.executable, "-c", COMPILING], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert len(found) == 9
    for coded, aligned, text in found:
        assert ".local" not in text  # nothing is spilled
        assert ".v4" in text or not aligned
        assert "bar.sync" in text or not coded
