"""Estimates of the Hessian's diagonal: what they are on average, when they are made, and what they leave."""

import copy
import gc
import io
import weakref

import pytest
import torch
from cases import copies, executors
from torch import nn

from descend.errors import UsageError
from descend.methods import TABLE, AdaHessian, Sophia
from descend.methods.stochastic_curvature import GAUSS_NEWTON_BARTLETT, random_signs

BOTH = {"sophia": {"update_period": 3, "lr": 0.01}, "adahessian": {"lr": 0.05}}
both = pytest.mark.parametrize("name", list(BOTH))
pytestmark = pytest.mark.filterwarnings("ignore:Using backward.. with create_graph")


def network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double()


def loss_of(model, seed=0):
    x = torch.randn(16, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (model(x) - x[:, :2].cos()).pow(2).mean()


def trained(model, method, steps, first=0):
    for seed in range(first, first + steps):
        method.zero_grad()
        loss_of(model, seed).backward(create_graph=method.needs_graph)
        method.step()


def hessian_of(model, loss):
    """Return the diagonal of the Hessian, one row after the other."""
    parameters = list(model.parameters())
    found = torch.autograd.grad(loss, parameters, create_graph=True)
    rows = []
    for p, g in zip(parameters, found, strict=True):
        flat = g.flatten()
        own = [torch.autograd.grad(x, p, retain_graph=True)[0].flatten()[i] for i, x in enumerate(flat)]
        rows.append(torch.stack(own).reshape(p.shape))
    return rows


# The signs --------------------------------------------------------------------------------------
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.complex128], ids=str)
def test_signs_are_signs(dtype):
    """``randint_like(high=2)`` doubled and less one would be as good; ``randint(-1, 2)`` would have zeros."""
    (signs,) = random_signs([torch.empty(100, 200, dtype=dtype)], 3)
    real = torch.view_as_real(signs) if dtype.is_complex else signs
    assert signs.dtype == dtype and signs.shape == (100, 200)
    assert set(real.double().unique().tolist()) == {-1.0, 1.0}
    assert abs(float(real.double().mean())) < 4 / real.numel() ** 0.5  # four standard deviations


def test_signs_follow_from_the_step_and_disturb_nobody():
    like = [torch.empty(50), torch.empty(50)]
    torch.manual_seed(0)
    state = torch.get_rng_state()
    one, again, other = random_signs(like, 7), random_signs(like, 7), random_signs(like, 8)
    assert torch.equal(state, torch.get_rng_state())
    assert all(map(torch.equal, one, again))
    assert not torch.equal(one[0], one[1])
    assert not torch.equal(one[0], other[0])


# The estimates ----------------------------------------------------------------------------------
def test_hutchinsons_estimates_average_to_the_diagonal():
    """Within four standard errors of the truth after 3,000 estimates, for every parameter."""
    model = network()
    method = Sophia(model.parameters(), update_period=1)
    truth = hessian_of(model, loss_of(model))
    draws = 3000
    sums = [torch.zeros_like(p) for p in model.parameters()]
    squares = [torch.zeros_like(p) for p in model.parameters()]
    found = torch.autograd.grad(loss_of(model), list(model.parameters()), create_graph=True)
    for step in range(draws):
        signs = random_signs(list(model.parameters()), step)
        products = torch.autograd.grad(found, list(model.parameters()), signs, retain_graph=True)
        for total, square, v, product in zip(sums, squares, signs, products, strict=True):
            total += v * product
            square += (v * product) ** 2
    for total, square, diagonal in zip(sums, squares, truth, strict=True):
        mean = total / draws
        error = (square / draws - mean**2).clamp(min=0).sqrt() / draws**0.5
        assert ((mean - diagonal).abs() <= 4 * error + 1e-12).all()
    # And that is what the method takes in, here with the signs of step 0.
    method.zero_grad()
    loss_of(model).backward(create_graph=True)
    method.estimate()
    signs = random_signs(list(model.parameters()), 0)
    products = torch.autograd.grad(found, list(model.parameters()), signs)
    for p, v, product in zip(model.parameters(), signs, products, strict=True):
        torch.testing.assert_close(method.state[p]["curvature"], 0.01 * v * product, rtol=1e-12, atol=1e-15)


