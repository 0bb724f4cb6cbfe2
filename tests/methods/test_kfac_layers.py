"""What layers give to K-FAC: their rows against explicit ones, and the manners of a listener."""

import copy
import gc
import pickle

import pytest
import torch
import torch.nn.functional as F
from layered import (
    CONVOLUTIONS,
    FIXED,
    PLAIN,
    WAYS,
    descended,
    examples,
    gradients,
    homogeneous,
    network,
    same,
)
from torch import nn
from torch.utils.checkpoint import checkpoint

from descend.errors import UsageError
from descend.functions.measures import LOSSES
from descend.methods.kfac import KFAC
from descend.methods.kfac_rows import drawn, every, inputs_of, outputs_of, random_signs


# Rows ---------------------------------------------------------------------------------------------
@pytest.mark.filterwarnings("ignore:Using padding")
@pytest.mark.parametrize(
    ("layer", "shape"), CONVOLUTIONS, ids=lambda x: str(x) if isinstance(x, tuple) else ""
)
def test_a_convolution_is_a_matrix_times_patches(layer, shape):
    layer = copy.deepcopy(layer).double()
    x = torch.randn(shape, dtype=torch.float64)
    y = layer(x)
    rows = inputs_of(layer, x, torch.inf)
    again = rows @ layer.weight.flatten(1).T + (0 if layer.bias is None else layer.bias)
    sure, share = outputs_of(layer, y, torch.inf)
    torch.testing.assert_close(again, sure)
    assert share == 1


def test_a_convolutions_products():
    """Against patches cut out in plain loops; the loss is a mean, d the gradient of one example's share."""
    layer = CONVOLUTIONS[0][0]
    layer = copy.deepcopy(layer).double()
    x = torch.randn(4, 2, 5, 6, dtype=torch.float64)
    opt = KFAC(layer, lr=0.0, **PLAIN)
    y = layer(x)
    y.retain_grad()
    gradients(layer, y.square().flatten(1).sum(1).mean())
    opt.step()
    padded, rows, behind = F.pad(x, (1, 1, 1, 1)), [], []
    for n in range(4):
        for i in range(y.shape[2]):
            for j in range(y.shape[3]):
                rows.append(padded[n, :, i : i + 3, j : j + 2].flatten())
                behind.append(4 * y.grad[n, :, i, j])
    a, d = homogeneous(torch.stack(rows)), torch.stack(behind)
    own = opt.state[layer.weight]
    torch.testing.assert_close(own["inputs"], a.T @ a / len(a))
    torch.testing.assert_close(own["outputs"], d.T @ d / 4)


@pytest.mark.parametrize("sharing", ["expand", "reduce"])
def test_positions_of_a_sequence(sharing):
    layer = nn.Linear(3, 2).double()
    x = torch.randn(5, 7, 3, dtype=torch.float64)
    opt = KFAC(layer, lr=0.0, sharing=sharing, **PLAIN)
    y = layer(x)
    y.retain_grad()
    gradients(layer, y.mean(1).square().sum(1).mean())
    terms = 35  # an output of three dimensions has a term of the loss at each position
    opt.step()
    if sharing == "expand":
        a, d = homogeneous(x).flatten(0, 1), terms * y.grad.flatten(0, 1)
    else:
        a, d = homogeneous(x).mean(1), terms * y.grad.sum(1)
    own = opt.state[layer.weight]
    torch.testing.assert_close(own["inputs"], a.T @ a / len(a))
    torch.testing.assert_close(own["outputs"], d.T @ d / terms)


