"""Faults edited into sound programs: more of them to learn from, beside those that people wrote.

Each edit is a rule over the text of a script: where its pattern stands, it puts the fault. Whether a fault
did harm is measured afterwards, as of all faulty programs (:func:`check.clearly_better`).
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable, Iterable

Rule = Callable[[str], str | None]

_NUMBER = r"[0-9]+(?:\.[0-9]*)?(?:e-?[0-9]+)?|\.[0-9]+"
_OPTIMIZER = re.compile(r"^( *)([\w.]+) *= *(?:torch\.)?optim\.(\w+)\((.*)$", re.M)
_ACTIVATION = r"nn\.(ReLU|Tanh|GELU|SiLU)\((inplace=True)?\)"
_SQUARES = r"\bmse_loss\((\w+(?:\([^()]*\))?), (\w+(?:\[\w+\])?)\)"
_LOSS = r"\b(cross_entropy|mse_loss)\((\w+(?:\([^()]*\))?), (\w+(?:\[\w+\])?)\)$"
_SET = re.compile(r"TensorDataset\(([\w.]+(?:\[[\w: ]+\])?), ([\w.]+(?:\[[\w: ]+\])?)\)")
_ALL = '[q for g in OPT.param_groups for q in g["params"]]'
_LAST = "list(MODEL.parameters())[-1]"


def _sub(pattern: str, new: str, count: int = 0) -> Rule:
    def rule(code: str) -> str | None:
        text, times = re.subn(pattern, new, code, count=count, flags=re.M)
        return text if times else None

    return rule


def _rate(factor: float) -> Rule:
    def rule(code: str) -> str | None:
        found = re.search(rf"\blr ?= ?({_NUMBER})\b", code)
        if found is None:
            return None
        return code[: found.start(1)] + f"{float(found[1]) * factor:g}" + code[found.end(1) :]

    return rule


def _argument(adam: str, sgd: str) -> Rule:
    """Give the optimizer one more argument, after its rate."""

    def rule(code: str) -> str | None:
        found = _OPTIMIZER.search(code)
        if found is None:
            return None
        adams = found[3].startswith(("Adam", "NAdam", "RAdam"))
        more = adam if adams else sgd if found[3] == "SGD" else ""
        rate = re.search(r"\blr ?= ?[^,)]+", code[found.start() :])
        if not more or more.split("=")[0] in found[0] or rate is None:
            return None
        at = found.start() + rate.end()
        return f"{code[:at]}, {more}{code[at:]}"

    return rule


def _before_step(line: str, only: str = "") -> Rule:
    def rule(code: str) -> str | None:
        found = _OPTIMIZER.search(code)
        if found is None or (only and found[3] != only):
            return None
        new = line.replace("OPT", found[2])
        step = rf"^( *){re.escape(found[2])}\.step\(\)"
        text, times = re.subn(step, lambda m: f"{m[1]}{new}\n{m[0]}", code, flags=re.M)
        return text if times else None

    return rule


def _before_optimizer(line: str) -> Rule:
    def rule(code: str) -> str | None:
        found = _OPTIMIZER.search(code)
        model = re.search(r"([\w.]+)\.parameters\(\)", found[4]) if found is not None else None
        if found is None or model is None:
            return None
        new = found[1] + line.replace("MODEL", model[1])
        return f"{code[: found.start()]}{new}\n{code[found.start() :]}"

    return rule


def _forward(line: str) -> Rule:
    def rule(code: str) -> str | None:
        text, times = re.subn(
            r"^( *)def forward\(self, (\w+)\)(.*):$",
            lambda m: f"{m[0]}\n{m[1]}    {line.replace('X', m[2])}",
            code,
            flags=re.M,
        )
        return text if times else None

    return rule


def _data(pair: str) -> Rule:
    """Replace the tensors X and Y of the first data set."""

    def rule(code: str) -> str | None:
        found = _SET.search(code)
        if found is None:
            return None
        new = f"TensorDataset(*(lambda X, Y: {pair})({found[1]}, {found[2]}))"
        return code[: found.start()] + new + code[found.end() :]

    return rule


def _rows(new: str) -> Rule:
    return _sub(r"\b(\w+)\[(\w+)\], (\w+)\[\2\]", new, 1)


def _then(first: Rule, second: Rule) -> Rule:
    def rule(code: str) -> str | None:
        text = first(code)
        return second(text) if text is not None else None

    return rule


def _narrow(code: str) -> str | None:
    layers = re.findall(r"nn\.(?:Linear|Conv2d|Conv1d|GRU|LSTM|RNN)\(([^()]*)\)", code)
    sizes = [int(n) for layer in layers for n in re.findall(r"\b(\d+)\b", layer) if 16 <= int(n) <= 512]
    if sizes:
        return re.sub(rf"\b{max(set(sizes), key=sizes.count)}\b", "2", code)
    found = re.search(r"^\s*(?:HIDDEN|WIDTH|hidden|width|DIM|dim) ?= ?(\d+)", code, re.M)
    return f"{code[: found.start(1)]}2{code[found.end(1) :]}" if found is not None else None


def _scaled(factor: float, part: str = "MODEL.parameters()") -> Rule:
    return _before_optimizer(f"for q_ in {part}: q_.data.mul_({factor})")


_DROPPED = (
    'OPT._n = getattr(OPT, "_n", 0) + 1; '
    '[g_.update(lr=g_["lr"] * 0.001) for g_ in OPT.param_groups if OPT._n == 12]'
)
KINDS: dict[str, tuple[str, Rule]] = {
    "hot4": ("learning-rate-too-high", _rate(4)),
    "hot10": ("learning-rate-too-high", _rate(10)),
    "hot30": ("learning-rate-too-high", _rate(30)),
    "hot100": ("learning-rate-too-high", _rate(100)),
    "cold10": ("learning-rate-too-low", _rate(0.1)),
    "cold30": ("learning-rate-too-low", _rate(1 / 30)),
    "cold100": ("learning-rate-too-low", _rate(0.01)),
    "cold300": ("learning-rate-too-low", _rate(1 / 300)),
    "nozero": ("missing-zero-grad", _sub(r"^( *).*zero_grad\(.*\)$", r"\1pass")),
    "decay": ("decay-too-strong", _argument("weight_decay=0.2", "weight_decay=0.2")),
    "decay05": ("decay-too-strong", _argument("weight_decay=1.0", "weight_decay=0.05")),
    "mom": ("momentum-too-high", _argument("betas=(0.99, 0.999)", "momentum=0.99")),
    "mom98": ("momentum-too-high", _argument("betas=(0.995, 0.999)", "momentum=0.98")),
    "clip": ("gradient-clipped-away", _before_step(f"torch.nn.utils.clip_grad_norm_({_ALL}, 1e-3)", "SGD")),
    "clip2": ("gradient-clipped-away", _before_step(f"torch.nn.utils.clip_grad_norm_({_ALL}, 1e-2)", "SGD")),
    "clipv": ("gradient-clipped-away", _before_step(f"torch.nn.utils.clip_grad_value_({_ALL}, 1e-4)", "SGD")),
    "sched": (
        "learning-rate-decayed-to-zero",
        _before_step('for g_ in OPT.param_groups: g_["lr"] *= 0.96'),
    ),
    "drop": ("learning-rate-decayed-to-zero", _before_step(_DROPPED)),
    "softmax": (
        "softmax-before-cross-entropy",
        _sub(r"\bcross_entropy\((\w+)(\([^()]*\))?, ", r"cross_entropy(\1\2.softmax(1), "),
    ),
    "sign": ("wrong-loss-sign", _sub(r"\bloss\.backward\(\)", "(-loss).backward()")),
    "evalmode": ("training-in-eval-mode", _sub(r"\.train\(\)", ".eval()")),
    "trainmode": ("evaluating-in-train-mode", _sub(r"^( *)\w+\.eval\(\)$", r"\1pass")),
    "noact": ("missing-activation", _sub(_ACTIVATION, "nn.Identity()")),
    "recreate": ("optimizer-recreated", _before_step("OPT.state.clear()")),
    "newopt": ("optimizer-recreated", _before_step("OPT = type(OPT)(OPT.param_groups)")),
    "init3": ("poor-initial-values", _scaled(4)),
    "init8": ("poor-initial-values", _scaled(8)),
    "init30": ("poor-initial-values", _scaled(30)),
    "init02": ("poor-initial-values", _scaled(0.03)),
    "bias20": (
        "poor-initial-values",
        _before_optimizer(f"{_LAST}.data.add_(torch.linspace(-15, 15, {_LAST}.numel()).view_as({_LAST}))"),
    ),
    "bias5": (
        "dead-units",
        _before_optimizer(
            "for q_ in [q for q in MODEL.parameters() if q.dim() == 1][:-1]: q_.data.fill_(-4)"
        ),
    ),
    "satur": (
        "saturated-units",
        _then(_sub(_ACTIVATION, "nn.Tanh()"), _scaled(15, "list(MODEL.parameters())[:-2]")),
    ),
    "symm": (
        "symmetric-initial-values",
        _before_optimizer("for q_ in MODEL.parameters(): q_.data.fill_(0.03)"),
    ),
    "freeze": (
        "frozen-parameters",
        _before_optimizer("for q_ in list(MODEL.parameters())[:-2]: q_.requires_grad_(False)"),
    ),
    "freezef": (
        "frozen-parameters",
        _before_optimizer("for q_ in list(MODEL.parameters())[2:]: q_.requires_grad_(False)"),
    ),
    "lastonly": (
        "parameters-not-in-optimizer",
        _sub(
            r"^( *[\w.]+ *= *(?:torch\.)?optim\.\w+\()(\w+)\.parameters\(\)",
            r"\1list(\2.parameters())[-2:]",
            1,
        ),
    ),
    "shuffled": ("labels-misaligned", _sub(_LOSS, r"\1(\2, \3[torch.randperm(len(\3))])", 1)),
    "misdata": ("labels-misaligned", _data("(X, Y[torch.randperm(len(Y))])")),
    "roll": ("labels-misaligned", _data("(X, Y.roll(1, 0))")),
    "rolli": ("labels-misaligned", _rows(r"\1[\2], \3[(\2 + 1) % len(\3)]")),
    "noise": (
        "label-noise",
        _data(
            "(X, torch.where(torch.rand(len(Y)) < 0.4, Y[torch.randperm(len(Y))], Y) if Y.dim() == 1 else Y)"
        ),
    ),
    "noisei": (
        "label-noise",
        _rows(r"\1[\2], (\3[torch.where((\2 * 7919) % 10 < 4, (\2 * 104729) % len(\3), \2)])"),
    ),
    "imb": (
        "class-imbalance",
        _data(
            "(lambda K: (X[K], Y[K]))"
            "(((Y == Y.flatten()[0]) | (torch.rand(len(Y)) < 0.04)).nonzero().flatten())"
            " if Y.dim() == 1 and not Y.is_floating_point() else (X, Y)"
        ),
    ),
    "few": ("overfitting", _data("(X[:48], Y[:48])")),
    "sorted": (
        "data-not-shuffled",
        _then(
            _data("(X[Y.flatten().argsort()], Y[Y.flatten().argsort()])"),
            _sub("shuffle=True", "shuffle=False"),
        ),
    ),
    "repeat": (
        "repeated-batch",
        _sub(
            r"^( *)for (\w+), (\w+) in (\w*loader\w*|train):$",
            r"\1for \2, \3 in [next(iter(\4))] * len(\4):",
            1,
        ),
    ),
    "batch1": ("batch-too-small", _sub(r"batch_size ?= ?\d+", "batch_size=1")),
    "batch2": ("batch-too-small", _sub(r"\b(BATCH|batch|batch_size|BATCH_SIZE) ?= ?\d+", r"\1=2")),
    "sigmoid": ("vanishing-gradients", _sub(_ACTIVATION, "nn.Sigmoid()")),
    "dropout": ("underfitting", _sub(_ACTIVATION, r"nn.Sequential(nn.\1(), nn.Dropout(0.85))")),
    "narrow": ("underfitting", _narrow),
    "inputs100": ("inputs-not-scaled", _forward("X = X * 100")),
    "in1000": ("inputs-not-scaled", _data("(X * 1000 if X.is_floating_point() else X, Y)")),
    "zeroed": ("inputs-ignored", _forward("X = X * 0")),
    "tgt1000": ("targets-not-scaled", _sub(_SQUARES, r"mse_loss(\1, 1000 * \2)", 1)),
    "tgt100": ("targets-not-scaled", _sub(_SQUARES, r"mse_loss(\1, 300 + 100 * \2)", 1)),
    "bcast": (
        "loss-broadcast",
        _sub(_SQUARES, r"mse_loss((\1).reshape(-1, 1), (\2).reshape(-1))", 1),
    ),
}
"""Of each edit the cause that it is a case of, and its rule."""
OF_A_KIND, OF_A_PROGRAM = 8, 4
"""How many programs an edit is made in, and how many edits are made in a program, at most."""


def edited(sound: dict[str, str], seed: int = 0) -> Iterable[tuple[str, str, str, str]]:
    """Return programs with faults: (name of the program, of the edit, cause, text).

    Args:
        sound: the texts of sound programs, by name.
        seed: of the choice among all that could be edited.
    """
    jobs = []
    for name, text in sound.items():
        body = text.index('"""', text.index('"""') + 3) + 3  # nothing is edited in what it says of itself
        for kind, (cause, rule) in KINDS.items():
            code = rule(text[body:])
            if code is not None and code != text[body:] and _compiles(code):
                jobs.append((name, kind, cause, text[:body] + code))
    random.Random(seed).shuffle(jobs)
    kinds: Counter[str] = Counter()
    own: Counter[str] = Counter()
    for name, kind, cause, text in jobs:
        if kinds[kind] < OF_A_KIND and own[name] < OF_A_PROGRAM:
            kinds[kind] += 1
            own[name] += 1
            yield name, kind, cause, text


def _compiles(code: str) -> bool:
    try:
        compile(code, "edited", "exec")
    except SyntaxError:
        return False
    return True
