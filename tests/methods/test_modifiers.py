"""The parts that any method can take: each alone, several together, in groups, kept, saved, refused."""

import doctest
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from cases import CASES, apart, compared, copies, executors, give, gradients, laid_out, layouts, lr
from modified import BASES, bases, descended, far, saved
from references import modifiers as text
from torch import nn

import descend
from descend.errors import UsageError
from descend.methods import TABLE
from descend.methods.modifiers import MODIFIERS

DOCS = Path(__file__).parents[2] / "docs"


@dataclass(frozen=True)
class Part:
    """A modifier and its text; a part of the texts' own words overrides what they know of the method."""

    ours: dict[str, Any]
    around: type[text.Around]
    knows: dict[str, Any] = field(default_factory=dict)

    def put(self, inner, tensors, knows):
        return self.around(
            inner, tensors, next(iter(self.ours.values())), **{**knows, **self.ours, **self.knows}
        )


# In the order in which they act, the outermost first.
PARTS: dict[str, Part] = {
    "accumulate": Part({"accumulate": 3}, text.Accumulate),
    "clip_norm": Part({"clip_norm": 1.5}, text.ClipNorm),
    "clip_value": Part({"clip_value": 0.4}, text.ClipValue),
    "clip_adaptive": Part({"clip_adaptive": 0.5}, text.ClipAdaptive),
    "clip_adaptive_eps": Part({"clip_adaptive": 0.5, "clip_adaptive_eps": 1.5}, text.ClipAdaptive),
    "mars": Part({"mars": 0.025}, text.Mars),
    "mars_beta": Part({"mars": 0.1, "mars_beta": 0.5}, text.Mars),
    "average": Part({"average": 0.9}, text.Average),
    "average_uniform": Part({"average": 1}, text.Average),
    "average_from": Part({"average": 1, "average_from": 11}, text.Average),
    "average_warmup": Part({"average": 0.9, "average_warmup": True, "average_from": 3}, text.Average),
    "lookahead": Part({"lookahead": 5}, text.Lookahead),
    "lookahead_share": Part({"lookahead": 4, "lookahead_share": 0.8}, text.Lookahead),
    "corrected": Part({"decay": "corrected"}, text.Corrected, {"lr_max": 0.01}),
    "cautious": Part({"cautious": True}, text.Cautious),
}
TOGETHER = [
    ("clip_norm", "clip_value"),
    ("clip_value", "mars"),
    ("accumulate", "clip_norm", "lookahead"),
    ("clip_norm", "mars", "cautious"),
    ("average", "lookahead"),
    ("average", "lookahead", "cautious"),
    ("accumulate", "clip_norm", "clip_value", "clip_adaptive", "mars", "average", "lookahead", "cautious"),
]
ALL = {"clip_norm": 1.0, "clip_value": 0.4, "clip_adaptive": 0.5, "mars": 0.025, "cautious": True}
ALL |= {"lookahead": 3, "average": 0.9}


def pair(base, parts, tensors, executor="foreach", **more):
    """Return a method of ours with these parts, the texts around another's, and the other's parameters."""
    ours, knows = BASES[base]
    others = copies(tensors)
    reference = CASES[base].reference(others, **CASES[base].theirs({"lr": 0.01, **ours, **more}))
    for name in reversed(parts):
        reference = PARTS[name].put(reference, others, knows)
    given = {k: v for name in parts for k, v in PARTS[name].ours.items()}
    return TABLE[base](tensors, lr=0.01, executor=executor, **ours, **given, **more), reference, others


