"""Detectors of broken invariants, on tiny training loops and their sound twins."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from descend.diagnosing.invariants import DETECTORS
from descend.diagnosing.suspicion import Suspicion
from descend.watching.facts import OptimizerFacts
from descend.watching.observations import Observations, Window
from descend.watching.watcher import Watcher


def suspicions(train: Callable[[], object]) -> list[Suspicion]:
    """Return what is suspected of a loop, the most probable first."""
    torch.manual_seed(0)
    watcher = Watcher(budget=1.0)
    watcher.start()
    try:
        kept = train()
    finally:
        seen = watcher.stop()
    del kept
    found = [one for detector in DETECTORS for one in detector(seen)]
    return sorted(found, key=lambda one: -one.confidence)


def data() -> tuple[Tensor, Tensor]:
    x = torch.randn(64, 4)
    return x, (x[:, :1] * x[:, 1:2]).sign()


def loop(
    model: nn.Module,
    optimizer: Callable[[], torch.optim.Optimizer] | torch.optim.Optimizer | None = None,
    clear: Callable[[int], bool] = lambda step: True,
    before: Callable[[int], object] = lambda step: None,
    x: Tensor | None = None,
    steps: int = 24,
) -> nn.Module:
    """Train a model: an optimizer, or a function that makes one for each step."""
    given, y = data()
    given = given if x is None else x
    if optimizer is None:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.5)
    for step in range(steps):
        before(step)
        own = optimizer if isinstance(optimizer, torch.optim.Optimizer) else optimizer()
        if clear(step):
            own.zero_grad()
        loss = (model(given) - y).square().mean()
        loss.backward()
        own.step()
    return model


def network(*between: nn.Module) -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 16), *between, nn.Tanh(), nn.Linear(16, 1))


def adam(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.Adam(model.parameters(), lr=0.01)


class Hiding(nn.Module):
    """A layer in a plain list, or in a module list."""

    def __init__(self, hide: bool):
        super().__init__()
        layers = [nn.Linear(4, 16), nn.Linear(16, 16)]
        self.layers = layers if hide else nn.ModuleList(layers)
        self.out = nn.Linear(16, 1)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = torch.tanh(layer(x))
        return self.out(x)


class Trunk(nn.Module):
    """A trunk whose output may be cut from the graph, or an input that may be dropped."""

    def __init__(self, cut: bool = False, drop: bool = False, noise: bool = False):
        super().__init__()
        self.trunk, self.head = nn.Linear(4, 16), nn.Linear(16, 1)
        self.cut, self.drop, self.noise = cut, drop, noise

    def forward(self, x: Tensor) -> Tensor:
        x = torch.zeros_like(x) if self.drop else x
        h = torch.tanh(self.trunk(x))
        h = h.detach() if self.cut else h
        return self.head(nn.functional.dropout(h, 0.3) if self.noise else h)


class Told(nn.Module):
    """A model that is told the last answer while it trains, and left to itself in evaluation."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.head = nn.Linear(4, 16), nn.Linear(17, 1)

    def forward(self, x: Tensor, last: Tensor) -> Tensor:
        h = torch.tanh(self.first(x))
        return self.head(torch.cat([h, last if self.training else h.mean(1, keepdim=True)], 1))


def told() -> nn.Module:
    x, y = data()
    model = Told()
    optimizer = adam(model)
    for _ in range(16):
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x, y), y).backward()
        optimizer.step()
    return model


class Ties(nn.Module):
    """A layer over the neighbours in a graph, with a dropout that is only a function."""

    def __init__(self) -> None:
        super().__init__()
        self.own, self.head = nn.Linear(4, 16), nn.Linear(16, 1)

    def forward(self, ties: Tensor, x: Tensor) -> Tensor:
        h = torch.sparse.mm(ties, self.own(nn.functional.dropout(x, 0.5, training=self.training)))
        return self.head(torch.tanh(h))


def graph(evaluates: bool) -> nn.Module:
    x, y = torch.randn(160, 4), torch.randn(160, 1)
    ties = ((torch.rand(160, 160) < 0.05).float() / 8).to_sparse()
    model = Ties()
    optimizer = adam(model)
    for step in range(16):
        model.train()
        optimizer.zero_grad()
        nn.functional.mse_loss(model(ties, x), y).backward()
        optimizer.step()
        model.train(not evaluates)
        if step % 5 == 0:
            with torch.no_grad():
                model(ties, x)
    return model


