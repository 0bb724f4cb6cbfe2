"""Number formats of any method: what is stored how, and that it is the same however a step is taken."""

import copy
import io

import pytest
import torch
from cases import CASES, apart, executors, gradients, methods
from pairs import feed
from torch import nn

import descend
from descend.errors import UsageError
from descend.methods import TABLE, storing
from descend.methods.routing import table
from descend.parameters import formats

SHAPES = ((6, 40), (5, 33), (4, 3), (9,))
FEWEST = {"state_format": "8-bit", "parameter_format": "bfloat16+8"}
STATES = ["float32", "bfloat16", "8-bit"]


def made(name, dtype=torch.float32, seed=0, executor="foreach", **given):
    """Return parameters of several shapes, and a method over those that it takes."""
    generator = torch.Generator().manual_seed(seed)
    cls = TABLE[name]
    found = [nn.Parameter(torch.randn(s, generator=generator).to(dtype)) for s in SHAPES]
    found = [p for p in found if cls.takes is None or cls.takes(p)]
    return found, cls(found, executor=executor, **given)


def descended(name, parameters, method, steps=4, seed=1):
    for _, found in zip(range(steps), gradients(parameters, seed), strict=False):
        feed(CASES[name], parameters, found)
        method.step()
    return method


def equal(a, b):
    """Whether parameters and all that is kept are equal, bit for bit."""
    one, other = ([*m.param_groups[0]["params"]] for m in (a, b))
    for p, q in zip(one, other, strict=True):
        if not torch.equal(p, q) or a.state[p].keys() != b.state[q].keys():
            return False
        for name, x in a.state[p].items():
            y = b.state[q][name]
            if not (torch.equal(x, y) and x.dtype == y.dtype if torch.is_tensor(x) else x == y):
                return False
    return True


# What is stored how -------------------------------------------------------------------------------
@methods
@pytest.mark.parametrize("state", STATES)
def test_everything_is_in_its_format(name, state):
    parameters, method = made(name, state_format=state)
    descended(name, parameters, method)
    for p in parameters:
        keeps = method.rule.keeps(
            method._hyperparameters(method.param_groups[0]), method.rule.form and method.rule.form(p)
        )
        for what, kept in keeps.items():
            if kept.kind == "all":
                continue
            x, exponents = method.state[p][what], method.state[p].get(f"{what}:exponents")
            fewer = kept.kind == "elementwise" and not kept.wide and kept.nature != "weights"
            if state == "8-bit" and fewer and formats.codable(tuple(p.shape)):
                assert x.dtype == exponents.dtype == torch.uint8
                assert exponents.shape == formats.exponents_shape(tuple(p.shape))
            else:
                assert x.dtype == (torch.bfloat16 if state == "bfloat16" and fewer else torch.float32)
                assert exponents is None


@methods
def test_what_is_said_to_be_never_negative_is_not(name):
    parameters, method = made(name)
    descended(name, parameters, method, steps=6)
    for p in parameters:
        for what, kept in method.rule.kept.items():
            if kept.nature == "non_negative" and what in method.state[p]:
                assert (method.state[p][what] >= 0).all(), what


def test_adamw_takes_five_bytes_a_parameter():
    model = nn.Linear(1024, 1024, bias=False).to(torch.bfloat16)
    opt = descend.AdamW(model.parameters(), **FEWEST)
    model.weight.grad = torch.ones_like(model.weight)
    opt.step()
    everything = [model.weight, *(x for x in opt.state[model.weight].values() if torch.is_tensor(x))]
    size = sum(x.numel() * x.element_size() for x in everything) / model.weight.numel()
    assert size == 5 + 2 / formats.BLOCK
    (row,) = table(opt)
    assert row["bytes"] == (size - 2) * model.weight.numel()


# The same however a step is taken -----------------------------------------------------------------
EXACT = ("sgd", "momentum", "signsgd", "adagrad", "rmsprop", "adam", "adamw", "lion", "schedulefreesgd")
"""Methods whose executors agree so closely that no rounding tells them apart here."""


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("given", [{"state_format": "bfloat16"}, {"state_format": "8-bit"}, FEWEST], ids=str)
def test_executors_agree(name, given):
    dtype = torch.bfloat16 if "parameter_format" in given else torch.float32
    found = {}
    for executor in ("reference", "foreach", "fused"):
        parameters, method = made(name, dtype, executor=executor, **given)
        descended(name, parameters, method)
        found[executor] = [storing.plain_parameter(method.state[p], p.detach()).double() for p in parameters]
    for executor in ("foreach", "fused"):
        differ = [(x - y).abs() > 1e-6 for x, y in zip(found[executor], found["reference"], strict=True)]
        # A last digit of float32 that falls to the other side of a rounding makes a whole code of the state.
        assert torch.cat([x.flatten() for x in differ]).float().mean() < 0.02, executor