def test_a_layer_that_is_called_twice_has_rows_of_both_calls():
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.last = nn.Linear(3, 3).double(), nn.Linear(3, 1).double()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.first = self.layer(x)
            self.second = self.layer(self.first.tanh())
            return self.last(self.second)

    model, (x, y) = Twice(), examples()
    opt = KFAC(model, lr=0.0, loss="mse")
    out = model(x)
    behind = torch.autograd.grad(out.sum() * 2**0.5, [model.first, model.second], retain_graph=True)
    gradients(model, F.mse_loss(out, y))
    opt.step()
    own = opt.state[model.layer.weight]
    a, d = homogeneous(torch.cat([x, model.first.tanh()])), torch.cat(behind)
    torch.testing.assert_close(own["inputs"], a.T @ a / len(a))
    torch.testing.assert_close(own["outputs"], d.T @ d / len(x))


def test_few_rows_stand_for_many():
    layer = nn.Conv2d(2, 3, 3)
    x, d = torch.ones(64, 2, 18, 18), torch.ones(64, 3, 16, 16)
    rows, (behind, share) = inputs_of(layer, x, 2000), outputs_of(layer, d, 2000)
    assert rows.shape[:2] == behind.shape[:2]
    assert 1000 < rows.shape[:2].numel() <= 2100
    assert share * behind.sum() == d.sum()
    assert every(10, 1, 3) == (1, 1)  # so few examples are all taken
    assert every(64, 1, 3) == (2, 1)


# Gradients drawn ----------------------------------------------------------------------------------
def test_random_signs():
    like = torch.empty(100, 33, dtype=torch.float64)
    signs = random_signs(like, 3)
    assert signs.shape == like.shape and signs.dtype == like.dtype
    assert sorted(signs.unique().tolist()) == [-1, 1]
    assert torch.equal(signs, random_signs(like, 3)) and not torch.equal(signs, random_signs(like, 4))
    # The mean of n signs is within five deviations, 1/√n; so are the means of products with all neighbours.
    assert abs(signs.mean()) < 5 / 3300**0.5
    assert abs((signs[1:] * signs[:-1]).mean()) < 5 / 3267**0.5
    assert abs((signs[:, 1:] * signs[:, :-1]).mean()) < 5 / 3200**0.5
    assert not random_signs(torch.empty(0), 0).numel()


@pytest.mark.parametrize(
    ("loss", "shape"),
    [
        ("cross_entropy", (2, 3)),
        ("cross_entropy", (1, 2, 3)),
        ("cross_entropy", (1, 3, 1, 2)),
        ("mse", (2, 3)),
        ("mse", (4,)),
        ("binary_cross_entropy", (2, 3)),
    ],
)
def test_the_products_of_drawn_gradients_are_the_hessian(loss, shape):
    """The mean over 4000 draws is within five standard errors of the loss's own second derivative."""
    torch.manual_seed(0)
    output = torch.randn(shape, dtype=torch.float64)
    if loss == "cross_entropy":
        numbers = torch.zeros(
            [n for i, n in enumerate(shape) if i != (1 if len(shape) > 3 else len(shape) - 1)]
        )
        target = numbers.long()
        function = F.cross_entropy if len(shape) > 3 else LOSSES[loss]
    else:
        target, function = torch.rand(shape, dtype=torch.float64), LOSSES[loss]
    n = output.numel()
    sure = torch.autograd.functional.hessian(lambda z: function(z, target), output).view(n, n)
    each = []
    for seed in range(4000):
        d, terms = drawn(loss, output, seed)
        each.append(torch.outer(d.flatten(), d.flatten()) / terms)
    found = torch.stack(each)
    # Different terms' answers are independent: their products vanish on average.
    error = found.std(0) / len(each) ** 0.5
    assert ((found.mean(0) - sure).abs() <= 5 * error + 1e-12).all()


