"""Methods that evaluate elsewhere than they train: the context, and states saved inside it.

That the point is the authors' is in ``test_parity.py``; here is the plumbing.
"""

import copy
import io

import pytest
import torch
from cases import copies, executors, give, gradients
from torch import nn

from descend.errors import UsageError
from descend.methods import TABLE

ELSEWHERE = {name: cls for name, cls in TABLE.items() if cls.evaluation_point is not None}
SCHEDULE_FREE = ("schedulefreesgd", "schedulefreeadamw")
# Hyperparameters under which the two points are soon apart.
APART = {"asgd": {"t0": 1.0}, **{name: {"warmup_steps": 6} for name in SCHEDULE_FREE}}
schedule_free = pytest.mark.parametrize("name", SCHEDULE_FREE)
elsewhere = pytest.mark.parametrize("name", list(ELSEWHERE))


def network(seed=0, dtype=torch.float64):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)).to(dtype)


def started(name, seed=0, **hyperparameters):
    model = network(seed)
    return model, ELSEWHERE[name](model.parameters(), **APART.get(name, {}), **hyperparameters)


def trained(model, method, steps, zero_grad=True, seed=1):
    """Descend as everybody does: forward, backward, step."""
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        x = torch.randn(8, 3, generator=generator, dtype=torch.float64)
        if zero_grad:
            method.zero_grad()
        else:
            for p in model.parameters():
                p.grad = None
        (model(x) - x.sum(1, keepdim=True)).square().mean().backward()
        method.step()


def points(model):
    return [p.detach().clone() for p in model.parameters()]


def same(one, other):
    return all(map(torch.equal, one, other))


def through_a_file(tree):
    file = io.BytesIO()
    torch.save(tree, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


@elsewhere
@executors
def test_leaving_puts_every_bit_back(name, executor):
    model, method = started(name, executor=executor)
    trained(model, method, 5)
    before, state = points(model), copy.deepcopy(method.state_dict())
    with method.evaluation():
        assert not same(points(model), before)
        inside = points(model)
        with method.evaluation():  # nested: it is there already
            assert same(points(model), inside)
        assert same(points(model), inside)
    assert same(points(model), before)
    for own, saved in zip(method.state_dict()["state"].values(), state["state"].values(), strict=True):
        assert own.keys() == saved.keys()
        assert all(torch.equal(torch.as_tensor(own[k]), torch.as_tensor(saved[k])) for k in own)


@elsewhere
def test_an_error_inside_puts_them_back_too(name):
    model, method = started(name)
    trained(model, method, 3)
    before = points(model)
    with pytest.raises(ZeroDivisionError), method.evaluation():
        raise ZeroDivisionError
    assert same(points(model), before)


@elsewhere
def test_looking_changes_nothing_of_the_descent(name):
    model, method = started(name)
    other, alone = started(name)
    for seed in range(4):
        trained(model, method, 3, seed=seed)
        trained(other, alone, 3, seed=seed)
        with method.evaluation():
            model(torch.ones(2, 3, dtype=torch.float64))
    assert same(points(model), points(other))


@elsewhere
def test_before_the_first_step_both_points_are_one(name):
    model, method = started(name)
    before = points(model)
    with method.evaluation():
        assert same(points(model), before)


@elsewhere
def test_steps_and_loads_inside_are_refused(name):
    model, method = started(name)
    trained(model, method, 2)
    before = points(model)
    with method.evaluation():
        with pytest.raises(UsageError, match=r"outside of opt.evaluation\(\)"):
            method.step()
        with pytest.raises(UsageError, match=r"outside of opt.evaluation\(\)"):
            method.load_state_dict(method.state_dict())
    assert same(points(model), before)
    trained(model, method, 1)


@elsewhere
@executors
@pytest.mark.parametrize("order", ["model first", "method first"])
@pytest.mark.parametrize("inside", [True, False])
def test_a_state_saved_in_either_mode_resumes_exactly(name, executor, order, inside):
    model, method = started(name, executor=executor)
    trained(model, method, 7)
    if inside:
        with method.evaluation():
            file = through_a_file({"model": model.state_dict(), "method": method.state_dict()})
            looked = points(model)
    else:
        file = through_a_file({"model": model.state_dict(), "method": method.state_dict()})
        with method.evaluation():
            looked = points(model)
    trained(model, method, 7, seed=2)

    resumed, its = started(name, seed=3, executor=executor)
    for part in ("model", "method") if order == "model first" else ("method", "model"):
        (resumed if part == "model" else its).load_state_dict(file[part])
    with its.evaluation():
        assert same(points(resumed), looked)
    trained(resumed, its, 7, seed=2)
    assert same(points(resumed), points(model))
    assert all("training" not in own for own in its.state.values())


@elsewhere
@pytest.mark.parametrize("zero_grad", [True, False])
def test_a_resumed_state_goes_on_without_looking(name, zero_grad):
    """The very first gradient is taken where the descent trains, whether ``zero_grad`` comes first or not."""
    model, method = started(name)
    trained(model, method, 4)
    with method.evaluation():
        file = through_a_file({"model": model.state_dict(), "method": method.state_dict()})
    resumed, its = started(name, seed=3)
    resumed.load_state_dict(file["model"])
    its.load_state_dict(file["method"])
    assert same(points(resumed), points(model))
    again = through_a_file(its.state_dict())  # saved once more before any step
    its.load_state_dict(again)
    trained(model, method, 3, seed=2)
    trained(resumed, its, 3, zero_grad, seed=2)
    assert same(points(resumed), points(model))


@elsewhere
def test_copies_made_inside_go_on_from_where_it_trains(name):
    model, method = started(name)
    trained(model, method, 4)
    with method.evaluation():
        other, its = copy.deepcopy((model, method))
    trained(model, method, 3, seed=2)
    trained(other, its, 3, seed=2)
    assert same(points(other), points(model))


@elsewhere
def test_only_what_has_stepped_moves(name):
    """A parameter without any gradient so far has one point."""
    parameters = [nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(2))]
    method = ELSEWHERE[name](parameters, **APART.get(name, {}))
    for _ in range(6):
        parameters[0].grad = torch.randn(3)
        method.step()
    before = copies(parameters)
    with method.evaluation():
        assert not torch.equal(parameters[0], before[0])
        assert torch.equal(parameters[1], before[1])


