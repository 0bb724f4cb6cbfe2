"""An inspection as a whole: the table, the first loss, depth, one batch, and that nothing is touched."""

import json
import math

import numpy as np
import pytest
import torch
from inspected import SETTINGS, data, mlp, pictures, problem, subject_of
from torch import nn
from torch.nn import functional as F

import descend
from descend.applications.targets import problem_from_target
from descend.diagnosing.inspecting.chance import chance
from descend.diagnosing.inspecting.depth import depth, trend
from descend.diagnosing.inspecting.one_batch import one_batch
from descend.functions.networks import Transformer


# The whole --------------------------------------------------------------------------------------------
def test_the_digits_are_found_sound_and_nothing_is_touched():
    made = problem_from_target("digits")
    values = {k: v.clone() for k, v in made.function.state_dict().items()}
    torch.manual_seed(3)
    random, numpy, threads = torch.get_rng_state(), np.random.get_state()[1].copy(), torch.get_num_threads()
    found = descend.inspect(made, seconds=5)
    assert torch.equal(torch.get_rng_state(), random) and (np.random.get_state()[1] == numpy).all()
    assert torch.get_num_threads() == threads and made.function.training
    assert all(torch.equal(v, values[k]) for k, v in made.function.state_dict().items())
    assert all(p.grad is None for p in made.function.parameters())

    assert found.shapes.parameters == 33_658 == found.shapes.trainable
    assert found.chance.guess == math.log(10) and found.chance.fine
    assert found.chance.start == pytest.approx(math.log(10), rel=0.02)
    assert found.depth.fine and found.one_batch.fine is not False
    assert found.widths.layers and found.advice == []
    answer = json.loads(json.dumps(found.as_json()))
    assert answer["parameters"] == 33_658 and answer["chance"]["classes"] == 10
    assert all(one["verdict"] for one in (answer[k] for k in ("chance", "depth", "one_batch", "widths")))


def test_a_data_loader_goes_on_where_it_was():
    x, y = data()
    generator = torch.Generator().manual_seed(5)
    loader = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(x, y), batch_size=32, shuffle=True, generator=generator
    )
    made = problem(*mlp(), train=loader)
    before = generator.get_state()
    found = descend.inspect(made, seconds=2)
    assert torch.equal(generator.get_state(), before) and found.cost.examples == 32


def test_a_surface_says_what_cannot_be_measured():
    found = descend.inspect(problem_from_target("rosenbrock"), seconds=2)
    assert found.shapes.parameters == 2 and found.cost.forward is None and found.cost.not_measured
    for part in (found.chance, found.one_batch, found.widths, found.depth):
        assert part.fine is None and part.verdict.startswith("Not measured")
    assert found.cost.largest_batch is None and found.advice == []


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (lambda: problem(*mlp(outputs=3)), ("classes 0 to 2", "class 4", "5 outputs")),
        (lambda: problem(*mlp(inputs=7)), ("take the examples", "shapes")),
        (lambda: problem(*mlp(), loss=lambda o, t: F.cross_entropy(o, t, reduction="none")), ("one number",)),
        (lambda: problem(*mlp(), loss=lambda o, t: o.detach().mean()), ("depends on no trainable",)),
    ],
)
def test_what_does_not_fit_together_is_one_sentence(made, words):
    with pytest.raises(descend.DataError) as error:
        descend.inspect(made(), seconds=1)
    assert all(word in str(error.value) for word in words) and "\n" not in str(error.value)


def test_the_time_must_be_one():
    with pytest.raises(descend.UsageError, match="seconds"):
        descend.inspect(problem(*mlp()), seconds=0)


def test_examples_may_be_dictionaries():
    class Rows(torch.utils.data.Dataset):
        def __len__(self):
            return 64

        def __getitem__(self, k):
            return {"x": data()[0][k], "y": data()[1][k]}

    class Own(nn.Sequential):
        def forward(self, batch):
            return F.cross_entropy(super().forward(batch["x"]), batch["y"])

    loader = torch.utils.data.DataLoader(Rows(), batch_size=16)
    found = descend.inspect(descend.Problem(Own(*mlp()), None, train=loader), seconds=2)
    assert found.shapes.batch == 16 and found.chance.not_measured and found.widths.layers
    assert found.one_batch.attempts[0].end < found.one_batch.attempts[0].start and found.advice == []


def test_a_loss_that_is_not_finite_is_told_everywhere():
    class Broken(nn.Sequential):
        def forward(self, x):
            return super().forward(x) / 0 * 0

    made = descend.Problem(Broken(*mlp()), "cross_entropy", train=data(), settings=SETTINGS)
    found = descend.inspect(made, seconds=1)
    assert found.chance.fine is False and found.one_batch.fine is False and found.advice == []
    assert "nan" in found.chance.verdict and "not finite" in found.widths.verdict
    assert "NaN" not in json.dumps(found.as_json()["one_batch"]["verdict"])


