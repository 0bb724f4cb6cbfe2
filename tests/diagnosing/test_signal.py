"""Signals through depth and time, initial values, activations: faulty loops and their sound twins."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from descend.diagnosing.signal import DETECTORS
from descend.watching.watcher import Watcher


def data(n=128, features=8, classes=3):
    g = torch.Generator().manual_seed(1)
    x = torch.randn(n, features, generator=g)
    return x, (x[:, :classes] @ torch.randn(classes, classes, generator=g)).argmax(1)


def watch(model, steps=40, lr=1e-2, x=None, y=None, kind=torch.optim.Adam, batch=32):
    """Train a classifier, watched, and return the suspicions by cause."""
    x, y = data() if x is None else (x, y)
    watcher = Watcher(budget=1e3)
    watcher.start()
    optimizer = kind(model.parameters(), lr=lr)
    for k in range(steps):
        at = slice(batch * (k % (len(x) // batch)), batch * (k % (len(x) // batch) + 1))
        optimizer.zero_grad()
        F.cross_entropy(model(x[at]), y[at]).backward()
        optimizer.step()
    seen = watcher.stop()
    found = [s for d in DETECTORS for s in d(seen)]
    for one in found:
        assert 0 <= one.confidence <= 1
        assert one.evidence.endswith(".")
    return {s.cause: s.confidence for s in sorted(found, key=lambda s: s.confidence)}


def mlp(depth=2, width=16, act=nn.ReLU, between=None):
    torch.manual_seed(0)
    parts, size = [], 8
    for _ in range(depth):
        parts += [nn.Linear(size, width), *([act()] if act else []), *([between()] if between else [])]
        size = width
    return nn.Sequential(*parts, nn.Linear(size, 3))


def initialised(model, change):
    with torch.no_grad():
        for m in model.modules():
            if isinstance(m, nn.Linear):
                change(m)
    return model


def worst(found):
    return max(found, key=lambda cause: found[cause], default="")


@pytest.mark.parametrize("act", [nn.ReLU, nn.Tanh, nn.GELU])
@pytest.mark.parametrize("kind", [torch.optim.Adam, torch.optim.RMSprop])
def test_a_sound_network_is_left_alone(act, kind):
    lr = 1e-2 if kind is torch.optim.Adam else 1e-3
    assert all(c < 0.5 for c in watch(mlp(act=act), kind=kind, lr=lr).values())


# Vanishing and exploding -----------------------------------------------------------------------------
def test_gradients_vanish_through_many_sigmoids():
    deep = watch(mlp(10, act=nn.Sigmoid), kind=torch.optim.SGD, lr=0.05)
    assert worst(deep) == "vanishing-gradients"
    assert deep["vanishing-gradients"] >= 0.5
    shallow = watch(mlp(1, act=nn.Sigmoid), kind=torch.optim.SGD, lr=0.5)
    assert shallow.get("vanishing-gradients", 0) < 0.5


class Recaller(nn.Module):
    def __init__(self, part):
        super().__init__()
        torch.manual_seed(0)
        self.embedding, self.answer = nn.Embedding(6, 16), nn.Linear(16, 3)
        self.part = part(16, 16, batch_first=True)

    def forward(self, x):
        return self.answer(self.part(self.embedding(x))[0][:, -1])


def test_gradients_vanish_through_time():
    g = torch.Generator().manual_seed(2)
    x = torch.randint(3, 6, (96, 40), generator=g)
    y = torch.randint(3, (96,), generator=g)
    x[:, 0] = y
    assert worst(watch(Recaller(nn.RNN), 24, 1e-3, x, y)) == "vanishing-gradients"
    near = x.clone()
    near[:, -1] = y
    assert watch(Recaller(nn.RNN), 48, 1e-2, near, y).get("vanishing-gradients", 0) < 0.5


class Leaping(nn.Module):
    """A relu recurrence whose weights grow past one at some step, as exploding ones do."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.rnn, self.out = nn.RNN(8, 16, nonlinearity="relu", batch_first=True), nn.Linear(16, 3)
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        if self.calls == 60:
            with torch.no_grad():
                self.rnn.weight_hh_l0.mul_(3.0)
        return self.out(self.rnn(x[:, None].expand(-1, 12, -1))[0][:, -1])


def test_a_loss_that_leaps_in_an_unclipped_recurrence():
    found = watch(Leaping(), 120, 0.1, kind=torch.optim.SGD)
    assert found["exploding-gradients"] >= 0.5