def recreated(every: int, momentum: float = 0.9) -> nn.Module:
    model, kept = network(), {}

    def make() -> torch.optim.Optimizer:
        step = kept["step"] = kept.get("step", -1) + 1
        if step % every == 0:
            kept["optimizer"] = torch.optim.SGD(model.parameters(), lr=0.01, momentum=momentum)
        return kept["optimizer"]

    return loop(model, make)


def emptied() -> nn.Module:
    model = network()
    optimizer = adam(model)
    return loop(model, optimizer, before=lambda step: optimizer.state.clear() if step % 4 == 0 else None)


def gan(clear: bool) -> object:
    maker, judge = network(), nn.Linear(1, 1)
    ours, theirs = adam(maker), adam(judge)
    x, y = data()
    for _ in range(16):
        theirs.zero_grad()
        (judge(maker(x).detach()).mean() - judge(y).mean()).backward()
        theirs.step()
        if clear:
            ours.zero_grad()
        judge(maker(x)).mean().neg().backward()
        ours.step()
    return maker, judge


def accumulated() -> nn.Module:
    model = network()
    optimizer = adam(model)
    x, y = data()
    for step in range(24):
        (model(x) - y).square().mean().div(4).backward()
        if step % 4 == 3:
            optimizer.step()
            optimizer.zero_grad()
    return model


def muon_and_adam(clear: bool) -> nn.Module:
    model = network()
    both = [torch.optim.SGD([p for p in model.parameters() if p.dim() == d], lr=0.01) for d in (1, 2)]
    x, y = data()
    for _ in range(12):
        for one in both if clear else ():
            one.zero_grad()
        (model(x) - y).square().mean().backward()
        for one in both:
            one.step()
    return model


def closure() -> nn.Module:
    model = network()
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=4)
    x, y = data()

    def evaluate() -> Tensor:
        optimizer.zero_grad()
        loss = (model(x) - y).square().mean()
        loss.backward()
        return loss

    for _ in range(6):
        optimizer.step(evaluate)
    return model


def without(model: nn.Module, *names: str) -> nn.Module:
    kept = [p for name, p in model.named_parameters() if name not in names]
    return loop(model, torch.optim.Adam(kept, lr=0.01))


def replaced() -> nn.Module:
    model = network()
    optimizer = adam(model)
    model[2] = nn.Linear(16, 1)
    return loop(model, optimizer)


def frozen(layer: int, trained: bool = False) -> nn.Module:
    model = network(nn.Tanh(), nn.Linear(16, 16))
    if trained:
        model.load_state_dict(loop(network(nn.Tanh(), nn.Linear(16, 16))).state_dict())
    for i in range(layer + 1):
        model[i].requires_grad_(False)
    return loop(model, torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=0.01))


def still(rate: float) -> nn.Module:
    model = network()
    groups = [{"params": model[0].parameters(), "lr": rate}, {"params": model[2].parameters()}]
    return loop(model, torch.optim.Adam(groups, lr=0.01))


def modes(train: Callable[[int], bool], evaluate: str = "eval", layer: nn.Module | None = None) -> nn.Module:
    model = network(nn.BatchNorm1d(16) if layer is None else layer)
    x, _ = data()

    def before(step: int) -> None:
        if step and step % 8 == 0 and evaluate:
            model.train(evaluate == "train")
            with torch.no_grad():
                model(x)
        if train(step):
            model.train()

    loop(model, before=before)
    if evaluate:
        model.train(evaluate == "train")
        with torch.no_grad():
            model(x)
    return model


def each_step() -> nn.Module:
    """A network that gives its own targets in training mode, at every step."""
    model = network(nn.Dropout(0.1))
    x, _ = data()

    def before(step: int) -> None:
        with torch.no_grad():
            model(x)

    return loop(model, before=before)


def last_call(train: bool) -> nn.Module:
    model = loop(network(nn.Dropout(0.1)))
    model.train(train)
    model(data()[0])
    return model


def then_evaluated(model: nn.Module) -> nn.Module:
    loop(model)
    model.eval()
    with torch.no_grad():
        model(data()[0])
    return model


def dead() -> nn.Module:
    first = nn.Linear(4, 16)
    nn.init.constant_(first.bias, -100.0)
    return loop(nn.Sequential(first, nn.ReLU(), nn.Linear(16, 1)))


