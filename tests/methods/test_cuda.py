"""The fused executor for CUDA devices: kernels compute what the oracle does."""

import copy
import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from cases import CASES, apart, copies, give, gradients, laid_out, lr, methods
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from interpreted import READY, VARIABLE, as_on_cpu, as_on_cuda, without_waiting
from pairs import feed
from test_fused import LAYOUTS, batch, everything, random
from test_random_rules import EXACT, SMOOTH, batches, numbers, random_rule, scripts
from torch import nn
from torch.testing import assert_close

import descend
from descend.errors import UsageError
from descend.methods import TABLE
from descend.methods.equations import lerp, total, where, whole
from descend.methods.executors import fused, reference
from descend.methods.executors.cuda.writing import BLOCK, TILE
from descend.methods.rule import Batch, elementwise, matrix, one_a_tensor, one_for_all, rule

interpreting = pytest.mark.skipif(not READY, reason="Triton was imported before; see the last test")
SIZES = [0, 1, 3, 4, TILE - 1, TILE, TILE + 1, 2 * TILE + 5]
DTYPES = [torch.float64, torch.float32]
BOUND = {torch.float64: 1e-12, torch.float32: 1e-5}


@pytest.fixture(autouse=True)
def device():
    with as_on_cuda():
        yield


def both(equations, w, g, steps=3, **h):
    """Run a rule by kernels and by the oracle; return the largest relative difference."""
    found = []
    for run in (fused.run, reference.run):
        b = batch(equations, [x.clone() for x in w], g, h)
        for step in range(1, steps + 1):
            b.steps = [step] * len(w)
            run(equations, [b])
        found.append([*b.w, *(x for values in b.kept.values() for x in values)])
    return max(apart(x, y) for x, y in zip(*found, strict=True))


# Methods ----------------------------------------------------------------------------------------
def descended(name, dtype, contiguous=False, steps=3):
    """Return parameters and state by kernels, and by the oracle."""
    parameters = laid_out(name, dtype)
    if contiguous:
        parameters = [nn.Parameter(p.detach().contiguous()) for p in parameters]
    found = []
    for executor in ("fused", "reference"):
        ps = copies(parameters)
        method = TABLE[name](ps, executor=executor, **lr(name))
        for _, g in zip(range(steps), gradients(ps), strict=False):
            feed(CASES[name], ps, g)
            method.step()
        own = [x for p in ps for x in method.state[p].values() if isinstance(x, torch.Tensor)]
        own += [x for x in method.param_groups[0].values() if isinstance(x, torch.Tensor)]
        found.append([*ps, *own])
    return found


@interpreting
@methods
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_method(name, dtype):
    """Not contiguous ones go the long way; contiguous ones take their later steps like the last one."""
    for mine, sure in zip(*descended(name, dtype, dtype == torch.float32), strict=True):
        assert apart(mine, sure) <= (CASES[name].on_device if dtype == torch.float32 else BOUND[dtype])