# Each alone, and several together ---------------------------------------------------------------
@bases
@executors
@pytest.mark.parametrize("parts", [(name,) for name in PARTS] + TOGETHER, ids="-".join)
def test_it_is_what_is_written_around_another(base, parts, executor):
    tensors = layouts()
    mine, sure, others = pair(base, parts, tensors, executor)
    for step, found in zip(range(36), gradients(tensors), strict=False):
        for method in (mine, sure.optimizer):  # a schedule, for what follows it
            for group in method.param_groups:
                group["lr"] = 0.01 * (1 - step / 100)
        give(tensors, found)
        give(others, found)
        mine.step()
        sure.step()
        assert all(torch.equal(p.grad, g) for p, g in zip(tensors, found, strict=True))
        assert far(tensors, others) <= 1e-12
        with mine.evaluation():
            assert far(tensors, sure.points()) <= 1e-12


@executors
@pytest.mark.parametrize(
    ("ours", "decay", "theirs"),
    [
        (descend.Adam, "decoupled", torch.optim.AdamW),
        (descend.AdamW, "coupled", torch.optim.Adam),
        (descend.Adam, "coupled", torch.optim.Adam),
        (descend.AdamW, "decoupled", torch.optim.AdamW),
    ],
)
def test_decay_of_another_kind(ours, decay, theirs, executor):
    tensors = layouts()
    others = copies(tensors)
    mine = ours(tensors, lr=0.01, weight_decay=0.1, decay=decay, executor=executor)
    sure = theirs(others, lr=0.01, weight_decay=0.1)
    descended(mine, tensors, 60)
    descended(sure, others, 60)
    assert far(tensors, others) <= 1e-12


@executors
@bases
def test_climbing_is_descending_along_the_negative_gradient(base, executor):
    tensors = layouts()
    others = copies(tensors)
    mine = TABLE[base](tensors, lr=0.01, maximize=True, executor=executor, **ALL)
    sure = TABLE[base](others, lr=0.01, executor="reference", **ALL)
    for _, found in zip(range(20), gradients(tensors), strict=False):
        give(tensors, found)
        give(others, [-g for g in found])
        mine.step()
        sure.step()
    assert far(tensors, others) <= 1e-12


@executors
@pytest.mark.parametrize("name", compared)
def test_any_method_takes_them(name, executor):
    if CASES[name].graph:
        pytest.skip("its gradients need a graph, which these have not")
    tensors = laid_out(name)
    others = copies(tensors)
    mine = TABLE[name](tensors, **lr(name), executor=executor, **ALL)
    sure = TABLE[name](others, **lr(name), executor="reference", **ALL)
    before = copies(tensors)
    descended(mine, tensors, 7)
    descended(sure, others, 7)
    assert far(tensors, others) <= max(1e-12, CASES[name].double)
    assert not all(torch.equal(p, q) for p, q in zip(tensors, before, strict=True))


@executors
def test_parameters_of_several_dtypes(executor):
    """Complex ones too; and float32 beside float64 is as near as float32 can be."""
    generator = torch.Generator().manual_seed(0)
    narrow = layouts(torch.float32, seed=1)
    tensors = [
        *layouts(),
        nn.Parameter(torch.randn(3, 2, dtype=torch.complex128, generator=generator)),
        *narrow,
    ]
    others = copies(tensors)
    parts = {"clip_norm": 1.0, "cautious": True, "mars": 0.025, "lookahead": 3, "average": 0.9}
    mine = descend.AdamW(tensors, lr=0.01, executor=executor, **parts)
    sure = descend.AdamW(others, lr=0.01, executor="reference", **parts)
    for _ in range(10):
        for p, q in zip(tensors, others, strict=True):
            p.grad = torch.randn(p.shape, dtype=p.dtype, generator=generator)
            q.grad = p.grad.clone()
        found = torch.stack([p.grad.norm().double() for p in tensors])
        mine.step()
        sure.step()
        assert float(mine.param_groups[0]["gradient_norm"]) == pytest.approx(float(found.norm()), rel=1e-6)
    wide = len(tensors) - len(narrow)
    for p, q in zip(tensors[:wide], others, strict=False):
        p, q = (torch.view_as_real(x.detach()) if x.is_complex() else x for x in (p, q))
        assert apart(p, q) <= 1e-6  # the norm has float32 numbers in it
    assert far(tensors[wide:], others[wide:]) <= 1e-5


