"""Which parameter goes to which method."""

import copy
import io

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR, LambdaLR

import descend
from descend.errors import UsageError
from descend.methods.routing import kinds, table, written


class Language(nn.Module):
    """A small language model, its head tied to the embedding if asked for."""

    def __init__(self, tied=False):
        super().__init__()
        self.embed = nn.Embedding(50, 8)
        self.positions = nn.Parameter(torch.zeros(12, 8))
        layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, dropout=0.0)
        self.encoder = nn.TransformerEncoder(layer, 3, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(8)
        self.lm_head = nn.Linear(8, 50, bias=False)
        if tied:
            self.lm_head.weight = self.embed.weight

    def forward(self, x):
        return self.lm_head(self.norm(self.encoder(self.embed(x) + self.positions[: x.shape[1]])))


class Pictures(nn.Module):
    """A convolutional network with a residual block and a head called fc."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3)
        self.bn1 = nn.BatchNorm2d(8)
        self.layer1 = nn.Sequential(nn.Conv2d(8, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3))
        self.gamma = nn.Parameter(torch.ones(8, 1, 1))
        self.fc = nn.Linear(8, 10)


def of(opt, name):
    """Return the group that holds the parameter of this name."""
    return next(group for group in opt.param_groups if name in group["param_names"])


def quiet(name, model, **given):
    return descend.optimizer(name, model, show=False, **given)


def test_kinds_of_a_language_model():
    found = kinds(Language())
    assert found["embed.weight"] == found["positions"] == "embedding"
    assert found["lm_head.weight"] == "head"
    for part in ("self_attn.in_proj_weight", "self_attn.out_proj.weight", "linear1.weight", "linear2.weight"):
        assert found[f"encoder.layers.2.{part}"] == "hidden"
    assert found["encoder.layers.0.norm1.weight"] == found["norm.bias"] == "norm"
    assert found["encoder.layers.0.self_attn.in_proj_bias"] == "vector"


def test_a_tied_head_is_an_embedding():
    found = kinds(Language(tied=True))
    assert found["embed.weight"] == "embedding"
    assert "lm_head.weight" not in found


def test_kinds_of_a_convolutional_network():
    found = kinds(Pictures())
    assert found["conv1.weight"] == found["layer1.3.weight"] == "convolution"
    assert found["bn1.weight"] == found["layer1.1.bias"] == "norm"
    assert found["gamma"] == "vector"
    assert found["fc.weight"] == "head"


def test_the_last_of_many_layers_alike_is_no_head():
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    assert "head" not in kinds(nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)).values()


def test_of_a_classifier_the_last_layer_is_the_head():
    model = nn.ModuleDict({"classifier": nn.Sequential(nn.Linear(8, 9), nn.ReLU(), nn.Linear(9, 4))})
    assert kinds(model)["classifier.0.weight"] == "hidden"
    assert kinds(model)["classifier.2.weight"] == "head"


def test_names_and_shapes_alone_tell_most():
    model = Language()
    by_name = kinds(list(model.named_parameters()))
    assert {k: v for k, v in by_name.items() if kinds(model)[k] != v} == {}


def test_muon_takes_hidden_matrices():
    opt = quiet("muon", Language(), lr=0.02)
    assert isinstance(opt, descend.methods.Muon)
    hidden = [n for n, kind in kinds(Language()).items() if kind == "hidden"]
    assert sorted(opt.param_groups[0]["param_names"]) == sorted(hidden)
    assert "method" not in opt.param_groups[0]
    for group in opt.param_groups[1:]:
        assert group["method"] == "adamw"
        assert group["lr"] == pytest.approx(0.001)
        assert group["betas"] == (0.9, 0.95)
    assert of(opt, "embed.weight")["weight_decay"] == of(opt, "norm.weight")["weight_decay"] == 0
    assert of(opt, "lm_head.weight")["weight_decay"] > 0


def test_conventions_have_their_own_rates():
    assert quiet("muon", Language()).param_groups[0]["lr"] == 0.02  # where none is given
    opt = quiet("muon", Language(), adjust_lr_fn="match_rms_adamw", lr=3e-4)
    assert {group["lr"] for group in opt.param_groups} == {3e-4}


def test_elementwise_methods_take_all_as_one(capsys):
    opt = descend.optimizer("adamw", Language())
    assert len(opt.param_groups) == 1
    assert capsys.readouterr().out == ""


def test_scion_has_a_norm_for_each_kind():
    opt = quiet("scion", Language(), lr=0.01, scale=2.0)
    assert all("method" not in group for group in opt.param_groups)
    assert (of(opt, "lm_head.weight")["norm"], of(opt, "lm_head.weight")["scale"]) == ("sign", 120.0)
    assert (of(opt, "norm.weight")["norm"], of(opt, "norm.weight")["scale"]) == ("auto", 2.0)


def test_patterns():
    opt = quiet(
        "muon",
        Language(),
        lr=0.02,
        routes={
            "encoder.layers.0.*weight": {"method": "sgd", "lr": 0.5, "momentum": 0.9},
            "encoder.layers.0.*": {"lr": 0.125},
            "lm_head.*": "muon",
            "embed.*": "lion",
            "*bias": {"lr": 0.25},
        },
    )
    first = of(opt, "encoder.layers.0.linear1.weight")
    assert (first["method"], first["lr"], first["momentum"]) == ("sgd", 0.5, 0.9)
    assert of(opt, "encoder.layers.0.linear1.bias")["lr"] == 0.125  # the first pattern that matches
    assert of(opt, "encoder.layers.1.linear1.bias")["lr"] == 0.25
    assert of(opt, "encoder.layers.1.linear1.bias")["method"] == "adamw"
    assert of(opt, "lm_head.weight") is opt.param_groups[0]
    assert of(opt, "embed.weight")["method"] == "lion"


def test_patterns_for_an_elementwise_method():
    opt = quiet("adamw", Pictures(), lr=0.1, routes={"conv1.*": {"weight_decay": 0.5}, "fc.*": "sgd"})
    assert of(opt, "conv1.weight")["weight_decay"] == 0.5
    assert of(opt, "fc.weight")["method"] == "sgd"
    assert of(opt, "bn1.weight")["lr"] == 0.1


@pytest.mark.parametrize(
    ("routes", "match"),
    [
        ({"lm_heat.weight": "adamw"}, "lm_head.weight"),
        ({"*": "adamv"}, "did you mean adam"),
        ({"*": {"method": "adamw", "beta": (0.9, 0.9)}}, "betas"),
        ({"embed.*": {"learning_rate": 1}}, "hyperparameter"),
        ({"norm.*": "muon"}, "matrices"),
        ({"*": {"lr": -1}}, "at least 0"),
        ({"norm.*": "sophia"}, "by their gradients.*'sophia'"),
        ({"*": "kfac"}, "by their gradients.*'kfac'"),
        ({"*": "lm"}, "by their gradients.*'levenbergmarquardt'"),
    ],
)
def test_wrong_routes(routes, match):
    with pytest.raises(UsageError, match=match):
        quiet("muon", Language(), routes=routes)


def test_routes_need_names():
    with pytest.raises(UsageError, match="names"):
        descend.optimizer("muon", [nn.Parameter(torch.ones(2, 2))], routes={"*": "adamw"})


def test_the_table(capsys):
    opt = descend.optimizer("muon", Language(), lr=0.02)
    text = capsys.readouterr().out
    assert text.strip() == written(opt.routing).strip()
    rows = {row["parameter"]: row for row in opt.routing}
    row = rows["encoder.layers.{0-2}.linear1.weight"]
    assert (row["method"], row["count"], row["shape"], row["lr"]) == ("muon", 3, (16, 8), 0.02)
    assert row["scale"] == pytest.approx(2**0.5)
    assert row["bytes"] == 3 * 16 * 8 * 4
    assert rows["embed.weight"]["bytes"] == 50 * 8 * 8
    assert rows["embed.weight"]["scale"] is None
    lines = text.splitlines()
    assert lines[0].split() == ["parameter", "method", "shape", "scale", "lr", "decay", "state"]
    assert len(lines) == len(rows) + 2
    assert "16×8" in text


def test_state_is_as_large_as_the_table_says():
    for name in ("muon", "normuon", "scion"):
        opt = quiet(name, Language())
        run(opt, *twin(), steps=1)
        run_on(opt)
        kept = sum(
            x.numel() * x.element_size()
            for own in opt.state.values()
            for x in own.values()
            if isinstance(x, torch.Tensor)
        )
        assert kept == sum(row["bytes"] for row in opt.routing)


def run_on(opt):
    for group in opt.param_groups:
        for p in group["params"]:
            p.grad = torch.ones_like(p)
    opt.step()


def test_the_table_of_parameters_without_names():
    opt = descend.AdamW([nn.Parameter(torch.ones(2))])
    assert [row["parameter"] for row in table(opt)] == ["parameter 0"]


def twin(seed=0):
    torch.manual_seed(seed)
    model = Language()
    return model, torch.randint(0, 50, (4, 12))


def run(opt, model, x, steps=5):
    for _ in range(steps):
        opt.zero_grad()
        nn.functional.cross_entropy(model(x).flatten(0, 1), x.roll(1, 1).flatten()).backward()
        opt.step()


def test_it_descends_as_two_optimizers_would():
    (model, x), (other, _) = twin(), twin()
    opt = quiet("muon", model, lr=0.02)
    two = []
    for group in opt.param_groups:
        own = [dict(other.named_parameters())[n] for n in group["param_names"]]
        cls = descend.AdamW if "method" in group else descend.methods.Muon
        two.append(cls(own, **{k: group[k] for k in cls.defaults}))
    run(opt, model, x)
    for _ in range(5):
        other.zero_grad()
        nn.functional.cross_entropy(other(x).flatten(0, 1), x.roll(1, 1).flatten()).backward()
        for one in two:
            one.step()
    for p, q in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.equal(p, q)


def test_state_goes_on_where_it_was():
    model, x = twin()
    opt = quiet("muon", model)
    run(opt, model, x)
    file = io.BytesIO()
    torch.save(opt.state_dict(), file)
    file.seek(0)
    other = copy.deepcopy(model)
    resumed = quiet("muon", other)
    resumed.load_state_dict(torch.load(file, weights_only=True))
    run(opt, model, x)
    run(resumed, other, x)
    for p, q in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.equal(p, q)
    names = [name for group in resumed.param_groups for name in group["param_names"]]
    assert sorted(names) == sorted(n for n, _ in model.named_parameters())


def test_schedules_act_in_proportion():
    opt = quiet("muon", Language(), lr=0.02)
    schedule = LambdaLR(opt, lambda step: 0.5**step)
    run_on(opt)
    schedule.step()
    others = len(opt.param_groups) - 1
    assert [group["lr"] for group in opt.param_groups] == pytest.approx([0.01] + [0.0005] * others)
    opt = quiet("muon", Language(), lr=0.02)
    schedule = CosineAnnealingLR(opt, 10)
    for _ in range(5):
        run_on(opt)
        schedule.step()
    ratios = {group["lr"] / group["initial_lr"] for group in opt.param_groups}
    assert max(ratios) - min(ratios) < 1e-12


def test_a_copied_optimizer_still_steps():
    model, x = twin()
    opt = quiet("muon", model)
    run(opt, model, x, steps=1)
    assert copy.deepcopy(opt).param_groups[1]["method"] == "adamw"


def test_climbing_climbs_everywhere():
    opt = quiet("muon", Language(), maximize=True, routes={"embed.*": "sgd"})
    assert all(group["maximize"] for group in opt.param_groups)


def test_modifiers_act_everywhere():
    opt = quiet("muon", Language(), clip_norm=1.0)
    assert all(group["clip_norm"] == 1.0 for group in opt.param_groups)


def test_a_descent_routes_and_prints_nothing(capsys):
    x = torch.linspace(-1, 1, 64)[:, None]
    network = nn.Sequential(nn.Linear(1, 16), nn.Tanh(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 1))
    problem = descend.Problem(network, "mse", train=(x, x.sin()))
    descent = descend.Descent(problem, "muon", batch_size=None)
    descent.run(descend.Until(steps=20))
    assert of(descent.method, "4.weight")["method"] == "adamw"
    resumed = descent.fork()
    assert resumed.method.param_groups[-1]["method"] == "adamw"
    for one in (descent, resumed):
        one.run(descend.Until(steps=40))
    assert all(map(torch.equal, descent.function.parameters(), resumed.function.parameters()))
    assert capsys.readouterr().out == ""
