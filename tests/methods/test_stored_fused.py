"""Number formats inside the fused executor's passes: the bits that torch's integers give, and no other."""

import copy
import io
from typing import Any

import pytest
import torch
from torch import nn

import descend
from descend.methods import TABLE, storing
from descend.methods.equations import absolute, norm, total
from descend.methods.executors import foreach, fused, reference
from descend.methods.executors.cpu.code import PIECE
from descend.methods.executors.cpu.threads import ALONE
from descend.methods.rule import Batch, Stored, elementwise, rule
from descend.parameters import formats
from descend.parameters.formats import BESIDE, Format

SHAPES = ((7, 33), (64, 27), (3, 8), (5, 1000), (1, 32), (33, 64, 3, 3), (2, PIECE + 40), (3, PIECE))
VECTORS = ((40,), (1,), (0,), (0, 40))
STATES = (None, "bfloat16", "8-bit")
PARAMETERS = (None, "bfloat16", "bfloat16+8", "bfloat16+16")
ASKED = [(s, p) for s in STATES for p in PARAMETERS if s or p]
asked = pytest.mark.parametrize(("state", "parameter"), ASKED)


@pytest.fixture
def no_other_way(monkeypatch):
    """Fail where the portable executor is asked for help."""

    def refuse(*args):
        raise AssertionError("it went another way")

    monkeypatch.setattr(foreach, "run", refuse)