@pytest.mark.parametrize("sharing", ["expand", "reduce"])
@pytest.mark.parametrize("together", [True, False])
def test_agrees_with_curvlinops(sharing, together):
    """Their empirical Fisher of a convolutional network, as one linear operator."""
    curvlinops = pytest.importorskip("curvlinops")
    torch.manual_seed(0)
    layers = [nn.Conv2d(2, 3, 3, padding=1, bias=together), nn.ReLU(), nn.Flatten()]
    model = nn.Sequential(*layers, nn.Linear(48, 4, bias=together)).double()
    x, y = torch.randn(6, 2, 4, 4, dtype=torch.float64), torch.arange(6) % 4
    parameters = list(model.parameters())
    theirs = curvlinops.KFACLinearOperator(
        model,
        nn.CrossEntropyLoss(),
        parameters,
        [(x, y)],
        fisher_type="empirical",
        kfac_approx=sharing,
        separate_weight_and_bias=False,
        check_deterministic=False,
    )
    opt = KFAC(model, lr=0.0, sharing=sharing, **PLAIN)
    gradients(model, F.cross_entropy(model(x), y))
    opt.step()
    vectors = [torch.randn_like(p) for p in parameters]
    found = theirs @ vectors
    for i, layer in enumerate((model[0], model[3])):
        own, k = opt.state[layer.weight], i * (1 + together)
        v = vectors[k].flatten(1)
        v = torch.cat([v, vectors[k + 1][:, None] if together else torch.zeros_like(v[:, :1])], 1)
        mine = own["outputs"] @ v @ own["inputs"]
        torch.testing.assert_close(mine[:, :-1].view_as(vectors[k]), found[k])
        if together:
            torch.testing.assert_close(mine[:, -1], found[k + 1])


# Which parameters ---------------------------------------------------------------------------------
@pytest.mark.parametrize(("given", "lr"), [(FIXED, 9e-4), ({"loss": "cross_entropy"}, 1e-3)], ids=str)
def test_what_is_in_no_layer_goes_to_adamw(given, lr):
    class Mixed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding, self.norm = nn.Embedding(5, 4), nn.LayerNorm(4)
            self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
            self.conv, self.apart = nn.Conv1d(4, 4, 1), nn.Conv1d(4, 4, 1, groups=2)
            self.scale = nn.Parameter(torch.ones(4))
            self.one, self.head = nn.Linear(4, 4), nn.Linear(4, 5)
            self.head.weight = self.embedding.weight

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.norm(self.embedding(x)) * self.scale
            x = x + self.attention(x, x, x)[0]
            x = self.apart(self.conv(x.mT)).mT
            return self.head(self.one(x))

    model = Mixed()
    opt = KFAC(model, **given)
    mine, adamw = opt.param_groups
    assert mine["param_names"] == ["conv.weight", "conv.bias", "one.weight", "one.bias"]
    assert adamw["method"] == "adamw" and adamw["lr"] == pytest.approx(lr)
    assert adamw["weight_decay"] == 0
    assert len(mine["params"]) + len(adamw["params"]) == len(list(model.parameters()))
    assert {row["method"] for row in opt.routing} == {"kfac", "adamw"}
    x = torch.arange(20).view(4, 5) % 5
    before = [p.detach().clone() for p in model.parameters()]
    gradients(model, F.cross_entropy(model(x).flatten(0, 1), x.flatten()))
    opt.step()
    assert all(not torch.equal(p, b) for p, b in zip(model.parameters(), before, strict=True))


def test_groups_of_its_own():
    model, (x, y) = network(3, 4, 1), examples()
    groups = [
        {"params": [model[0].weight, model[2].weight], "weight_decay": 0.5},
        {"params": [model[0].bias]},
    ]
    opt = KFAC(groups, model=model, loss="mse")
    gradients(model, F.mse_loss(model(x), y))
    before = model[2].bias.detach().clone()
    opt.step()
    assert torch.equal(model[2].bias, before)  # it was not given
    assert opt.state[model[2].weight]["inputs"][-1].count_nonzero() == 0  # and so its layer has none
    assert opt.state[model[0].weight]["inputs"][-1, -1] == 1


