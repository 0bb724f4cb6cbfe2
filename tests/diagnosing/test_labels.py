"""Causes that lie in labels, and where training and evaluation part; with sound twins."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from descend.diagnosing import labels
from descend.watching.observations import Observations
from descend.watching.watcher import Watcher


def confidence(seen: Observations, cause: str) -> float:
    """Return how sure the detectors are of a cause; 0 where none names it."""
    return max((s.confidence for d in labels.DETECTORS for s in d(seen) if s.cause == cause), default=0.0)


def clusters(n: int, seed: int) -> tuple[Tensor, Tensor]:
    """Five clouds in six dimensions; the class is the cloud."""
    generator = torch.Generator().manual_seed(seed)
    centres = 3 * torch.randn(5, 6, generator=torch.Generator().manual_seed(9))
    y = torch.randint(5, (n,), generator=generator)
    return centres[y] + torch.randn(n, 6, generator=generator), y


def train(
    x: Tensor, y: Tensor, model: nn.Module, test: tuple[Tensor, Tensor] | None = None, epochs: int = 8
) -> Observations:
    """Train with evaluations after each epoch: a classifier for integer targets, a regressor for others."""
    torch.manual_seed(1)
    whole = not y.is_floating_point()
    loss_of = nn.functional.cross_entropy if whole else nn.functional.mse_loss
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    watcher = Watcher(budget=100.0)
    watcher.start()
    for _ in range(epochs):
        model.train()
        for rows in torch.randperm(len(x)).split(32):
            optimizer.zero_grad()
            loss_of(model(x[rows]), y[rows]).backward()
            optimizer.step()
        if test is not None:
            model.eval()
            with torch.no_grad():
                out = model(test[0])
                loss_of(out, test[1])
                if whole:
                    (out.argmax(1) == test[1]).float().mean()
    return watcher.stop()


def network(inputs: int = 6, outputs: int = 5, width: int = 24, drop: float = 0.0) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(inputs, width), nn.ReLU(), nn.Dropout(drop), nn.Linear(width, outputs)
    )  # fmt: skip


def test_sound() -> None:
    x, y = clusters(400, 0)
    seen = train(x, y, network(), clusters(200, 1))
    assert [s for d in labels.DETECTORS for s in d(seen)] == []


def test_labels_misaligned() -> None:
    x, y = clusters(400, 0)
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(4))
    assert confidence(train(x, y[order], network(), clusters(200, 1)), "labels-misaligned") >= 0.5
    # Without evaluations too; and numbers as well as classes.
    assert confidence(train(x, y[order], network()), "labels-misaligned") >= 0.5
    wanted = (x[:, :1] + x[:, 1:2]) / 4
    assert confidence(train(x, wanted[order], network(outputs=1)), "labels-misaligned") >= 0.5
    assert confidence(train(x, wanted, network(outputs=1)), "labels-misaligned") == 0


def test_label_noise() -> None:
    x, y = clusters(500, 0)
    generator = torch.Generator().manual_seed(5)
    wrong = torch.rand(500, generator=generator) < 0.3
    noisy = torch.where(wrong, torch.randint(5, (500,), generator=generator), y)
    seen = train(x, noisy, network())
    found = [s for s in labels.label_noise(seen) if s.confidence >= 0.5]
    assert len(found) == 1
    # A quarter of the labels really differ from the truth.
    rate = int(found[0].evidence.split("%")[0].split()[-1]) / 100
    assert abs(rate - float((noisy != y).float().mean())) < 0.08


def test_classes_that_overlap_are_not_noise() -> None:
    generator = torch.Generator().manual_seed(0)
    y = torch.randint(2, (500,), generator=generator)
    x = torch.randn(500, 4, generator=generator) + 0.8 * y[:, None]
    assert confidence(train(x, y, network(4, 2)), "label-noise") < 0.5


def test_overfitting() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(260, 10, generator=generator)
    y = 0.7 * x[:, :1] + 0.7 * torch.randn(260, 1, generator=generator)
    seen = train(x[:60], y[:60], network(10, 1, 256), (x[60:], y[60:]), epochs=60)
    assert confidence(seen, "overfitting") >= 0.5
    x, y = torch.randn(600, 10, generator=generator), torch.zeros(600, 1)
    y = 0.7 * x[:, :1]
    seen = train(x[:400], y[:400], network(10, 1, 16), (x[400:], y[400:]), epochs=10)
    assert confidence(seen, "overfitting") == 0


def test_underfitting() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(600, 3, generator=generator)
    y = (2 * x[:, :1]).sin() + x[:, 1:2] * x[:, 2:3]
    assert confidence(train(x, y, network(3, 1, 24, 0.8), epochs=12), "underfitting") >= 0.5
    assert confidence(train(x, y, network(3, 1, 64), epochs=12), "underfitting") < 0.5


def stages(late: int) -> tuple[Tensor, Tensor]:
    """Sequences whose numbers tell a stage of several places; labels come so many places late."""
    generator = torch.Generator().manual_seed(3)
    y = torch.randint(3, (64, 16), generator=generator).repeat_interleave(6, 1)
    x = nn.functional.one_hot(y, 3).float() + 0.3 * torch.randn(64, 96, 3, generator=generator)
    return x, y.roll(late, 1)


class Places(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 3))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x).transpose(1, 2)


def test_labels_of_a_sequence_that_come_late():
    assert confidence(train(*stages(0), Places()), "labels-misaligned") == 0
    assert confidence(train(*stages(9), Places()), "labels-misaligned") >= 0.65


def test_wrong_labels_that_are_learned_by_heart_are_told_from_overfitting() -> None:
    x, y = clusters(300, 0)
    generator = torch.Generator().manual_seed(5)
    x = torch.cat([x, torch.randn(300, 60, generator=generator)], 1)  # where neighbours no longer help
    held, truth = clusters(300, 1)
    held = torch.cat([held, torch.randn(300, 60, generator=generator)], 1)
    wrong = torch.rand(300, generator=generator) < 0.3
    noisy = torch.where(wrong, torch.randint(5, (300,), generator=generator), y)
    found = {}
    for name, labels_of in (("noisy", noisy), ("clean", y)):
        seen = train(x, labels_of, network(66, width=12), (held, truth), epochs=40)
        found[name] = confidence(seen, "label-noise"), confidence(seen, "overfitting")
    assert found["noisy"][0] > max(0.5, found["noisy"][1])
    assert found["clean"][0] == 0


def test_labels_of_waveforms_whose_like_stands_at_another_place_are_not_misaligned() -> None:
    generator = torch.Generator().manual_seed(3)
    y = torch.randint(4, (500,), generator=generator)
    place = torch.arange(64) + 64 * torch.rand(500, 1, generator=generator)
    x = torch.sin(place * (0.3 + 0.25 * y[:, None])) + 0.3 * torch.randn(500, 64, generator=generator)
    model = nn.Sequential(nn.Linear(64, 4))  # no line tells a frequency at any phase
    assert confidence(train(x, y, model), "labels-misaligned") == 0
    order = torch.randperm(500, generator=generator)
    assert confidence(train(x, y[order], model), "labels-misaligned") > 0.4


def test_much_dropout_after_rectifiers_and_narrow_recurrent_layers_hold_a_model_back() -> None:
    x, y = clusters(400, 0)
    block = lambda n: [nn.Linear(n, 24), nn.ReLU(), nn.Dropout(0.9)]  # noqa: E731
    model = nn.Sequential(*block(6), *block(24), nn.Linear(24, 5))
    assert confidence(train(x, y, model, epochs=20), "underfitting") >= 0.6
    half = nn.Sequential(nn.Linear(6, 24), nn.ReLU(), nn.Dropout(0.5), nn.Linear(24, 24), nn.ReLU())
    sound = nn.Sequential(*half, nn.Dropout(0.5), nn.Linear(24, 5))
    assert confidence(train(x, y, sound, epochs=20), "underfitting") == 0