@methods
@executors
def test_the_first_step_is_that_of_float32(name, executor):
    """State from zero, plain parameters: nothing but the state is rounded, and that after the step."""
    if CASES[name].graph or any(k.start not in (0.0, "w") for k in TABLE[name].rule.kept.values()):
        return  # it is stored once before
    results = []
    for given in ({}, {"state_format": "8-bit"}):
        parameters, method = made(name, executor=executor, **given)
        descended(name, parameters, method, steps=1)
        results.append(parameters)
    for x, y in zip(*results, strict=True):
        assert apart(x.detach().double(), y.detach().double()) < 1e-5


@pytest.mark.parametrize("name", ["adamw", "lion", "lamb", "prodigy", "muon", "soap", "schedulefreeadamw"])
@executors
def test_a_step_is_repeatable(name, executor):
    """The same bits again, and others with another seed."""
    runs = []
    for seed in (0, 0, 1):
        parameters, method = made(name, torch.bfloat16, executor=executor, rounding_seed=seed, **FEWEST)
        runs.append(descended(name, parameters, method))
    assert equal(runs[0], runs[1])
    assert not equal(runs[0], runs[2])


@pytest.mark.parametrize("name", ["adamw", "sgd"])
@executors
def test_noise_belongs_to_a_parameter_and_not_to_a_batch(name, executor):
    """Steps with some of the parameters give each the bits that steps with all would give it."""
    together, all_at_once = made(name, torch.bfloat16, executor=executor, **FEWEST)
    one_by_one, alone = made(name, torch.bfloat16, executor=executor, **FEWEST)
    given = [g for _, g in zip(range(3), gradients(together, 1), strict=False)]
    for found in given:
        feed(CASES[name], together, found)
        all_at_once.step()
    for i in range(len(one_by_one)):
        for found in given:
            for k, (p, g) in enumerate(zip(one_by_one, found, strict=True)):
                p.grad = g.clone() if k == i else None
            alone.step()
    assert equal(all_at_once, alone)


# States that are saved, loaded, changed -----------------------------------------------------------
@methods
@pytest.mark.parametrize("executor", ["foreach", "fused"])
def test_a_saved_state_goes_on_bit_for_bit(name, executor):
    parameters, method = made(name, torch.bfloat16, executor=executor, **FEWEST)
    descended(name, parameters, method, 3)
    file = io.BytesIO()
    torch.save({"opt": method.state_dict(), "w": [p.detach() for p in parameters]}, file)
    file.seek(0)
    saved = torch.load(file, weights_only=True)
    others, again = made(name, torch.bfloat16, seed=5, executor=executor)
    with torch.no_grad():
        for p, x in zip(others, saved["w"], strict=True):
            p.copy_(x)
    again.load_state_dict(saved["opt"])
    assert equal(method, again)
    copied = copy.deepcopy(method)
    descended(name, parameters, method, 2, seed=9)
    descended(name, others, again, 2, seed=9)
    assert equal(method, again)
    descended(name, copied.param_groups[0]["params"], copied, 2, seed=9)
    assert equal(method, copied)


@pytest.mark.parametrize("before", [None, *STATES])
@pytest.mark.parametrize("after", STATES)
def test_formats_change_in_the_middle_of_a_run(before, after):
    """What was kept is kept: to the digits of the narrower format."""
    given = {} if before is None else {"state_format": before}
    parameters, method = made("adamw", **given)
    descended("adamw", parameters, method, 3)
    kept = method.rule.kept
    known = {(p, n): storing.plain(method.state[p], n, kept[n]).float() for p in parameters for n in "mv"}
    method.param_groups[0] |= {"state_format": after, "lr": 0.0, "betas": (1 - 1e-9, 1 - 1e-9)}
    descended("adamw", parameters, method, 1)
    digits = {"float32": 1e-6, "bfloat16": 2**-6, "8-bit": 2**-2}[after]
    for (p, n), x in known.items():
        y = storing.plain(method.state[p], n, kept[n]).float()
        assert ((x - y).abs() <= digits * x.abs() + 0.02 * x.abs().amax()).all()