def numbers(shape, seed, dtype=torch.float32):
    """Return dyadic numbers of every size, with zeros, and some that are not finite."""
    generator = torch.Generator().manual_seed(seed)
    found = torch.randint(-64, 65, shape, generator=generator).float() / 64
    found *= 2.0 ** torch.randint(-12, 1, shape, generator=generator)
    if found.ndim > 1 and found.numel():
        found *= 2.0 ** torch.randint(-40, 40, (shape[0],) + (1,) * (len(shape) - 1), generator=generator)
        found[0] *= 2.0**-100  # below the least exponent of a block, and below what is normal
        found.view(-1)[-1] = torch.inf
        found.view(shape[0], -1)[shape[0] // 2, 0] = torch.nan
    return found.to(dtype)


def batch(equations, form, parameter, shapes, seed=0):
    """Return a batch whose kept places are in a format, and its parameters too."""
    signed = {None: None, "bfloat16": Format.STOCHASTIC, "8-bit": Format.SIGNED}[form]
    given = {}
    for name, kept in equations.kept.items():
        if signed is not None:
            is_square = signed is Format.SIGNED and kept.nature == "non_negative"
            given[name] = Format.NON_NEGATIVE if is_square else signed
    if parameter is not None:
        given["w"] = storing.PARAMETERS[parameter]

    def place(name, shape, k):
        how = given.get(name)
        if how is None:
            return numbers(shape, seed + k), None
        if how is Format.STOCHASTIC:
            return numbers(shape, seed + k).to(torch.bfloat16), None
        if how.split:
            rest = torch.randint(-128, 128, shape, generator=torch.Generator().manual_seed(seed + k))
            return numbers(shape, seed + k).to(torch.bfloat16), rest.to(BESIDE[how])
        x = numbers(shape, seed + k)
        middle = torch.full(shape, 0x7FFFFFFF, dtype=torch.int32)
        return formats.encoded(x.abs() if how is Format.NON_NEGATIVE else x, how, middle)

    places = {"w": [], **{name: [] for name in equations.kept}}
    beside = {name: [] for name, how in given.items() if how in BESIDE}
    for i, shape in enumerate(shapes):
        for k, name in enumerate(places):
            x, rest = place(name, shape, 10 * i + k)
            places[name].append(x)
            if rest is not None:
                beside[name].append(rest)
    g = [numbers(shape, seed + 10 * i + 7) for i, shape in enumerate(shapes)]
    steps = [1 + i % 3 for i in range(len(shapes))]
    stored = Stored(given, beside, [3 * i + 100_000 for i in range(len(shapes))], seed=11)
    w = places.pop("w")
    return Batch(w, g, places, steps, {"lr": 0.1}, None, stored)


def same_bits(x, y):
    """Whether two tensors have equal bits; what is not a number may be any."""
    if not x.is_floating_point():
        return torch.equal(x, y)
    same = x.view(torch.int16 if x.element_size() == 2 else torch.int32)
    other = y.view(same.dtype)
    return bool(((same == other) | (x.isnan() & y.isnan())).all())


def everything(b):
    return [*b.w, *(x for v in b.kept.values() for x in v), *(x for v in b.stored.beside.values() for x in v)]


@rule(a=elementwise, b=elementwise.non_negative())
def moving(w, g, s, h):
    """Take numbers from place to place, without rounding them."""
    s.a, s.b = g, absolute(s.a)
    return w * 2.0


@rule(a=elementwise, b=elementwise.non_negative())
def in_two_passes(w, g, s, h):
    """Need in a later pass what was stored in an earlier one, as it was before it was rounded."""
    s.a, s.b = -g, absolute(g)
    return w + s.b * (0.0 * norm(g) + 1.0)


@asked
@pytest.mark.parametrize("equations", [moving, in_two_passes], ids=["moving", "in two passes"])
def test_places_are_loaded_and_stored_bit_for_bit(equations, state, parameter, no_other_way):
    shapes = SHAPES if state == "8-bit" else SHAPES + VECTORS
    one, other = (batch(equations, state, parameter, shapes) for _ in range(2))
    if equations is in_two_passes:  # where norms are not finite nothing can be compared
        for b in (one, other):
            b.g = [torch.nan_to_num(x, 0.0, 1.0, -1.0).clamp(-1e6, 1e6) for x in b.g]
    fused.run(equations, [one])
    reference.run(equations, [other])
    for x, y in zip(everything(one), everything(other), strict=True):
        assert same_bits(x, y), (tuple(x.shape), x.dtype)


# Methods ------------------------------------------------------------------------------------------
def made(name, state, parameter, executor="fused", shapes=SHAPES[:6] + VECTORS[:1], **given):
    generator = torch.Generator().manual_seed(0)
    dtype = torch.bfloat16 if parameter else torch.float32
    found = [nn.Parameter(torch.randn(s, generator=generator).to(dtype)) for s in shapes]
    cls = TABLE[name]
    found = [p for p in found if cls.takes is None or cls.takes(p)]
    given |= {"state_format": state} if state else {}
    given |= {"parameter_format": parameter} if parameter else {}
    return found, cls(found, executor=executor, **given)


def descend_by(parameters, method, steps, first=0):
    for t in range(first, first + steps):
        generator = torch.Generator().manual_seed(100 + t)
        for p in parameters:
            p.grad = (0.1 * torch.randn(p.shape, generator=generator)).to(p.dtype)
        method.step()
    return method


def opened(method, p):
    """Return everything of a parameter as plain numbers: the exponent of a block of zeros may be any."""
    own = method.state[p]
    kept = {n: k for n, k in method.rule.kept.items() if n in own and torch.is_tensor(own[n])}
    return {n: storing.plain(own, n, k) for n, k in kept.items()} | {"w": storing.plain_parameter(own, p)}


GIVEN: dict[str, dict[str, Any]] = {"sgd": {"lr": 0.1, "momentum": 0.9}}


@asked
@pytest.mark.parametrize(
    "name", ["adamw", "lion", "sgd", "lamb", "prodigy", "adafactor", "muon", "soap", "schedulefreeadamw"]
)
def test_one_step_is_that_of_the_oracle(name, state, parameter):
    """All but a few numbers in a thousand agree, and those are a code or a few digits apart."""
    found = [made(name, state, parameter, e, **GIVEN.get(name, {})) for e in ("fused", "reference")]
    for parameters, method in found:
        descend_by(parameters, method, 1)
    (ours, one), (theirs, other) = found
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
    found = [made("adamw", state, parameter, e, lr=1e-2) for e in ("fused", "reference")]
    for parameters, method in found:
        descend_by(parameters, method, 20)
    for p, q in zip(found[0][0], found[1][0], strict=True):
        x, y = opened(found[0][1], p)["w"].double(), opened(found[1][1], q)["w"].double()
        assert (x - y).norm() <= 0.02 * y.norm()


@pytest.mark.parametrize("name", ["adamw", "lion", "lamb", "sgd", "muon", "soap"])
def test_it_is_done_in_the_passes(name, no_other_way):
    parameters, method = made(name, "8-bit", "bfloat16+8", **GIVEN.get(name, {}))
    descend_by(parameters, method, 3)


@asked
def test_threads_do_not_matter(state, parameter):
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            found.append(made("lamb", state, parameter, shapes=((300, 2 * ALONE // 300), (3, PIECE + 40))))
            descend_by(found[-1][0], found[-1][1], 3)
    finally:
        torch.set_num_threads(before)
    assert _equal(*(m for _, m in found))


def _equal(one, other):
    for p, q in zip(one.param_groups[0]["params"], other.param_groups[0]["params"], strict=True):
        if not torch.equal(p, q) or one.state[p].keys() != other.state[q].keys():
            return False
        for name, x in one.state[p].items():
            y = other.state[q][name]
            if not (torch.equal(x, y) if torch.is_tensor(x) else x == y):
                return False
    return True


@asked
@pytest.mark.parametrize("name", ["adamw", "prodigy", "muon"])
def test_a_resumed_descent_is_the_same(name, state, parameter):
    parameters, method = made(name, state, parameter)
    descend_by(parameters, method, 3)
    file = io.BytesIO()
    torch.save([[p.detach() for p in parameters], method.state_dict()], file)
    descend_by(parameters, method, 3, first=3)
    file.seek(0)
    values, state_dict = torch.load(file, weights_only=True)
    again, resumed = made(name, state, parameter)
    for p, x in zip(again, values, strict=True):
        p.data.copy_(x)
    resumed.load_state_dict(state_dict)
    descend_by(again, resumed, 3, first=3)
    assert _equal(method, resumed)


@asked
@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf])
def test_a_gradient_that_is_no_number_is_seen(state, parameter, bad):
    parameters, method = made("adamw", state, parameter)
    descend_by(parameters, method, 2)
    for p in parameters:
        p.grad = torch.zeros_like(p)
        p.grad.view(-1)[-1] = bad
    method.step()
    for p in parameters:
        assert not p.view(-1)[-1].isfinite()
        assert p.view(-1)[:-1].isfinite().sum() >= p.numel() - formats.BLOCK
    descend_by(parameters, method, 1, first=3)


# A step like the last one -------------------------------------------------------------------------
@asked
def test_a_held_step_is_the_same(state, parameter):
    one, other = (made("adamw", state, parameter) for _ in range(2))
    for t in range(5):
        descend_by(*one, 1, first=t)
        other[1]._held.clear()
        descend_by(*other, 1, first=t)
    assert one[1]._held
    assert _equal(one[1], other[1])


def test_it_is_seen_that_state_was_replaced():
    one, other = (made("adamw", "8-bit", "bfloat16+8") for _ in range(2))
    for parameters, method in (one, other):
        descend_by(parameters, method, 2)
        for name in ("m", "m:exponents", "w:correction"):
            own = method.state[parameters[0]]
            own[name] = torch.zeros_like(own[name])
    other[1]._held.clear()
    for parameters, method in (one, other):
        descend_by(parameters, method, 1, first=2)
    assert _equal(one[1], other[1])


@pytest.mark.parametrize(
    ("name", "value"),
    [("rounding_seed", 5), ("state_format", "bfloat16"), ("parameter_format", "bfloat16+16")],
)
def test_it_is_seen_that_another_format_is_asked_for(name, value):
    one, other = (made("adamw", "8-bit", "bfloat16+8") for _ in range(2))
    before = copy.deepcopy(one[0])
    for parameters, method in (one, other):
        descend_by(parameters, method, 2)
        method.param_groups[0][name] = value
    other[1]._held.clear()
    for parameters, method in (one, other):
        descend_by(parameters, method, 1, first=2)
    assert _equal(one[1], other[1])
    assert not torch.equal(before[0], one[0][0])


def test_totals_over_coded_and_plain_tensors_are_of_all():
    """Matrices in eight bits and vectors in float32 are two batches of one rule with a total."""

    @rule(a=elementwise)
    def equations(w, g, s, h):
        s.a = s.a + g
        return w - total(s.a) * g

    w = [torch.ones(2, 32), torch.ones(3)]
    g = [torch.ones(2, 32), torch.ones(3)]
    coded = Stored({"a": Format.SIGNED}, {"a": [torch.zeros(2, 1, dtype=torch.uint8)]}, [0], seed=0)
    matrices = Batch(w[:1], g[:1], {"a": [torch.zeros(2, 32, dtype=torch.uint8)]}, [1], {}, None, coded)
    vectors = Batch(w[1:], g[1:], {"a": [torch.zeros(3)]}, [1], {})
    fused.run(equations, [matrices, vectors])
    assert torch.equal(w[0], torch.full((2, 32), 1.0 - 67.0))
    assert torch.equal(w[1], torch.full((3,), 1.0 - 67.0))


def test_what_does_not_lie_in_one_piece_goes_another_way():
    one, other = (made("adamw", "8-bit", None, e, shapes=((40, 64),)) for e in ("fused", "reference"))
    for parameters, _ in (one, other):
        parameters[0].data = parameters[0].data.t().contiguous().t()
    for parameters, method in (one, other):
        descend_by(parameters, method, 2)
    assert torch.allclose(one[0][0], other[0][0], rtol=1e-5, atol=1e-5)


def test_what_was_in_another_format_is_taken_in_the_passes(monkeypatch):
    parameters, method = made("adamw", "float32", None)
    descend_by(parameters, method, 1)
    method.param_groups[0]["state_format"] = "8-bit"
    descend_by(parameters, method, 1, first=1)
    monkeypatch.setattr(foreach, "run", None)
    method._held.clear()
    descend_by(parameters, method, 1, first=2)


def test_a_descend_optimizer_takes_them():
    model = nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 3)).to(torch.bfloat16)
    given: dict[str, Any] = {"state_format": "8-bit", "parameter_format": "bfloat16+8", "lr": 1e-2}
    method = descend.AdamW(model.parameters(), **given)
    x = torch.randn(128, 64, generator=torch.Generator().manual_seed(0)).to(torch.bfloat16)
    y = x[:, :3].argmax(1)
    losses = []
    for _ in range(60):
        method.zero_grad()
        loss = nn.functional.cross_entropy(model(x).float(), y)
        loss.backward()
        method.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