def test_what_it_cannot_be_made_of():
    with pytest.raises(UsageError, match="a module, to whose layers it can listen"):
        KFAC(network(3, 1).parameters())
    with pytest.raises(UsageError, match="Linear, Conv1d or Conv2d"):
        KFAC(nn.LayerNorm(3), loss="mse")
    with pytest.raises(UsageError, match="capturable"):
        KFAC(network(3, 1), loss="mse", capturable=True)
    with pytest.raises(UsageError, match="the loss, where momentum=None"):
        KFAC(network(3, 1))
    with pytest.raises(UsageError, match="loss: empirical or cross_entropy"):
        KFAC(network(3, 1), loss="hinge")


@pytest.mark.parametrize("given", [FIXED, {"loss": "mse"}], ids=str)
def test_a_module_whose_parts_are_called(given):
    model, (x, y) = network(3, 4, 1), examples()
    opt = KFAC(model, **given)
    gradients(model, F.mse_loss(model[2](model[1](model[0](x))), y))
    before = [p.detach().clone() for p in model.parameters()]
    with pytest.raises(UsageError, match="call the module itself"):
        opt.step()
    assert all(torch.equal(p, b) for p, b in zip(model.parameters(), before, strict=True))


def test_a_model_that_returns_no_tensor():
    class Two(nn.Module):
        def __init__(self, made: type) -> None:
            super().__init__()
            self.layer, self.made = nn.Linear(3, 1).double(), made

        def forward(self, x: torch.Tensor) -> object:
            return self.made([self.layer(x)])

    x, _ = examples()
    model = Two(tuple)
    opt = KFAC(model, loss="mse")
    gradients(model, model(x)[0].square().mean())
    opt.step()
    model = Two(set)
    opt = KFAC(model, loss="mse")
    with pytest.raises(UsageError, match="returns a tensor"):
        model(x)


# Listening ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("given", WAYS, ids=str)
def test_other_passes_are_not_heard(given):
    x, y = examples(classes=2)
    other_x, other_y = examples(classes=2, seed=9)
    models = []
    for noise in (False, True):
        model = network(3, 4, 2)
        opt = KFAC(model, **given, update_period=1)
        for _ in range(4):
            if noise:
                F.cross_entropy(model(other_x), other_y)  # led to nothing
                model.zero_grad()
            gradients(model, F.cross_entropy(model(x), y))
            if noise:
                with torch.no_grad():
                    model(other_x)
                model.eval()
                z = other_x.clone().requires_grad_()
                torch.autograd.grad(F.cross_entropy(model(z), other_y), z)
                model.train()
                copied = copy.deepcopy(model)
                F.cross_entropy(copied(other_x), other_y).backward()
                parameters = {n: p.detach() for n, p in model.named_parameters()}
                torch.func.functional_call(model, parameters, (z,)).sum().backward()
            opt.step()
        models.append(model)
    assert same(*models)


@pytest.mark.parametrize("given", WAYS, ids=str)
def test_gradients_and_random_numbers_stay_as_they_were(given):
    x, y = examples(classes=2)
    model, other = network(3, 4, 2), network(3, 4, 2)
    opt = KFAC(model, **given)
    random = torch.get_rng_state()
    gradients(model, F.cross_entropy(model(x), y))
    gradients(other, F.cross_entropy(other(x), y))
    assert torch.equal(torch.get_rng_state(), random)
    given = [p.grad for p in model.parameters()]
    opt.step()
    assert all(p.grad is g for p, g in zip(model.parameters(), given, strict=True))
    assert all(torch.equal(g, p.grad) for g, p in zip(given, other.parameters(), strict=True))


def test_hooks_go_when_the_optimizer_goes():
    model = network(3, 4, 2)

    def hooks() -> int:
        return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())

    opt = KFAC(model, loss="cross_entropy")
    assert hooks() == 4
    opt.attach(model)
    assert hooks() == 4
    del opt
    gc.collect()
    assert hooks() == 0