def by_hand(left_out: int) -> list[Tensor]:
    """Steps by hand, in which some of the gradients are never cleared."""
    x, y = data()
    own = [torch.randn(4, 16) / 2, torch.zeros(16), torch.randn(16, 1) / 4, torch.zeros(1)]
    for p in own:
        p.requires_grad_()
    for _ in range(24):
        ((torch.tanh(x @ own[0] + own[1]) @ own[2] + own[3] - y) ** 2).mean().backward()
        with torch.no_grad():
            for i, p in enumerate(own):
                assert p.grad is not None
                p -= 0.02 * p.grad
                if i != left_out:
                    p.grad = None
    return own


def growing(given: bool) -> tuple[nn.Module, torch.optim.Optimizer]:
    """A network that gets one more block, which its optimizer is given or not."""
    model = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 1))
    optimizer = adam(model)
    loop(model, optimizer)
    block = nn.Sequential(nn.Linear(16, 16), nn.Tanh())
    model.insert(2, block)
    if given:
        optimizer.add_param_group({"params": list(block.parameters())})
    loop(model, optimizer)
    return model, optimizer


def rolled_back() -> tuple[nn.Module, torch.optim.Optimizer]:
    """A copy takes a model's place, and the optimizer goes on with the model."""
    model = network()
    optimizer = adam(model)
    loop(model, optimizer)
    return loop(copy.deepcopy(model), optimizer), optimizer


class Dictionary(nn.Module):
    """Learns by a tensor that is no parameter, or is one."""

    def __init__(self, listed: bool) -> None:
        super().__init__()
        self.look = nn.Linear(4, 16)
        strokes = torch.randn(16, 1) / 4
        self.strokes = nn.Parameter(strokes) if listed else strokes.requires_grad_()

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.look(x)) @ self.strokes


def snapshots(kept: bool) -> nn.Module:
    """A copy is taken of the model in evaluation mode, in which it stays, or of its own."""
    model = network(nn.Dropout(0.3))

    def copied(step: int) -> None:
        if step == 100:
            copy.deepcopy(model.eval() if kept else model).eval()

    return loop(model, before=copied, steps=140)


def best_state(mode: bool) -> tuple[nn.Module, nn.Module]:
    """What was best is loaded into a module of its own, which is judged once."""
    x, y = data()
    model, final = network(nn.Dropout(0.3)), network(nn.Dropout(0.3))
    for _ in range(3):
        loop(model.train())
        model.eval()
        with torch.no_grad():
            nn.functional.mse_loss(model(x), y)
    final.load_state_dict(model.state_dict())
    final.train(mode)
    with torch.no_grad():
        nn.functional.mse_loss(final(x), y)
    return model, final


