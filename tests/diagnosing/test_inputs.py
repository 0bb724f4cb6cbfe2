"""Causes that lie in what is given, and sound twins of each."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from descend.diagnosing import inputs
from descend.watching.observations import Observations
from descend.watching.watcher import Watcher


def watched(train: Callable[[], None]) -> Observations:
    watcher = Watcher(budget=1.0)
    watcher.start()
    try:
        train()
    finally:
        seen = watcher.stop()
    return seen


def confidence(seen: Observations, cause: str) -> float:
    """Return how sure the detectors are of a cause; 0 where none names it."""
    found = [s for detector in inputs.DETECTORS for s in detector(seen) if s.cause == cause]
    return max((s.confidence for s in found), default=0.0)


def fit(
    x: Tensor,
    y: Tensor,
    loss: Callable[[Tensor, Tensor], Tensor],
    rows: Callable[[int], Tensor],
    outputs: int,
    steps: int = 60,
) -> Observations:
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(x.shape[1], 16), nn.ReLU(), nn.Linear(16, outputs))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)

    def train() -> None:
        for step in range(steps):
            at = rows(step)
            optimizer.zero_grad()
            loss(model(x[at]), y[at]).backward()
            optimizer.step()

    return watched(train)


def table(n: int = 400) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(n, 5, generator=generator)
    return x, x[:, :1] - 0.5 * x[:, 1:2] * x[:, 2:3]


def mixed(n: int = 400, size: int = 32) -> Callable[[int], Tensor]:
    generator = torch.Generator().manual_seed(2)
    return lambda step: torch.randint(n, (size,), generator=generator)


def squares(prediction: Tensor, target: Tensor) -> Tensor:
    return ((prediction - target) ** 2).mean()


mse, entropy = nn.functional.mse_loss, nn.functional.cross_entropy


@pytest.mark.parametrize("loss", [mse, squares])
@pytest.mark.parametrize("change", ["scaled", "offset", "uneven"])
def test_inputs_not_scaled(change: str, loss: Callable[[Tensor, Tensor], Tensor]) -> None:
    x, y = table()
    raw = {"scaled": x * 3000, "offset": x + 1900, "uneven": x * torch.tensor([1.0, 1, 1, 1, 900])}[change]
    assert confidence(fit(raw, y, loss, mixed(), 1), "inputs-not-scaled") >= 0.5
    assert confidence(fit(x, y, loss, mixed(), 1), "inputs-not-scaled") == 0


def test_inputs_that_a_model_normalises_itself() -> None:
    x, y = table()
    model = nn.Sequential(nn.BatchNorm1d(5), nn.Linear(5, 16), nn.ReLU(), nn.Linear(16, 1))
    optimizer = torch.optim.Adam(model.parameters())

    def train() -> None:
        for _ in range(20):
            optimizer.zero_grad()
            mse(model(x * 500), y).backward()
            optimizer.step()

    assert confidence(watched(train), "inputs-not-scaled") == 0


@pytest.mark.parametrize("loss", [mse, squares])
def test_targets_not_scaled(loss: Callable[[Tensor, Tensor], Tensor]) -> None:
    x, y = table()
    assert confidence(fit(x, y * 1e5 + 3e5, loss, mixed(), 1), "targets-not-scaled") >= 0.5
    assert confidence(fit(x, y, loss, mixed(), 1), "targets-not-scaled") == 0


def test_data_not_shuffled() -> None:
    x, y = table()
    labels = (y[:, 0] > 0).long()
    order = labels.argsort()
    found = fit(x[order], labels[order], entropy, lambda s: torch.arange(32) + 32 * (s % 12), 2)
    assert confidence(found, "data-not-shuffled") >= 0.5
    # Always the same order, but a mixed one, is sound.
    found = fit(x, labels, entropy, lambda s: torch.arange(32) + 32 * (s % 12), 2)
    assert confidence(found, "data-not-shuffled") == 0


def test_repeated_batch() -> None:
    x, y = table()
    assert confidence(fit(x, y, mse, lambda s: torch.arange(32), 1), "repeated-batch") >= 0.5
    assert confidence(fit(x, y, mse, mixed(), 1), "repeated-batch") == 0
    # All examples in every step are one on purpose.
    assert confidence(fit(x, y, mse, lambda s: torch.arange(len(x)), 1), "repeated-batch") < 0.5


@pytest.mark.parametrize("stands", [torch.arange(32), torch.zeros(32, dtype=torch.long)])
def test_where_the_right_one_of_a_batch_stands_is_no_repeated_target(stands: Tensor) -> None:
    x, _ = table()
    cross_entropy = nn.functional.cross_entropy
    seen = fit(x, x, lambda out, _: cross_entropy(out @ out.T, stands), mixed(), 8)
    assert confidence(seen, "repeated-batch") < 0.5


def test_repeated_batch_of_a_loader() -> None:
    x, y = table()
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), batch_size=50)
    model = nn.Linear(5, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def train() -> None:
        for _ in range(20):
            a, b = next(iter(loader))
            optimizer.zero_grad()
            mse(model(a), b).backward()
            optimizer.step()

    assert confidence(watched(train), "repeated-batch") >= 0.9


class Continues(nn.Module):
    """Tells the next token from those before, by an average; or from all, where it is not causal."""

    def __init__(self, causal: bool):
        super().__init__()
        self.embed, self.out, self.causal = nn.Embedding(8, 12), nn.Linear(24, 8), causal

    def forward(self, tokens: Tensor) -> Tensor:
        h = self.embed(tokens)
        weights = torch.ones(h.shape[1], h.shape[1])
        weights = weights.tril() if self.causal else weights
        mean = (weights / weights.sum(1, keepdim=True)) @ h
        return self.out(torch.cat([h, mean], -1))


@pytest.mark.parametrize("causal", [True, False])
def test_target_leak_in_a_sequence(causal: bool) -> None:
    torch.manual_seed(0)
    model = Continues(causal)
    optimizer = torch.optim.Adam(model.parameters())

    def train() -> None:
        for _ in range(10):
            tokens = torch.randint(8, (16, 13))
            optimizer.zero_grad()
            entropy(model(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten()).backward()
            optimizer.step()

    assert confidence(watched(train), "target-leak") == (0 if causal else 0.95)


def test_target_leak_in_a_feature() -> None:
    x, y = table()
    labels = (y[:, 0] + 0.8 * torch.randn(len(y), generator=torch.Generator().manual_seed(3)) > 0).long()
    told = torch.cat([x, labels[:, None].float() + 0.01 * x[:, 3:4]], 1)
    assert confidence(fit(told, labels, entropy, mixed(), 2), "target-leak") >= 0.5
    assert confidence(fit(x, labels, entropy, mixed(), 2), "target-leak") == 0