# The table --------------------------------------------------------------------------------------------
class Shared(nn.Module):
    """A weight that two layers share, one that is not called, a buffer, and a frozen bias."""

    def __init__(self):
        super().__init__()
        self.embed, self.head, self.idle = nn.Embedding(7, 4), nn.Linear(4, 7), nn.Linear(3, 3)
        self.head.weight = self.embed.weight
        self.head.bias.requires_grad_(False)
        self.register_buffer("table", torch.zeros(5, dtype=torch.float64))

    def forward(self, x):
        return self.head(self.embed(x))


def test_each_parameter_counts_once():
    x = torch.arange(14).view(2, 7) % 7
    made = descend.Problem(Shared(), "cross_entropy", train=(x, x), settings=SETTINGS)
    rows = {row.name: row for row in descend.inspect(made, seconds=1).shapes.rows}
    assert rows["embed"].parameters == 28 and rows["head"].parameters == 7 and rows["idle"].parameters == 12
    assert rows["head"].trainable == 0 and rows["idle"].unused and not rows["head"].unused
    assert rows["embed"].output == (2, 7, 4) and rows["head"].output == (2, 7, 7)
    assert rows[""].buffers == 5 and rows[""].bytes == 40 and rows["embed"].bytes == 28 * 4


def test_layers_that_are_alike_are_one_row():
    torch.manual_seed(0)
    x = torch.randint(0, 11, (64, 8))
    made = descend.Problem(Transformer(11, 16, 3, 2, 8), "cross_entropy", train=(x, x), settings=SETTINGS)
    shapes = descend.inspect(made, seconds=2).shapes
    alike = {row.name: (row, count) for row, count in shapes.alike()}
    assert alike["blocks.*.up"][1] == 3 and alike["blocks.*.up"][0].parameters == 16 * 64
    assert sum(row.parameters * count for row, count in alike.values()) == shapes.parameters


# The first loss ---------------------------------------------------------------------------------------
def of(made):
    return chance(*subject_of(made))


def test_classes_are_compared_with_their_number_and_their_shares():
    x, y = data()
    y = torch.where(y < 2, 0, y)
    found = of(problem(*mlp(), train=(x, y)))
    p = torch.bincount(y, minlength=5).double() / len(y)
    assert found.guess == math.log(5) == found.chance
    assert found.constant == pytest.approx(float(torch.special.entr(p).sum()))
    assert found.fine and found.start == pytest.approx(math.log(5), rel=0.1)


def test_a_target_is_compared_with_its_best_constant():
    x, _ = data()
    y = 3 * x[:, :2] + torch.tensor([1.0, -1.0])
    for loss, constant in (
        ("mse", y.var(0, correction=0).mean()),
        ("mae", (y - y.median(0)[0]).abs().mean()),
    ):
        found = of(problem(*mlp(outputs=2), loss=loss, train=(x, y)))
        assert found.constant == pytest.approx(float(constant), rel=1e-5) and found.guess is None


def test_shares_of_yes_and_no():
    x, y = data()
    y = (y == 0).float()
    found = of(problem(*mlp(outputs=1), loss="binary_cross_entropy", train=(x, y)))
    p = y.double().mean()
    assert found.guess == math.log(2)
    assert found.constant == pytest.approx(float(torch.special.entr(torch.stack([p, 1 - p])).sum()))


@pytest.mark.parametrize("loss", [F.mse_loss, nn.MSELoss(), lambda o, t: ((o - t) ** 2).mean()])
def test_losses_of_others_are_known_or_found_by_descent(loss):
    x, _ = data()
    found = of(problem(*mlp(outputs=1), loss=loss, train=(x, 5 + x[:, :1])))
    assert found.constant == pytest.approx(float(x[:, 0].var(correction=0)), rel=0.02)


def test_too_large_a_start_is_told():
    layers = mlp()
    with torch.no_grad():
        layers[-1].weight.mul_(100)
    found = of(problem(*layers))
    assert found.fine is False and "times chance" in found.verdict


def test_a_start_below_chance_is_told_unless_it_is_meant():
    x, _ = data()
    known = nn.Linear(20, 1)
    with torch.no_grad():
        known.weight.copy_(torch.eye(20)[:1])
    for chance_of, fine in ((None, False), (1.0, True)):
        made = descend.Problem(known, "mse", train=(x, x[:, :1]), settings=SETTINGS, chance=chance_of)
        found = of(made)
        assert found.fine is fine and "below" in found.verdict


def test_a_target_far_from_zero_is_told():
    x, _ = data()
    found = of(problem(*mlp(outputs=1), loss="mse", train=(x, 1e5 + x[:, :1])))
    assert found.fine is False and "mean" in found.verdict


def test_a_function_that_is_its_own_loss():
    class Own(nn.Linear):
        def forward(self, x, y):
            return F.cross_entropy(super().forward(x), y)

    found = of(descend.Problem(Own(20, 5), None, train=data(), settings=SETTINGS))
    assert found.constant is None and "itself" in found.not_measured and math.isfinite(found.start)


