"""The loss at many points, in every way of computing it, against the function itself."""

import copy

import pytest
import torch
from torch import nn

import descend
from descend.landscapes.losses import Losses, Pace
from descend.landscapes.vectors import Layout

PACES = [
    Pace(),
    Pace(rows=64),
    Pace(workers=2),
    Pace(stack=8),
    Pace(stack=7, rows=100, workers=2),
    Pace(shortcuts=True),
    Pace(stack=7, rows=100, workers=2, shortcuts=True),
    Pace(channels_last=True),
    Pace(rows=100, workers=2, shortcuts=True, channels_last=True),
    Pace(stack=7, rows=100, workers=2, shortcuts=True, channels_last=True),
]


def classifying(function: nn.Module, *shape: int) -> tuple[descend.Problem, tuple[torch.Tensor, ...]]:
    torch.manual_seed(1)
    x, y = torch.randn(300, *shape), torch.randint(3, (300,))
    return descend.Problem(function, "cross_entropy", train=(x, y)), (x, y)


def mlp() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 3))


def cnn() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, 3)
    )


def sure(problem: descend.Problem, function: nn.Module, batch, points: torch.Tensor) -> list[float]:
    """Return the losses by loading each point into a float64 copy."""
    found = []
    layout = Layout(function)
    for point in points:
        own = copy.deepcopy(function)
        values = layout.values(point)
        with torch.no_grad():
            for name, p in own.named_parameters():
                p.copy_(values[name])
        own = own.double().eval()
        inputs = [x.double() if x.is_floating_point() else x for x in batch]
        found.append(problem.loss_of(own, tuple(inputs)).item())
    return found


