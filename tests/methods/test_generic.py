"""The laws that PyTorch's own generic optimizer tests hold its optimizers to, for every method of ours.

``bench/torch_generic_tests.py`` runs PyTorch's file itself, where one has it; these are the same laws in our
own words, so that every change is held to them.
"""

import copy
import inspect
import pickle
import warnings

import pytest
import torch
from cases import CASES, apart, compared, copies, executors, gradients, has, laid_out, lr, methods, unless
from pairs import feed
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau, StepLR

from descend.errors import UsageError
from descend.methods import TABLE
from descend.methods.modifiers import MODIFIERS

FLAGS = ("maximize", "foreach", "fused", "differentiable", "capturable")


def descended(name, method, parameters, steps=3, seed=1):
    for _, found in zip(range(steps), gradients(parameters, seed), strict=False):
        feed(CASES[name], parameters, found)
        method.step()
    return method


def matrices(*shapes, dtype=torch.float64, seed=0):
    """Parameters that every method takes."""
    generator = torch.Generator().manual_seed(seed)
    shapes = shapes or ((4, 3), (5, 1))
    return [nn.Parameter(torch.randn(s, generator=generator, dtype=torch.float64).to(dtype)) for s in shapes]


def equal(a, b):
    """Whether two states are equal, bit for bit, tensors and all."""
    if torch.is_tensor(a):
        return torch.is_tensor(b) and a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return isinstance(b, dict) and list(a) == list(b) and all(equal(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(equal, a, b))
    return type(a) is type(b) and a == b


# Copies -----------------------------------------------------------------------------------------
@methods
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_keep_everything(name, copied):
    parameters = matrices()
    method = descended(name, TABLE[name](parameters, executor="reference", maximize=True), parameters)
    other = copied(method)
    public = {key for key in vars(method) if not key.startswith("_")}
    assert public == {key for key in vars(other) if not key.startswith("_")}
    assert other.executor == "reference"
    assert equal(method.state_dict(), other.state_dict())


@pytest.mark.parametrize("switch", list(MODIFIERS))
def test_copies_keep_modifiers(switch):
    parameters = matrices()
    method = TABLE["adamw"](parameters, executor="foreach", **{switch: MODIFIERS[switch].example})
    for other in (copy.deepcopy(method), pickle.loads(pickle.dumps(method))):
        assert other.param_groups[0][switch] == MODIFIERS[switch].example
        assert equal(method.state_dict(), other.state_dict())


# States -----------------------------------------------------------------------------------------
@methods
@executors
def test_states_are_deterministic(name, executor):
    """Equal parameters, not identical ones, have equal states; names are optional; nothing given is kept."""
    parameters = matrices()
    named = [(f"w{i}", p) for i, p in enumerate(parameters)]
    method = descended(name, TABLE[name](named, executor=executor, **lr(name)), parameters)
    others = copies(parameters)
    other = TABLE[name](others, executor=executor, **lr(name))
    given = method.state_dict()
    before = copy.deepcopy(given)
    other.load_state_dict(given)
    descended(name, other, others)
    assert equal(before, copy.deepcopy(before))
    descended(name, method, parameters)
    mine, theirs = method.state_dict(), other.state_dict()
    assert [g.pop("param_names") for g in mine["param_groups"]] == [["w0", "w1"]]
    for group in theirs["param_groups"]:
        group.pop("param_names", None)
    assert equal(mine, theirs)
    assert all(map(torch.equal, parameters, others))


@methods
def test_a_loaded_state_is_not_written_to(name):
    parameters = matrices()
    given = copy.deepcopy(descended(name, TABLE[name](parameters), parameters).state_dict())
    before = copy.deepcopy(given)
    other = TABLE[name](parameters)
    other.load_state_dict(given)
    descended(name, other, parameters)
    assert equal(given, before)


@methods
def test_states_of_an_older_version(name):
    """Hyperparameters that a saved state does not know yet take their defaults."""
    parameters = matrices()
    state = descended(name, TABLE[name](parameters), parameters).state_dict()
    numbers = {n for n, kept in TABLE[name].rule.kept.items() if kept.kind == "all"}
    for group in state["param_groups"]:
        for key in set(group) - {"params", "lr"} - numbers:
            del group[key]
    method = TABLE[name](parameters)
    method.load_state_dict(state)
    descended(name, method, parameters, 1)
    defaults = {k: v for k, v in TABLE[name].defaults.items() if k != "lr"}
    assert {k: method.param_groups[0][k] for k in defaults} == defaults


@methods
@pytest.mark.parametrize("to", [torch.float32, torch.bfloat16])
def test_a_state_goes_on_beside_parameters_of_another_dtype(name, to):
    parameters = matrices()
    method = descended(name, TABLE[name](parameters, **lr(name)), parameters)
    narrow = [nn.Parameter(p.detach().to(to)) for p in parameters]
    other = TABLE[name](narrow, **lr(name))
    other.load_state_dict(copy.deepcopy(method.state_dict()))
    for key, kept in method.state[parameters[0]].items():
        if torch.is_tensor(kept):
            assert equal(other.state[narrow[0]][key], kept)
    descended(name, other, narrow, 1)
    assert all(p.dtype == to and bool(p.isfinite().all()) for p in narrow)


@methods
def test_a_count_that_is_a_tensor(name):
    """As torch saves it."""
    parameters = matrices()
    state = copy.deepcopy(descended(name, TABLE[name](parameters), parameters).state_dict())
    for own in state["state"].values():
        own["step"] = torch.tensor(float(own["step"]))
    others = copies(parameters)
    method = TABLE[name](others)
    method.load_state_dict(state)
    descended(name, method, others, 1)
    assert [int(method.state[p]["step"]) for p in others] == [4, 4]


@methods
def test_states_that_do_not_fit_are_refused(name):
    method = TABLE[name](matrices())
    with pytest.raises(ValueError, match="group"):
        TABLE[name](matrices()).load_state_dict(TABLE[name](matrices((4, 3))).state_dict())
    groups = [{"params": [p]} for p in matrices()]
    with pytest.raises(ValueError, match="group"):
        method.load_state_dict(TABLE[name](groups).state_dict())


@methods
def test_every_state_says_something(name):
    parameters = matrices()
    method = descended(name, TABLE[name](parameters), parameters, 1)
    assert [method.state[p]["step"] for p in parameters] == [1, 1]
    method.state.clear()  # from the start again
    descended(name, method, parameters, 1)
    assert [method.state[p]["step"] for p in parameters] == [1, 1]


# Hooks ------------------------------------------------------------------------------------------
@methods
def test_hooks_of_a_step_come_in_their_order(name):
    parameters = matrices()
    method, seen = TABLE[name](parameters), []
    method.register_step_pre_hook(lambda opt, args, kwargs: seen.append(("before", parameters[0].clone())))
    handle = method.register_step_post_hook(
        lambda opt, args, kwargs: seen.append(("after", parameters[0].clone()))
    )
    descended(name, method, parameters, 2)
    assert [when for when, _ in seen] == ["before", "after"] * 2
    assert not torch.equal(seen[0][1], seen[3][1])
    assert torch.equal(seen[1][1], seen[2][1])
    handle.remove()
    descended(name, method, parameters, 1)
    assert len(seen) == 5


@methods
def test_hooks_of_saving(name):
    parameters = matrices()
    method = descended(name, TABLE[name](parameters), parameters)
    method.register_state_dict_pre_hook(lambda opt: opt.state.update(note="seen"))

    def after(opt, state):
        return {**state, "also": state["state"].pop("note")}

    method.register_state_dict_post_hook(after)
    assert method.state_dict()["also"] == "seen"


@methods
def test_hooks_of_loading_have_the_last_word(name):
    """What a hook hands back is what is loaded; a hook afterwards finds the state as it stays."""
    parameters = matrices()
    method = descended(name, TABLE[name](parameters, **lr(name)), parameters)
    given = method.state_dict()
    seen = []

    def doubled(opt, state):
        state = copy.deepcopy(state)
        for own in state["state"].values():
            own.update({k: (2 * x).float() for k, x in own.items() if torch.is_tensor(x)})
        state["param_groups"][0]["maximize"] = True
        return state

    others = copies(parameters)
    other = TABLE[name](others, **lr(name))
    other.register_load_state_dict_pre_hook(doubled)
    other.register_load_state_dict_post_hook(
        lambda opt: seen.extend(x for x in opt.state[others[0]].values() if torch.is_tensor(x))
    )
    other.load_state_dict(given)
    kept = {k: x for k, x in other.state[others[0]].items() if torch.is_tensor(x)}
    for key, value in kept.items():
        assert equal(value, (2 * method.state[parameters[0]][key]).float())
    assert other.param_groups[0]["maximize"] is True
    assert len(seen) == len(kept) and all(map(equal, seen, kept.values()))


def test_what_else_stands_in_a_state_is_loaded():
    """Torch's allow entries that are no parameter's; hooks put them there."""
    parameters = matrices()
    method = descended("adamw", TABLE["adamw"](parameters), parameters)
    method.state["note"] = 3
    other = TABLE["adamw"](parameters)
    other.load_state_dict(method.state_dict())
    assert other.state["note"] == 3


# Hyperparameters --------------------------------------------------------------------------------
@methods
@executors
def test_without_a_rate_nothing_moves(name, executor):
    if not has(name, "lr"):
        pytest.skip("it has no learning rate")
    unless(name, "still")
    parameters = laid_out(name)
    before = copies(parameters)
    method = TABLE[name](parameters, lr=0.0, executor=executor)
    descended(name, method, parameters)
    assert all(map(torch.equal, parameters, before))
    method.param_groups[0]["lr"] = CASES[name].lr  # and it goes on from there
    descended(name, method, parameters)
    assert all(bool(p.isfinite().all()) for p in parameters)


@methods
def test_a_rate_of_a_group_is_its_own(name):
    """A group whose rate is almost nothing stays where it is, beside one that moves."""
    if not has(name, "lr"):
        pytest.skip("it has no learning rate")
    unless(name, "still")
    first, second = matrices()
    before = second.detach().clone()
    method = TABLE[name]([{"params": [first]}, {"params": [second], "lr": 0.0}], **lr(name))
    start = first.detach().clone()
    descended(name, method, [first, second])
    assert torch.equal(second, before)
    assert not torch.equal(first, start)


@methods
@pytest.mark.parametrize("schedule", [lambda m: StepLR(m, 10, 0.9), ReduceLROnPlateau])
def test_it_goes_the_right_way(name, schedule):
    """Down a sum of squares, under a schedule; up it, where it climbs."""
    if not has(name, "lr"):
        pytest.skip("it has no learning rate that a schedule could change")
    unless(name, "direction")
    for sign in (1, -1):
        weight, bias = matrices((6, 4), (6, 1))
        x = torch.linspace(-1, 1, 4, dtype=torch.float64).reshape(4, 1)
        method = TABLE[name]([weight, bias], **lr(name), **({"maximize": True} if sign < 0 else {}))
        plan, losses = schedule(method), []
        for _ in range(10):
            method.zero_grad()
            loss = (weight @ x + bias).square().sum()
            loss.backward(create_graph=CASES[name].graph)
            method.step()
            losses.append(float(loss.detach()))
            plan.step(*([losses[-1]] if isinstance(plan, ReduceLROnPlateau) else []))
        assert sign * losses[-1] < sign * losses[0]


@methods
@executors
def test_without_a_slope_nothing_moves(name, executor):
    """Gradients that are zero, and no weight decay."""
    if reason := CASES[name].generic.get("test_step_is_noop_for_zero_grads"):
        pytest.skip(reason)
    parameters = matrices()
    before = copies(parameters)
    decay = {"weight_decay": 0.0} if has(name, "weight_decay") else {}
    method = TABLE[name](parameters, executor=executor, **lr(name), **decay)
    for _ in range(3):
        for p in parameters:
            if CASES[name].graph:
                p.grad = None
                (0.0 * p.square()).sum().backward(create_graph=True)
            else:
                p.grad = torch.zeros_like(p)
        method.step()
    assert max(map(apart, parameters, before)) <= 1e-14


@methods
def test_it_can_be_printed(name):
    text = repr(TABLE[name](matrices()))
    assert text.startswith(TABLE[name].__name__)
    assert all(f"{h}:" in text for h in TABLE[name].defaults)


@methods
def test_the_signature_tells_the_default_executor(name):
    default = inspect.signature(TABLE[name]).parameters["executor"].default
    assert TABLE[name](matrices()).executor == default


@methods
def test_torchs_flags_are_taken(name):
    """Code written for torch.optim says which form it wants; a differentiable one there is not."""
    TABLE[name](matrices(), foreach=True, fused=False, capturable=False, differentiable=False)
    with pytest.raises(UsageError):
        TABLE[name](matrices(), differentiable=True)


# Parameters -------------------------------------------------------------------------------------
def of_every_shape(name):
    """Empty ones, numbers, transposed and strided ones, channels last, expanded gradients."""
    generator = torch.Generator().manual_seed(0)

    def some(*shape):
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    found = [
        *(some(3, 2), some(0), some(0, 3), some(), some(1), some(7)),
        *(some(2, 3).t(), some(6, 4)[::2, 1:], some(4, 3, 2)[..., 0]),
        some(2, 3, 4, 4).to(memory_format=torch.channels_last),
    ]
    takes = TABLE[name].takes
    return [nn.Parameter(x) for x in found if takes is None or takes(x)]


@methods
@executors
def test_any_layout(name, executor):
    """Memory's layout changes no number, and no parameter's strides."""
    parameters = of_every_shape(name)
    strides = [p.stride() for p in parameters]
    plain = [nn.Parameter(p.detach().clone(memory_format=torch.contiguous_format)) for p in parameters]
    method = TABLE[name](parameters, executor=executor, **lr(name))
    other = TABLE[name](plain, executor="reference", **lr(name))
    for _, found in zip(range(4), gradients(plain), strict=False):
        feed(CASES[name], plain, found)
        feed(CASES[name], parameters, [g.t().contiguous().t() if g.dim() == 2 else g for g in found])
        method.step()
        other.step()
    assert [p.stride() for p in parameters] == strides
    assert max(map(apart, parameters, plain)) <= CASES[name].double


@methods
@executors
def test_gradients_that_share_their_memory(name, executor):
    """A sum's gradient is one number, expanded."""
    if CASES[name].graph:
        pytest.skip("the gradient is given, and it needs a loss")
    parameters, others = matrices((4, 3)), matrices((4, 3))
    for tensors, g in (
        (parameters, torch.ones(()).double().expand(4, 3)),
        (others, torch.ones(4, 3).double()),
    ):
        tensors[0].grad = g
        TABLE[name](tensors, executor=executor, **lr(name)).step()
    assert torch.equal(parameters[0], others[0])


@methods
@executors
def test_complex_beside_real(name, executor):
    """A complex parameter goes where its real and imaginary parts go, as one tensor."""
    unless(name, "complex")
    generator = torch.Generator().manual_seed(0)
    shapes, real = ((4, 3), (2,), (0,)), matrices((3, 2))[0]
    takes = TABLE[name].takes or (lambda p: True)
    start = [torch.randn(s, dtype=torch.complex128, generator=generator) for s in shapes]
    start = [x for x in start if takes(x) and takes(torch.view_as_real(x))]
    mine = [*(nn.Parameter(x.clone()) for x in start), real]
    parts = [*(nn.Parameter(torch.view_as_real(x).clone()) for x in start), *copies([real])]
    methods = [TABLE[name](x, executor=executor, **lr(name)) for x in (mine, parts)]
    for _ in range(4):
        for p, q in zip(mine, parts, strict=True):
            q.grad = torch.randn(q.shape, dtype=torch.float64, generator=generator)
            p.grad = torch.view_as_complex(q.grad) if p.is_complex() else q.grad
        for method in methods:
            method.step()
    assert all(torch.equal(torch.view_as_real(p), q) for p, q in zip(mine[:-1], parts[:-1], strict=True))
    assert torch.equal(mine[-1], parts[-1])


@methods
def test_parameters_that_are_not_parameters(name):
    with pytest.raises(TypeError):
        TABLE[name](matrices()[0])
    with pytest.raises(TypeError):
        TABLE[name]([1.0])
    with pytest.raises(ValueError):
        TABLE[name]([])
    p, q = matrices()
    with pytest.raises(ValueError):
        TABLE[name]([{"params": p}, {"params": p}])
    with pytest.raises(ValueError):
        TABLE[name]([("w", p), q])
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        TABLE[name]([p, p])
    assert any("duplicate" in str(w.message) for w in seen)
    with pytest.raises(UsageError):
        wrong = {"lr": torch.tensor([0.1, 0.2])} if has(name, "lr") else {"differentiable": True}
        TABLE[name]([p], **wrong)


@methods
def test_a_group_that_comes_later_starts_its_own_count(name):
    first, second = matrices()
    method = TABLE[name]([first])
    descended(name, method, [first], 2)
    method.add_param_group({"params": [second]})
    descended(name, method, [first, second], 2)
    assert [method.state[p]["step"] for p in (first, second)] == [4, 2]


# Memory -----------------------------------------------------------------------------------------
SIDE, TENSORS = 72, 6
"""Matrices too large to go in stacks, which take no more than a few megabytes altogether."""


def peak(method):
    """Return the most memory that a step has in use beyond what it found, in bytes a parameter's number."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        method.step()
    records = [e for e in seen.profiler.kineto_results.events() if e.name() == "[memory]"]
    now = most = 0
    for record in sorted(records, key=lambda e: e.start_ns()):
        now += record.nbytes()
        most = max(most, now)
    return most / (SIDE * SIDE * TENSORS)


@pytest.mark.parametrize("name", [name for name in compared if not CASES[name].graph])
def test_memory_of_a_step(name):
    """The portable executor makes few temporaries as large as all parameters, and none of them stays."""
    parameters = matrices(*[(SIDE, SIDE)] * TENSORS, dtype=torch.float32)
    method = descended(name, TABLE[name](parameters, executor="foreach", **lr(name)), parameters, 2)
    assert peak(method) / 4 <= CASES[name].temporaries
