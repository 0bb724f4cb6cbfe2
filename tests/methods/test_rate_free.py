"""The methods that find their own rate: that they find it as their authors' do, and are safe at the start.

``test_parity.py`` drives them along random gradients, in which there is no distance to be found.
"""

import io
from itertools import pairwise

import pytest
import torch
from cases import CASES, apart, copies, executors, give
from torch import nn

from descend.errors import UsageError
from descend.methods import TABLE

RATE_FREE = {"prodigy": "d", "dadaptadam": "d", "dog": "distance"}
rate_free = pytest.mark.parametrize("name", list(RATE_FREE))


def far_away(dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    shapes = ((3, 4), (5,), ())
    return [nn.Parameter(torch.randn(s, generator=generator, dtype=torch.float64).to(dtype)) for s in shapes]


def slopes(parameters):
    """The gradients of a bowl with sides of unequal steepness."""
    return [(1 + 3 * p.detach().abs()) * (p.detach() - 4) for p in parameters]


def both_sides(name, steps, executor="foreach", **given):
    mine, theirs = far_away(), far_away()
    given = {"lr": CASES[name].lr, **given}
    ours = TABLE[name](mine, executor=executor, **given)
    sure = CASES[name].reference(theirs, **CASES[name].theirs(given))
    for _ in range(steps):
        give(mine, slopes(mine))
        give(theirs, slopes(theirs))
        ours.step()
        sure.step()
    return ours, sure, mine, theirs


def found(method, name):
    return [float(group[RATE_FREE[name]]) for group in method.param_groups]


@executors
@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("prodigy", {}),
        ("prodigy", {"growth_rate": 1.1, "use_bias_correction": True}),
        ("prodigy", {"d_coef": 0.5, "weight_decay": 0.01, "safeguard_warmup": True, "beta3": 0.99}),
        ("dadaptadam", {}),
        ("dadaptadam", {"growth_rate": 1.1, "use_bias_correction": True}),
    ],
    ids=str,
)
def test_the_distance_found_is_the_authors(name, given, executor):
    """While d grows from 1e-6 by factors: its course hangs on every step before."""
    ours, sure, mine, theirs = both_sides(name, 150, executor, **given)
    assert found(ours, name)[0] == pytest.approx(sure.param_groups[0]["d"], rel=1e-9)
    assert found(ours, name)[0] > 1e-3
    assert max(apart(p, q) for p, q in zip(mine, theirs, strict=True)) <= 1e-9


@executors
@pytest.mark.parametrize("given", [{}, {"reps_rel": 1e-3, "weight_decay": 0.01}, {"init_eta": 1e-4}], ids=str)
@pytest.mark.parametrize("layerwise", [False, True])
def test_dog_goes_as_far_as_the_authors(layerwise, given, executor):
    ours, sure, mine, theirs = both_sides("dog", 150, executor, layerwise=layerwise, **given)
    assert max(apart(p, q) for p, q in zip(mine, theirs, strict=True)) <= 1e-9
    r = sure.param_groups[0]["rbar"]
    if layerwise:
        distances = [float(ours.state[p]["own_distance"]) for p in mine]
        assert distances == pytest.approx(r.tolist(), rel=1e-9)
    else:
        assert found(ours, "dog")[0] == pytest.approx(float(r), rel=1e-9)
    assert (mine[1] - 4).abs().max() < 3.5


@rate_free
@executors
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_zero_gradients_at_first_are_no_division_by_zero(name, executor, dtype, decay):
    parameters = far_away(dtype)
    start = copies(parameters)
    method = TABLE[name](parameters, executor=executor, eps=1e-8, weight_decay=decay)
    for _ in range(3):
        give(parameters, [torch.zeros_like(p) for p in parameters])
        method.step()
        assert all(p.isfinite().all() for p in parameters)
        if name != "dadaptadam" and not decay:
            assert all(map(torch.equal, parameters, start))
    for _ in range(60):
        give(parameters, slopes(parameters))
        method.step()
    assert all(p.isfinite().all() for p in parameters)
    assert all(torch.isfinite(torch.tensor(found(method, name))))


