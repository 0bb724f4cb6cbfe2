"""How functions scale: standard parametrisations grow with the width, μP does not."""

import sys

import pytest
import torch
from inspected import SETTINGS, data, mlp, pictures, problem, subject_of
from torch import nn
from torch.nn import functional as F

import descend
from descend.applications.targets import problem_from_target
from descend.diagnosing.inspecting.widening import NotWidened, Widening
from descend.diagnosing.inspecting.widths import widths
from descend.functions.networks import MLP, ConvNet, Transformer
from descend.functions.wide_and_deep import WideAndDeep


class Scaled(nn.Module):
    """A layer in μP for Adam at one learning rate for all: the forward divides by the inputs that grow."""

    def __init__(self, inputs, outputs, grows, deviation):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) * deviation)
        self.divisor = inputs if grows else 1

    def forward(self, x):
        return F.linear(x, self.weight) / self.divisor


def in_mup(width=64):
    layers = [
        Scaled(20, width, False, 20**-0.5),
        nn.ReLU(),
        Scaled(width, width, True, (2 * width) ** 0.5),
        nn.ReLU(),
        Scaled(width, 5, True, 1.0),
    ]
    settings = descend.Settings("adam", lr=1e-2, batch_size=64, hyperparameters={"eps": 1e-15})
    return problem(*layers, settings=settings)


def standard(width=64):
    return problem(*mlp(width), settings=descend.Settings("adam", lr=1e-3, batch_size=64))


def of(made, maker=None, seconds=8):
    return widths(*subject_of(made), seconds, maker)


def test_a_standard_parametrisation_grows_with_adam():
    found = of(standard(), standard)
    slopes = {one.name: one for one in found.layers}
    assert slopes["0"].verdict == "stable" and slopes["4"].verdict == "grows"
    assert slopes["2"].slope > 0.4 and slopes["4"].slope > 0.5 and found.fine is False
    assert "lower learning rate" in found.verdict and 64 in found.widths


def test_mup_does_not():
    found = of(in_mup(), in_mup)
    assert found.layers and all(one.verdict == "stable" for one in found.layers) and found.fine
    assert all(abs(one.slope) < 0.3 for one in found.layers), found.layers


def test_a_rate_that_falls_with_the_width_is_honoured():
    def falling(width=64):
        made = standard(width)
        return descend.Problem(
            made.function,
            "cross_entropy",
            train=data(),
            settings=descend.Settings("adam", lr=1e-3 * 64 / width, batch_size=64),
        )

    before, after = of(standard(), standard), of(standard(), falling)
    assert after.layers[-1].slope < before.layers[-1].slope - 0.5


def test_layers_are_widened_by_themselves_as_by_a_maker():
    by_maker, by_layers = of(standard(), standard), of(standard())
    assert by_layers.how == "each hidden layer's width multiplied"
    for a, b in zip(by_maker.layers, by_layers.layers, strict=True):
        assert a.name == b.name and a.slope == pytest.approx(b.slope, abs=0.4)


def shapes_at(made, factor):
    function, _ = Widening(*subject_of(made)).at(factor, 0)
    return {name: tuple(p.shape) for name, p in function.named_parameters()}


@pytest.mark.parametrize(
    ("function", "train", "wider"),
    [
        (lambda: MLP([20, 8, 8, 5], 0.1, "gelu"), data, lambda: MLP([20, 24, 24, 5], 0.1, "gelu")),
        (lambda: ConvNet(3, 2, 16, 4), pictures, lambda: ConvNet(3, 2, 16, 12)),
        (lambda: ConvNet(3, 2, 16, 4, norm="group"), pictures, lambda: ConvNet(3, 2, 16, 12, norm="group")),
        (lambda: WideAndDeep(20, 5, hidden=(8, 4)), data, lambda: WideAndDeep(20, 5, hidden=(24, 12))),
    ],
)
def test_descends_own_networks_are_made_anew(function, train, wider):
    made = descend.Problem(nn.Sequential(nn.Identity(), function()), "cross_entropy", train=train())
    expected = {f"1.{name}": tuple(p.shape) for name, p in wider().named_parameters()}
    assert shapes_at(made, 3) == expected


def test_a_transformer_gets_more_heads():
    x = torch.randint(0, 11, (64, 8))
    made = descend.Problem(Transformer(11, 16, 2, 2, 8), "cross_entropy", train=(x, x))
    expected = {name: tuple(p.shape) for name, p in Transformer(11, 32, 2, 4, 8).named_parameters()}
    assert shapes_at(made, 2) == expected


