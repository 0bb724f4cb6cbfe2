"""K-FAC against explicit matrices in float64, and in a descent."""

import copy

import pytest
import scipy.optimize
import torch
import torch.nn.functional as F
from layered import (
    CONVOLUTIONS,
    FIXED,
    PLAIN,
    WAYS,
    Turned,
    as_one,
    closure_of,
    descended,
    examples,
    flat,
    gradients,
    homogeneous,
    network,
    same,
)
from torch import nn

import descend
from descend import Descent, Until
from descend.errors import UsageError
from descend.methods.kfac import KFAC
from descend.methods.kfac_equations import damped_inverses, due, trust
from descend.methods.kfac_model import Call, products, slopes, thinned
from descend.methods.method import EXECUTORS


def block(model: nn.Module, x: torch.Tensor, layer: nn.Module) -> torch.Tensor:
    """The Gauss-Newton matrix of the mean squared error of one output, for (weight, bias) row by row."""
    rows = []
    for one in x:
        found = torch.autograd.grad(model(one[None]).squeeze(), [layer.weight, layer.bias])
        rows.append(as_one(*found).flatten())
    jacobian = torch.stack(rows)
    return 2 * jacobian.T @ jacobian / len(x)


# Against explicit matrices ------------------------------------------------------------------------
@pytest.mark.parametrize("sizes", [(3, 1), (3, 4, 1), (3, 5, 4, 1)])
def test_the_block_of_a_linear_network_is_exactly_gauss_newtons(sizes):
    """One output: the sign that is drawn for it falls out of d dᵀ."""
    model, (x, y) = network(*sizes, between=nn.Identity), examples()
    opt = KFAC(model, lr=0.0, loss="mse", **PLAIN)
    gradients(model, F.mse_loss(model(x), y))
    opt.step()
    for layer in (m for m in model if isinstance(m, nn.Linear)):
        own = opt.state[layer.weight]
        torch.testing.assert_close(torch.kron(own["outputs"], own["inputs"]), block(model, x, layer))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_step_solves_the_damped_system(bias, executor):
    model, (x, y) = network(3, 4, 2, bias=bias), examples(classes=2)
    opt = KFAC(model, lr=0.3, damping=0.02, loss="cross_entropy", executor=executor, **PLAIN)
    gradients(model, F.cross_entropy(model(x), y))
    before = copy.deepcopy(model)
    opt.step()
    for layer, old in zip(model, before, strict=True):
        if not isinstance(layer, nn.Linear):
            continue
        own, n, m = opt.state[layer.weight], layer.in_features + bias, layer.out_features
        a, g = own["inputs"][:n, :n], own["outputs"]
        pi = ((a.trace() / n) / (g.trace() / m)).sqrt()
        a, g = a + pi * 0.02**0.5 * torch.eye(n), g + 0.02**0.5 / pi * torch.eye(m)
        gradient, moved = layer.weight.grad, layer.weight - old.weight
        if bias:
            gradient, moved = as_one(gradient, layer.bias.grad), as_one(moved, layer.bias - old.bias)
        sure = -0.3 * torch.linalg.solve(torch.kron(g, a), gradient.flatten())
        torch.testing.assert_close(moved.flatten(), sure)


def test_one_step_to_the_minimum_of_a_quadratic():
    """A linear model of one output under mse, with next to no damping: Newton's method."""
    model, (x, y) = network(3, 1), examples(50)
    opt = KFAC(model, lr=1.0, damping=1e-14, loss="mse", **PLAIN)
    gradients(model, F.mse_loss(model(x), y))
    opt.step()
    best = torch.linalg.lstsq(homogeneous(x), y).solution
    torch.testing.assert_close(as_one(model[0].weight, model[0].bias).T, best, rtol=1e-5, atol=1e-6)


