"""Where adaptive methods go wrong quietly: ε, zeros, turning signs, step counts, averages."""

from copy import deepcopy
from math import sqrt

import pytest
import torch
from cases import CASES, apart, copies, executors, give, gradients, layouts
from pairs import Pair, real
from references import in_double
from torch import nn

from descend.errors import UsageError
from descend.methods import TABLE
from descend.methods.executors import foreach
from descend.methods.method import Method
from descend.methods.rule import elementwise, rule

FROM_TORCH = ("adagrad", "rmsprop", "adadelta", "rprop", "nadam", "radam", "asgd")


def one(name, start=1.0, dtype=torch.float64, **hyperparameters):
    """A parameter of one number, its method, and a function that descends it along gradients."""
    p = nn.Parameter(torch.tensor([start], dtype=dtype))
    method = TABLE[name]([p], **hyperparameters)

    def along(*found):
        for g in found:
            p.grad = torch.tensor([g], dtype=dtype)
            method.step()
        return p.item()

    return p, method, along


# ε ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "hyperparameters", "move"),
    [
        # One step along g = 2 from 0 with ε = 1: each number below would differ, were ε elsewhere.
        ("adagrad", {}, 2 / (2 + 1)),
        ("rmsprop", {"alpha": 0.75}, 2 / (1 + 1)),
        ("rmsprop", {"alpha": 0.75, "centered": True}, 2 / (sqrt(1 - 0.25) + 1)),
        ("adadelta", {"rho": 0.75}, sqrt(1) / sqrt(1 + 1) * 2),
        ("adam", {"betas": (0.0, 0.75)}, 2 / (2 + 1)),
        ("nadam", {"betas": (0.0, 0.75)}, 2 / (2 + 1)),
        ("lamb", {"betas": (0.0, 0.75), "weight_decay": 0.0}, 2 / (2 + 1)),
    ],
)
def test_epsilon_stands_where_it_should(name, hyperparameters, move):
    _, _, along = one(name, 0.0, lr=1.0, eps=1.0, **hyperparameters)
    assert along(2.0) == pytest.approx(-move, rel=1e-14)


def test_epsilon_of_radam_stands_before_the_correction():
    p, method, along = one("radam", 0.0, lr=1.0, eps=1.0, betas=(0.0, 0.9))
    along(*[2.0] * 5)
    before = p.item()
    longest, t = 2 / (1 - 0.9) - 1, 6
    length = longest - 2 * t * 0.9**t / (1 - 0.9**t)
    assert length > 5
    r = sqrt((length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length))
    v = 4 * (1 - 0.9**t)
    assert before - along(2.0) == pytest.approx(r * 2 * sqrt(1 - 0.9**t) / (sqrt(v) + 1), rel=1e-12)
    assert method.state[p]["step"] == t


# NAdam ------------------------------------------------------------------------------------------
@executors
def test_the_product_of_momenta_is_kept(executor):
    """It is a number a tensor, and follows a momentum that changes on the way."""
    pair = Pair("nadam", layouts(), executor, momentum_decay=0.1)
    pair.descend(5)
    pair.mine.param_groups[0]["betas"] = (0.5, 0.99)
    pair.sure.update(betas=(0.5, 0.99))
    pair.descend(5, seed=2).agree()
    mu = [(0.9 if t <= 5 else 0.5) * (1 - 0.5 * 0.96 ** (0.1 * t)) for t in range(1, 11)]
    for p in pair.parameters:
        kept = pair.mine.state[p]["mu_product"]
        assert kept.shape == ()
        assert kept.item() == pytest.approx(float(torch.tensor(mu, dtype=torch.float64).prod()), rel=1e-13)


def test_the_product_of_momenta_has_digits_beside_narrow_parameters():
    p, method, along = one("nadam", dtype=torch.bfloat16)
    along(*[1.0] * 3)
    assert method.state[p]["mu_product"].dtype == torch.float32
    assert method.state[p]["m"].dtype == torch.bfloat16


