"""Driving: what a drive is, that a gradient goes back through it, and that the car stays on the road."""

import json
from dataclasses import replace

import pytest
import torch

from descend.applications.driving import EXAMINED, LONGER, driving_problem, lane_keeping_problem
from descend.errors import DescendError, MissingExtra, UsageError
from descend.functions.controllers import by_sight, by_the_environment, stanley
from descend.functions.driver import Drive, discomfort
from descend.functions.driving import DrivingReader, Film, at_the_wheel, summary
from descend.functions.environments import TASKS, drive, opened
from descend.functions.problem import Examined
from descend.functions.readers import reader_from_json, use_of

pytest.importorskip("highway_env")

MAKERS = {"racetrack": driving_problem, "lane-keeping": lane_keeping_problem}
CPU = torch.device("cpu")


@pytest.fixture(scope="module", params=MAKERS)
def problem(request):
    return MAKERS[request.param](width=8, moments=4)


def test_the_parts(problem):
    start, chance, wanted = problem.train.batches(16, 0, CPU).next()
    assert chance.shape[:2] == (16, 5) and wanted.tolist() == [0] * 16
    driven = problem.function(start, chance)
    assert driven.shape == (16, 4, 3) and torch.isfinite(driven).all()
    assert float(driven[..., 2].detach().abs().max()) <= 1
    parts = [p.tensors[0] for p in (problem.train, problem.validation, problem.test)]
    assert len(torch.cat(parts).unique(dim=0)) == sum(map(len, parts))  # no start is in two of them
    json.dumps(problem.describe_data())


def test_a_seed_fixes_everything():
    first, again, other = (lane_keeping_problem(seed=s, width=4, moments=2) for s in (1, 1, 2))
    for a, b, c in zip(first.train.tensors[:2], again.train.tensors, other.train.tensors, strict=False):
        assert torch.equal(a, b) and not torch.equal(a, c)
    assert all(map(torch.equal, first.function.parameters(), again.function.parameters()))


def test_the_loss_is_zero_in_the_middle_and_grows_beside_it():
    driven = torch.zeros(2, 3, 3)
    assert float(discomfort(driven, torch.zeros(2))) == 0
    driven[..., 0] = 0.5
    assert float(discomfort(driven, torch.full((2,), 0.5))) == 0
    beside = float(discomfort(driven, torch.zeros(2)))
    assert beside == pytest.approx(torch.log(torch.tensor(2.0)).item())
    driven[..., 2] = -1
    assert float(discomfort(driven, torch.zeros(2))) == pytest.approx(beside + 0.3)


def test_the_gradient_is_that_of_the_whole_drive(monkeypatch):
    # Without fading it is exact where all that is seen is smooth.
    monkeypatch.setattr("descend.functions.simulated.SimulatedLane.FADING", 1.0)
    problem = lane_keeping_problem(width=3, moments=6)
    from descend.functions.environments import simulated

    function = Drive(problem.function.driver.double(), simulated("lane-keeping", torch.float64))
    start, chance, _ = (each[:2].double() for each in problem.train.tensors)
    weight = function.driver.steer.weight

    def cost(weight):
        parameters = {"driver.steer.weight": weight}
        return discomfort(torch.func.functional_call(function, parameters, (start, chance)), torch.zeros(2))

    assert torch.autograd.gradcheck(cost, (weight.detach().clone().requires_grad_(),), atol=1e-4)


def test_fading_changes_the_gradient_only(monkeypatch):
    problem = driving_problem(width=4, moments=5)
    batch = problem.train.batches(8, 0, CPU).next()
    found = {}
    for fading in (1.0, 0.5):
        monkeypatch.setattr("descend.functions.simulated.SimulatedTrack.FADING", fading)
        loss = problem.loss_of(problem.function, batch)
        gradient = torch.autograd.grad(loss, problem.function.driver.steer.weight)[0]
        found[fading] = loss.item(), gradient.norm().item()
    assert found[1.0][0] == pytest.approx(found[0.5][0], rel=1e-5)
    assert found[1.0][1] > 1.2 * found[0.5][1]