def test_without_any_gradient_nothing_happens():
    tensors = layouts()
    before = copies(tensors)
    method = descend.AdamW(tensors, **ALL, accumulate=2)
    for _ in range(3):
        method.step()
    assert all(torch.equal(p, q) for p, q in zip(tensors, before, strict=True))
    assert not method.state


def test_no_method_has_a_part_of_a_modifier():
    """Names of what is kept, and of hyperparameters, must not mean two things."""
    names = {name for part in MODIFIERS.values() for name in (part.switch, *part.others)}
    kept = {"gradient_norm", "previous_gradient", "slow_weights", "average_weights", "gathered"}
    for cls in TABLE.values():
        assert not names & cls.defaults.keys(), cls
        assert not kept & cls.base.kept.keys(), cls


# Groups -----------------------------------------------------------------------------------------
@executors
@pytest.mark.parametrize("name", [name for name in PARTS if name not in ("clip_norm", "corrected")])
def test_on_in_one_group_alone(name, executor):
    tensors = layouts()
    others = copies(tensors)
    given = PARTS[name].ours
    mine = descend.AdamW([{"params": tensors[:2], **given}, {"params": tensors[2:]}], executor=executor)
    sure = [descend.AdamW(others[:2], executor="reference", **given), descend.AdamW(others[2:])]
    for _, found in zip(range(12), gradients(tensors), strict=False):
        give(tensors, found)
        give(others, found)
        mine.step()
        for method in sure:
            method.step()
    assert far(tensors, others) <= 1e-12
    with mine.evaluation(), sure[0].evaluation():
        assert far(tensors, others) <= 1e-12


@executors
def test_the_norm_spans_groups_of_other_methods_and_with_other_parts(executor):
    tensors = layouts()
    others = copies(tensors)
    groups = [
        {"params": tensors[:1]},
        {"params": tensors[1:2], "method": "sgd", "lr": 0.01},
        {"params": tensors[2:4], "cautious": True, "clip_norm": 0.5},
        {"params": tensors[4:], "clip_norm": None, "decay": "coupled"},
    ]
    mine = descend.AdamW(groups, lr=0.01, clip_norm=1.0, executor=executor)
    sure = [
        descend.AdamW(others[:1], lr=0.01),
        descend.SGD(others[1:2], lr=0.01),
        descend.AdamW(others[2:4], lr=0.01, cautious=True),
        descend.AdamW(others[4:], lr=0.01, decay="coupled"),
    ]
    for _, found in zip(range(12), gradients(tensors), strict=False):
        give(tensors, found)
        norm = torch.cat([g.flatten() for g in found[:4]]).norm()
        bounds = [1.0, 1.0, 0.5, 0.5]
        clipped = [g * min(1.0, c / (norm + 1e-6)) for g, c in zip(found, bounds, strict=False)]
        give(others, [*clipped, found[4]])
        mine.step()
        for method in sure:
            method.step()
        for group in mine.param_groups[:3]:
            assert float(group["gradient_norm"]) == pytest.approx(float(norm), rel=1e-12)
    assert far(tensors, others) <= 1e-12


@executors
def test_numbers_for_all_parameters_span_groups_with_other_parts(executor):
    tensors = layouts()
    others = copies(tensors)
    parts = {"cautious": False, "clip_value": 1e9, "lookahead": 0}
    groups = [{"params": tensors[:2], **parts}, {"params": tensors[2:]}]
    mine = TABLE["prodigy"](groups, executor=executor)
    sure = TABLE["prodigy"](others, executor="reference")
    for _ in range(30):
        give(tensors, [p.detach().clone() for p in tensors])
        give(others, [p.detach().clone() for p in others])
        mine.step()
        sure.step()
    d = [float(group["d"]) for group in mine.param_groups]
    assert d[0] == d[1] == pytest.approx(float(sure.param_groups[0]["d"]), rel=1e-9)