def test_the_equations_written_out():
    """Several steps with momentum, decay, a bound, means that forget, and inverses that are late."""
    model, (x, y) = network(3, 4, 2), examples(classes=2)
    other = copy.deepcopy(model)
    h = {"lr": 0.2, "momentum": 0.8, "damping": 0.01, "weight_decay": 0.1, "kl_clip": 1e-3, "beta2": 0.7}
    opt = KFAC(model, **h, update_period=2, inverse_period=3)
    layers = [other[0], other[2]]
    kept = [{"m": 0.0, "a": 0.0, "g": 0.0, "n": 0.0} for _ in layers]
    for step in range(9):
        gradients(model, F.cross_entropy(model(x), y))
        opt.step()

        hidden = layers[0](x)
        logits = layers[1](hidden.tanh())
        loss = F.cross_entropy(logits, y, reduction="sum")
        behind = torch.autograd.grad(loss, [hidden, logits], retain_graph=True)
        found = torch.autograd.grad(
            loss / len(x), [p for layer in layers for p in (layer.weight, layer.bias)]
        )
        gs = [as_one(*found[:2]), as_one(*found[2:])]
        us = []
        for own, inputs, d, g in zip(kept, (x, hidden.tanh()), behind, gs, strict=True):
            if due(step, 2):
                rows = homogeneous(inputs.detach())
                own["a"] = 0.7 * own["a"] + 0.3 * rows.T @ rows / len(x)
                own["g"] = 0.7 * own["g"] + 0.3 * d.T @ d / len(x)
                own["n"] = 0.7 * own["n"] + 0.3
            if due(step, 3):
                own["inverses"] = damped_inverses(own["a"] / own["n"], own["g"] / own["n"], 0.01)
            a, b = own["inverses"]
            us.append(b @ g @ a)
        nu = trust(sum(0.2**2 * (u * g).sum() for u, g in zip(us, gs, strict=True)), 1e-3)
        with torch.no_grad():
            for own, u, layer in zip(kept, us, layers, strict=True):
                own["m"] = 0.8 * own["m"] + nu * u
                w = (1 - 0.2 * 0.1) * as_one(layer.weight, layer.bias) - 0.2 * own["m"]
                layer.weight.copy_(w[:, :-1])
                layer.bias.copy_(w[:, -1])
    for mine, sure in zip(model.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(mine, sure)


@pytest.mark.parametrize("bias", [True, False])
def test_the_damping_is_divided_where_it_adds_least(bias):
    a, g = (torch.randn(n, 9, dtype=torch.float64) for n in (4, 3))
    a, g = a @ a.T, 0.01 * g @ g.T
    if not bias:
        a[-1] = a[:, -1] = 0
    n = 4 if bias else 3
    found = damped_inverses(a, g, 0.1, bias)
    one, other = (torch.linalg.inv(x) for x in found)
    pi = (torch.trace(a) / n / (torch.trace(g) / 3)).sqrt()
    torch.testing.assert_close(one, a + pi * 0.1**0.5 * torch.eye(4))
    torch.testing.assert_close(other, g + 0.1**0.5 / pi * torch.eye(3))


def test_matrices_of_zeros_and_of_no_numbers():
    zeros = torch.zeros(3, 3, dtype=torch.float64)
    for found in damped_inverses(zeros, zeros, 0.25):
        torch.testing.assert_close(found, 2 * torch.eye(3, dtype=torch.float64))
    assert all(x.isnan().all() for x in damped_inverses(zeros * torch.nan, zeros * torch.nan, 0.25))


# The quadratic model ------------------------------------------------------------------------------
def test_steps_are_the_minimum_of_the_quadratic_model():
    """Of one output under mse, where signs do not matter: against the explicit matrix of all parameters."""
    model, (x, y) = network(3, 4, 1), examples()
    opt = KFAC(model, loss="mse", damping=0.01, kl_clip=0.0)
    parameters, last = list(model.parameters()), torch.zeros(21, dtype=torch.float64)
    for _ in range(5):
        out = model(x)
        rows = [flat(torch.autograd.grad(one, parameters, retain_graph=True)) for one in out.squeeze(1)]
        jacobian = torch.stack(rows)
        curvature = 2 * jacobian.T @ jacobian / len(x) + 0.01 * torch.eye(21, dtype=torch.float64)
        gradients(model, F.mse_loss(out, y))
        g, before = flat([p.grad for p in parameters]), flat([p.detach() for p in parameters])
        opt.step()
        moved = flat([p.detach() for p in parameters]) - before
        directions = []
        for layer in (model[0], model[2]):
            own = opt.state[layer.weight]
            u = own["outputs_inverse"] @ as_one(layer.weight.grad, layer.bias.grad) @ own["inputs_inverse"]
            directions += [u[:, :-1], u[:, -1]]
        plane = torch.stack([flat(directions), last], 1)  # moved = −α ĝ − μ m, and last is −m
        plane[:, 1] *= -1
        inside, pull = (plane.T @ curvature @ plane).numpy(), (plane.T @ g).numpy()
        best = scipy.optimize.minimize(
            lambda z, inside=inside, pull=pull: (z @ inside @ z / 2 + pull @ z, inside @ z + pull),
            [-0.5, -0.5],
            jac=True,
            bounds=[(-1, 0)] * 2,
            tol=1e-14,
        ).x
        torch.testing.assert_close(moved, plane @ torch.tensor(best), rtol=1e-5, atol=1e-8)
        last = moved


def test_no_step_says_much_else_than_the_last():
    """Twice the divergence that a step comes to is κ, by the explicit matrix."""
    model, (x, y) = network(3, 4, 1), examples()
    with torch.no_grad():
        y = y + 100
    opt = KFAC(model, loss="mse", kl_clip=0.3, lr=0.5)
    parameters = list(model.parameters())
    rows = [flat(torch.autograd.grad(one, parameters, retain_graph=True)) for one in model(x).squeeze(1)]
    jacobian = torch.stack(rows)
    before = flat([p.detach() for p in parameters])
    gradients(model, F.mse_loss(model(x), y))
    opt.step()
    moved = flat([p.detach() for p in parameters]) - before
    assert float((jacobian @ moved).square().mean()) * 2 == pytest.approx(0.3)


@pytest.mark.filterwarnings("ignore:Using padding")
@pytest.mark.parametrize(("layer", "shape"), [*CONVOLUTIONS, (nn.Linear(3, 2), (5, 7, 3))], ids=str)
def test_slopes_along_two_directions(layer, shape):
    layer = copy.deepcopy(layer).double()
    x = torch.randn(shape, dtype=torch.float64)
    y, bias = layer(x), layer.bias is not None
    d = torch.randn_like(y)
    m, n = len(layer.weight), layer.weight[0].numel()
    pair = torch.randn(2, m, n + 1, dtype=torch.float64)
    if not bias:
        pair[:, :, -1] = 0
    found = slopes(Call(layer, layer.weight, x, d), pair, len(x))
    for k, (one, behind) in enumerate(zip(x, d, strict=True)):
        parameters = list(layer.parameters())
        each = torch.autograd.grad((layer(one[None]) * behind).sum(), parameters)
        joint = as_one(*each) if bias else torch.cat([each[0].flatten(1), torch.zeros(m, 1)], 1)
        torch.testing.assert_close(found[k], (pair * joint).sum((1, 2)))


def test_rows_of_one_example_belong_together():
    found = []
    for shape in ((6, 5), (30,)):
        model, (x, _) = Turned(*shape), examples(30)
        x = x.view(6, 5, 3)
        opt = KFAC(model, loss="mse")
        for _ in range(3):
            gradients(model, F.mse_loss(model(x), x[..., 0]))
            opt.step()
        found.append(model)
    for p, q in zip(found[0].parameters(), found[1].parameters(), strict=True):
        torch.testing.assert_close(p, q)


def test_examples_that_cannot_be_told_apart():
    model, (x, _) = Turned(5, 6), examples(30)
    opt = KFAC(model, loss="mse")
    with pytest.raises(UsageError, match="examples in their first dimension"):
        model(x.view(6, 5, 3))
    assert opt.param_groups


def test_some_examples_stand_for_many():
    layer = nn.Linear(3, 1).double()
    x, d = torch.randn(64, 3, dtype=torch.float64), torch.randn(64, 1, dtype=torch.float64)
    pair = torch.randn(2, 1, 4, dtype=torch.float64)
    whole, some = (thinned([Call(layer, layer.weight, x, d)], 64, n) for n in (64, 20))
    assert (some.examples, some.share) == (22, 64 / 22)
    sure = slopes(whole.calls[0], pair, 64)
    torch.testing.assert_close(slopes(some.calls[0], pair, 22), sure[::3])
    torch.testing.assert_close(products([whole], {id(layer.weight): pair}), sure.T @ sure / 64)
    torch.testing.assert_close(
        products([some], {id(layer.weight): pair}), 64 / 22 * sure[::3].T @ sure[::3] / 64
    )


# The damping and the bound ------------------------------------------------------------------------
def test_the_damping_falls_where_the_quadratic_model_is_right():
    model, (x, y) = network(3, 1), examples()
    opt = KFAC(model, lr=0.5, damping=0.1, loss="mse", damping_period=2)
    for _ in range(6):
        opt.step(closure_of(model, x, y))
    assert float(opt.state[model[0].weight]["adapted"]) == pytest.approx(0.1 * 0.95**6)


def test_the_damping_grows_where_it_is_wrong():
    model, (x, y) = network(3, 8, 1), examples()
    opt = KFAC(model, damping=1e-3, loss="mse", damping_period=1)
    found = iter([1.0, 1.1])  # it rises
    closure = closure_of(model, x, y)
    opt.step(lambda: closure() * 0 + next(found))
    assert float(opt.state[model[0].weight]["adapted"]) == pytest.approx(1e-3 / 0.95)
    with pytest.raises(UsageError, match="a closure with damping_period"):
        opt.step()


def test_no_step_says_much_else():
    """Twice the divergence that a step comes to, as A ⊗ G has it, is κ: less by what is damping."""
    model, (x, y) = network(3, 6, 2), examples(40, classes=2)
    opt = KFAC(model, lr=5.0, momentum=0.0, kl_clip=1e-3, damping=1e-9, loss="cross_entropy", update_period=1)
    before = copy.deepcopy(model)
    gradients(model, F.cross_entropy(model(x), y))
    opt.step()
    far = 0.0
    for new, old in zip((model[0], model[2]), (before[0], before[2]), strict=True):
        own, d = opt.state[new.weight], as_one(new.weight - old.weight, new.bias - old.bias).detach()
        far += float((d * (own["outputs"] @ d @ own["inputs"])).sum())
    assert 0.9e-3 < far < 1.0001e-3


@pytest.mark.parametrize("given", WAYS, ids=str)
def test_it_climbs(given):
    model, other = network(3, 4, 2), network(3, 4, 2)
    x, y = examples(classes=2)
    opt, sure = KFAC(model, maximize=True, **given), KFAC(other, **given)
    for _ in range(3):
        gradients(model, -F.cross_entropy(model(x), y))
        gradients(other, F.cross_entropy(other(x), y))
        opt.step()
        sure.step()
    for p, q in zip(model.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(p, q)


# The state ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("given", [*WAYS, {**WAYS[2], "update_period": 3, "inverse_period": 2}], ids=str)
def test_resuming_in_the_middle_changes_no_bit(given, tmp_path):
    model = network(3, 4, 2)
    opt = KFAC(model, **given)
    descended(model, opt, 5)
    middle = network(3, 4, 2)
    middle.load_state_dict(model.state_dict())
    torch.save(opt.state_dict(), tmp_path / "state")
    resumed = KFAC(middle, **given)
    resumed.load_state_dict(torch.load(tmp_path / "state", weights_only=True))
    descended(model, opt, 9, seed=1)
    descended(middle, resumed, 9, seed=1)
    assert same(model, middle)


def test_copies_listen_once_they_are_attached():
    model = network(3, 4, 2)
    opt = KFAC(model, loss="cross_entropy")
    descended(model, opt, 3)
    other, copied = copy.deepcopy((model, opt))
    with pytest.raises(UsageError, match="attach"):
        descended(other, copied, 1)
    copied.attach(other)
    descended(model, opt, 5, seed=1)
    descended(other, copied, 5, seed=1)
    assert same(model, other)


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("given", [FIXED, {"loss": "cross_entropy"}], ids=str)
def test_executors_agree(executor, given):
    models = []
    for each in (executor, "reference"):
        models.append(network(3, 4, 2))
        descended(models[-1], KFAC(models[-1], **given, weight_decay=0.1, executor=each), 20)
    for p, q in zip(models[0].parameters(), models[1].parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-7, atol=1e-9)  # the search is sensitive


MODIFIERS = [
    {"clip_norm": 10.0},
    {"average": 0.9},
    {"accumulate": 2},
    {"cautious": True},
    {"state_format": "8-bit"},
]


@pytest.mark.parametrize("given", [FIXED, {"loss": "cross_entropy"}], ids=str)
@pytest.mark.parametrize("modifier", MODIFIERS, ids=str)
def test_modifiers_and_formats(given, modifier):
    model = network(3, 40, 2).float()
    x, y = examples(60, classes=2)
    x, y, losses = x.float(), (x[:, 0] > 0).long(), []
    opt = KFAC(model, **given, **modifier)
    for _ in range(12):
        losses.append(F.cross_entropy(model(x), y))
        gradients(model, losses[-1])
        opt.step()
    assert losses[-1] < 0.9 * losses[0]


# In a descent -------------------------------------------------------------------------------------
in_the_table = pytest.mark.skipif("kfac" not in descend.methods.names(), reason="it has no name yet")


def problem() -> descend.Problem:
    g = torch.Generator().manual_seed(0)
    x = torch.randn(240, 8, generator=g)
    y = (x[:, :3] + 0.3 * torch.randn(240, 3, generator=g)).argmax(1)
    torch.manual_seed(0)
    layers = [nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 3)]
    held_out = (x[:60], y[:60])
    return descend.Problem(
        nn.Sequential(*layers), "cross_entropy", train=(x[60:], y[60:]), validation=held_out
    )


@in_the_table
@pytest.mark.parametrize("way", ["fork", "file"])
@pytest.mark.parametrize("given", [*WAYS, {**WAYS[2], "damping_period": 3}], ids=str)
def test_a_descent_goes_on_exactly(way, given, tmp_path):
    settings = {"batch_size": 32, "schedule": "constant", "seed": 2, "hyperparameters": given}
    descent = Descent(problem(), "kfac", **settings)
    descent.run(Until(steps=7), evaluate_every=3)
    if way == "fork":
        other = descent.fork()
    else:
        descent.save(tmp_path / "state")
        other = Descent(problem(), "kfac", **settings)
        other.load(tmp_path / "state")
    descent.run(Until(steps=15), evaluate_every=4)
    other.run(Until(steps=15), evaluate_every=2)
    assert same(descent.function, other.function)
    assert descent.recent_loss < descent.first_loss


@in_the_table
def test_going_back_in_the_middle_of_a_step():
    settings = {"batch_size": 32, "schedule": "constant", "hyperparameters": WAYS[2]}
    descent, again = (Descent(problem(), "kfac", **settings) for _ in range(2))
    start = descent.snapshot()
    descent.gradient()
    descent.restore(start)
    descent.run(Until(steps=5))
    again.run(Until(steps=5))
    assert same(descent.function, again.function)