def test_what_is_learned_in_the_simulation_holds_in_the_environment(tmp_path, monkeypatch):
    import descend

    monkeypatch.setattr("descend.applications.driving.CHOOSING", 16)
    monkeypatch.setitem(LONGER, "lane-keeping", 40)
    monkeypatch.setitem(EXAMINED, "lane-keeping", 2)
    problem = lane_keeping_problem(width=16, moments=15)
    before = problem.evaluate(problem.function, problem.validation)["lateral-error(m)"]
    until = descend.Until(steps=30)
    run = descend.fit(problem, lr=1e-2, until=until, batch_size=16, out=tmp_path / "run", watch=False)
    assert run.facts["metrics"]["lateral-error(m)"] < 0.5 * before
    assert run.facts["metrics"]["left-the-road/test"] == 0
    assert run.facts["metrics"]["laps/test"] == 2
    assert "descend drive" in use_of("driving", run.folder)
    again = descend.Run.open(tmp_path / "run")
    (answer,) = again.predict("7")
    assert answer["seed"] == 7 and not answer["left"] and answer["laps"] == 1


def test_the_reader_comes_back_from_json(problem):
    saved = json.loads(json.dumps(problem.reader.to_json()))
    reader = reader_from_json(saved)
    assert reader == problem.reader and isinstance(reader, Examined)
    assert reader.model().state_dict().keys() == problem.function.state_dict().keys()
    assert all(name.startswith("driver.") for name in problem.function.state_dict())  # no lanes in it
    with pytest.raises(ValueError, match="road"):
        DrivingReader.from_json({**saved, "road": "motorway"})
    with pytest.raises(UsageError, match="seed"):
        reader.predict(problem.function, "no number")


def test_a_driver_remembers_one_drive_only(problem):
    driver = problem.function.driver
    start, chance, _ = (each[:1] for each in problem.train.tensors)
    look = problem.function.simulation.look(start, chance[:, 0])
    first, second = at_the_wheel(driver), at_the_wheel(driver)
    one = [first(look[0], None), first(look[0], None)]
    assert one[0] != one[1] and [second(look[0], None), second(look[0], None)] == one


def test_drivers_by_hand_stay_on_the_road():
    for road, steer in (
        ("lane-keeping", stanley()),
        ("racetrack", by_sight()),
        ("racetrack", by_the_environment()),
    ):
        done = drive(opened(road), 0, steer, moments=40)
        assert not done.left and done.error < 4 and done.reward > 0.5


def test_leaving_the_road_is_told():
    for road, steering in (("lane-keeping", 0.0), ("racetrack", 1.0)):
        done = drive(opened(road), 0, lambda seen, environment, steering=steering: steering)
        assert done.left and done.laps == 0 and done.seconds < 15
        assert summary([done])["left-the-road"] == 1


@pytest.mark.parametrize("name", ["out.mp4", "out.gif"])
def test_films(tmp_path, name, monkeypatch):
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")  # with which highway-env draws nothing, unless made to
    import imageio.v2

    environment, film = opened("racetrack"), Film(tmp_path / name)
    film.of(environment)
    drive(environment, 0, by_sight(), moments=3, film=film)
    film.close()
    pictures = imageio.v2.mimread(tmp_path / name)
    assert len(pictures) >= 7 and pictures[0].shape[:2] == (600, 600)  # three a steering, but for the first
    assert pictures[0].std() > 5


def test_what_cannot_be_filmed(tmp_path, monkeypatch):
    for name in ("out.avi", "nowhere/out.mp4"):
        with pytest.raises(UsageError, match=r"out\.mp4"):
            Film(tmp_path / name)
    environment, film = opened("racetrack"), Film(tmp_path / "out.mp4")
    film.of(environment)
    monkeypatch.setattr(environment, "render", lambda: 1 / 0)
    with pytest.raises(DescendError, match="leave --video out"):
        drive(environment, 0, by_sight(), moments=3, film=film)


def test_without_the_extra(monkeypatch, tmp_path):
    monkeypatch.setitem(__import__("sys").modules, "highway_env", None)
    for make in MAKERS.values():
        with pytest.raises(MissingExtra, match=r"pip install 'descend\[driving\]'"):
            make()
    monkeypatch.setitem(__import__("sys").modules, "imageio_ffmpeg", None)
    with pytest.raises(MissingExtra, match=r"descend\[driving\]"):
        Film(tmp_path / "out.mp4")


def test_an_environment_that_is_not_there(monkeypatch):
    monkeypatch.setitem(TASKS, "racetrack", replace(TASKS["racetrack"], environment="racetrack-v99"))
    with pytest.raises(UsageError, match="upgrade it with"):
        opened("racetrack")


def test_wrong_sizes():
    with pytest.raises(UsageError, match="moments"):
        driving_problem(moments=0)