def test_torchs_own_product_is_in_float32():
    """Why the tests compare with torch's NAdam in a default dtype of float64."""
    sides = layouts(), layouts()
    for parameters, cls in zip(sides, (torch.optim.NAdam, in_double.NAdam), strict=True):
        method = cls(parameters)
        give(parameters, next(gradients(parameters)))
        method.step()
    assert 1e-12 < max(map(apart, *sides)) < 1e-7


# RAdam ------------------------------------------------------------------------------------------
def test_radam_is_rectified_from_the_sixth_step():
    cls = TABLE["radam"]
    sources = [foreach.program(cls.rule, cls.defaults, t).source for t in range(1, 2000)]
    assert ["sqrt" in source.partition("def step(")[2] for source in sources] == [
        t > 5 for t in range(1, 2000)
    ]
    assert len(set(sources)) == 2


# RMSprop ----------------------------------------------------------------------------------------
@executors
def test_a_variance_below_zero_is_none(executor):
    """Rounding takes v − n² of a constant gradient below zero, and torch's root of it is NaN."""
    p = nn.Parameter(torch.linspace(0.1, 3.0, 64))
    other = nn.Parameter(p.detach().clone())
    mine = TABLE["rmsprop"]([p], centered=True, alpha=0.5, executor=executor)
    sure = torch.optim.RMSprop([other], centered=True, alpha=0.5)
    constant = p.detach().clone()
    for _ in range(60):
        p.grad, other.grad = constant, constant
        mine.step()
        sure.step()
    assert other.isnan().any()
    assert p.isfinite().all()


# Rprop ------------------------------------------------------------------------------------------
@executors
def test_zeros_and_turns_of_rprop(executor):
    """Zeros in every place of a sequence of signs, as torch takes them."""
    generator = torch.Generator().manual_seed(0)
    pair = Pair("rprop", [nn.Parameter(torch.zeros(500, dtype=torch.float64))], executor, etas=(0.5, 1.5))
    for _ in range(12):
        pair.step([torch.randint(-1, 2, (500,), generator=generator).double()])
        assert torch.equal(pair.parameters[0], pair.sure.parameters[0])


def test_rprop_waits_where_the_sign_turns_and_keeps_its_step_at_zero():
    p, method, along = one("rprop", 0.0, lr=1.0, etas=(0.5, 2.0))
    moves, at = [], 0.0
    for g in (3.0, 1.0, -7.0, -7.0, 0.0, -1.0, -1.0):
        moves.append(along(g) - at)
        at = p.item()
    # first; longer; turned: none; shorter, after the wait; none; no longer after a zero; longer
    assert moves == [-1.0, -2.0, 0.0, 1.0, 0.0, 1.0, 2.0]
    assert method.state[p]["size"].item() == 2.0


@pytest.mark.parametrize(("dtype", "tiny"), [(torch.float32, 1e-30), (torch.float16, 1e-5)])
def test_rprop_sees_the_sign_of_tiny_gradients(dtype, tiny):
    """Their product is zero, and torch's step stays as it was."""
    p, method, along = one("rprop", dtype=dtype, lr=0.25, etas=(0.5, 2.0))
    along(tiny, tiny)
    assert method.state[p]["size"].item() == 0.5


def test_bounds_of_the_steps_of_rprop():
    p, method, along = one("rprop", lr=1.0, step_sizes=(0.25, 1.5))
    along(1.0, 1.0, 1.0, 1.0)
    assert method.state[p]["size"].item() == 1.5
    for _ in range(8):
        along(-1.0, -1.0, 1.0, 1.0)
    assert method.state[p]["size"].item() == 0.25


# ASGD -------------------------------------------------------------------------------------------
@executors
def test_the_average_is_that_of_all_points_from_t0(executor):
    p = nn.Parameter(torch.tensor([1.0], dtype=torch.float64))
    method = TABLE["asgd"]([p], lr=0.1, lambd=0.0, t0=3, executor=executor)
    points = []
    for t, g in enumerate((1.0, -2.0, 3.0, 0.5, -4.0, 2.0, 7.0), 1):
        p.grad = torch.tensor([g], dtype=torch.float64)
        method.step()
        points.append(p.item())
        with method.evaluation():
            seen = points[-1:] if t <= 5 else points[4:]
            assert p.item() == pytest.approx(sum(seen) / len(seen), rel=1e-14)
        assert p.item() == points[-1]