# Depth ------------------------------------------------------------------------------------------------
def through(*layers, **more):
    return depth(*subject_of(problem(*layers, **more)))


def test_the_trend_is_exact():
    assert trend([3 * 0.5**k for k in range(6)]) == pytest.approx(0.5)
    assert math.isnan(trend([1.0, 2.0])) and trend([0.0, 1.0, 1.0, 1.0, 1.0]) == pytest.approx(1)


@pytest.mark.parametrize(("gain", "factor"), [(0.3, 0.3), (3.0, 3.0)])
def test_orthogonal_layers_multiply_by_their_gain(gain, factor):
    torch.manual_seed(0)
    layers = [nn.Linear(20, 20, bias=False) for _ in range(8)]
    for layer in layers:
        nn.init.orthogonal_(layer.weight, gain)
    found = through(*layers, nn.Linear(20, 5))
    assert found.signal == pytest.approx(factor, rel=1e-3) and found.gradient == pytest.approx(
        factor, rel=1e-3
    )
    assert found.fine is False and ("shrink" if gain < 1 else "grow") in found.verdict


def test_sigmoids_make_gradients_vanish_and_norms_keep_them():
    assert "Gradients shrink" in through(*mlp(depth=8, act=nn.Sigmoid)).verdict
    layers = [
        m
        for m in mlp(depth=8, act=nn.GELU)
        for m in ((m, nn.LayerNorm(64)) if m.__class__ is nn.GELU else (m,))
    ]
    assert through(*layers).fine


def test_a_dead_layer_and_one_that_only_begins_with_zeros():
    layers = mlp()
    with torch.no_grad():
        layers[2].bias.fill_(-50)
    found = through(*layers)
    assert found.dead == ["0", "2"] and "100%" in found.verdict and found.fine is False
    layers = mlp()
    nn.init.zeros_(layers[-1].weight)
    found = through(*layers)
    assert found.dead == [] and found.asleep == ["0", "2"] and found.fine


def test_a_recorded_gradient_is_the_gradient():
    subject, seen = subject_of(problem(*mlp()))
    function = subject.function()
    h = function[0](subject.batch[0]).detach().requires_grad_()
    F.cross_entropy(function[1:](h), subject.batch[1]).backward()
    call = seen.calls[0]
    assert call.rms == pytest.approx(float(h.detach().square().mean().sqrt()))
    assert call.gradient == pytest.approx(float(h.grad.square().mean().sqrt()), rel=1e-4)
    assert call.gradient_norm == pytest.approx(float(h.grad.norm()), rel=1e-4)


def test_activations_that_are_functions_are_seen():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(20, 8), nn.Linear(8, 5)

        def forward(self, x):
            return self.b(torch.tanh(F.relu(self.a(x))))

    _, seen = subject_of(descend.Problem(Own(), "cross_entropy", train=data(), settings=SETTINGS))
    assert [c.kind for c in seen.calls] == ["Linear", "relu", "tanh", "Linear"]
    assert [c.follows for c in seen.calls] == [-1, 0, 1, 2]


# One batch --------------------------------------------------------------------------------------------
def test_a_small_batch_is_fitted():
    found = one_batch(subject_of(problem(*mlp()))[0], 20)
    (own,) = found.attempts
    assert found.fine and found.examples == 32 and own.fitted and own.end <= 0.05 * own.start


def test_a_floor_above_zero_is_known():
    x = torch.randn(8, 20).repeat(8, 1)
    y = (torch.arange(64) // 8) % 2  # eight different inputs, each with both answers
    found = one_batch(subject_of(problem(*mlp(), train=(x, y)))[0], 20)
    assert found.floor == pytest.approx(math.log(2), rel=0.1) and found.attempts[0].end > 0.9 * found.floor


def test_settings_that_are_too_slow_are_told_from_a_function_that_cannot():
    slow = descend.Settings("sgd", lr=1e-9, batch_size=64)
    found = one_batch(subject_of(problem(*mlp(), settings=slow))[0], 20)
    assert len(found.attempts) > 1 and found.attempts[-1].fitted and "settings" in found.verdict.lower()
    found = one_batch(subject_of(problem(*mlp(), nn.Softmax(1)))[0], 20)
    assert found.fine is False and not any(one.fitted for one in found.attempts)


def test_few_parameters_get_few_examples():
    x, _ = data()
    found = one_batch(subject_of(problem(nn.Linear(20, 1), loss="mse", train=(x, x[:, :1])))[0], 5)
    assert found.examples == 5


def test_dropout_is_left_out_of_the_fit_only():
    layers = [nn.Flatten(), nn.Linear(768, 32), nn.ReLU(), nn.Dropout(0.9), nn.Linear(32, 2)]
    made = problem(*layers, train=pictures())
    assert one_batch(subject_of(made)[0], 10).attempts[-1].fitted
    assert made.function[3].p == 0.9
