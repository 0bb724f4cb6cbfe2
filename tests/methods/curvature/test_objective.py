"""What a method may ask, against torch.func's explicit matrices in float64."""

import pytest
import torch
from torch import nn

from descend.errors import UsageError
from descend.methods.curvature.objective import Objective


def network(seed: int = 0) -> tuple[nn.Module, torch.Tensor, torch.Tensor]:
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double()
    return model, torch.randn(7, 3, dtype=torch.float64), torch.randn(7, 2, dtype=torch.float64)


def asked(model, x, y, **more) -> Objective:
    return Objective(
        list(model.parameters()),
        lambda: (model(x) - y).square().mean(),
        outputs=lambda: model(x),
        loss_of=lambda out: (out - y).square().mean(),
        residuals=lambda: model(x) - y,
    )


def flat(model, x):
    """Return the outputs as a function of one vector, and the vector."""
    names, shapes = zip(*[(n, p.shape) for n, p in model.named_parameters()], strict=True)
    w = torch.cat([p.detach().reshape(-1) for p in model.parameters()])
    sizes = [s.numel() for s in shapes]

    def outputs(w):
        values = {n: v.view(s) for n, v, s in zip(names, w.split(sizes), shapes, strict=True)}
        return torch.func.functional_call(model, values, (x,))

    return outputs, w


def whole(objective: Objective, product) -> torch.Tensor:
    rows = [
        torch.cat([p.reshape(-1) for p in product(e)])
        for e in torch.eye(objective.count, dtype=torch.float64)
    ]
    return torch.stack(rows)


def test_value_and_gradient() -> None:
    model, x, y = network()
    objective = asked(model, x, y)
    outputs, w = flat(model, x)
    sure, g = torch.func.grad_and_value(lambda w: (outputs(w) - y).square().mean())(w)[::-1]
    value, gradient = objective.gradient()
    assert value == pytest.approx(sure.item(), rel=1e-14)
    assert torch.allclose(gradient, g, rtol=1e-12)
    assert objective.evaluations == 1


def test_a_closure_may_call_backward() -> None:
    model, x, y = network()

    def closure():
        loss = (model(x) - y).square().mean()
        loss.backward()
        return loss

    value, gradient = Objective(list(model.parameters()), closure).gradient()
    sure, g = asked(model, x, y).gradient()
    assert value == sure and torch.equal(gradient, g)


def test_hessian_and_gauss_newton() -> None:
    model, x, y = network()
    objective = asked(model, x, y)
    outputs, w = flat(model, x)
    _, pieces, product = objective.hessian()
    H = torch.func.hessian(lambda w: (outputs(w) - y).square().mean())(w)
    assert torch.allclose(whole(objective, product), H, atol=1e-12)
    J = torch.func.jacrev(outputs)(w).flatten(0, 1)
    g = torch.cat([x.reshape(-1) for x in pieces])
    _, pieces, product = objective.gauss_newton()
    again = torch.cat([x.reshape(-1) for x in pieces])
    assert torch.allclose(whole(objective, product), 2 / y.numel() * J.T @ J, atol=1e-12)
    assert torch.allclose(g, again, rtol=1e-12)
    assert objective.products == 2 * objective.count


def test_gauss_newton_of_cross_entropy() -> None:
    model, x, _ = network()
    target = torch.tensor([0, 1, 1, 0, 1, 0, 0])
    loss = nn.functional.cross_entropy
    objective = Objective(
        list(model.parameters()), lambda: loss(model(x), target), outputs=lambda: model(x),
        loss_of=lambda out: loss(out, target),
    )  # fmt: skip
    outputs, w = flat(model, x)
    J = torch.func.jacrev(outputs)(w).flatten(0, 1)
    L = torch.func.hessian(lambda o: loss(o.view(7, 2), target))(outputs(w).flatten())
    _, _, product = objective.gauss_newton()
    assert torch.allclose(whole(objective, product), J.T @ L @ J, atol=1e-12)


@pytest.mark.parametrize("rows", [2, 40])
def test_jacobian_of_few_and_of_many_residuals(rows: int) -> None:
    model, _, _ = network()
    x, y = torch.randn(rows, 3, dtype=torch.float64), torch.randn(rows, 2, dtype=torch.float64)
    r, J = asked(model, x, y).jacobian()
    outputs, w = flat(model, x)
    assert torch.allclose(J, torch.func.jacrev(outputs)(w).flatten(0, 1), rtol=1e-12, atol=1e-14)
    assert torch.equal(r, (model(x) - y).detach().flatten())


class NoBatches(torch.autograd.Function):
    """A square whose derivatives vmap knows nothing of."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 2 * x * g


def test_an_operation_without_batches_is_asked_one_by_one() -> None:
    w = nn.Parameter(torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64))
    _, J = Objective([w], lambda: None, residuals=lambda: torch.cat([NoBatches.apply(w), w])).jacobian()
    assert torch.equal(J, torch.cat([torch.diag(2 * w.detach()), torch.eye(3, dtype=torch.float64)]))


def test_what_a_loss_does_not_depend_on_has_a_gradient_of_zero() -> None:
    a, b = (nn.Parameter(torch.ones(2, dtype=torch.float64)) for _ in range(2))
    objective = Objective([a, b], lambda: (a * a).sum(), residuals=lambda: a * torch.ones(3, 1))
    assert objective.gradient()[1].tolist() == [2, 2, 0, 0]
    _, _, product = objective.hessian()
    assert whole(objective, product).diagonal().tolist() == [2, 2, 0, 0]
    assert objective.jacobian()[1][:, 2:].abs().sum() == 0


def test_a_straight_function_has_no_curvature() -> None:
    a = nn.Parameter(torch.ones(2))
    _, _, product = Objective([a], lambda: (3 * a).sum()).hessian()
    assert product(torch.ones(2))[0].tolist() == [0, 0]


def test_what_cannot_be_asked_is_said() -> None:
    a = nn.Parameter(torch.ones(2))
    with pytest.raises(UsageError, match="mean of squares"):
        Objective([a], lambda: a.sum()).residuals()
    with pytest.raises(UsageError, match="outputs"):
        Objective([a], lambda: a.sum()).gauss_newton()
