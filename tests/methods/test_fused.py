"""The fused executor: what one pass over memory must get right, whatever the rule."""

import copy
import ctypes
import gc
import os
import threading
import weakref

import numpy as np
import pytest
import torch
from cases import apart, copies, give
from torch import nn

import descend
from descend.errors import UsageError
from descend.methods import TABLE
from descend.methods.equations import lerp, mean, norm, sqrt, total, whole
from descend.methods.executors import disk, fused, reference
from descend.methods.executors.cpu import compiled, threads
from descend.methods.executors.cpu.code import PIECE
from descend.methods.executors.stages import Stages
from descend.methods.rule import Batch, elementwise, matrix, one_a_tensor, one_for_all, rule
from descend.methods.trace import trace

SIZES = [0, 1, 7, 15, 16, 17, 33, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE + 5]


def random(*shape, seed=0, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def batch(equations, w, g, h=None, step=1):
    h = {"lr": 0.1, **(h or {})}
    kept = {
        name: [k.fresh(w[0], h)] if k.kind == "all" else [k.fresh(x, h) for x in w]
        for name, k in equations.keeps(h).items()
    }
    return Batch(w, g, kept, [step] * len(w), h)


def both(equations, w, g, steps=3, **h):
    """Run a rule with the fused executor and with the oracle; return the largest relative difference."""
    found = []
    for run in (fused.run, reference.run):
        b = batch(equations, [x.clone() for x in w], g, h)
        for step in range(1, steps + 1):
            b.steps = [step] * len(w)
            run(equations, [b])
        found.append([*b.w, *(x for values in b.kept.values() for x in values)])
    return max(apart(x, y) for x, y in zip(*found, strict=True))


# Stages -----------------------------------------------------------------------------------------
def phases(equations, **h):
    return Stages(trace(equations, {"lr": 0.1, **h})).phases


def test_one_pass_for_an_elementwise_rule():
    for name in ("sgd", "adamw", "lion", "adan", "ademamix", "schedulefreeadamw", "radam"):
        found = Stages(trace(TABLE[name].rule, TABLE[name].defaults, 50)).phases
        kernels = [k for phase in found for k in phase.kernels.values()]
        assert len(kernels) == 1, name
        places = {"w", "g", *trace(TABLE[name].rule, TABLE[name].defaults, 50).kept}
        assert set(kernels[0].loads.values()) <= places


def test_a_second_pass_computes_again_rather_than_writing_down():
    """LAMB's direction is computed from m, v and w in both passes; it needs no memory of its own."""
    first, second = Stages(trace(TABLE["lamb"].rule, TABLE["lamb"].defaults, 5)).phases
    assert {place for _, place in first.kernels["w"].stores} == {"m", "v"}
    assert set(second.kernels["w"].loads.values()) == {"m", "v", "w"}
    assert [place for _, place in second.kernels["w"].stores] == ["w"]


def test_a_store_waits_while_the_old_value_is_needed():
    @rule(m=elementwise)
    def equations(w, g, s, h):
        old = s.m
        s.m = s.m + g
        return w - norm(s.m) * old  # the old m, after the new one is known

    first, second = phases(equations)
    assert not first.kernels["w"].stores
    assert {place for _, place in second.kernels["w"].stores} == {"m", "w"}
    assert both(equations, [random(5, 3), random(4)], [random(5, 3, seed=1), random(4, seed=2)]) <= 1e-14


def test_what_is_changed_in_place_is_not_copied():
    def doubled(x):
        return 2 * x

    doubled.in_place = lambda x: x.mul_(2)

    @rule(a=matrix(lambda w: (2, 2)).starting(1.0))
    def equations(w, g, s, h):
        s.a = whole(doubled, s.a)
        return w - h.lr * g

    first, second = phases(equations)
    assert first.calls[0].in_place and not second.kernels
    assert both(equations, [random(3)], [random(3, seed=1)]) == 0


def test_elementwise_words_need_one_shape():
    @rule(a=matrix(lambda w: (w.shape[0],)))
    def equations(w, g, s, h):
        s.a = s.a + 1
        return w + s.a

    with pytest.raises(UsageError, match="one shape"):
        fused.run(equations, [batch(equations, [random(3, 2)], [random(3, 2)])])


# Sizes, threads, layouts ------------------------------------------------------------------------
@rule(m=elementwise, n=one_a_tensor, d=one_for_all.starting(1.0))
def everything(w, g, s, h):
    """All kinds of pass: norms, a mean, a total, kept numbers."""
    s.m = lerp(s.m, g, 0.1)
    s.n = 0.9 * s.n + mean(s.m * s.m)
    s.d = 0.5 * s.d + total(w * g) / (1 + total(g * g))
    return w - h.lr * s.m / (sqrt(s.n) + 0.1) * s.d - h.lr * norm(w) / (1 + norm(s.m)) * g


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_all_sizes(dtype):
    w = [random(n, seed=n, dtype=dtype) for n in SIZES if n]  # the mean of nothing is not a number
    g = [random(n, seed=n + 1, dtype=dtype) for n in SIZES if n]
    assert both(everything, w, g) <= (1e-13 if dtype == torch.float64 else 1e-5)


@pytest.mark.parametrize("n", SIZES)
def test_adamw_of_each_size(n):
    one, other = ([nn.Parameter(random(n))] for _ in range(2))
    mine = descend.AdamW(one, lr=0.1)
    sure = torch.optim.AdamW(other, lr=0.1)
    for seed in range(3):
        for p, method in ((one, mine), (other, sure)):
            p[0].grad = random(n, seed=seed + 1)
            method.step()
    assert apart(one[0], other[0]) <= 1e-14


def test_any_number_of_threads_gives_the_same_bits():
    before = torch.get_num_threads()
    found = []
    try:
        for count in (1, 2, 5):
            torch.set_num_threads(count)
            w = [random(n, seed=n, dtype=torch.float32) for n in (3 * PIECE + 5, PIECE, 100)]
            g = [random(n, seed=n + 1, dtype=torch.float32) for n in (3 * PIECE + 5, PIECE, 100)]
            b = batch(everything, w, g)
            fused.run(everything, [b])
            found.append(w)
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(x, y) for other in found[1:] for x, y in zip(found[0], other, strict=True))


