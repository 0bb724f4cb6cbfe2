"""How cars move and where lanes lie, against highway-env's own, and their gradients against differences."""

import pytest
import torch

from descend.functions.environments import opened, seen, simulated
from descend.functions.occupancy import lane_cells
from descend.functions.roads import Road
from descend.functions.vehicles import rolled, slid

pytest.importorskip("highway_env")

STATES, SECONDS = 40, (1 / 15, 0.1)


def uniform(low, high, *shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return low + (high - low) * torch.rand(*shape, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("seconds", SECONDS)
def test_a_car_rolls_as_the_environment_rolls_it(seconds):
    from highway_env.vehicle.kinematics import Vehicle

    state = torch.stack([uniform(-9, 9, STATES, seed=k) for k in range(4)], 1)
    steering = uniform(-0.75, 0.75, STATES, seed=9)
    found = rolled(state, steering, seconds)
    for before, angle, after in zip(state.tolist(), steering.tolist(), found.tolist(), strict=True):
        car = Vehicle(None, before[:2], before[2], before[3])
        car.act({"steering": angle, "acceleration": 0.0})
        car.step(seconds)
        assert after == pytest.approx([*car.position, car.heading, car.speed], abs=1e-9)


@pytest.mark.parametrize("seconds", SECONDS)
def test_a_car_slides_as_the_environment_slides_it(seconds):
    from highway_env.vehicle.dynamics import BicycleVehicle

    limits = [(-9, 9), (-9, 9), (-4, 4), (2, 12), (-2, 2), (-7, 7)]  # turning beyond what is possible, too
    state = torch.stack([uniform(*pair, STATES, seed=k) for k, pair in enumerate(limits)], 1)
    steering = uniform(-1, 1, STATES, seed=9)
    found = slid(state, steering, seconds)
    for before, angle, after in zip(state.tolist(), steering.tolist(), found.tolist(), strict=True):
        car = BicycleVehicle(None, before[:2], before[2], before[3])
        car.lateral_speed, car.yaw_rate = before[4:]
        car.act({"steering": angle, "acceleration": 0.0})
        car.step(seconds)
        assert after == pytest.approx(car.state[:, 0].tolist(), abs=1e-9)


@pytest.mark.parametrize("move", [rolled, slid])
def test_gradients_of_motion(move):
    state = uniform(2, 3, 3, 4 if move is rolled else 6).requires_grad_()
    steering = uniform(-0.5, 0.5, 3, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(lambda s, a: move(s, a, 0.1), (state, steering))


@pytest.fixture(scope="module", params=["racetrack", "lane-keeping"])
def road(request):
    environment = opened(request.param)
    environment.reset(seed=0)
    return Road(environment.road.network.lanes_list(), torch.float64), environment


def test_lanes_lie_where_the_environment_has_them(road):
    road, _ = road
    x, y = uniform(-30, 150, STATES), uniform(-70, 60, STATES, seed=1)
    along, right, heading = road.coordinates(x, y)
    inside = road.on(along, right)
    back_x, back_y = road.middle(along[None].clamp(min=0))
    for n, place in enumerate(torch.stack([x, y], 1).numpy()):
        for k, lane in enumerate(road.lanes):
            there = lane.local_coordinates(place)
            assert (along[n, k], right[n, k]) == pytest.approx(there, abs=1e-9)
            assert heading[n, k] == pytest.approx(lane.heading_at(there[0]), abs=1e-9)
            assert inside[n, k] == lane.on_lane(place)
            middle = lane.position(max(there[0], 0.0), 0.0)
            assert (back_x[0, n, k], back_y[0, n, k]) == pytest.approx(tuple(middle), abs=1e-9)


def test_the_nearest_lane_and_gradients_through_it(road):
    road, environment = road
    x, y, heading = (
        uniform(-20, 140, STATES),
        uniform(-60, 30, STATES, seed=1),
        uniform(-9, 9, STATES, seed=2),
    )
    lane, along, right, turned = road.nearest(x, y, heading)
    for n in range(STATES):
        place, angle = (float(x[n]), float(y[n])), float(heading[n])
        nearest = environment.road.network.get_closest_lane_index(torch.tensor(place).double().numpy(), angle)
        assert road.lanes[int(lane[n])] is environment.road.network.get_lane(nearest)
        assert float(turned[n]) == pytest.approx(
            road.lanes[int(lane[n])].local_angle(angle, float(along[n])), abs=1e-9
        )
    near = (right.abs() < 20).nonzero()[:4, 0]
    inputs = tuple(each[near].clone().requires_grad_() for each in (x, y, heading))
    assert torch.autograd.gradcheck(lambda *places: road.nearest(*places)[1:], inputs)


def test_cells_are_those_that_the_environment_shows():
    environment = opened("racetrack")
    observation, _ = environment.reset(seed=3)
    road = Road(environment.road.network.lanes_list(), torch.float64)
    generator = torch.Generator().manual_seed(0)
    for _ in range(12):
        car = environment.vehicle
        there = torch.tensor([[*car.position, car.heading]], dtype=torch.float64)
        assert torch.equal(lane_cells(road, *there.unbind(1))[0].flatten().float(), seen(observation))
        # Anywhere around the track, on it or not.
        lane = road.lanes[int(torch.randint(len(road), (1,), generator=generator))]
        along, right, turn = torch.rand(3, generator=generator).tolist()
        car.position = lane.position(along * lane.length, 16 * right - 8)
        car.heading = lane.heading_at(along * lane.length) + 3 * turn
        observation = environment.observation_type.observe()


@pytest.mark.parametrize(("name", "moments"), [("racetrack", 5), ("lane-keeping", 30)])
def test_a_simulation_is_the_environment(name, moments):
    environment, simulation = opened(name), simulated(name, torch.float64)
    environment.config.update(state_noise=0.0, derivative_noise=0.0)
    observation, _ = environment.reset(seed=5)
    car = environment.vehicle
    start = [*car.position, car.heading, car.speed]
    state = torch.tensor([start if name == "racetrack" else [*start, 0.0, 0.0, 0.0]], dtype=torch.float64)
    chance = torch.zeros(1, simulation.NOISE, dtype=torch.float64)
    look = simulation.look(state, chance)
    steerings = (0.6 * torch.rand(moments, generator=torch.Generator().manual_seed(1)) - 0.2) * 0.3
    for steering in steerings.double():
        assert look[0].tolist() == pytest.approx(seen(observation).tolist(), abs=1e-6)
        observation, *_ = environment.step(steering[None].numpy())
        state, look = simulation.step(state, steering[None], chance)
        lane = environment.lane if name == "lane-keeping" else environment.vehicle.lane
        along, right = lane.local_coordinates(environment.vehicle.position)
        found = [float(each) for each in simulation.beside(state)]
        expected = [right, lane.local_angle(environment.vehicle.heading, along)]
        assert found == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("name", ["racetrack", "lane-keeping"])
def test_starts_are_on_the_road(name):
    simulation = simulated(name)
    first, again, other = (simulation.starts(300, torch.Generator().manual_seed(s)) for s in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)
    right, turned = simulation.beside(first)
    assert float(turned.abs().max()) < 0.31 + (name == "lane-keeping") * 0.3
    assert float(right.abs().max()) < (2.6 if name == "racetrack" else 4.3)
    assert float(right.std()) > 0.5