def test_a_module_is_copied_and_pickled_with_its_hooks():
    model, x = network(3, 4, 2), examples()[0]
    opt = KFAC(model, loss="cross_entropy")
    descended(model, opt, 1)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(other(x), model(x))


def test_in_place_functions_and_checkpoints():
    """Rectified in place, an output is no more what it was; a pass that is made again is not a new one."""

    class Network(nn.Module):
        def __init__(self, plain: bool) -> None:
            super().__init__()
            self.body, self.plain = network(3, 4, 4), plain
            self.head = nn.Linear(4, 1).double()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if self.plain:
                return self.head(self.body(x).relu())
            return self.head(checkpoint(self.body, x, use_reentrant=False).relu_())

    for given in (FIXED, {**FIXED, "loss": "mse"}, {"loss": "mse"}):
        found = []
        for plain in (True, False):
            model, (x, y) = Network(plain), examples()
            with torch.no_grad():
                model.head.weight.fill_(1.0)
                model.head.bias.zero_()
            opt = KFAC(model, **given)
            gradients(model, F.mse_loss(model(x), y))
            opt.step()
            found.append(model)
        for p, q in zip(found[0].parameters(), found[1].parameters(), strict=True):
            torch.testing.assert_close(p, q)


@pytest.mark.parametrize("given", [FIXED, {"lr": 0.5}], ids=str)
def test_accumulated_batches_are_one_large_batch(given):
    """One output under mse: the signs that are drawn do not matter."""
    model, (x, y) = network(3, 4, 1), examples()
    other = copy.deepcopy(model)
    opt, sure = (KFAC(m, **given, loss="mse", update_period=1) for m in (model, other))
    for _ in range(3):
        opt.zero_grad()
        for part in (slice(0, 4), slice(4, 8), slice(8, 12)):
            (F.mse_loss(model(x[part]), y[part]) / 3).backward()
        opt.step()
        gradients(other, F.mse_loss(other(x), y))
        sure.step()
    for p, q in zip(model.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(p, q)


@pytest.mark.parametrize("given", WAYS, ids=str)
def test_a_closure(given):
    model, other, (x, y) = network(3, 4, 2), network(3, 4, 2), examples(classes=2)
    opt, sure = KFAC(model, **given), KFAC(other, **given)

    def closure() -> torch.Tensor:
        loss = F.cross_entropy(model(x), y)
        gradients(model, loss)
        return loss

    for _ in range(3):
        loss = opt.step(closure)
        gradients(other, F.cross_entropy(other(x), y))
        sure.step()
    assert loss.item() < 1
    assert same(model, other)


def test_in_bfloat16_products_are_summed_in_float32():
    model, (x, y) = network(3, 40, 1).float(), examples()
    x, y = x.float(), y.float()
    opt = KFAC(model, lr=0.0, loss="mse", **PLAIN)
    with torch.autocast("cpu", torch.bfloat16):
        out = model(x)
    gradients(model, F.mse_loss(out.float(), y))
    opt.step()
    own = opt.state[model[0].weight]
    assert own["inputs"].dtype == torch.float32
    a = homogeneous(x)
    torch.testing.assert_close(own["inputs"], a.T @ a / len(a))


def test_parameters_in_bfloat16():
    torch.manual_seed(0)
    model = nn.Linear(3, 1).bfloat16()
    x, y = (z.bfloat16() for z in examples(64))
    opt = KFAC(model, lr=0.5, momentum=0.0, kl_clip=0.0, loss="mse", parameter_format="bfloat16+16")
    losses = []
    for _ in range(30):
        loss = F.mse_loss(model(x).float(), y.float())
        gradients(model, loss)
        opt.step()
        losses.append(loss.item())
    best = torch.linalg.lstsq(homogeneous(x.float()), y.float())
    sure = (homogeneous(x.float()) @ best.solution - y.float()).square().mean()
    assert losses[-1] < sure + 0.02
    assert opt.state[model.weight]["inputs"].dtype == torch.float32
