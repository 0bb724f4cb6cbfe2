"""Products with curvature matrices: equal to the matrices themselves, and leaving everything as it was."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.functional import hessian, jacobian
from torch.func import functional_call
from torch.utils.data import DataLoader, TensorDataset

import descend
from descend.errors import DataError, UsageError
from descend.functions.curvature import Curvature
from descend.functions.curvature_kinds import INFORMED, KINDS, information, known
from descend.functions.measures import LOSSES, OfEach, huber, mae, mse
from descend.functions.networks import MLP, Transformer

Float = torch.float64


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def numbers(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=Float)


def classes(count: int, *shape: int) -> Tensor:
    return torch.randint(count, shape)


def moved(net: nn.Module) -> nn.Module:
    """Away from a start at which whole layers are zero or straight, in float64."""
    with torch.no_grad():
        for p in net.parameters():
            p.add_(0.3 * torch.randn_like(p))
    return net.to(Float)


def convolutional() -> nn.Module:
    net = nn.Sequential(
        nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Flatten()
    )
    net.append(nn.Linear(12, 3))
    net.train()(torch.randn(20, 1, 6, 6))  # so that its statistics are not those of the start
    return net


class TwoInputs(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(3, 4), nn.Linear(2, 4)

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        return torch.tanh(self.a(x)) * self.b(z)


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer, self.out = nn.LSTM(2, 3, batch_first=True), nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.layer(x)[0][:, -1])


def problem(name: str) -> descend.Problem:
    function, loss, train = {
        "tanh": lambda: (MLP([3, 4, 3], activation="tanh"), "cross_entropy", (numbers(7, 3), classes(3, 7))),
        "relu": lambda: (MLP([3, 5, 2]), "mse", (numbers(7, 3), numbers(7, 2))),
        "binary": lambda: (
            MLP([3, 4, 2], activation="gelu"),
            "binary_cross_entropy",
            (numbers(7, 3), torch.rand(7, 2, dtype=Float)),
        ),
        "convolutional": lambda: (convolutional(), "cross_entropy", (numbers(7, 1, 6, 6), classes(3, 7))),
        "transformer": lambda: (
            Transformer(3, width=4, layers=1, heads=2, context=2),
            "cross_entropy",
            (classes(3, 5, 2), classes(3, 5, 2)),
        ),
        "encoder": lambda: (
            nn.Sequential(
                nn.TransformerEncoderLayer(4, 2, 4, batch_first=True), nn.Flatten(), nn.Linear(8, 2)
            ),
            "huber",
            (numbers(5, 2, 4), numbers(5, 2)),
        ),
        "recurrent": lambda: (Recurrent(), "mse", (numbers(5, 3, 2), numbers(5, 2))),
        "two inputs": lambda: (TwoInputs(), "mse", (numbers(7, 3), numbers(7, 2), numbers(7, 4))),
    }[name]()
    return descend.Problem(moved(function), loss, train=train)


NAMES = ["tanh", "relu", "binary", "convolutional", "transformer", "encoder", "recurrent", "two inputs"]
names = pytest.mark.parametrize("name", NAMES)


class Explicit:
    """The same matrices from an explicit Hessian and explicit Jacobians, all examples at once.

    They are made row by row: torch.func.hessian goes through vmap, under which torch 2.13 differentiates
    layer_norm twice wrongly where input and weight both move (finite differences side with the rows).
    """

    def __init__(self, p: descend.Problem):
        self.loss = p.loss
        self.function = p.fresh_function().eval()
        named = {n: q.detach() for n, q in self.function.named_parameters() if q.requires_grad}
        self.at = torch.cat([q.reshape(-1) for q in named.values()])
        *self.inputs, self.target = next(iter(p.train.passes(1000, torch.device("cpu"))))

        def outputs(flat: Tensor) -> Tensor:
            parts = flat.split([q.numel() for q in named.values()])
            values = {n: part.reshape(q.shape) for (n, q), part in zip(named.items(), parts, strict=True)}
            with nn.attention.sdpa_kernel(nn.attention.SDPBackend.MATH):
                return functional_call(self.function, values, tuple(self.inputs))

        self.outputs = outputs

    def matrix(self, kind: str) -> Tensor:
        def loss(flat: Tensor) -> Tensor:
            return self.loss(self.outputs(flat), self.target)

        if kind == "hessian":
            return hessian(loss, self.at)
        outputs = self.outputs(self.at).detach()
        j = jacobian(self.outputs, self.at).flatten(0, -2)
        if kind != "empirical-fisher":
            h = hessian(lambda o: self.loss(o, self.target), outputs)
            return j.T @ h.reshape(len(j), len(j)) @ j
        own = [
            jacobian(lambda at, i=i: self.loss(self.outputs(at)[i : i + 1], self.target[i : i + 1]), self.at)
            for i in range(len(self.target))
        ]
        return torch.stack([torch.outer(g, g) for g in own]).mean(0)


@names
@pytest.mark.parametrize("kind", ["hessian", "gauss-newton", "empirical-fisher"])
def test_products_are_those_of_the_matrix(name: str, kind: str):
    p = problem(name)
    expected = Explicit(p).matrix(kind)
    for batch in (None, 4):
        found = Curvature(p, kind, batch=batch).dense()
        assert found.dtype == Float
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)
    assert (found - found.T).abs().max() < 1e-12
    if kind != "hessian":
        assert torch.linalg.eigvalsh(found).min() > -1e-12 * found.norm()


@pytest.mark.parametrize("name", ["tanh", "relu", "binary"])
def test_the_fisher_matrix_of_known_losses_is_the_gauss_newton_matrix(name: str):
    p = problem(name)
    fisher = Curvature(p, "fisher", batch=4).dense()
    torch.testing.assert_close(fisher, Curvature(p, "gauss-newton").dense(), rtol=1e-10, atol=1e-14)


def test_the_fisher_matrix_is_the_mean_over_the_functions_own_distribution():
    p = problem("tanh")
    e = Explicit(p)
    expected = torch.zeros(len(e.at), len(e.at), dtype=Float)
    for i in range(len(e.target)):
        chances = e.outputs(e.at)[i].detach().softmax(-1)
        for c, chance in enumerate(chances):
            g = jacobian(lambda at, i=i, c=c: F.cross_entropy(e.outputs(at)[i], torch.tensor(c)), e.at)
            expected += chance * torch.outer(g, g) / len(e.target)
    torch.testing.assert_close(Curvature(p, "fisher").dense(), expected, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("loss", [mse, mae, huber], ids=lambda loss: loss.__name__)
def test_the_information_of_a_number_is_that_of_its_density(loss):
    x = torch.linspace(-40, 40, 800_001, dtype=Float).requires_grad_()
    value = {
        "mse": lambda x: x.square(),
        "mae": lambda x: x.abs(),
        "huber": lambda x: F.huber_loss(x, 0 * x, reduction="none"),
    }
    energy = value[loss.__name__](x)
    (slope,) = torch.autograd.grad(energy.sum(), x)
    chance = (-energy).exp().detach()
    expected = float((slope.square() * chance).sum() / chance.sum())
    assert information(loss) == pytest.approx(expected, rel=1e-4)


def test_losses_are_known_in_torchs_forms_too():
    assert information(nn.MSELoss()) == information(F.mse_loss) == information(OfEach(mse)) == 2
    assert information(nn.CrossEntropyLoss()) is None
    x, y = numbers(5, 2), classes(3, 5)
    weighted = nn.CrossEntropyLoss(weight=torch.ones(3, dtype=Float))
    with pytest.raises(UsageError, match="sample="):
        Curvature(descend.Problem(moved(MLP([2, 3])), weighted, train=(x, y)), "fisher")


def test_a_sampled_fisher_matrix_comes_to_the_exact_one():
    p = problem("tanh")
    exact = Curvature(p, "fisher").dense()

    def sample(outputs: Tensor, generator: torch.Generator) -> Tensor:
        return torch.multinomial(outputs.softmax(-1), 1, generator=generator)[:, 0]

    errors = []
    for draws in (10, 400):
        sampled = Curvature(p, "fisher", sample=sample, draws=draws, batch=3)
        v = numbers(sampled.shape[0])
        assert torch.equal(sampled @ v, sampled @ v)  # the same targets each time
        errors.append(float((sampled.dense() - exact).norm() / exact.norm()))
    assert errors[1] < errors[0] / 3 and errors[1] < 0.1
    assert not torch.allclose(sampled @ v, Curvature(p, "fisher", sample=sample, draws=400, seed=1) @ v)


@pytest.mark.parametrize("kind", ["hessian", "gauss-newton", "empirical-fisher"])
def test_curvlinops_agrees(kind: str):
    curvlinops = pytest.importorskip("curvlinops")
    form = {
        "hessian": curvlinops.HessianLinearOperator,
        "gauss-newton": curvlinops.GGNLinearOperator,
        "empirical-fisher": curvlinops.EFLinearOperator,
    }[kind]
    p = problem("tanh")
    x, y = p.train.tensors  # type: ignore[attr-defined]
    parameters = list(p.function.parameters())
    theirs = form(p.function, nn.CrossEntropyLoss(), parameters, [(x[:4], y[:4]), (x[4:], y[4:])])
    v = numbers(p.count, 2)
    torch.testing.assert_close(Curvature(p, kind) @ v, (theirs @ v).detach(), rtol=1e-10, atol=1e-12)


def test_a_function_that_is_its_own_loss_has_a_hessian_alone():
    def rosenbrock(at):
        x, y = at["x"], at["y"]
        return (1 - x) ** 2 + 100 * (y - x**2) ** 2

    start = {"x": torch.tensor(-1.2, dtype=Float), "y": torch.tensor(1.0, dtype=Float)}
    p = descend.Problem(rosenbrock, parameters=start)
    expected = torch.tensor([[2 + 1200 * 1.44 - 400, 480], [480, 200]], dtype=Float)
    torch.testing.assert_close(Curvature(p).dense(), expected)
    for kind in set(KINDS) - {"hessian"}:
        with pytest.raises(UsageError, match="its own loss"):
            Curvature(p, kind)


# Forms of vectors and places ---------------------------------------------------------------------
def test_vectors_come_flat_as_columns_or_by_name():
    p = problem("tanh")
    curvature = Curvature(p)
    v = numbers(curvature.shape[0], 3)
    together = curvature @ v
    assert curvature.products == 3
    for column, product in zip(v.T, together.T, strict=True):
        torch.testing.assert_close(curvature @ column, product)
    named = {n: torch.ones_like(q) for n, q in p.function.named_parameters()}
    product = curvature @ named
    assert list(product) == curvature.names and all(product[n].shape == named[n].shape for n in named)
    flat = torch.cat([t.reshape(-1) for t in product.values()])
    torch.testing.assert_close(flat, curvature @ torch.ones(curvature.shape[0], dtype=Float))


def test_it_is_taken_where_it_is_said():
    p = problem("tanh")
    other = moved(p.fresh_function())
    there = Curvature(p, at=other)
    v = numbers(there.shape[0])
    before = there @ v
    values = {n: q.detach().clone() for n, q in other.named_parameters()}
    torch.testing.assert_close(Curvature(p, at=values) @ v, before)
    assert not torch.allclose(Curvature(p) @ v, before)
    other.load_state_dict(p.function.state_dict())
    torch.testing.assert_close(there @ v, Curvature(p) @ v)  # where the module is now


def test_frozen_parameters_are_left_out_and_shared_ones_count_once():
    net = moved(MLP([3, 4, 3], activation="tanh"))
    whole = descend.Problem(net, "cross_entropy", train=(numbers(7, 3), classes(3, 7)))
    dense = Curvature(whole).dense()
    first = next(net.parameters())
    first.requires_grad_(False)
    part = Curvature(whole)
    torch.testing.assert_close(part.dense(), dense[first.numel() :, first.numel() :])
    assert "linear1.weight" not in part.names and len(part.names) == 3
    tied = problem("transformer")
    assert Curvature(tied).shape[0] == tied.count == sum(p.numel() for p in tied.function.parameters())


def test_other_parts_of_the_data():
    x, y = numbers(8, 3), classes(3, 8)
    net = moved(MLP([3, 4, 3]))
    p = descend.Problem(net, "cross_entropy", train=(x[:5], y[:5]), validation=(x[5:], y[5:]))
    v = numbers(p.count)
    validation = Curvature(p, data="validation") @ v
    torch.testing.assert_close(validation, Curvature(p, data=(x[5:], y[5:])) @ v)
    both = Curvature(p, data=(x, y)) @ v
    torch.testing.assert_close(both, (5 * (Curvature(p) @ v) + 3 * validation) / 8)
    with pytest.raises(UsageError, match="train, validation"):
        Curvature(p, data="test")


def test_narrow_parameters_have_wider_vectors():
    p = problem("tanh")
    narrow = descend.Problem(
        p.fresh_function().bfloat16(),
        "cross_entropy",
        train=(p.train.tensors[0].bfloat16(), p.train.tensors[1]),
    )  # type: ignore[attr-defined]
    curvature = Curvature(narrow)
    v = torch.randn(curvature.shape[0])
    product = curvature @ v
    assert curvature.dtype == product.dtype == torch.float32
    exact = Curvature(p) @ v
    assert (product - exact).norm() < 0.05 * exact.norm()


# Nothing is disturbed ----------------------------------------------------------------------------
@pytest.mark.parametrize("kind", list(KINDS))
def test_everything_is_left_as_it_was(kind: str):
    net = nn.Sequential(convolutional(), nn.Dropout(0.5)).to(Float)
    x, y = numbers(7, 1, 6, 6), classes(3, 7)
    p = descend.Problem(net, "cross_entropy", train=(x, y))
    net.train()
    net[0][1].eval()
    p.loss_of(net, (x, y)).backward()
    modes = [m.training for m in net.modules()]
    state = {k: v.clone() for k, v in net.state_dict().items()}
    gradients = [q.grad.clone() for q in net.parameters()]
    curvature = Curvature(p, kind, batch=3)
    v = numbers(curvature.shape[0])
    random = torch.get_rng_state()
    product = curvature @ v
    assert torch.equal(torch.get_rng_state(), random)
    assert [m.training for m in net.modules()] == modes
    assert all(torch.equal(value, state[k]) for k, value in net.state_dict().items())
    assert all(torch.equal(q.grad, g) for q, g in zip(net.parameters(), gradients, strict=True))
    assert not product.requires_grad and torch.equal(curvature @ v, product)
    with pytest.raises(RuntimeError):
        Curvature(p, kind, data=(x[:, :, :2], y)) @ v
    assert [m.training for m in net.modules()] == modes


def test_a_loader_keeps_its_place():
    x, y = numbers(9, 3), classes(3, 9)
    generator = torch.Generator().manual_seed(3)
    loader = DataLoader(TensorDataset(x, y), batch_size=4, shuffle=True, generator=generator)
    net = moved(MLP([3, 4, 3]))
    v = numbers(sum(q.numel() for q in net.parameters()))
    curvature = Curvature(descend.Problem(net, "cross_entropy", train=loader))
    before, outside = generator.get_state(), torch.get_rng_state()
    product = curvature @ v
    assert torch.equal(generator.get_state(), before) and torch.equal(torch.get_rng_state(), outside)
    whole = Curvature(descend.Problem(net, "cross_entropy", train=(x, y))) @ v
    torch.testing.assert_close(product, whole)


def test_fused_recurrent_layers_are_avoided_for_as_long_as_it_takes():
    p = descend.Problem(Recurrent(), "mse", train=(torch.randn(5, 3, 2), torch.randn(5, 2)))
    wide = descend.Problem(
        p.fresh_function().double(), "mse", train=tuple(t.double() for t in p.train.tensors)
    )  # type: ignore[attr-defined]
    before = torch.backends.mkldnn.enabled
    v = torch.randn(p.count)
    torch.testing.assert_close(Curvature(p) @ v, (Curvature(wide) @ v).float(), rtol=1e-4, atol=1e-5)
    assert torch.backends.mkldnn.enabled == before


class Noisy(MLP):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x + torch.randn_like(x))


def test_a_function_that_draws_draws_the_same():
    p = descend.Problem(moved(Noisy([3, 4, 3])), "cross_entropy", train=(numbers(7, 3), classes(3, 7)))
    dense = Curvature(p, batch=3).dense()
    assert (dense - dense.T).abs().max() < 1e-12
    v = numbers(p.count)
    torch.testing.assert_close(Curvature(p, batch=3) @ v, dense @ v)


# Errors ------------------------------------------------------------------------------------------
def test_errors_say_what_to_do():
    p = problem("tanh")
    with pytest.raises(UsageError, match="did you mean hessian"):
        Curvature(p, "hesian")
    with pytest.raises(UsageError, match="own parameters"):
        Curvature(p, at=MLP([3, 5, 3]))
    with pytest.raises(UsageError, match="own parameters"):
        Curvature(p, at={"no": torch.zeros(3)})
    with pytest.raises(UsageError, match=r"a vector \(31,\)"):
        Curvature(p) @ torch.zeros(30)
    with pytest.raises(UsageError, match=r"shapes for linear1\.weight"):
        Curvature(p) @ {"linear1.weight": torch.zeros(4, 3)}
    with pytest.raises(UsageError, match="at least 1"):
        Curvature(p, batch=0)
    x, y = p.train.tensors  # type: ignore[attr-defined]
    unreduced = descend.Problem(p.function, nn.CrossEntropyLoss(reduction="none"), train=(x, y))
    with pytest.raises(DataError, match="one number"):
        Curvature(unreduced) @ numbers(31)
    summed = descend.Problem(
        nn.Sequential(nn.Flatten(0), nn.Linear(21, 3)).to(Float), F.mse_loss, train=(x, y)
    )
    with pytest.raises(DataError, match="first dimension counts 7"):
        Curvature(summed, "gauss-newton") @ numbers(66)
    with torch.no_grad():
        p.function[0].weight[0, 0] = math.nan
    with pytest.raises(DataError, match="finite products"):
        Curvature(p).top(1)


def test_a_matrix_too_large_is_not_written_down():
    p = descend.Problem(nn.Linear(200, 60), "mse", train=(torch.zeros(1, 200), torch.zeros(1, 60)))
    with pytest.raises(UsageError, match="at most 10000"):
        Curvature(p).dense()


# What they tell ----------------------------------------------------------------------------------
def test_large_vectors_take_few_by_themselves(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("descend.functions.lanczos.ROOM", 0)
    p = problem("tanh")
    found = Curvature(p).top(3)
    expected = torch.linalg.eigvalsh(Explicit(p).matrix("hessian")).flip(0)[:3]
    torch.testing.assert_close(found.values, expected, rtol=1e-6, atol=0)
    assert found.converged


@pytest.mark.parametrize("kind", ["hessian", "gauss-newton"])
def test_what_products_tell_is_what_the_matrix_says(kind: str):
    p = problem("tanh")
    curvature = Curvature(p, kind)
    dense = Explicit(p).matrix(kind)
    truth = torch.linalg.eigvalsh(dense)
    top = curvature.top(4, vectors=True, tolerance=1e-9)
    torch.testing.assert_close(top.values, truth.flip(0)[:4])
    assert top.vectors is not None
    torch.testing.assert_close(dense @ top.vectors, top.vectors * top.values, rtol=0, atol=1e-8)
    torch.testing.assert_close(curvature.top(2, "smallest").values, truth[:2], rtol=0, atol=1e-9)
    trace = curvature.trace(24)
    assert abs(trace.value - float(dense.trace())) < 4 * trace.error + 1e-12
    diagonal = curvature.diagonal(30)
    assert ((diagonal.value - dense.diagonal()).abs() < 5 * diagonal.error + 1e-12).all()
    torch.testing.assert_close(curvature.diagonal(31).value, dense.diagonal(), rtol=1e-10, atol=1e-14)
    before = curvature.products
    density = curvature.density(20, 4)
    assert curvature.products - before == density.products == 80
    smooth = torch.exp(-0.5 * ((density.grid[:, None] - truth) / density.width) ** 2).mean(1)
    off = (density.values - smooth / (density.width * math.sqrt(2 * math.pi))).abs()
    assert (off < 5 * density.error + 1e-3 * density.values.max()).all()


def test_every_loss_by_name_is_known_or_refused():
    assert {name for name, loss in LOSSES.items() if known(loss)} == set(INFORMED)
    own = {name for name in INFORMED if information(LOSSES[name]) is None}
    assert own == {"cross_entropy", "binary_cross_entropy"}