def test_correction_bits_come_and_go():
    parameters, method = made("sgd", torch.bfloat16, lr=1e-3)
    method.param_groups[0]["parameter_format"] = "bfloat16+16"
    descended("sgd", parameters, method, 3)
    own = method.state[parameters[0]]
    whole = storing.plain_parameter(own, parameters[0].detach())
    method.param_groups[0] |= {"parameter_format": "bfloat16+8", "lr": 0.0}
    descended("sgd", parameters, method, 1)
    assert own["w:correction"].dtype == torch.int8
    assert apart(storing.plain_parameter(own, parameters[0].detach()), whole) < 2**-14
    method.param_groups[0]["parameter_format"] = "bfloat16"
    descended("sgd", parameters, method, 1)
    assert "w:correction" not in own


def test_sixteen_correction_bits_are_float32():
    """A model in bfloat16 with correction bits descends as its float32 original under the same gradients."""
    narrow, method = made("adamw", torch.bfloat16, parameter_format="bfloat16+16")
    wide = [nn.Parameter(p.detach().float()) for p in narrow]
    sure = TABLE["adamw"](wide, executor="foreach")
    for _, found in zip(range(20), gradients(narrow, 1), strict=False):
        for p, q, g in zip(narrow, wide, found, strict=True):
            p.grad, q.grad = g.clone(), g.float()
        method.step()
        sure.step()
    for p, q in zip(narrow, wide, strict=True):
        assert torch.equal(storing.plain_parameter(method.state[p], p.detach()), q.detach())


# Points of evaluation, modifiers, routing -----------------------------------------------------------
@pytest.mark.parametrize("name", ["schedulefreeadamw", "schedulefreesgd", "adamw"])
def test_evaluation_changes_nothing(name):
    more = {"average": 0.9} if name == "adamw" else {}
    parameters, method = made(name, torch.bfloat16, **FEWEST, **more)
    descended(name, parameters, method, 5)
    before = [p.detach().clone() for p in parameters]
    state = copy.deepcopy([method.state[p] for p in parameters])
    with method.evaluation():
        inside = [p.detach().clone() for p in parameters]
    assert any(not torch.equal(x, y) for x, y in zip(inside, before, strict=True))
    for p, x, own in zip(parameters, before, state, strict=True):
        assert torch.equal(p, x)
        for n, value in own.items():
            now = method.state[p][n]
            assert torch.equal(now, value) if torch.is_tensor(value) else now == value


def test_modifiers_go_with_formats():
    given = {"clip_norm": 0.5, "cautious": True, "lookahead": 2, "average": 0.9, "mars": 0.025}
    plain, sure = made("adamw", **given)
    parameters, method = made("adamw", state_format="8-bit", **given)
    descended("adamw", plain, sure, 6)
    descended("adamw", parameters, method, 6)
    own = method.state[parameters[0]]
    assert own["previous_gradient"].dtype == torch.uint8
    assert own["slow_weights"].dtype == own["average_weights"].dtype == torch.float32
    for x, y in zip(parameters, plain, strict=True):
        assert float((x - y).detach().abs().max()) < 6 * 0.01


def test_formats_go_by_group():
    model = nn.Sequential(nn.Embedding(100, 64), nn.Linear(64, 64), nn.LayerNorm(64), nn.Linear(64, 10))
    model.to(torch.bfloat16)
    opt = descend.optimizer(
        "muon",
        model,
        show=False,
        state_format="8-bit",
        parameter_format="bfloat16+8",
        routes={"0.*": {"method": "adamw", "state_format": "bfloat16"}},
    )
    opt.zero_grad()
    model(torch.arange(8)).float().square().mean().backward()
    opt.step()
    found = {name: opt.state[p]["m"].dtype for name, p in model.named_parameters()}
    assert found["0.weight"] == torch.bfloat16
    assert found["1.weight"] == found["3.weight"] == torch.uint8
    assert found["1.bias"] == found["2.weight"] == torch.float32


# Bad input ------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"state_format": "8bit"}, "did you mean 8-bit?"),
        ({"parameter_format": "bf16"}, "bfloat16+8"),
        ({"rounding_seed": 0.5}, "a whole number"),
        ({"parameter_format": "bfloat16"}, r"model.to(torch.bfloat16)"),
    ],
)
def test_bad_formats_are_refused_in_words(given, words):
    with pytest.raises(UsageError) as error:
        made("adamw", **given)
    assert words in str(error.value)


def test_what_is_not_finite_stays_so():
    parameters, method = made("adamw", torch.bfloat16, **FEWEST)
    descended("adamw", parameters, method, 2)
    parameters[0].grad = torch.full_like(parameters[0], float("nan"))
    method.step()
    assert parameters[0].isnan().all() and not parameters[1].isnan().any()