def test_without_torchs_threads_it_takes_pythons(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    start = threads._parallel.__wrapped__()
    w, g = [random(4 * PIECE)], [random(4 * PIECE, seed=1)]
    expected = [x.clone() for x in w]
    reference.run(everything, [batch(everything, expected, g)])
    monkeypatch.setattr(threads, "_parallel", lambda: start)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    fused.run(everything, [batch(everything, w, g)])
    assert apart(w[0], expected[0]) <= 1e-13


LAYOUTS = {
    "transposed": lambda x: x.t(),
    "every other": lambda x: x[:, ::2],
    "a part": lambda x: x[1:, 2:],
    "channels last": lambda x: x.reshape(4, 2, 3, 2).to(memory_format=torch.channels_last),
}


@pytest.mark.parametrize("name", ["adamw", "lamb", "sgd"])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("of_gradient", ["the same", "contiguous", "expanded"])
def test_layouts(name, layout, of_gradient):
    def made():
        return nn.Parameter(LAYOUTS[layout](random(6, 8)).detach())

    p, q = made(), nn.Parameter(made().detach().contiguous())
    strides = p.stride()
    mine, sure = TABLE[name]([p], lr=0.1), TABLE[name]([q], lr=0.1, executor="reference")
    for seed in range(3):
        found = random(*p.shape, seed=seed + 1)
        if of_gradient == "expanded":
            found = found.flatten()[0].expand(p.shape)
        q.grad = found.clone()
        p.grad = torch.empty_like(p).copy_(found) if of_gradient == "the same" else found
        mine.step()
        sure.step()
    assert p.stride() == strides
    assert apart(p, q) <= 1e-14


# Number formats ---------------------------------------------------------------------------------
def test_every_bfloat16_survives_loading_and_storing():
    bits = torch.arange(-(2**15), 2**15, dtype=torch.int32).to(torch.int16)
    w = bits.view(torch.bfloat16).clone()
    p = nn.Parameter(w.clone())
    p.grad = torch.zeros_like(p)
    descend.SGD([p], lr=0.0).step()
    ordinary = ~w.isnan()
    assert torch.equal(p.detach()[ordinary].view(torch.int16), w[ordinary].view(torch.int16))
    assert p.detach()[~ordinary].isnan().all()


@pytest.mark.parametrize("narrow", [torch.bfloat16, torch.float16], ids=str)
def test_rounding_is_to_nearest_ties_to_even(narrow):
    @rule(m=elementwise)
    def equations(w, g, s, h):
        s.m = g
        return w

    bits = torch.randint(-(2**31), 2**31 - 1, (100_000,), generator=torch.Generator().manual_seed(0))
    g = torch.cat([bits.to(torch.int32).view(torch.float32), torch.tensor([1.00390625, 1.01171875, 3.4e38])])
    g = g[~g.isnan()]
    m = torch.zeros(len(g), dtype=narrow)
    fused.run(equations, [Batch([torch.zeros(len(g))], [g], {"m": [m]}, [1], {})])
    assert torch.equal(m, g.to(narrow))


@pytest.mark.parametrize("narrow", [torch.bfloat16, torch.float16], ids=str)
def test_narrow_parameters_are_computed_wide_and_rounded_once(narrow):
    p = nn.Parameter(random(1000, dtype=narrow))
    q = p.detach().double()
    m = v = torch.zeros_like(q)
    method = descend.AdamW([p], lr=0.1, eps=1e-4)
    for step in range(1, 6):
        p.grad = random(1000, seed=step, dtype=narrow)
        g = p.grad.double()
        m = 0.9 * method.state[p]["m"].double() + 0.1 * g if step > 1 else 0.1 * g
        v = 0.999 * method.state[p]["v"].double() + 0.001 * g * g if step > 1 else 0.001 * g * g
        q = p.detach().double()
        q = q * (1 - 0.1 * 0.01) - 0.1 * (m / (1 - 0.9**step)) / ((v / (1 - 0.999**step)).sqrt() + 1e-4)
        method.step()
        off = (p.detach().double() - q).abs() / (q.abs() * torch.finfo(narrow).eps + 1e-7)
        assert off.max() <= 0.51  # half a unit in the last place is the least that can be


def test_formats_may_differ_between_parameters_and_state():
    w = [random(50, dtype=torch.bfloat16), random(50, dtype=torch.float32), random(50)]
    g = [random(50, seed=1, dtype=x.dtype) for x in w]
    h = {"lr": 0.1}
    kept = {
        "m": [torch.zeros(50, dtype=torch.float32), torch.zeros(50, dtype=torch.bfloat16), torch.zeros(50)]
    }
    expected = copy.deepcopy((w, kept))

    @rule(m=elementwise)
    def equations(w, g, s, h):
        s.m = lerp(s.m, g, 0.25)
        return w - h.lr * s.m

    fused.run(equations, [Batch(w, g, kept, [1, 1, 1], h)])
    reference.run(equations, [Batch(expected[0], g, expected[1], [1, 1, 1], h)])
    for x, y in zip([*w, *kept["m"]], [*expected[0], *expected[1]["m"]], strict=True):
        assert x.dtype == y.dtype
        assert apart(x, y) <= (0.01 if x.dtype == torch.bfloat16 else 1e-7)


def test_not_a_number_and_infinity_pass_through():
    p = nn.Parameter(torch.tensor([1.0, 2.0, 3.0, 4.0]))
    p.grad = torch.tensor([float("nan"), float("inf"), -float("inf"), 0.0])
    q = nn.Parameter(p.detach().clone())
    q.grad = p.grad.clone()
    descend.AdamW([p], lr=0.1).step()
    torch.optim.AdamW([q], lr=0.1).step()
    assert torch.allclose(p, q, equal_nan=True)


def test_what_has_no_code_goes_to_foreach():
    """A complex parameter is two real ones; a tensor on another device is not for this executor."""
    meta = nn.Parameter(torch.zeros(3, device="meta"))
    cpu = nn.Parameter(torch.ones(3))
    method = descend.AdamW([meta, cpu], lr=0.1)
    meta.grad, cpu.grad = torch.zeros(3, device="meta"), torch.ones(3)
    method.step()
    assert torch.allclose(cpu, torch.full((3,), 0.899), atol=1e-6)


# Steps like the last one --------------------------------------------------------------------------
EVENTS = {
    "nothing": lambda m, ps: None,
    "rate": lambda m, ps: m.param_groups[0].update(lr=m.param_groups[0]["lr"] * 0.5),
    "tensor rate": lambda m, ps: m.param_groups[0].update(lr=torch.tensor(0.02)),
    "betas": lambda m, ps: m.param_groups[0].update(betas=(0.8, 0.9)),
    "decay off": lambda m, ps: m.param_groups[0].update(weight_decay=0.0),
    "other memory": lambda m, ps: setattr(ps[0], "data", ps[0].data.clone()),
    "other state": lambda m, ps: m.state[ps[1]].update(v=m.state[ps[1]]["v"].clone() + 1),
    "other shape": lambda m, ps: setattr(ps[0], "data", ps[0].data.reshape(-1)),
    "loaded": lambda m, ps: m.load_state_dict(copy.deepcopy(m.state_dict())),
    "state forgotten": lambda m, ps: m.state.clear(),
    "one without": lambda m, ps: setattr(ps[2], "grad", None),
    "gradient elsewhere": lambda m, ps: setattr(ps[1], "grad", ps[1].grad.t().contiguous().t()),
    "caution": lambda m, ps: m.param_groups[0].update(cautious=True),
    "a later group": lambda m, ps: m.add_param_group({"params": [ps[3]], "lr": 0.3}),
    "swapped": lambda m, ps: m.param_groups[0]["params"].reverse(),
}


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("name", ["adamw", "lamb", "schedulefreeadamw", "nadam", "prodigy"])
def test_a_step_like_the_last_one_notices_what_changed(event, name):
    def made(executor):
        ps = [nn.Parameter(random(*shape, seed=k)) for k, shape in enumerate([(4, 3), (5, 2), (6,), (2,)])]
        return ps, TABLE[name](ps[:3], lr=0.1, weight_decay=0.1, executor=executor)

    (ps, mine), (qs, sure) = made("fused"), made("reference")
    for step in range(8):
        for params, method in ((ps, mine), (qs, sure)):
            give(params, [random(*p.shape, seed=step + k) for k, p in enumerate(params)])
            if step == 4:
                EVENTS[event](method, params)
                for p in params:
                    if p.grad is not None and p.grad.shape != p.shape:
                        p.grad = p.grad.reshape(p.shape)
                if event == "other shape":
                    for own in (method.state[params[0]],):
                        own.update({k: v.reshape(-1) for k, v in own.items() if getattr(v, "ndim", 0)})
            method.step()
        if step in (2, 3):
            assert mine._held
    assert max(apart(p, q) for p, q in zip(ps, qs, strict=True)) <= 1e-13


def test_gradients_are_not_kept_alive():
    p = nn.Parameter(torch.ones(10))
    method = descend.AdamW([p], lr=0.1)
    for _ in range(4):
        p.grad = torch.ones(10)
        alive = weakref.ref(p.grad)
        method.step()
        method.zero_grad()
        gc.collect()
        assert alive() is None


# Machine code on disk -----------------------------------------------------------------------------
TEXT = "define void @f(ptr %p) {\n store double 4.0, ptr %p\n ret void\n}\n"


def called(find):
    x = np.zeros(1)
    find("f")(x.ctypes.data)
    return x[0]


def test_machine_code_is_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("DESCEND_CACHE", str(tmp_path))
    assert called(compiled.load(TEXT)) == 4
    (kept,) = [x for x in tmp_path.rglob("*") if x.is_file()]
    monkeypatch.setattr(compiled, "_compile", lambda text: pytest.fail("it was compiled again"))
    assert called(compiled.load(TEXT)) == 4
    monkeypatch.undo()
    monkeypatch.setenv("DESCEND_CACHE", str(tmp_path))
    for damage in (b"", kept.read_bytes()[:50], kept.read_bytes()[:-1] + b"x"):
        kept.write_bytes(damage)
        assert called(compiled.load(TEXT)) == 4
        assert len(kept.read_bytes()) > 50


def test_without_a_place_for_it_machine_code_is_made_each_time(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DESCEND_CACHE", str(tmp_path / "file" / "inside"))
    assert called(compiled.load(TEXT)) == 4


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that start at once")
def test_many_processes_share_the_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("DESCEND_CACHE", str(tmp_path))
    code = os.urandom(100_000)
    children = []
    for _ in range(8):
        child = os.fork()
        if child == 0:
            fine = all(disk.kept_code(f"{k:064x}", lambda: code) == code for k in range(20))
            os._exit(0 if fine else 1)
        children.append(child)
    assert all(os.waitpid(child, 0)[1] == 0 for child in children)
    assert len([x for x in tmp_path.rglob("*") if x.is_file()]) == 20


def test_threads_may_step_methods_of_one_kind_at_once():
    def work(result, seed):
        p = nn.Parameter(random(100, seed=seed))
        method = TABLE["lamb"]([p], lr=0.1)
        for step in range(50):
            p.grad = random(100, seed=step)
            method.step()
        result[seed] = p.detach()

    together: dict[int, torch.Tensor] = {}
    alone: dict[int, torch.Tensor] = {}
    running = [threading.Thread(target=work, args=(together, seed)) for seed in range(4)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    for seed in range(4):
        work(alone, seed)
    assert all(torch.equal(together[seed], alone[seed]) for seed in range(4))


def test_copies_are_independent():
    ps = [nn.Parameter(random(4))]
    method = descend.AdamW(ps, lr=0.1)
    for _ in range(3):
        give(ps, [random(4, seed=1)])
        method.step()
    other = copy.deepcopy(method)
    qs = other.param_groups[0]["params"]
    before = ps[0].detach().clone()
    give(qs, [random(4, seed=2)])
    other.step()
    assert torch.equal(ps[0], before) and not torch.equal(qs[0], before)
    assert len(copies(ps)) == 1


def test_a_small_decay_of_bfloat16_parameters_rounds_to_nothing():
    """A trap to know, here as everywhere: parameters in float32, or larger lr·λ, are the way out."""
    narrow, wide = (nn.Parameter(random(1000, dtype=x)) for x in (torch.bfloat16, torch.float32))
    start = narrow.detach().clone()
    for p in (narrow, wide):
        method = descend.AdamW([p], lr=1e-3, weight_decay=0.1)
        for _ in range(100):
            p.grad = torch.zeros_like(p)
            method.step()
    assert torch.equal(narrow, start)
    assert torch.allclose(wide, random(1000, dtype=torch.float32) * (1 - 1e-4) ** 100)


@pytest.mark.parametrize("narrow", [torch.float16, torch.bfloat16], ids=str)
def test_double_beside_half_precision(narrow):
    """Only hands make such a state; it goes the portable way."""
    found = []
    for executor in ("fused", "foreach"):
        p = nn.Parameter(torch.linspace(-1, 1, 7, dtype=torch.float64))
        opt = descend.AdamW([p], lr=0.1, executor=executor)
        p.grad = torch.ones_like(p)
        opt.step()
        opt.state[p]["m"] = opt.state[p]["m"].to(narrow)
        opt.step()
        found.append(p.detach())
    assert apart(*found) < 1e-6