def test_gauss_newton_bartlett_averages_to_the_gauss_newton_diagonal():
    """Of a softmax layer, where the matrix is known: Σ x² p (1 − p) / B."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(6, 2, generator=generator, dtype=torch.float64)
    model = nn.Linear(2, 3, bias=False).double()
    p = model(x).detach().softmax(-1)
    truth = torch.einsum("bi,bk->ki", x**2, p * (1 - p)) / 6
    draws, total, square = 4000, 0.0, 0.0
    for _ in range(draws):
        method = Sophia(model.parameters(), betas=(0.9, 0.0), estimator=GAUSS_NEWTON_BARTLETT)
        labels = torch.multinomial(p, 1, generator=generator).squeeze(-1)
        method.zero_grad()
        nn.functional.cross_entropy(model(x), labels).backward()
        method.estimate(batch_size=6)
        estimate = method.state[model.weight]["curvature"]
        total, square = total + estimate, square + estimate**2
    error = (square / draws - (total / draws) ** 2).sqrt() / draws**0.5
    assert ((total / draws - truth).abs() <= 4 * error).all()


@executors
def test_sophia_g_is_the_authors(executor):
    """|m| / (ρ B h + ε), at most 1, along the sign of m; their state holds squared gradients, without B."""
    torch.manual_seed(0)
    model = nn.Linear(4, 3).double()
    others = [p.detach().clone() for p in model.parameters()]
    method = Sophia(
        model.parameters(), lr=0.01, estimator=GAUSS_NEWTON_BARTLETT, update_period=5, executor=executor
    )
    m, h = [torch.zeros_like(p) for p in others], [torch.zeros_like(p) for p in others]
    for step in range(30):
        x, y, drawn = torch.randn(8, 4).double(), torch.randint(3, (8,)), torch.randint(3, (8,))
        assert method.needs_estimate == (step % 5 == 0)
        assert not method.needs_graph
        if method.needs_estimate:
            method.zero_grad()
            nn.functional.cross_entropy(model(x), drawn).backward()
            for i, p in enumerate(model.parameters()):
                h[i] = 0.99 * h[i] + 0.01 * p.grad**2
            method.estimate(batch_size=8)
            assert not method.needs_estimate
        method.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        for i, p in enumerate(model.parameters()):
            m[i] = 0.965 * m[i] + 0.035 * p.grad
            ratio = (m[i].abs() / (0.04 * 8 * h[i] + 1e-15)).clamp(max=1)
            others[i] = others[i] * (1 - 0.01 * 0.1) - 0.01 * m[i].sign() * ratio
        method.step()
    for p, other in zip(model.parameters(), others, strict=True):
        torch.testing.assert_close(p.detach(), other, rtol=1e-12, atol=1e-14)


@executors
@pytest.mark.parametrize("averaging", [True, False])
def test_kernels_are_averaged(executor, averaging):
    torch.manual_seed(0)
    layers = [nn.Conv2d(2, 3, 3).double(), nn.Conv1d(2, 2, 3).double(), nn.Linear(3, 2).double()]
    model = nn.ModuleList(layers)
    method = AdaHessian(model.parameters(), spatial_averaging=averaging, executor=executor, betas=(0.9, 0.0))
    loss = sum((p**4).sum() for p in model.parameters())  # a diagonal Hessian: 12 w²
    loss.backward(create_graph=True)
    method.estimate()
    for p in model.parameters():
        expected = 12 * p.detach() ** 2
        if averaging and p.dim() > 2:
            places = tuple(range(2, p.dim()))
            expected = expected.mean(places, keepdim=True).expand_as(p)
        torch.testing.assert_close(method.state[p]["v"].sqrt(), expected, rtol=1e-12, atol=0)


# When -------------------------------------------------------------------------------------------
def test_the_graph_is_asked_for_when_it_is_due():
    model = network()
    method = Sophia(model.parameters(), update_period=4)
    asked = []
    for seed in range(9):
        asked.append(method.needs_graph)
        trained(model, method, 1, seed)
    assert asked == [True, False, False, False] * 2 + [True]


@both
@executors
def test_a_missing_graph_is_refused_before_anything_moves(name, executor):
    model = network()
    method = TABLE[name](model.parameters(), executor=executor)
    before = copies(list(model.parameters()))
    loss_of(model).backward()
    with pytest.raises(UsageError, match=r"carry their graph, for step 1.*create_graph=opt.needs_graph"):
        method.step()
    assert all(map(torch.equal, model.parameters(), before))
    trained(model, method, 2 * BOTH[name].get("update_period", 1))
    method.zero_grad()
    loss_of(model).backward()
    if not method.needs_graph:
        method.step()
        return
    with pytest.raises(UsageError, match="carry their graph"):
        method.step()


def test_a_missing_estimate_is_refused():
    model = network()
    method = Sophia(model.parameters(), estimator=GAUSS_NEWTON_BARTLETT)
    loss_of(model).backward()
    with pytest.raises(UsageError, match="before step 1"):
        method.step()
    with pytest.raises(UsageError, match="batch size"):
        method.estimate()


def test_other_methods_need_no_graph():
    assert not TABLE["adamw"](network().parameters()).needs_graph


@both
@executors
def test_a_closure(name, executor):
    models = network(), network()
    methods = [TABLE[name](m.parameters(), executor=executor, **BOTH[name]) for m in models]
    for seed in range(7):

        def closure(seed=seed):
            methods[0].zero_grad()
            loss = loss_of(models[0], seed)
            loss.backward(create_graph=methods[0].needs_graph)
            return loss.detach()

        assert float(methods[0].step(closure)) > 0
        trained(models[1], methods[1], 1, seed)
    assert all(map(torch.equal, models[0].parameters(), models[1].parameters()))


@both
def test_an_estimate_made_before_clipping_is_the_same(name):
    models = network(), network()
    methods = [TABLE[name](m.parameters(), **BOTH[name]) for m in models]
    for seed in range(5):
        for model, method in zip(models, methods, strict=True):
            method.zero_grad()
            loss_of(model, seed).backward(create_graph=method.needs_graph)
        if methods[0].needs_graph:
            methods[0].estimate()
        for method in methods:
            method.step()
    assert all(map(torch.equal, models[0].parameters(), models[1].parameters()))


# What is left -----------------------------------------------------------------------------------
class Held:
    """Lives as long as the part of the graph that it is put into."""


@both
@executors
def test_no_graph_is_held_after_the_step(name, executor):
    model = network()
    method = TABLE[name](model.parameters(), executor=executor, **BOTH[name])
    gc.disable()
    try:
        for seed in range(4):
            method.zero_grad()
            loss = loss_of(model, seed)
            loss.backward(create_graph=True)  # also where it is not needed
            given = [p.grad for p in model.parameters()]
            held = []
            for x in (loss, *given):
                x.grad_fn.metadata["held"] = holder = Held()
                held.append(weakref.ref(holder))
            del loss, x, holder
            values = [g.detach().clone() for g in given]
            method.step()
            assert all(p.grad is g for p, g in zip(model.parameters(), given, strict=True))
            assert all(not g.requires_grad for g in given)
            assert all(map(torch.equal, given, values))
            assert all(ref() is None for ref in held)
    finally:
        gc.enable()
    kept = [x for own in method.state.values() for x in own.values() if torch.is_tensor(x)]
    assert not any(x.requires_grad for x in kept)


def test_gradients_that_are_views_are_detached_too():
    """As with the buckets of distributed training."""
    p = nn.Parameter(torch.ones(4, dtype=torch.float64))
    method = AdaHessian([p])
    whole = torch.cat([p**3, p**3])
    p.grad = whole[:4]
    method.step()
    assert not p.grad.requires_grad
    assert torch.equal(p.grad, torch.ones(4, dtype=torch.float64))


# The rest of what every method does -------------------------------------------------------------
@both
@executors
@pytest.mark.parametrize("middle", [3, 4, 5])
def test_resuming_at_any_step_changes_no_bit(name, executor, middle):
    model = network()
    method = TABLE[name](model.parameters(), executor=executor, **BOTH[name])
    trained(model, method, middle)
    file = io.BytesIO()
    torch.save({"model": model.state_dict(), "method": method.state_dict()}, file)
    file.seek(0)
    saved = torch.load(file, weights_only=True)
    copied, its_own = copy.deepcopy((model, method))
    trained(model, method, 7, middle)
    other = network(5)
    resumed = TABLE[name](other.parameters(), executor=executor, **BOTH[name])
    other.load_state_dict(saved["model"])
    resumed.load_state_dict(saved["method"])
    torch.randn(100)  # nothing hangs on torch's own generator
    trained(other, resumed, 7, middle)
    trained(copied, its_own, 7, middle)
    assert all(map(torch.equal, model.parameters(), other.parameters()))
    assert all(map(torch.equal, model.parameters(), copied.parameters()))


@both
@executors
def test_climbing_is_descending_the_negative(name, executor):
    up, down = network(), network()
    climber = TABLE[name](up.parameters(), maximize=True, executor=executor, **BOTH[name])
    descender = TABLE[name](down.parameters(), executor=executor, **BOTH[name])
    for seed in range(5):
        for model, method, sign in ((up, climber, 1), (down, descender, -1)):
            method.zero_grad()
            (sign * loss_of(model, seed)).backward(create_graph=method.needs_graph)
            method.step()
    for p, q in zip(up.parameters(), down.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-12, atol=1e-14)


@both
def test_complex_parameters_are_their_parts(name):
    start = torch.randn(3, 2, dtype=torch.complex128, generator=torch.Generator().manual_seed(0))
    whole, parts = nn.Parameter(start), nn.Parameter(torch.view_as_real(start).clone())
    given = {**BOTH[name], **({"spatial_averaging": False} if name == "adahessian" else {})}
    methods = TABLE[name]([whole], **given), TABLE[name]([parts], **given)
    for _ in range(5):
        for p, method in zip((whole, parts), methods, strict=True):
            method.zero_grad()
            real = torch.view_as_real(p) if p.is_complex() else p
            (real**4).sum().backward(create_graph=method.needs_graph)  # a diagonal Hessian
            method.step()
    torch.testing.assert_close(torch.view_as_real(whole.detach()), parts.detach(), rtol=1e-12, atol=1e-14)


@both
def test_groups_of_another_method_are_left_alone(name):
    model = network()
    groups = [{"params": model[0].parameters()}, {"params": model[2].parameters(), "method": "adamw"}]
    method = TABLE[name](groups, **BOTH[name])
    trained(model, method, 4)
    key = "curvature" if name == "sophia" else "measured"
    assert all(key in method.state[p] for p in model[0].parameters())
    assert all(key not in method.state[p] for p in model[2].parameters())


@both
def test_a_loss_that_is_linear_in_some_parameters(name):
    curved, straight = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))
    method = TABLE[name]([curved, straight], **BOTH[name])
    for _ in range(3):
        method.zero_grad()
        ((curved**2).sum() + straight.sum()).backward(create_graph=method.needs_graph)
        method.step()
    assert all(p.isfinite().all() and (p < 1).all() for p in (curved, straight))


def test_what_was_never_measured_stays():
    """A parameter whose first gradient comes between two estimates: Newton's step has no length yet."""
    early, late = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))
    method = AdaHessian([early, late], update_period=3)
    moved = []
    for step in range(5):
        method.zero_grad()
        loss = (early**2).sum() + ((late**2).sum() if step else 0.0)
        loss.backward(create_graph=method.needs_graph)
        method.step()
        moved.append(bool((late != 1).any()))
    assert moved == [False, False, False, True, True]


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("sophia", {"rho": 0.0}),
        ("sophia", {"eps": 0.0}),
        ("sophia", {"update_period": 0}),
        ("sophia", {"update_period": 2.5}),
        ("sophia", {"estimator": "newton"}),
        ("adahessian", {"hessian_power": 1.5}),
        ("adahessian", {"update_period": 0}),
    ],
)
def test_out_of_range(name, given):
    with pytest.raises(UsageError):
        TABLE[name]([nn.Parameter(torch.ones(2))], **given)