@schedule_free
@executors
def test_the_average_of_all_steps(name, executor):
    """With a rate that never changes, x is the plain mean of the points z."""
    parameters = [
        nn.Parameter(torch.randn(5, dtype=torch.float64, generator=torch.Generator().manual_seed(0)))
    ]
    method = ELSEWHERE[name](parameters, lr=0.1, executor=executor)
    visited = []
    for _, found in zip(range(20), gradients(parameters), strict=False):
        give(parameters, found)
        method.step()
        visited.append(method.state[parameters[0]]["z"].clone())
    with method.evaluation():
        torch.testing.assert_close(
            parameters[0].detach(), torch.stack(visited).mean(0), rtol=1e-12, atol=1e-14
        )


@schedule_free
def test_a_rate_of_zero_at_first_is_no_division_by_zero(name):
    """As under a schedule that starts at 0: nothing moves, and nothing is averaged."""
    parameters = [nn.Parameter(torch.ones(3))]
    method = ELSEWHERE[name](parameters, lr=0.0)
    for lr in (0.0, 0.0, 0.1, 0.1):
        parameters[0].grad = torch.ones(3)
        method.param_groups[0]["lr"] = lr
        method.step()
    assert parameters[0].isfinite().all()
    with method.evaluation():
        assert parameters[0].isfinite().all()
        assert (parameters[0] < 1).all()


@schedule_free
def test_a_million_steps_are_weighed_alike_in_float32(name):
    """The weight of a step is counted in units of the newest one: a sum of small numbers would drift."""
    p = nn.Parameter(torch.ones(1))
    method = ELSEWHERE[name]([p], lr=3e-4)
    p.grad = torch.ones(1)
    method.step()
    own = method.state[p]
    own["weights"].fill_(2.0**20)
    method.step()
    assert own["weights"] == 2**20 + 1


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("schedulefreesgd", {"momentum": 0.0}),
        ("schedulefreeadamw", {"betas": (0.0, 0.9)}),
        ("schedulefreeadamw", {"warmup_steps": -1}),
        ("schedulefreesgd", {"warmup_steps": 1.5}),
        ("schedulefreesgd", {"weight_lr_power": -1.0}),
    ],
)
def test_out_of_range(name, given):
    with pytest.raises(UsageError):
        TABLE[name]([nn.Parameter(torch.ones(2))], **given)