# What is kept -----------------------------------------------------------------------------------
@executors
@pytest.mark.parametrize("calls", [6, 7, 9])
def test_resuming_changes_no_bit(calls, executor):
    """Also in the middle of accumulating."""

    def start(tensors):
        parts = {**ALL, "accumulate": 3}
        groups = [{"params": tensors[:2], "lookahead": 2}, {"params": tensors[2:], "accumulate": 2}]
        return descend.AdamW(groups, lr=0.01, executor=executor, **parts)

    tensors = layouts()
    mine = start(tensors)
    descended(mine, tensors, calls)
    middle = copies(tensors)
    resumed = start(middle)
    resumed.load_state_dict(saved(mine.state_dict()))
    descended(mine, tensors, 7, seed=2)
    descended(resumed, middle, 7, seed=2)
    assert all(torch.equal(p, q) for p, q in zip(tensors, middle, strict=True))
    with mine.evaluation(), resumed.evaluation():
        assert all(torch.equal(p, q) for p, q in zip(tensors, middle, strict=True))


@executors
def test_an_unused_expert_counts_its_own_steps(executor):
    tensors = layouts()
    others = copies(tensors)
    parts = {k: v for k, v in ALL.items() if k != "clip_norm"}  # which spans them all
    mine = descend.AdamW(tensors, lr=0.01, executor=executor, **parts)
    sure = [descend.AdamW([q], lr=0.01, executor="reference", **parts) for q in others]
    for step, found in zip(range(30), gradients(tensors), strict=False):
        for i, (p, q, g) in enumerate(zip(tensors, others, found, strict=True)):
            used = step % (i + 1) == i
            p.grad = g.clone() if used else None
            q.grad = g.clone() if used else None
            sure[i].step()
        mine.step()
    assert far(tensors, others) <= 1e-12
    for method in sure:
        with method.evaluation(), mine.evaluation():
            q = method.param_groups[0]["params"][0]
            assert min(apart(p, q) for p in tensors if p.shape == q.shape) <= 1e-12


def test_an_average_of_narrow_weights_is_wide():
    """In bfloat16 a thousandth of a difference is lost: the average would stand still."""
    p = nn.Parameter(torch.full((4,), 8.0, dtype=torch.bfloat16))
    method = descend.SGD([p], lr=1.0, average=0.999)
    for _ in range(2000):
        p.grad = torch.zeros_like(p) if p[0] == 4 else torch.full_like(p, 1.0)
        method.step()
    assert method.state[p]["average_weights"].dtype == torch.float32
    with method.evaluation():
        assert p.dtype == torch.bfloat16
        assert p[0].item() == pytest.approx(4 + 3 * 0.999**2000, rel=0.01)
    assert p[0].item() == 4


@executors
def test_caution_counts_moves_below_the_last_place(executor):
    """Where all moves agree with the gradient, none is longer than without caution."""
    start = torch.ones(1000)
    start[-1] = 1e-3
    p = nn.Parameter(start.bfloat16())
    p.grad = torch.ones_like(p)
    method = descend.SGD([p], lr=1e-4, cautious=True, executor=executor)
    method.step()
    assert p[-1].item() == pytest.approx(9e-4, rel=0.01)
    assert torch.equal(p[:-1], torch.ones(999, dtype=torch.bfloat16))


# On and off in the middle -----------------------------------------------------------------------
@executors
@pytest.mark.parametrize("name", list(PARTS))
def test_on_and_off_again(name, executor):
    tensors = layouts()
    others = copies(tensors)
    mine = descend.AdamW(tensors, lr=0.01, executor=executor)
    sure = descend.AdamW(others, lr=0.01, executor="reference")
    for seed, changes in enumerate(({}, PARTS[name].ours, dict.fromkeys(PARTS[name].ours), PARTS[name].ours)):
        for method, tensors_of in ((mine, tensors), (sure, others)):
            for key, value in changes.items():
                if value is None and key != next(iter(changes)):
                    continue
                method.param_groups[0][key] = value
            with method.evaluation():  # before the first step with it
                pass
            descended(method, tensors_of, 6, seed)
        assert far(tensors, others) <= 1e-12
    with mine.evaluation(), sure.evaluation():
        assert far(tensors, others) <= 1e-12