class Mixed(nn.Module):
    def __init__(self, k=1):
        super().__init__()
        self.embed = nn.Embedding(11, 8 * k)
        self.encode = nn.TransformerEncoderLayer(8 * k, 2 * k, 16 * k, batch_first=True)
        self.recur = nn.GRU(8 * k, 4 * k, batch_first=True)
        self.norm, self.head = nn.LayerNorm(4 * k), nn.Linear(4 * k, 5)

    def forward(self, x):
        return self.head(self.norm(self.recur(self.encode(self.embed(x)))[0][:, -1]))


class Pictures(nn.Sequential):
    def __init__(self, k=1):
        super().__init__(
            nn.Conv2d(3, 4 * k, 3),
            nn.BatchNorm2d(4 * k),
            nn.ReLU(),
            nn.Conv2d(4 * k, 4 * k, 3, groups=4 * k),
            nn.GroupNorm(2, 4 * k),
            nn.Conv2d(4 * k, 8 * k, 1),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(8 * k * 36, 5 * k),
            nn.Linear(5 * k, 2),
        )


def test_plain_layers_of_every_kind_are_widened():
    x = torch.randint(0, 11, (64, 8))
    made = descend.Problem(Mixed(), "cross_entropy", train=(x, x[:, 0] % 5))
    assert shapes_at(made, 2) == {name: tuple(p.shape) for name, p in Mixed(2).named_parameters()}
    made = descend.Problem(Pictures(), "cross_entropy", train=pictures())
    assert shapes_at(made, 2) == {name: tuple(p.shape) for name, p in Pictures(2).named_parameters()}


def test_a_frozen_first_layer_is_not_taken_for_the_input():
    layers = mlp(8)
    layers[0].requires_grad_(False)
    assert shapes_at(problem(*layers), 2)["2.weight"] == (16, 16)


def test_weights_start_as_they_did():
    layers = mlp(64)
    with torch.no_grad():
        layers[2].weight.normal_(std=3 / 64**0.5)
        layers[4].weight.zero_()
    function, _ = Widening(*subject_of(problem(*layers))).at(4, 0)
    torchs, own, zero = (function[k].weight for k in (0, 2, 4))
    assert float(torchs.detach().abs().max()) <= 20**-0.5
    assert float(own.detach().std()) == pytest.approx(3 / 256**0.5, rel=0.05) and not zero.any()


class Direct(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.randn(20, 5) * 0.1)

    def forward(self, x):
        return x @ self.w


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (lambda: problem(nn.Linear(20, 5)), "no hidden layer"),
        (lambda: descend.Problem(Direct(), "cross_entropy", train=data()), "give a function of the width"),
        (lambda: problem_from_target("rosenbrock"), "itself what is minimised"),
    ],
)
def test_what_has_no_width_says_so(made, words):
    found = of(made())
    assert found.not_measured and words in found.verdict and found.fine is None and not found.layers


def test_a_maker_that_gives_something_else():
    with pytest.raises(NotWidened, match="int"):
        Widening(*subject_of(problem(*mlp())), lambda width: 3).at(1, 0)


FILE = """
import descend, torch
from torch import nn
x = torch.randn(64, 4)
print("noise")
def {name}(width=16, seed=0):
    net = nn.Sequential(nn.Linear(4, width), nn.ReLU(), nn.Linear(width, 1))
    return descend.Problem(net, "mse", train=(x, x[:, :1]))
problem = {value}
"""


@pytest.mark.parametrize(("name", "value"), [("made", "None"), ("wide", "wide()")])
def test_a_maker_beside_the_problem_is_found(tmp_path, name, value, capfd):
    (tmp_path / "own.py").write_text(FILE.format(name=name, value=value))
    target = "made" if name == "made" else "problem"
    found = of(problem_from_target(f"{tmp_path}/own.py:{target}"))
    assert found.how == f"{name}(width)" and 16 in found.widths and len(found.widths) >= 3
    assert not capfd.readouterr().out
    sys.modules.pop("_descend_own", None)


def test_settings_are_the_problems():
    found = of(problem(*mlp(), settings=SETTINGS), seconds=2)
    assert found.method == "adamw" and found.lr == 1e-3 and found.seeds >= 2