def test_a_state_saved_at_the_average_goes_on_from_the_point():
    parameters = layouts()
    method = TABLE["asgd"](parameters, t0=0)

    def descended(method, parameters, seed):
        for _, found in zip(range(4), gradients(parameters, seed), strict=False):
            give(parameters, found)
            method.step()

    descended(method, parameters, 1)
    with method.evaluation():
        others, state = copies(parameters), deepcopy(method.state_dict())
    descended(method, parameters, 2)
    resumed = TABLE["asgd"](others, t0=0)
    resumed.load_state_dict(state)
    descended(resumed, others, 2)
    assert all(map(torch.equal, parameters, others))


def test_a_learning_rate_of_asgd_acts_a_step_later_as_in_torch():
    _, method, along = one("asgd", 0.0, lr=1.0, lambd=0.0)
    along(1.0)
    method.param_groups[0]["lr"] = 0.5
    assert along(1.0) == -2.0
    assert along(1.0) == -2.5


# States of torch.optim --------------------------------------------------------------------------
@pytest.mark.parametrize("name", FROM_TORCH)
def test_continuing_from_torchs_state_of_complex_parameters(name):
    generator = torch.Generator().manual_seed(0)
    most = max(CASES[name].variants, key=len)  # with all the state that there is
    p = nn.Parameter(torch.randn(3, 2, dtype=torch.complex128, generator=generator))
    sure = CASES[name].reference([p], **most)
    found = [torch.randn(3, 2, dtype=torch.complex128, generator=generator) for _ in range(8)]
    for g in found[:4]:
        p.grad = g.clone()
        sure.step()
    other = nn.Parameter(p.detach().clone())
    mine = TABLE[name]([other])
    mine.load_state_dict(sure.state_dict())
    kept = mine.state[other]
    assert kept["step"] == 4
    assert set(kept) == {"step", *TABLE[name].rule.keeps({**TABLE[name].defaults, **most})}
    for g in found[4:]:
        p.grad, other.grad = g.clone(), g.clone()
        sure.step()
        mine.step()
    assert apart(real(other.detach()), real(p.detach())) <= 1e-12


def test_names_of_torch_that_a_method_keeps_are_its_own():
    @rule(mu=elementwise, sum=elementwise)
    def equations(w, g, s, h):
        s.mu, s.sum = g, s.sum + g
        return w - h.lr * s.sum

    class Own(Method):
        """Keeps what torch keeps under the same names, and means something else."""

        rule = equations
        lr: float = 0.1

    try:
        p = nn.Parameter(torch.ones(2))
        method = Own([p])
        p.grad = torch.ones(2)
        method.step()
        resumed = Own([p])
        resumed.load_state_dict(method.state_dict())
        assert set(resumed.state[p]) == {"step", "mu", "sum"}
    finally:
        Method.named.pop("own")


# Ranges -----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("adagrad", {"lr_decay": -0.1}),
        ("adagrad", {"initial_accumulator_value": -1.0}),
        ("rmsprop", {"alpha": 1.5}),
        ("rmsprop", {"momentum": 1.0}),
        ("adadelta", {"rho": 1.01}),
        ("rprop", {"etas": (0.5, 0.9)}),
        ("rprop", {"etas": (0.0, 1.2)}),
        ("rprop", {"etas": 1.2}),
        ("rprop", {"step_sizes": (1.0, 0.1)}),
        ("nadam", {"momentum_decay": -1e-3}),
        ("asgd", {"lambd": -1e-4}),
        ("asgd", {"t0": -1}),
        ("lars", {"trust_coefficient": -1.0}),
    ],
)
def test_out_of_range(name, given):
    with pytest.raises(UsageError, match=next(iter(given))):
        TABLE[name](layouts(), **given)