# Units -----------------------------------------------------------------------------------------------
def test_a_layer_of_dead_units():
    def kill(m):
        if m.out_features == 16:
            m.bias.fill_(-20.0)
            m.bias += torch.linspace(0, 1, 16)

    found = watch(initialised(mlp(1), kill))
    assert found["dead-units"] >= 0.5
    assert watch(mlp(1)).get("dead-units", 0) < 0.5


class Attention(nn.Module):
    def __init__(self, scaled):
        super().__init__()
        torch.manual_seed(0)
        self.q, self.k, self.out, self.scaled = nn.Linear(64, 64), nn.Linear(64, 64), nn.Linear(64, 3), scaled
        for m in (self.q, self.k):
            nn.init.xavier_normal_(m.weight)

    def forward(self, x):
        q, k = self.q(x), self.k(x)
        scores = q @ k.mT * (0.05 if self.scaled else 1.0)
        return self.out((scores.softmax(-1) @ x).mean(1))


def test_a_softmax_that_is_saturated_from_the_beginning():
    g = torch.Generator().manual_seed(3)
    x, y = 1.5 * torch.randn(64, 6, 64, generator=g), torch.randint(3, (64,), generator=g)
    found = watch(Attention(False), 24, 1e-4, x, y)
    assert worst(found) == "saturated-units"
    assert found["saturated-units"] >= 0.5
    assert watch(Attention(True), 24, 1e-4, x, y).get("saturated-units", 0) < 0.5


# Initial values --------------------------------------------------------------------------------------
@pytest.mark.parametrize("std", [1.0, 0.01])
def test_weights_that_start_too_large_or_too_small(std):
    def normal(m):
        m.weight.normal_(0, std)
        m.bias.zero_()

    found = watch(initialised(mlp(4, 64), normal), kind=torch.optim.SGD, lr=1e-3)
    assert worst(found) == "poor-initial-values"
    assert found["poor-initial-values"] >= 0.5


def test_he_and_lecun_initialisation_are_sound():
    for gain in (1.0, 2.0**0.5):
        model = initialised(mlp(3, 64), lambda m, g=gain: m.weight.normal_(0, g / m.in_features**0.5))
        assert watch(model).get("poor-initial-values", 0) < 0.5


@pytest.mark.parametrize("value", [0.0, 0.1])
def test_units_that_start_alike(value):
    def alike(m):
        m.weight.fill_(value)
        m.bias.zero_()

    found = watch(initialised(mlp(2), alike))
    assert worst(found) == "symmetric-initial-values"


def test_a_last_layer_of_zeros_and_a_single_layer_of_zeros_are_sound():
    model = mlp(2)
    nn.init.zeros_(model[-1].weight)
    assert "symmetric-initial-values" not in watch(model)
    torch.manual_seed(0)
    single = nn.Linear(8, 3)
    nn.init.zeros_(single.weight)
    assert "symmetric-initial-values" not in watch(single)


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.inner, self.back, self.head = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 3)
        nn.init.zeros_(self.back.weight)
        nn.init.zeros_(self.head.weight)

    def forward(self, x):
        return self.head(x + self.back(F.relu(self.inner(x))))


def test_residual_branches_that_end_in_zeros_are_sound():
    assert "symmetric-initial-values" not in watch(Residual())


# Missing activations ---------------------------------------------------------------------------------
@pytest.mark.parametrize("between", [None, nn.Dropout, lambda: nn.BatchNorm1d(16), nn.Identity])
def test_layers_with_nothing_nonlinear_between(between):
    found = watch(mlp(3, act=None, between=between), 12)
    assert found["missing-activation"] >= 0.5


def test_one_activation_that_was_forgotten():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 16), nn.Linear(16, 3))
    assert watch(model, 8, 1e-4)["missing-activation"] >= 0.5


def test_a_bottleneck_and_a_separable_convolution_are_meant():
    torch.manual_seed(0)
    low = nn.Sequential(
        nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2), nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 3)
    )
    assert "missing-activation" not in watch(low, 8)
    separable = nn.Sequential(
        *(nn.Unflatten(1, (2, 2, 2)), nn.Conv2d(2, 4, 1), nn.ReLU(), nn.Conv2d(4, 4, 3, padding=1, groups=4)),
        *(nn.Conv2d(4, 8, 1), nn.ReLU(), nn.Flatten(), nn.Linear(32, 3)),
    )
    assert "missing-activation" not in watch(separable, 8)


def test_nothing_to_look_at_is_survived():
    watcher = Watcher()
    watcher.start()
    seen = watcher.stop()
    assert [s for d in DETECTORS for s in d(seen)] == []