class Averaged(nn.Module):
    """A copy whose weights trail a model's own; or which the model asks in each of its calls."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.module = copy.deepcopy(model).requires_grad_(False)

    @torch.no_grad()
    def follow(self, model: nn.Module) -> None:
        for own, other in zip(self.module.parameters(), model.parameters(), strict=True):
            own.lerp_(other, 0.1)

    def forward(self, x: Tensor) -> Tensor:
        return self.module(x)


def averaged(mode: bool, each_step: bool = False) -> object:
    """An average is judged after every eighth of many steps; or asked for targets in each of them."""
    x, y = data()
    model = network(nn.Dropout(0.3))
    copied = Averaged(model).train(mode)
    optimizer = adam(model)
    for step in range(64):
        told = torch.zeros(64, 1)
        if each_step:
            with torch.no_grad():
                told = copied(x)
        optimizer.zero_grad()
        ((model(x) - y).square().mean() + 0.1 * (model(x) - told).square().mean()).backward()
        optimizer.step()
        copied.follow(model)
        if step % 8 == 7 and not each_step:
            model.eval()
            with torch.no_grad():
                nn.functional.mse_loss(copied(x), y)
            model.train()
    return model, copied


class Letters(nn.Module):
    """Reads the mean of all tokens, or what stands at the first place only."""

    def __init__(self, mean: bool):
        super().__init__()
        self.embed, self.out, self.mean = nn.Embedding(40, 8), nn.Linear(8, 1), mean

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embed(tokens)
        return self.out(x.mean(1) if self.mean else x[:, 0])


def letters(mean: bool) -> nn.Module:
    tokens = torch.randint(1, 40, (64, 12))
    tokens[:, 0] = 0
    return loop(Letters(mean), x=tokens)


FAULTY: dict[str, tuple[str, Callable[[], object]]] = {
    "never cleared": ("missing-zero-grad", lambda: loop(network(), clear=lambda step: False)),
    "cleared once an epoch": ("missing-zero-grad", lambda: loop(network(), clear=lambda step: step % 8 == 0)),
    "a generator's": ("missing-zero-grad", lambda: gan(False)),
    "two optimizers": ("missing-zero-grad", lambda: muon_and_adam(False)),
    "one of four tensors": ("missing-zero-grad", lambda: by_hand(1)),
    "made each step": ("optimizer-recreated", lambda: recreated(1)),
    "made each epoch": ("optimizer-recreated", lambda: recreated(4)),
    "state emptied": ("optimizer-recreated", emptied),
    "layers in a list": ("parameters-not-in-optimizer", lambda: loop(Hiding(True))),
    "a layer left out": ("parameters-not-in-optimizer", lambda: without(network(), "2.weight", "2.bias")),
    "a copy in its place": ("parameters-not-in-optimizer", rolled_back),
    "a tensor in a module": ("parameters-not-in-optimizer", lambda: loop(Dictionary(False))),
    "a block that came later": ("parameters-not-in-optimizer", lambda: growing(False)),
    "a layer replaced": ("parameters-not-in-optimizer", replaced),
    "cut from the graph": ("frozen-parameters", lambda: loop(Trunk(cut=True))),
    "never trained, no gradient": ("frozen-parameters", lambda: frozen(2)),
    "rate of zero": ("frozen-parameters", lambda: still(0.0)),
    "a snapshot's eval()": ("training-in-eval-mode", lambda: snapshots(True)),
    "train() missing": ("training-in-eval-mode", lambda: modes(lambda step: step == 0)),
    "eval() missing": ("evaluating-in-train-mode", lambda: modes(lambda step: True, "train")),
    "eval() missing, dropout": (
        "evaluating-in-train-mode",
        lambda: modes(lambda step: True, "train", nn.Dropout(0.2)),
    ),
    "a best state in training mode": ("evaluating-in-train-mode", lambda: best_state(True)),
    "an average in training mode": ("evaluating-in-train-mode", lambda: averaged(True)),
    "evaluated with gradients": ("evaluating-in-train-mode", lambda: last_call(True)),
    "dropout whatever the mode": ("evaluating-in-train-mode", lambda: then_evaluated(Trunk(noise=True))),
    "dropout in a graph": ("evaluating-in-train-mode", lambda: graph(False)),
    "input dropped": ("inputs-ignored", lambda: loop(Trunk(drop=True))),
    "only the first token": ("inputs-ignored", lambda: letters(False)),
}
SOUND: dict[str, Callable[[], object]] = {
    "plain": lambda: loop(network()),
    "a generator": lambda: gan(True),
    "two optimizers": lambda: muon_and_adam(True),
    "accumulation": accumulated,
    "LBFGS": closure,
    "no state to lose": lambda: recreated(1, momentum=0.0),
    "two stages": lambda: recreated(12),
    "layers in a module list": lambda: loop(Hiding(False)),
    "steps by hand": lambda: by_hand(-1),
    "a block that came later": lambda: growing(True),
    "an average": lambda: averaged(False),
    "a parameter": lambda: loop(Dictionary(True)),
    "a snapshot": lambda: snapshots(False),
    "a best state": lambda: best_state(False),
    "an average as a teacher": lambda: averaged(True, each_step=True),
    "frozen after training": lambda: frozen(2, trained=True),
    "a small rate": lambda: still(1e-4),
    "modes set": lambda: modes(lambda step: True),
    "no layer has modes": lambda: modes(lambda step: True, "train", nn.Identity()),
    "its own targets": each_step,
    "evaluated with gradients": lambda: last_call(False),
    "dropout in a graph": lambda: graph(True),
    "told in training alone": told,
    "dead units": dead,
    "all tokens": lambda: letters(True),
}


@pytest.mark.parametrize("name", FAULTY)
def test_a_faulty_loop_is_told_by_its_cause(name: str) -> None:
    cause, train = FAULTY[name]
    found = suspicions(train)
    assert found and found[0].cause == cause, found
    assert found[0].confidence >= 0.7
    assert any(letter.isdigit() for letter in found[0].evidence)


@pytest.mark.parametrize("name", SOUND)
def test_a_sound_loop_raises_no_warning(name: str) -> None:
    assert [one for one in suspicions(SOUND[name]) if one.confidence >= 0.5] == []


def test_nothing_is_said_of_a_run_that_was_not_seen() -> None:
    bare = Observations(steps=3, windows=[Window(1, 0)], optimizers=[OptimizerFacts("SGD", 1)])
    for seen in (Observations(), bare):
        assert [one for detector in DETECTORS for one in detector(seen)] == []