@pytest.mark.parametrize("pace", [None, *PACES], ids=str)
@pytest.mark.parametrize(("make", "shape"), [(mlp, (5,)), (cnn, (1, 8, 8))])
def test_losses_are_the_functions_own(make, shape, pace) -> None:
    function = make()
    problem, batch = classifying(function, *shape)
    losses = Losses(problem, function, batch, pace=pace)
    origin = losses.layout.of(function)
    axes = torch.randn(2, len(origin), generator=torch.Generator().manual_seed(0))
    at = torch.randn(60, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    found = losses.on(origin, axes, at)
    points = origin + at.float() @ axes
    assert found.dtype == torch.float64
    assert found.tolist() == pytest.approx(sure(problem, function, batch, points), rel=2e-5)
    assert losses.at(points).tolist() == pytest.approx(found.tolist(), rel=1e-5)
    assert losses.evaluations == 120


class Words(nn.Module):
    """An embedding that is tied to the head, and a layer that is called twice."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.twice = nn.Embedding(7, 4), nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.twice(torch.tanh(self.twice(self.words(x))))
        return h.mean(1) @ self.words.weight.T


@pytest.mark.parametrize("pace", PACES[-2:], ids=str)
def test_tied_and_repeated_layers(pace: Pace) -> None:
    torch.manual_seed(0)
    function = Words()
    batch = torch.randint(7, (300, 5)), torch.randint(7, (300,))
    problem = descend.Problem(function, "cross_entropy", train=batch)
    losses = Losses(problem, function, batch, pace=pace)
    assert losses._first_layers() == ["words"]
    origin = losses.layout.of(function)
    axes, at = torch.randn(2, len(origin)), torch.randn(20, 2, dtype=torch.float64)
    found = losses.on(origin, axes, at)
    assert found.tolist() == pytest.approx(
        sure(problem, function, batch, origin + at.float() @ axes), rel=2e-5
    )


def test_which_layers_see_one_input() -> None:
    for function, shape, expected in (
        (mlp(), (5,), ["0"]),
        (cnn(), (1, 8, 8), ["0"]),
        (nn.Linear(5, 3), (5,), [""]),
    ):
        problem, batch = classifying(function, *shape)
        assert Losses(problem, function, batch)._first_layers() == expected


def test_a_frozen_bias_is_added_once() -> None:
    function = nn.Linear(5, 3)
    function.bias.requires_grad_(False)
    problem, batch = classifying(function, 5)
    origin = Layout(function).of(function)
    axes, at = torch.randn(1, 15), torch.linspace(-1, 1, 9, dtype=torch.float64)[:, None]
    plain, quick = (
        Losses(problem, function, batch, pace=pace).on(origin, axes, at)
        for pace in (Pace(), Pace(shortcuts=True))
    )
    assert quick.tolist() == pytest.approx(plain.tolist(), rel=1e-6)


def test_parts_are_parts_and_their_mean_is_the_whole() -> None:
    function = mlp()
    problem, batch = classifying(function, 5)
    losses = Losses(problem, function, batch)
    points = losses.layout.of(function)[None] + torch.zeros(4, 1)
    parts = losses.parts(10, lambda: losses.at(points))
    assert parts.shape == (4, 10)
    assert parts.mean(1).tolist() == pytest.approx(losses.at(points).tolist(), rel=1e-6)
    assert losses.examples == 300


def test_nothing_of_the_function_changes() -> None:
    function = cnn().train()
    before = copy.deepcopy(function.state_dict())
    problem, batch = classifying(function, 1, 8, 8)
    threads = torch.get_num_threads()
    Losses(problem, function, batch).at(torch.randn(80, Layout(function).count) * 0.1)
    assert function.training and torch.get_num_threads() == threads
    for name, value in function.state_dict().items():
        assert torch.equal(value, before[name])


class Branching(nn.Module):
    """What vmap has no rule for: a branch on a value."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor([1.0, 2.0]))

    def forward(self) -> torch.Tensor:
        if float(self.w[0]) > 0:
            return (self.w**2).sum()
        return (self.w**4).sum()


def test_functions_that_branch_are_computed_point_by_point() -> None:
    function = Branching()
    problem = descend.Problem(function)
    losses = Losses(problem, function, (), pace=Pace(stack=8))
    points = torch.tensor([[1.0, 2.0], [-1.0, 2.0], [3.0, 0.0], [-2.0, 1.0]]).repeat(4, 1)
    assert losses.at(points).tolist() == [5.0, 17.0, 9.0, 17.0] * 4


class Drawing(nn.Module):
    """Draws random numbers also in eval mode."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor([1.0, 2.0]))

    def forward(self) -> torch.Tensor:
        return (self.w * torch.randn(2)).sum()


def test_views_that_one_order_in_memory_allows() -> None:
    """Whoever writes ``view`` needs numbers where they are by default; the other order is then not taken."""

    class Viewing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.convolution, self.last = nn.Conv2d(2, 4, 3), nn.Linear(64, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.last(self.convolution(x).view(len(x), -1))

    problem, batch = classifying(Viewing(), 2, 6, 6)
    losses = Losses(problem, problem.function, batch)
    points = Layout(problem.function).of(problem.function) + 0.1 * torch.randn(400, losses.layout.count)
    found = losses.at(points)
    assert losses.pace is not None and not losses.pace.channels_last
    sure = Losses(problem, problem.function, batch, pace=Pace()).at(points)
    torch.testing.assert_close(found, sure, rtol=1e-5, atol=1e-6)


def test_functions_that_draw_draw_the_same_everywhere() -> None:
    function = Drawing()
    state = torch.get_rng_state()
    losses = Losses(descend.Problem(function), function, ())
    found = losses.at(torch.ones(70, 2))
    assert losses.random and len(set(found.tolist())) == 1
    assert torch.equal(torch.get_rng_state(), state)


def test_points_that_are_no_numbers_do_no_harm_to_others() -> None:
    function = mlp()
    problem, batch = classifying(function, 5)
    losses = Losses(problem, function, batch, pace=Pace(stack=4))
    points = losses.layout.of(function).repeat(8, 1)
    points[3] = torch.inf
    found = losses.at(points)
    assert found.isfinite().tolist() == [k != 3 for k in range(8)]


def test_frozen_parameters_are_no_part_of_a_point() -> None:
    function = mlp()
    function[0].requires_grad_(False)
    layout = Layout(function)
    assert layout.names == ["3.weight", "3.bias"] and layout.count == 27
    assert torch.equal(layout.vector(layout.values(torch.arange(27.0))), torch.arange(27.0))


@pytest.mark.parametrize("pace", [None, Pace(stack=4), Pace(workers=2)], ids=str)
def test_batch_norms_may_take_the_examples_own_statistics(pace) -> None:
    function = cnn()
    problem, batch = classifying(function, 1, 8, 8)
    losses = Losses(problem, function, batch, pace=pace, own_statistics=True)
    points = losses.layout.of(function) + 0.3 * torch.randn(60, losses.layout.count)
    found = losses.at(points).tolist()
    own = copy.deepcopy(function).train()  # in training mode: it has no dropout
    for point, loss in list(zip(points, found, strict=True))[:5]:
        values = losses.layout.values(point)
        with torch.no_grad():
            for name, p in own.named_parameters():
                p.copy_(values[name])
        assert loss == pytest.approx(problem.loss_of(own, batch).item(), rel=1e-4)
    assert losses.pace is None or losses.pace.rows is None
