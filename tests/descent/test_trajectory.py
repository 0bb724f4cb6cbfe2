"""What is kept of a descent's way: where it was, closer together at the beginning, within its room."""

from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch import nn

import descend
from descend.descent import trajectory
from descend.descent.trajectory import Trajectory, read_trajectory
from descend.errors import RunError


def line() -> descend.Problem:
    x = torch.linspace(-1, 1, 64)[:, None]
    settings = descend.Settings("sgd", lr=0.05, batch_size=16, steps=300, schedule="constant", warmup=0.0)
    torch.manual_seed(0)
    return descend.Problem(nn.Linear(1, 1), "mse", train=(x, 3 * x + 1), settings=settings)


def flat(module: nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().reshape(-1) for p in module.parameters()])


def test_it_begins_and_ends_where_the_descent_does(tmp_path: Path) -> None:
    problem = line()
    run = descend.fit(problem, out=tmp_path / "a", threads=1)
    names, steps, points, _ = read_trajectory(run.folder / "trajectory.safetensors")
    assert names == ["weight", "bias"] and steps[0] == 0 and steps[-1] == 300
    assert all(a < b for a, b in pairwise(steps))
    assert torch.equal(points[0], flat(problem.function))
    again = descend.Descent(problem)
    again.run(descend.Until(steps=300))
    assert torch.equal(points[-1], flat(again.function))


def test_moments_lie_closer_together_at_first() -> None:
    w = torch.zeros(2)
    way = Trajectory(["w"], [w])
    clock, step = 5.0, 0
    while clock < 65:
        if clock >= way.due:
            w.fill_(clock)
            way.keep(step, clock)
        clock, step = clock + 1e-3, step + 1
    moments = [float(p[0]) - 5 for p in way.points]
    assert 32 <= len(moments) <= 64
    unit = moments[1]
    for k, moment in enumerate(moments):
        assert moment == pytest.approx(unit * k * k, rel=0.1, abs=0.02)


def test_large_parameters_have_fewer_points_or_none() -> None:
    assert Trajectory(["w"], [torch.zeros(16_384)]).most == 64
    assert Trajectory(["w"], [torch.zeros(1 << 20)]).most == 16
    none = Trajectory(["w"], [torch.zeros(2, 1 << 20)])
    none.keep(0, 0.0)
    assert none.most == 0 and none.points == [] and none.due == float("inf")


def test_a_resumed_descent_goes_on_with_its_way(tmp_path: Path) -> None:
    problem = line()
    first = descend.Descent(problem)
    way = Trajectory(first.names, first.parameters)
    first.run(descend.Until(steps=100), trajectory=way)
    way.save(tmp_path / "way")
    kept = list(way.steps)
    other = Trajectory(first.names, first.parameters)
    other.load(tmp_path / "way", up_to=kept[-1])
    first.run(descend.Until(steps=200), trajectory=other)
    assert other.steps[: len(kept)] == kept and other.steps[-1] == 200
    short = Trajectory(first.names, first.parameters)
    short.load(tmp_path / "way", up_to=kept[-1] - 1)
    assert short.steps == kept[:-1]


def test_another_functions_file_is_refused(tmp_path: Path) -> None:
    way = Trajectory(["w"], [torch.zeros(3)])
    way.keep(0, 0.0)
    way.save(tmp_path / "way")
    with pytest.raises(RunError, match="another's"):
        Trajectory(["v"], [torch.zeros(3)]).load(tmp_path / "way", 0)
    (tmp_path / "way").write_bytes(b"nothing")
    with pytest.raises(RunError):
        read_trajectory(tmp_path / "way")


def test_parameters_are_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    problem = line()
    plain = descend.Descent(problem)
    plain.run(descend.Until(steps=200))
    seen = descend.Descent(problem)
    monkeypatch.setattr(trajectory, "FIRST", 1e-6)
    seen.run(descend.Until(steps=200), trajectory=Trajectory(seen.names, seen.parameters))
    assert torch.equal(flat(plain.function), flat(seen.function))