@interpreting
@pytest.mark.parametrize("name", ["adamw", "lamb", "lion", "schedulefreeadamw", "prodigy"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_narrow_numbers(name, dtype):
    """Computed in float32 and rounded once: as on the CPU, but for roundings of the wide numbers."""
    found = []
    for place in (nullcontext, as_on_cpu):
        with place():
            ps = laid_out(name, dtype)
            method = TABLE[name](ps, **lr(name))
            for _, g in zip(range(3), gradients(ps), strict=False):
                give(ps, g)
                method.step()
        kept = [x for p in ps for x in method.state[p].values() if isinstance(x, torch.Tensor)]
        found.append([x.detach().cpu() for x in (*ps, *kept)])
    for mine, sure in zip(*found, strict=True):
        assert mine.dtype == sure.dtype
        assert apart(mine, sure) <= torch.finfo(dtype).eps
    same = sum(int((x == y).sum()) for x, y in zip(*found, strict=True))
    assert same >= 0.98 * sum(x.numel() for x in found[0])


@interpreting
@pytest.mark.parametrize("narrow", [torch.bfloat16, torch.float16], ids=str)
def test_rounding_is_to_nearest_ties_to_even(narrow):
    @rule(m=elementwise)
    def equations(w, g, s, h):
        s.m = g
        return w

    bits = torch.randint(-(2**31), 2**31 - 1, (10_000,), generator=torch.Generator().manual_seed(0))
    g = bits.to(torch.int32).view(torch.float32)
    ties = [1.00390625, 1.01171875, 3.4e38, float("inf"), -float("inf"), 0.0, -0.0, 1e-40]
    g = torch.cat([g[~g.isnan()], torch.tensor(ties)])
    m = torch.zeros(len(g) + 1, dtype=narrow)
    g = torch.cat([g, torch.tensor([float("nan")])])
    fused.run(equations, [Batch([torch.zeros(len(g))], [g], {"m": [m]}, [1], {})])
    assert torch.equal(m[:-1], g[:-1].to(narrow)) and m[-1].isnan()


# Rules ------------------------------------------------------------------------------------------
def check(script, seed, exact):
    equations = random_rule(script, exact)
    sure, mine = [*batches(seed)], [*batches(seed)]
    for _ in range(2):
        reference.run(equations, sure)
        fused.run(equations, mine)
        for x, y in zip(numbers(mine), numbers(sure), strict=True):
            if exact:
                assert torch.equal(x, y)
            else:
                assert_close(x, y, rtol=1e-6, atol=1e-6)
        for found in (*sure, *mine):
            found.steps = [step + 1 for step in found.steps]


COMMON = {"deadline": None, "derandomize": True, "suppress_health_check": list(HealthCheck)}


@interpreting
@settings(max_examples=25, **COMMON)
@given(script=scripts(EXACT), seed=st.integers(0, 1000))
def test_exact_rules_agree_bit_for_bit(script, seed):
    check(script, seed, exact=True)


@interpreting
@settings(max_examples=15, **COMMON)
@given(script=scripts(SMOOTH), seed=st.integers(0, 1000))
def test_smooth_rules_agree(script, seed):
    check(script, seed, exact=False)


@interpreting
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_all_sizes(dtype):
    """Norms, a mean, a total, kept numbers: of empty tensors, single numbers, tiles and more."""
    w = [random(n, seed=n, dtype=dtype) for n in SIZES if n]  # the mean of nothing is not a number
    g = [random(n, seed=n + 1, dtype=dtype) for n in SIZES if n]
    assert both(everything, w, g) <= BOUND[dtype]


@rule(d=one_for_all.starting(1.0), n=one_a_tensor, m=elementwise)
def sums(w, g, s, h):
    s.d = s.d + total(w * g)
    s.n = s.n + total(s.d)
    s.m = where(w > 0, lerp(s.m, g, 0.25), s.m)
    return w - h.lr * s.m * s.n / (1 + absolute_total(g))


def absolute_total(g):
    return total(g * g)


@interpreting
def test_empty_tensors_count_for_nothing_in_sums():
    w, g = [random(n, seed=n) for n in SIZES], [random(n, seed=n + 1) for n in SIZES]
    assert both(sums, w, g) <= 1e-12


@interpreting
def test_more_tensors_than_one_program_takes():
    w = [random(3, seed=n) for n in range(BLOCK + 2)]
    g = [random(3, seed=n + 1) for n in range(BLOCK + 2)]
    assert both(everything, w, g, steps=1) <= 1e-12


@interpreting
def test_results_repeat_bit_for_bit():
    found = []
    for _ in range(2):
        w, g = ([random(n, seed=n + k, dtype=torch.float32) for n in SIZES] for k in (0, 1))
        fused.run(everything, [batch(everything, w, g)])
        found.append(w)
    assert all(map(torch.equal, *found))


@interpreting
def test_powers():
    @rule(a=elementwise, b=elementwise, c=elementwise, d=elementwise)
    def equations(w, g, s, h):
        s.a, s.b, s.c, s.d = w**3.0, w**h.two, (w * w) ** 0.3, (w * w) ** -0.5
        return w**0.0

    w = [torch.tensor([-2.0, -0.5, 0.5, 3.0, 7.0])]
    assert both(equations, w, [torch.zeros(5)], steps=1, two=2) <= 1e-6
    b = batch(equations, [torch.tensor([-2.0, 0.0])], [torch.zeros(2)], {"two": 0.5})
    fused.run(equations, [b])
    assert b.kept["b"][0].isnan().tolist() == [True, False]


@interpreting
def test_not_a_number_and_infinity_pass_through():
    p = nn.Parameter(torch.tensor([1.0, 2.0, 3.0, 4.0]))
    p.grad = torch.tensor([float("nan"), float("inf"), -float("inf"), 0.0])
    q = nn.Parameter(p.detach().clone())
    q.grad = p.grad.clone()
    descend.AdamW([p], lr=0.1).step()
    torch.optim.AdamW([q], lr=0.1).step()
    assert torch.allclose(p, q, equal_nan=True)


@interpreting
def test_totals_are_over_all_groups_and_step_counts():
    def some(k):
        w, g = ([random(n, seed=n + j) for n in (5, TILE + 1, 1)] for j in (k, k + 1))
        return batch(sums, w, g, {"lr": 0.1 + k})

    found = []
    for run in (fused.run, reference.run):
        groups = [some(0), some(7)]
        for step in (1, 2, 3):
            for b in groups:
                b.steps = [step, step, 2 * step]
            run(sums, groups)
        found.append([x for b in groups for x in (*b.w, *(y for v in b.kept.values() for y in v))])
    assert max(map(apart, *found)) <= 1e-12


@interpreting
@pytest.mark.parametrize("name", ["adamw", "lamb", "prodigy", "radam"])
def test_experts_that_are_not_used_for_a_while(name):
    found = []
    for executor in ("fused", "reference"):
        ps = [nn.Parameter(random(n, seed=n)) for n in (5, 7, TILE + 3)]
        method = TABLE[name](ps, lr=0.1, executor=executor)
        for step in range(6):
            give(ps, [random(p.numel(), seed=step + k) for k, p in enumerate(ps)])
            if step % 2:
                ps[1].grad = None
            method.step()
        found.append(ps)
    assert max(map(apart, *found)) <= 1e-12


# Memory -----------------------------------------------------------------------------------------
@interpreting
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("of_gradient", ["the same", "contiguous"])
def test_layouts(layout, of_gradient):
    found = []
    for executor in ("fused", "reference"):
        p = nn.Parameter(LAYOUTS[layout](random(6, 8)).detach())
        method = descend.AdamW([p], lr=0.1, executor=executor)
        for seed in range(3):
            g = random(*p.shape, seed=seed)
            p.grad = torch.empty_like(p).copy_(g) if of_gradient == "the same" else g
            method.step()
        found.append(p)
    assert apart(*found) <= 1e-12


@interpreting
@pytest.mark.parametrize("what", ["parameters", "gradients"])
def test_views_that_begin_anywhere(what):
    """Kernels for addresses that are multiples of 16 bytes are not for these; it may change at any step."""
    memory = random(4 * TILE, dtype=torch.float32)
    found = []
    for executor in ("fused", "reference"):
        own = memory.clone()
        at = 1 if what == "parameters" else 0
        ps = [nn.Parameter(own[at : at + TILE + 3]), nn.Parameter(own[2 * TILE : 2 * TILE + 9])]
        method = descend.LAMB(ps, lr=0.1, executor=executor)
        for step in range(6):
            g = random(4 * TILE, seed=step, dtype=torch.float32)
            begin = step % 3 if what == "gradients" else 0
            ps[0].grad, ps[1].grad = g[begin : begin + TILE + 3], g[2 * TILE : 2 * TILE + 9]
            method.step()
        assert executor == "reference" or method._held
        found.append(own)
    assert apart(*found) <= 1e-6


@interpreting
def test_elementwise_words_need_one_shape():
    @rule(a=matrix(lambda w: (w.shape[0],)))
    def equations(w, g, s, h):
        s.a = s.a + 1
        return w + s.a

    with pytest.raises(UsageError, match="one shape"):
        fused.run(equations, [batch(equations, [random(3, 2)], [random(3, 2)])])


@interpreting
def test_gradients_are_not_written_to():
    for name in ("adamw", "sgd", "prodigy", "lamb"):
        p = nn.Parameter(random(100))
        method = TABLE[name]([p], lr=0.1, maximize=True)
        for seed in range(3):
            p.grad = random(100, seed=seed)
            before = p.grad.clone()
            method.step()
            assert torch.equal(p.grad, before)


# Functions of whole tensors ------------------------------------------------------------------------
def shifted(x, y, by):
    return x @ y + by


def shifted_all(x, y, by):
    assert x.ndim == 3
    return x @ y + by


shifted.stacked = shifted_all


@interpreting
def test_functions_that_have_a_form_for_stacks():
    @rule(a=matrix(lambda w: (w.shape[1],) * 2).starting(1.0), m=elementwise)
    def equations(w, g, s, h):
        s.m = whole(shifted, w, s.a, h.by)
        s.a = whole(shifted, s.a, s.a, s.step) * 0.5
        return w - h.lr * s.m

    shapes = [(3, 2), (4, 2), (3, 2), (5, 3), (4, 2)]
    w, g = ([random(*shape, seed=k + n) for n, shape in enumerate(shapes)] for k in (0, 9))
    assert both(equations, w, g, by=0.25) <= 1e-12
    found = []
    for run in (fused.run, reference.run):
        b = batch(equations, [x.clone() for x in w], g, {"by": 0.5})
        b.steps = [1, 2, 3, 1, 2]
        run(equations, [b])
        found.append([*b.w, *b.kept["a"]])
    assert max(map(apart, *found)) <= 1e-12


# Nothing waits ------------------------------------------------------------------------------------
@interpreting
@pytest.mark.parametrize(
    "name", ["adamw", "lamb", "prodigy", "schedulefreeadamw", "muon", "dog", "adafactor"]
)
def test_the_host_never_waits(name):
    ps = [nn.Parameter(random(*shape, dtype=torch.float32)) for shape in [(6, 4), (5, 5), (8, 2)]]
    method = TABLE[name](ps, **lr(name))
    for step in range(4):
        give(ps, [random(*p.shape, seed=step, dtype=torch.float32) for p in ps])
        with without_waiting():
            method.step()


@interpreting
def test_totals_of_several_jobs_do_not_wait():
    groups = [batch(everything, [random(5)], [random(5, seed=1)]) for _ in range(2)]
    with without_waiting():
        fused.run(everything, groups)


# Gradients with a scale ------------------------------------------------------------------------------
def state_of(b):
    return [x.clone() for x in (*b.w, *(y for values in b.kept.values() for y in values))]


@interpreting
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("steps", [[1, 1, 1], [1, 2, 1]])
def test_a_scale_is_divided_by(dtype, steps):
    w, g = ([random(n, seed=n + k, dtype=dtype) for n in (5, TILE + 1, 8)] for k in (0, 1))
    plain = batch(everything, [x.clone() for x in w], g)
    scaled = batch(everything, [x.clone() for x in w], [x * 1024 for x in g])
    scaled.scale, scaled.found_inf = torch.tensor(1024.0), torch.tensor(0.0)
    plain.steps = scaled.steps = steps
    fused.run(everything, [plain])
    with without_waiting():
        fused.run(everything, [scaled])
    assert all(map(torch.equal, state_of(plain), state_of(scaled)))


@interpreting
@pytest.mark.parametrize("groups", [1, 2])
def test_infinite_gradients_leave_every_bit_as_it_was(groups):
    found = []
    for k in range(groups):
        w, g = ([random(n, seed=n + k + j) for n in (5, TILE + 1, 8)] for j in (0, 1))
        b = batch(everything, w, g)
        fused.run(everything, [b])
        b.g[0][0] = float("inf")
        b.scale, b.found_inf = torch.tensor(2.0), torch.tensor(1.0)
        found.append(b)
    before = [state_of(b) for b in found]
    with without_waiting():
        fused.run(everything, found)
    for b, old in zip(found, before, strict=True):
        assert all(map(torch.equal, state_of(b), old))


def test_elsewhere_a_scale_is_divided_by_before():
    @rule()
    def equations(w, g, s, h):
        return w - whole(torch.clone, g)

    for infinite, expected in ((0.0, [0.0, 1.0]), (1.0, [1.0, 2.0])):
        b = Batch([torch.tensor([1.0, 2.0])], [torch.tensor([4.0, 4.0])], {}, [1], {})
        b.scale, b.found_inf = torch.tensor(4.0), torch.tensor(infinite)
        fused.run(equations, [b])
        assert b.w[0].tolist() == expected


# Steps like the last one ------------------------------------------------------------------------------
EVENTS = {
    "rate": lambda m, ps: m.param_groups[0].update(lr=m.param_groups[0]["lr"] * 0.5),
    "other memory": lambda m, ps: setattr(ps[0], "data", ps[0].data.clone()),
    "memory of the state": lambda m, ps: setattr(
        m.state[ps[1]]["m"], "data", m.state[ps[1]]["m"].data.clone() + 1
    ),
    "state forgotten": lambda m, ps: m.state.clear(),
    "loaded": lambda m, ps: m.load_state_dict(copy.deepcopy(m.state_dict())),
    "one without": lambda m, ps: setattr(ps[2], "grad", None),
    "gradient elsewhere": lambda m, ps: setattr(ps[1], "grad", ps[1].grad.t().contiguous().t()),
}


@interpreting
@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("name", ["adamw", "prodigy"])
def test_a_step_like_the_last_one_notices_what_changed(event, name):
    found = []
    for executor in ("fused", "reference"):
        ps = [nn.Parameter(random(*shape, seed=k)) for k, shape in enumerate([(4, 3), (5, 2), (6,)])]
        method = TABLE[name](ps, lr=0.1, weight_decay=0.1, executor=executor)
        for step in range(6):
            give(ps, [random(*p.shape, seed=step + k) for k, p in enumerate(ps)])
            if step == 3:
                assert executor == "reference" or method._held
                EVENTS[event](method, ps)
            method.step()
        found.append(ps)
    assert max(map(apart, *found)) <= 1e-12


def test_in_a_process_of_its_own():
    """Where Triton was imported before it could be told to interpret."""
    if READY:
        return
    environment = {**os.environ, VARIABLE: "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__]
    done = subprocess.run(
        command, env=environment, cwd=Path(__file__).parents[2], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-5000:]
