"""The form of a rule holds for methods harder than ours.

Six of them, as rules that only the tests know, each against its authors' equations written out in
float64, or their code: norms of whole tensors (LAMB), numbers for all parameters (Prodigy), two points
(schedule-free AdamW), operations on whole matrices (Muon), kept matrices and work on some steps alone
(SOAP), and state in eight bits. ``docs/decisions.md`` says what follows from each.
"""

import copy
import io
from dataclasses import replace
from typing import Any, ClassVar

import pytest
import torch
from cases import apart, copies, executors, give, gradients
from torch import nn

import descend
from descend.methods.equations import absolute, lerp, maximum, norm, sqrt, total, where, whole
from descend.methods.executors import foreach
from descend.methods.method import EXECUTORS, Method
from descend.methods.rule import Batch, elementwise, matrix, one_for_all, rule


def some(*shapes, dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    return [nn.Parameter(torch.randn(shape, generator=generator, dtype=dtype)) for shape in shapes]


def run_both(method, parameters, text, others, steps=30):
    for _, found in zip(range(steps), gradients(parameters), strict=False):
        give(parameters, found)
        method.step()
        text([g.clone() for g in found])
    assert max(apart(p, q) for p, q in zip(parameters, others, strict=True)) <= 1e-12


# LAMB: norms of whole tensors -------------------------------------------------------------------
@rule(m=elementwise, v=elementwise)
def lamb(w, g, s, h):
    beta1, beta2 = h.betas
    s.m = lerp(s.m, g, 1 - beta1)
    s.v = beta2 * s.v + (1 - beta2) * g * g
    r = s.m / (1 - beta1**s.step) / (sqrt(s.v / (1 - beta2**s.step)) + h.eps) + h.weight_decay * w
    trust = where(norm(w) > 0, where(norm(r) > 0, norm(w) / norm(r), 1.0), 1.0)
    return w - h.lr * trust * r


class LAMB(Method):
    """LAMB (You et al. 2020, arXiv:1904.00962)."""

    rule: ClassVar = lamb
    lr: float = 1e-2
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-6
    weight_decay: float = 0.1


@executors
def test_lamb(executor):
    parameters = some((3, 4), (5,), ())
    parameters[1].data.zero_()  # its first ratio is 1
    others = [p.detach().clone() for p in parameters]
    m, v = [torch.zeros_like(p) for p in others], [torch.zeros_like(p) for p in others]
    t = 0

    def text(found):
        nonlocal t
        t += 1
        for i, (w, g) in enumerate(zip(others, found, strict=True)):
            m[i] = 0.9 * m[i] + 0.1 * g
            v[i] = 0.999 * v[i] + 0.001 * g**2
            r = (m[i] / (1 - 0.9**t)) / (torch.sqrt(v[i] / (1 - 0.999**t)) + 1e-6) + 0.1 * w
            length, radius = w.norm().item(), r.norm().item()
            w -= 1e-2 * (length / radius if length > 0 and radius > 0 else 1.0) * r

    run_both(LAMB(parameters, executor=executor), parameters, text, others)


# Prodigy: numbers for all parameters ------------------------------------------------------------
@rule(
    m=elementwise,
    v=elementwise,
    r=elementwise,
    start=elementwise.starting("w"),
    d=one_for_all.starting("d0"),
    numerator=one_for_all,
)
def prodigy(w, g, s, h):
    beta1, beta2 = h.betas
    beta3 = beta2**0.5
    pull = (s.d / h.d0) * s.d * h.lr
    s.numerator = beta3 * s.numerator + total(pull * g * (s.start - w))
    s.r = beta3 * s.r + pull * g
    s.m = beta1 * s.m + s.d * ((1 - beta1) * g)
    s.v = beta2 * s.v + s.d * s.d * ((1 - beta2) * g * g)
    step = s.d * h.lr  # with the old d, as in the authors' code
    s.d = maximum(s.d, s.numerator / total(absolute(s.r)))
    return w - h.weight_decay * step * w - step * s.m / (sqrt(s.v) + s.d * h.eps)


class Prodigy(Method):
    """Prodigy (Mishchenko & Defazio 2023, arXiv:2306.06101)."""

    rule: ClassVar = prodigy
    lr: float = 1.0
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.0
    d0: float = 1e-6


class AuthorsProdigy:
    """The step of github.com/konstmish/prodigy at its defaults, with decoupled decay."""

    def __init__(self, groups):
        self.groups = groups  # (parameters, weight decay)
        self.d = self.d0 = self.d_max = 1e-6
        self.numerator = 0.0
        self.state = [
            [{"p0": p.clone(), "m": 0 * p, "v": 0 * p, "s": 0 * p} for p in tensors] for tensors, _ in groups
        ]

    def __call__(self, found):
        beta1, beta2, lr = 0.9, 0.999, 1.0
        beta3 = beta2**0.5
        self.numerator *= beta3
        denominator, dlr, d, d0 = 0.0, self.d * lr, self.d, self.d0
        remaining = iter(found)
        found = [[next(remaining) for _ in tensors] for tensors, _ in self.groups]
        for (tensors, _), own, grads in zip(self.groups, self.state, found, strict=True):
            for p, s, g in zip(tensors, own, grads, strict=True):
                self.numerator += (d / d0) * dlr * torch.dot(g.flatten(), (s["p0"] - p).flatten()).item()
                s["m"].mul_(beta1).add_(g, alpha=d * (1 - beta1))
                s["v"].mul_(beta2).addcmul_(g, g, value=d * d * (1 - beta2))
                s["s"].mul_(beta3).add_(g, alpha=(d / d0) * dlr)
                denominator += s["s"].abs().sum().item()
        d_hat = self.numerator / denominator
        if d == d0:
            d = max(d, d_hat)
        self.d_max = max(self.d_max, d_hat)
        self.d = self.d_max = max(self.d_max, d)
        for (tensors, decay), own in zip(self.groups, self.state, strict=True):
            for p, s in zip(tensors, own, strict=True):
                denominator = s["v"].sqrt().add_(self.d * 1e-8)
                p.add_(p, alpha=-decay * dlr)
                p.addcdiv_(s["m"], denominator, value=-dlr)


def prodigy_pair(executor="foreach"):
    parameters = some((3, 4), (5,), ())
    others = [p.detach().clone() for p in parameters]
    groups = [{"params": parameters[:1], "weight_decay": 0.1}, {"params": parameters[1:]}]
    text = AuthorsProdigy([(others[:1], 0.1), (others[1:], 0.0)])
    return Prodigy(groups, executor=executor), parameters, text, others


@executors
def test_prodigy(executor):
    method, parameters, text, others = prodigy_pair(executor)
    for _ in range(60):  # towards zero, so that the distance is really found
        give(parameters, [p.detach() for p in parameters])
        text([p.clone() for p in others])
        method.step()
    assert max(apart(p, q) for p, q in zip(parameters, others, strict=True)) <= 1e-9
    assert text.d > 100 * text.d0
    for group in method.param_groups:
        assert float(group["d"]) == pytest.approx(text.d, rel=1e-12)


def test_numbers_for_all_are_saved_with_the_groups():
    method, parameters, _, _ = prodigy_pair()
    for _ in range(5):
        give(parameters, [p.detach() for p in parameters])
        method.step()
    file = io.BytesIO()
    torch.save(method.state_dict(), file)
    file.seek(0)
    others = copies(parameters)
    resumed = Prodigy([{"params": others[:1], "weight_decay": 0.1}, {"params": others[1:]}])
    resumed.load_state_dict(torch.load(file, weights_only=True))
    for tensors, m in ((parameters, method), (others, resumed)):
        for _ in range(5):
            give(tensors, [p.detach() for p in tensors])
            m.step()
    assert all(map(torch.equal, parameters, others))
    assert method.param_groups[0]["d"] is not resumed.param_groups[0]["d"]


def test_a_later_group_takes_over_the_numbers_for_all():
    method, parameters, _, _ = prodigy_pair()
    give(parameters, [p.detach() for p in parameters])
    method.step()
    method.step()
    late = nn.Parameter(torch.ones(2, dtype=torch.float64))
    late.grad = torch.zeros_like(late)
    method.add_param_group({"params": [late]})
    method.step()
    assert len({float(group["d"]) for group in method.param_groups}) == 1


@executors
def test_numbers_for_all_over_unequal_parameters(executor):
    """Other dtypes and step counts run apart, and still share one d, each from the same old one."""

    def descended(parameters, executor):
        method = Prodigy(parameters, executor=executor)
        for step in range(6):
            give(parameters, [p.detach() for p in parameters])
            if step % 2:
                parameters[1].grad = None
            method.step()
        return method.param_groups[0]["d"]

    wide = some((3, 4), (2,), (3,))
    mixed = copies(wide)
    mixed[2] = nn.Parameter(wide[2].detach().float())
    d, sure = descended(mixed, executor), descended(wide, "reference")
    assert d.dtype == torch.float64
    assert float(d) == pytest.approx(float(sure), rel=1e-2)  # moves of 1e-6 in float32
    assert float(sure) > 1e-5


# Schedule-free AdamW: two points ----------------------------------------------------------------
@rule(z=elementwise.starting("w"), v=elementwise, weights=one_for_all)
def schedule_free(w, g, s, h):
    """The parameter is y, where gradients are taken; z is the fast point; x, the average, is not kept."""
    beta1, beta2 = h.betas
    s.v = beta2 * s.v + (1 - beta2) * g * g
    u = g / (sqrt(s.v / (1 - beta2**s.step)) + h.eps) + h.weight_decay * w
    s.weights = s.weights + h.lr**2
    c = h.lr**2 / s.weights
    y = lerp(w, s.z, c) + h.lr * (beta1 * (1 - c) - 1) * u
    s.z = s.z - h.lr * u
    return y


def averaged(w, g, s, h):
    """The point to evaluate at, from the point where gradients are taken."""
    return w + (1 - 1 / h.betas[0]) * (s.z - w)


class ScheduleFree(Method):
    """Schedule-free AdamW (Defazio et al. 2024, arXiv:2405.15682)."""

    rule: ClassVar = schedule_free
    evaluation: ClassVar = schedule_free.around(averaged)
    lr: float = 1e-2
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.1


@executors
def test_schedule_free(executor):
    """Against the paper's form, which keeps x and z and computes y."""
    parameters = some((3, 4), (5,), ())
    method = ScheduleFree(parameters, executor=executor)
    x = [p.detach().clone() for p in parameters]
    z = [p.clone() for p in x]
    v = [torch.zeros_like(p) for p in x]
    weights = 0.0
    for t, found in zip(range(1, 41), gradients(parameters), strict=False):
        lr = method.param_groups[0]["lr"] = 1e-2 * min(1.0, t / 10)  # a warm-up: the weights differ
        for i, p in enumerate(parameters):
            assert apart(p, 0.1 * z[i] + 0.9 * x[i]) <= 1e-12
        give(parameters, found)
        method.step()
        weights += lr**2
        for i, g in enumerate(found):
            y = 0.1 * z[i] + 0.9 * x[i]
            v[i] = 0.999 * v[i] + 0.001 * g**2
            z[i] = z[i] - lr * (g / (torch.sqrt(v[i] / (1 - 0.999**t)) + 1e-8) + 0.1 * y)
            x[i] = (1 - lr**2 / weights) * x[i] + lr**2 / weights * z[i]
    # The evaluation map is a rule as well: any executor runs it, on a copy of the parameters.
    group, state = method.param_groups[0], [method.state[p] for p in parameters]
    points = [p.detach().clone() for p in parameters]
    kept = {"z": [s["z"] for s in state], "v": [s["v"] for s in state], "weights": [group["weights"]]}
    before = copy.deepcopy(kept)
    batch = Batch(points, points, kept, [s["step"] for s in state], {k: group[k] for k in method.defaults})
    EXECUTORS[executor](ScheduleFree.evaluation, [batch])
    assert max(apart(p, q) for p, q in zip(points, x, strict=True)) <= 1e-12
    assert all(torch.equal(a, b) for name in kept for a, b in zip(kept[name], before[name], strict=True))


# Muon: an operation on whole matrices -----------------------------------------------------------
def orthogonalise(m):
    """Newton-Schulz in bfloat16, and the length of a step from the shape (Jordan 2024)."""
    rows, columns = m.shape
    x = m.bfloat16().T if rows > columns else m.bfloat16()
    x = x / x.norm().clamp(min=1e-7)
    for _ in range(5):
        a = x @ x.T
        x = torch.addmm(x, torch.addmm(a, a, a, beta=-4.7750, alpha=2.0315), x, beta=3.4445)
    return max(1, rows / columns) ** 0.5 * (x.T if rows > columns else x).to(m.dtype)


@rule(m=elementwise)
def muon(w, g, s, h):
    s.m = lerp(s.m, g, 1 - h.momentum)
    u = lerp(g, s.m, h.momentum) if h.nesterov else s.m
    return w * (1 - h.lr * h.weight_decay) - h.lr * whole(orthogonalise, u)


class Muon(Method):
    """Muon for matrices (Jordan 2024)."""

    rule: ClassVar = muon
    lr: float = 1e-3
    weight_decay: float = 0.1
    momentum: float = 0.95
    nesterov: bool = True
    dampening: float = 0.0


@executors
@pytest.mark.parametrize("nesterov", [True, False])
def test_muon(executor, nesterov):
    parameters = some((4, 6), (6, 4), (3, 3), dtype=torch.float32)
    others = copies(parameters)
    mine = Muon(parameters, lr=0.02, nesterov=nesterov, executor=executor)
    sure = torch.optim.Muon(others, lr=0.02, nesterov=nesterov)
    for _, found in zip(range(20), gradients(parameters), strict=False):
        give(parameters, found)
        give(others, found)
        mine.step()
        sure.step()
    # Both orthogonalise in bfloat16: a last place of the momentum moves a step by a percent.
    assert max(apart(p, q) for p, q in zip(parameters, others, strict=True)) <= 2e-3


# SOAP: kept matrices, and work on some steps alone ----------------------------------------------
def side(k):
    return matrix(lambda w: (w.shape[k], w.shape[k]))


def eigenbasis(x):
    return torch.linalg.eigh(x)[1].flip(-1)


def rows(g):
    return g @ g.T


def columns(g):
    return g.T @ g


def rotated(x, a, b):
    return a.T @ x @ b


def rotated_back(x, a, b):
    return a @ x @ b.T


@rule(m=elementwise, v=elementwise, left=side(0), right=side(1), a=side(0), b=side(1))
def soap(w, g, s, h):
    beta1, beta2 = h.betas
    t = s.step - 1
    if s.step > 1:  # the first gradient only measures
        s.m = lerp(s.m, g, 1 - beta1)
        r = whole(rotated, g, s.a, s.b)
        s.v = beta2 * s.v + (1 - beta2) * r * r
        u = whole(rotated, s.m, s.a, s.b) / (1 - beta1**t) / (sqrt(s.v / (1 - beta2**t)) + h.eps)
        w = w - h.lr * whole(rotated_back, u, s.a, s.b)
        w = w * (1 - h.lr * h.weight_decay)
    s.left = lerp(s.left, whole(rows, g), 1 - beta2)
    s.right = lerp(s.right, whole(columns, g), 1 - beta2)
    if t % h.every == 0:  # at first, and every so often
        s.a, s.b = whole(eigenbasis, s.left), whole(eigenbasis, s.right)
    return w


class SOAP(Method):
    """SOAP for matrices (Vyas et al. 2024, arXiv:2409.11321), by eigendecomposition."""

    rule: ClassVar = soap
    lr: float = 1e-2
    betas: tuple[float, float] = (0.9, 0.95)
    eps: float = 1e-8
    weight_decay: float = 0.1
    every: int = 4


@executors
def test_soap(executor):
    parameters = some((4, 4), (3, 3))  # of full rank, or a basis is not unique
    method = SOAP(parameters, executor=executor)
    others = [p.detach().clone() for p in parameters]
    state = [{"m": 0 * p, "v": 0 * p, "l": 0 * p @ p.T, "r": 0 * p.T @ p} for p in others]
    t = -1

    def text(found):
        nonlocal t
        t += 1
        for w, g, s in zip(others, found, state, strict=True):
            if t:
                s["m"] = 0.9 * s["m"] + 0.1 * g
                s["v"] = 0.95 * s["v"] + 0.05 * (s["a"].T @ g @ s["b"]) ** 2
                u = (s["a"].T @ s["m"] @ s["b"]) / (1 - 0.9**t) / (torch.sqrt(s["v"] / (1 - 0.95**t)) + 1e-8)
                w -= 1e-2 * (s["a"] @ u @ s["b"].T)
                w *= 1 - 1e-2 * 0.1
            s["l"] = 0.95 * s["l"] + 0.05 * g @ g.T
            s["r"] = 0.95 * s["r"] + 0.05 * g.T @ g
            if t % 4 == 0:
                s["a"] = torch.linalg.eigh(s["l"])[1].flip(-1)
                s["b"] = torch.linalg.eigh(s["r"])[1].flip(-1)

    for _ in range(30):
        generator = torch.Generator().manual_seed(t + 1000)
        found = [torch.randn(p.shape, generator=generator, dtype=torch.float64) for p in parameters]
        give(parameters, found)
        method.step()
        text(found)
    assert max(apart(p, q) for p, q in zip(parameters, others, strict=True)) <= 1e-9


def test_work_on_some_steps_is_not_done_on_the_others():
    def whole_operations(step):
        return foreach.program(SOAP.rule, SOAP.defaults, step).source.count("in_stacks(whole")

    assert [whole_operations(step) for step in range(1, 11)] == [4, 5, 5, 5, 7, 5, 5, 5, 7, 5]
    assert len({foreach.program(SOAP.rule, SOAP.defaults, step) for step in range(1, 100)}) == 3


# Eight bits: a number format that the rule does not know of -------------------------------------
def quantised(x):
    """One byte a number and one scale for each 64, rounded to nearest."""
    blocks = nn.functional.pad(x.flatten(), (0, -x.numel() % 64)).reshape(-1, 64)
    scale = blocks.abs().amax(1, keepdim=True).clamp_min(1e-30)
    return (blocks / scale * 127).round().to(torch.int8), scale, x.shape


def dequantised(codes, scale, shape):
    return (codes.float() / 127 * scale).flatten()[: shape.numel()].reshape(shape)


def test_eight_bit_momentum():
    """What is stored is codes and scales; the executor is given numbers, and its results are stored."""
    stored = {}

    def eight_bit(rule, batches):
        loaded = [
            replace(
                batch,
                kept={
                    name: [dequantised(*stored[id(x)]) if id(x) in stored else x for x in values]
                    for name, values in batch.kept.items()
                },
            )
            for batch in batches
        ]
        foreach.run(rule, loaded)
        for batch, numbers in zip(batches, loaded, strict=True):
            for name, values in batch.kept.items():
                for place, x in zip(values, numbers.kept[name], strict=True):
                    stored[id(place)] = quantised(x)

    def descended(parameters, momentum):
        for _ in range(100):
            give(parameters, [p.detach() - 3 for p in parameters])
            momentum.step()
        return [p.detach() for p in parameters]

    parameters = some((70,), (4, 5), dtype=torch.float32)
    others = copies(parameters)
    EXECUTORS["eight bits"] = eight_bit
    try:
        mine = descended(parameters, descend.Momentum(parameters, lr=0.02, executor="eight bits"))
    finally:
        del EXECUTORS["eight bits"]
    sure = descended(others, descend.Momentum(others, lr=0.02))
    assert max(apart(p, q) for p, q in zip(mine, sure, strict=True)) < 0.01
    assert all(codes.dtype == torch.int8 for codes, _, _ in stored.values())


# What an author gets wrong ----------------------------------------------------------------------
def traced(equations: Any, **kept):
    return foreach.program(rule(**kept)(equations), {"lr": 0.1, "flag": False})


@pytest.mark.parametrize(
    ("equations", "error", "match"),
    [
        (lambda w, g, s, h: w if g > 0 else g, TypeError, "where"),
        (lambda w, g, s, h: where(g > 0, 1.0, 2.0), TypeError, "needs a tensor"),
        (lambda w, g, s, h: w * s.m, AttributeError, "does not declare that it keeps m"),
        (lambda w, g, s, h: w * h.nothing, KeyError, "nothing"),
    ],
)
def test_errors_of_authors(equations, error, match):
    with pytest.raises(error, match=match):
        traced(equations)


def test_taken_names():
    with pytest.raises(TypeError, match="taken"):
        rule(step=elementwise)
