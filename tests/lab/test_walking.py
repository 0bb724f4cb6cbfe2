"""Balls go by the very rules of descend's methods, and what is told of their ways is true."""

import math

import pytest
import torch

pytest.importorskip("starlette")

import descend
from descend.errors import UsageError
from descend.functions.surface_table import quadratic
from descend.lab.breaking import BROKEN, network
from descend.lab.scenes import SCENES, scene
from descend.lab.walking import FAULTS, Walker, sensitivity, walk
from descend.methods import CURVATURE, TABLE

METHODS = [name for name in [*TABLE, *CURVATURE] if name not in ("gaussnewton", "levenbergmarquardt")]


@pytest.mark.parametrize("name", list(SCENES))
def test_every_scene_can_be_walked(name: str) -> None:
    where = scene(name)
    way = walk(where, Walker("sgd", where.lr, start=where.start, steps=30))
    assert len(way["at"]) == len(way["loss"]) == len(way["gradient"]) + 1
    assert way["at"][0].tolist() == pytest.approx(list(where.start), abs=1e-4)
    assert float(way["loss"][-1]) < float(way["loss"][0])
    heights = where.heights(9)
    assert heights.shape == (9, 9) and bool(heights.isfinite().all())
    assert where.teaches and where.title and where.lr > 0


@pytest.mark.parametrize("name", METHODS)
def test_every_method_walks_by_its_own_rule(name: str) -> None:
    where = scene("rosenbrock")
    way = walk(where, Walker(name, start=where.start, steps=5))
    w = torch.nn.Parameter(torch.tensor(where.start, dtype=torch.float64))
    model = torch.nn.Module()
    model.x = w
    known = descend.methods.method(name).defaults
    chosen = {"weight_decay": 0.0} if "weight_decay" in known else {}
    opt = descend.optimizer(name, model, show=False, **chosen)
    f = _rosenbrock
    for k in range(len(way["at"]) - 1):
        if name in CURVATURE:
            opt.step(lambda: f(w))
        else:
            opt.zero_grad()
            f(w).backward(create_graph=opt.needs_graph)
            opt.step()
        with opt.evaluation():
            assert way["at"][k + 1].tolist() == pytest.approx(w.tolist(), rel=1e-9, abs=1e-12)
            assert float(way["loss"][k + 1]) == pytest.approx(f(w).item(), rel=1e-9, abs=1e-12)


def _rosenbrock(w: torch.Tensor) -> torch.Tensor:
    return 100 * (w[1] - w[0] ** 2) ** 2 + (1 - w[0]) ** 2


def test_the_edge_of_stability_is_two_over_the_curvature() -> None:
    where = scene("quadratic")
    H = torch.func.hessian(quadratic(condition=20.0).function)(torch.zeros(2, dtype=torch.float64))
    largest = float(torch.linalg.eigvalsh(H)[-1])
    assert float(where.sharpness(where.at(1.0, 2.0)[None])[0]) == pytest.approx(largest, rel=1e-9)
    below = walk(where, Walker("sgd", 1.98 / largest, start=(3.0, -1.0), steps=1000))
    above = walk(where, Walker("sgd", 2.02 / largest, start=(3.0, -1.0), steps=1000))
    assert not below["diverged"] and float(below["loss"][-1]) < 1e-3
    assert above["diverged"]


def test_the_curvature_of_a_network_is_its_hessians() -> None:
    where = scene("digits")
    start = where.at(*where.start)
    told = float(where.sharpness(start[None])[0])
    sure = descend.Curvature(where.problem, at=where.losses.layout.values(start), batch=None)
    assert told == pytest.approx(float(sure.top(1, tolerance=1e-4).values[0]), rel=0.03)


def test_losses_are_true_off_the_plane_too() -> None:
    where = scene("digits")
    way = walk(where, Walker("sgd", 0.2, start=where.start, steps=20, batch=64))
    assert float(way["off"].max()) > 0
    assert float(way["loss"][-1]) < float(way["loss"][0])
    x, y = where.problem.train.tensors
    function = where.problem.fresh_function()
    values = where.losses.layout.values(where.at(*where.start))
    with torch.no_grad():
        for name, p in function.named_parameters():
            p.copy_(values[name])
    assert float(way["loss"][0]) == pytest.approx(where.problem.loss_of(function, (x, y)).item(), rel=1e-5)


def test_chance_is_the_seeds() -> None:
    where = scene("line")
    a, b, c = (walk(where, Walker("sgd", 0.1, start=(0, 0), steps=20, batch=4, seed=s)) for s in (0, 0, 1))
    assert torch.equal(a["at"], b["at"]) and not torch.equal(a["at"], c["at"])
    noisy = walk(where, Walker("sgd", 0.1, start=(0, 0), steps=20, noise=0.5))
    still = walk(where, Walker("sgd", 0.1, start=(0, 0), steps=20))
    assert not torch.equal(noisy["at"], still["at"])


@pytest.mark.parametrize("fault", list(FAULTS))
def test_faults_do_harm(fault: str) -> None:
    where = scene("quadratic")
    sound = walk(where, Walker("sgd", 0.05, start=where.start, steps=60))
    broken = walk(where, Walker("sgd", 0.05, start=where.start, steps=60, fault=fault))
    assert broken["diverged"] or float(broken["loss"][-1]) > 2 * float(sound["loss"][-1])


def test_rates_and_their_losses() -> None:
    where = scene("quadratic")
    found = sensitivity(where, Walker("sgd", 0.05, start=where.start))
    assert len(found["lr"]) == len(found["loss"]) == 25
    edge = 2 / float(where.sharpness(where.at(*where.start)[None])[0])
    for lr, loss in zip(found["lr"].tolist(), found["loss"].tolist(), strict=True):
        if lr > 1.3 * edge:
            assert math.isnan(loss) or loss > found["start"]
        elif lr < 0.9 * edge:
            assert loss < found["start"]


@pytest.mark.parametrize(
    ("walker", "match"),
    [
        (Walker("sgdd"), "did you mean sgd"),
        (Walker("sgd", lr=-1.0), "at least 0"),
        (Walker("sgd", hyperparameters={"momentun": 1}), "momentum"),
        (Walker("sgd", fault="x"), "uphill"),
    ],
)
def test_wrong_walkers_are_one_sentence(walker: Walker, match: str) -> None:
    with pytest.raises(UsageError, match=match):
        walk(scene("sphere"), walker)
    with pytest.raises(UsageError, match="scene"):
        scene("moon")


@pytest.mark.parametrize("fault", list(BROKEN))
def test_broken_networks_are_problems(fault: str) -> None:
    problem = network(fault)
    assert problem.count == 2410 and problem.metric is not None
    with pytest.raises(UsageError):
        network("nothing known")