def test_dog_without_eps_and_without_gradients_stays():
    parameters = far_away()
    start = copies(parameters)
    for layerwise in (False, True):
        method = TABLE["dog"](parameters, eps=0.0, layerwise=layerwise)
        give(parameters, [torch.zeros_like(p) for p in parameters])
        method.step()
        assert all(map(torch.equal, parameters, start))


@rate_free
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_in_a_narrow_format_nearly_the_same_distance_is_found(name, dtype):
    """The sums are in float32 whatever the parameters are."""
    narrow, wide = far_away(dtype), [nn.Parameter(p.detach().double()) for p in far_away(dtype)]
    reps = {"reps_rel": 1e-2} if name == "dog" else {"d0": 1e-2}  # steps that bfloat16 does not lose
    methods = TABLE[name](narrow, **reps), TABLE[name](wide, **reps)
    for _ in range(60):
        for method, tensors in zip(methods, (narrow, wide), strict=True):
            give(tensors, slopes(tensors))
            method.step()
    assert methods[0].param_groups[0][RATE_FREE[name]].dtype == torch.float32
    bound = {torch.float32: 1e-3, torch.bfloat16: 0.2}[dtype]
    assert found(methods[0], name)[0] == pytest.approx(found(methods[1], name)[0], rel=bound)


@rate_free
@executors
def test_one_number_for_all_groups(name, executor):
    """Split into groups, it is the same descent; and it is saved with them, and resumes exactly."""
    whole, parts = far_away(), far_away()
    one = TABLE[name](whole, executor=executor)
    two = TABLE[name]([{"params": parts[:1]}, {"params": parts[1:]}], executor=executor)

    def go(steps):
        for _ in range(steps):
            for method, tensors in ((one, whole), (two, parts)):
                give(tensors, slopes(tensors))
                method.step()

    go(40)
    assert max(apart(p, q) for p, q in zip(whole, parts, strict=True)) <= 1e-9
    assert len(set(found(two, name))) == 1
    file = io.BytesIO()
    torch.save(two.state_dict(), file)
    file.seek(0)
    others = copies(parts)
    resumed = TABLE[name]([{"params": others[:1]}, {"params": others[1:]}], executor=executor)
    resumed.load_state_dict(torch.load(file, weights_only=True))
    go(5)
    for _ in range(5):
        give(others, slopes(others))
        resumed.step()
    assert all(map(torch.equal, parts, others))


@pytest.mark.parametrize("name", ["prodigy", "dadaptadam"])
def test_growth_is_capped(name):
    parameters = far_away()
    method = TABLE[name](parameters, growth_rate=1.05)
    seen = []
    for _ in range(80):
        give(parameters, slopes(parameters))
        method.step()
        seen.append(found(method, name)[0])
    ratios = [b / a for a, b in pairwise(seen[2:])]
    assert max(ratios) <= 1.05 * (1 + 1e-9)
    assert min(ratios) >= 1


def test_a_layers_scale_is_relative():
    """Twice the scale, from the same d, is twice the move of that group's first step."""
    parameters = [nn.Parameter(torch.ones(2, dtype=torch.float64)) for _ in range(2)]
    groups = [{"params": parameters[:1]}, {"params": parameters[1:], "layer_scale": 2.0}]
    method = TABLE["dadaptadam"](groups, d0=0.1)
    give(parameters, [torch.ones(2, dtype=torch.float64)] * 2)
    method.step()
    assert torch.allclose(2 * (1 - parameters[0]), 1 - parameters[1])


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("prodigy", {"d0": 0.0}),
        ("prodigy", {"growth_rate": 0.9}),
        ("prodigy", {"beta3": 1.0}),
        ("prodigy", {"d_coef": 0.0}),
        ("dadaptadam", {"eps": 0.0}),
        ("dadaptadam", {"layer_scale": 0.0}),
        ("dog", {"reps_rel": 0.0}),
        ("dog", {"init_eta": 0.0}),
    ],
)
def test_out_of_range(name, given):
    with pytest.raises(UsageError):
        TABLE[name](far_away(), **given)