def test_an_average_begins_where_it_is_switched_on():
    p = nn.Parameter(torch.zeros(1, dtype=torch.float64))
    method = descend.SGD([p], lr=1.0)
    points = []
    for step in range(10):
        if step == 6:
            method.param_groups[0]["average"] = 1
        p.grad = -torch.ones_like(p) * step
        method.step()
        points.append(p.item())
    assert method.param_groups[0]["average_from"] == 7
    with method.evaluation():
        assert p.item() == pytest.approx(sum(points[6:]) / 4, rel=1e-12)


# Errors -----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"clip_norm": -1.0}, "clip_norm above 0"),
        ({"clip_norm": float("nan")}, "clip_norm above 0"),
        ({"clip_norm": True}, "clip_norm above 0"),
        ({"clip_norm": "small"}, "clip_norm above 0"),
        ({"clip_value": -0.1}, "clip_value above 0"),
        ({"clip_adaptive": 0.1, "clip_adaptive_eps": 0}, "clip_adaptive_eps above 0"),
        ({"mars": -1}, "mars above 0"),
        ({"mars": 0.1, "mars_beta": 1.0}, r"mars_beta in \[0, 1\)"),
        ({"cautious": 1}, "cautious true or false"),
        ({"lookahead": 2.5}, "lookahead a whole number"),
        ({"lookahead": 5, "lookahead_share": 0}, "lookahead_share in"),
        ({"average": 1.5}, "average in"),
        ({"average": 0.9, "average_from": 0}, "average_from a whole number"),
        ({"average": 0.9, "average_warmup": 10}, "average_warmup true or false"),
        ({"sam": -0.1}, "sam above 0"),
        ({"accumulate": -2}, "accumulate a whole number"),
        ({"decay": "decoupeld"}, "decay one of decoupled, coupled, corrected"),
        ({"decay": "corrected", "lr_max": 0.0}, "lr_max above 0"),
        ({"clip_nrom": 1.0}, "did you mean clip_norm"),
    ],
)
def test_wrong_hyperparameters(given, expected):
    with pytest.raises(UsageError, match=expected):
        descend.AdamW(layouts(), **given)
    if "clip_nrom" not in given:
        method = descend.AdamW(layouts())
        with pytest.raises(UsageError, match=expected):
            method.add_param_group({"params": [nn.Parameter(torch.ones(2))], **given})
        assert len(method.param_groups) == 1


def test_no_choice_of_decay_where_the_equations_hold_their_own():
    cls = next(c for c in TABLE.values() if c.decay is None)
    tensors = [p for p in layouts() if cls.takes is None or cls.takes(p)]
    with pytest.raises(UsageError, match=f"no choice of decay with {cls.__name__}"):
        cls(tensors, decay="coupled")


# The house --------------------------------------------------------------------------------------
def test_every_modifier_has_its_page():
    page = (DOCS / "modifiers.md").read_text()
    for part in MODIFIERS.values():
        assert f"## `{part.switch}`" in page
        for name in (part.switch, *part.others):
            assert f"`{name}`" in page, name
        assert all(paper in page for paper in re.findall(r"arXiv:[\d.]*\d", part.source))
        assert part.ranges[part.switch][1](part.example)
        assert part.summary.endswith(".")
        assert part.equation
    failed, tried = doctest.testfile(
        str(DOCS / "modifiers.md"), module_relative=False, optionflags=doctest.NORMALIZE_WHITESPACE
    )
    assert tried > 10
    assert failed == 0
