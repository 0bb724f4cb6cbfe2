"""Parameters that stay as they were: no optimizer was given them, or no gradient reaches them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from math import prod

from descend.diagnosing.suspicion import Suspicion
from descend.watching.facts import ParameterFacts, RootFacts
from descend.watching.observations import Observations


def _size(parameters: Iterable[ParameterFacts]) -> int:
    return sum(prod(p.shape) for p in parameters)


def _layers(parameters: Iterable[ParameterFacts]) -> str:
    """Name the layers of parameters, the first ones of many."""
    names = list(dict.fromkeys(p.name.rpartition(".")[0] or p.name for p in parameters))
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _untrained(p: ParameterFacts) -> bool:
    """Whether the values of a weight look as initialisers leave them: evenly or normally spread around 0."""
    if p.trained_before:
        return False
    if p.first is None or not p.first.is_floating_point():
        return True
    x = p.first.double()
    x = x[x != 0]  # a padding's row
    if x.numel() < 24:
        return True
    deviation = float(x.std(correction=0))
    if deviation == 0:
        return True
    if (
        p.role == "embedding" and not 0.9 < deviation < 1.1
    ):  # torch draws them with 1; words' vectors are alike
        return False
    z = (x - x.mean()) / deviation
    kurtosis, n = float(z.pow(4).mean()), x.numel()
    centred = abs(float(x.mean())) <= 4 * deviation / n**0.5
    return centred and min(abs(kurtosis - 1.8) / 0.9, abs(kurtosis - 3.0) / 4.9) <= 4 / n**0.5


def _roots(seen: Observations) -> Iterable[tuple[RootFacts, list[ParameterFacts], list[ParameterFacts]]]:
    """Return modules that are called with gradients, with their parameters, and those of them that move."""
    for root in seen.roots:
        if root.calls:
            known = [p for name in root.parameters if (p := seen.parameters.get(name)) is not None]
            yield root, known, [p for p in known if p.optimizer >= 0 and p.gradients]


def parameters_not_in_optimizer(seen: Observations) -> Iterable[Suspicion]:
    """Tell of parameters that have a gradient, and that no optimizer was given."""
    if not seen.optimizers:
        return
    strangers = _strangers(seen)
    for root, known, moving in _roots(seen):
        hidden = [p for p in known if not p.registered]
        left = [p for p in known if p.registered and _is_left(p)]
        if not left or hidden:
            continue
        if len(left) == len(known) and _left_behind(seen, root):
            yield Suspicion(
                "parameters-not-in-optimizer",
                0.95,
                f"None of the {len(known)} parameters of {root.kind} that have gradients now is one that an "
                "optimizer was given: those have had no gradient since. The module was replaced (by a copy), "
                "and its optimizer was not.",
                certain=True,
                where=root.kind,
            )
            continue
        confidence = 0.95 if moving or strangers else 0.85
        if not moving and all(p.trained_before for p in known):
            continue
        weights = [p for p in left if p.role in ("weight", "embedding")] or left
        if not all(_untrained(p) for p in weights):
            confidence = 0.4  # a pre-trained part that is kept as it is
        last = [p.order for p in moving if p.order >= 0]
        trunk = [p.order for p in left if p.order >= 0]
        if last and trunk and len(moving) <= 4 and max(trunk) < min(last) and _size(left) > _size(moving):
            confidence = min(confidence, 0.8)  # a last layer upon random features, perhaps on purpose
        instead = (
            f" Instead, the optimizer holds {len(strangers)} that never had a gradient." if strangers else ""
        )
        yield Suspicion(
            "parameters-not-in-optimizer",
            confidence,
            f"{len(left)} of {len(known)} parameters of {root.kind} ({_layers(left)}; {_size(left):,} of "
            f"{_size(known):,} numbers) have gradients, but no optimizer was given them, and they never "
            f"move.{instead}",
            certain=confidence >= 0.9,
            where=_layers(left),
            step=1,
        )
    hidden = [p for p in seen.parameters.values() if not p.registered and p.module and _is_left(p)]
    if hidden:
        yield Suspicion(
            "parameters-not-in-optimizer",
            0.96,
            f"{len(hidden)} parameters ({_size(hidden):,} numbers) take part in the loss, but their module "
            "does not list them (layers or tensors in a plain list or dict, or made while it runs), and no "
            "optimizer moves them.",
            certain=True,
            where=_layers(hidden),
            step=1,
        )


def _left_behind(seen: Observations, root: RootFacts) -> bool:
    """Whether optimizers find no gradients whenever a module is trained, though they once found some."""
    index = next(i for i, one in enumerate(seen.roots) if one is root)
    own = [w for w in seen.windows if index in w.modes and w.backwards]
    before = [w for w in seen.windows if index not in w.modes and w.moved]
    return len(own) >= 2 and bool(before) and all(w.missing and not w.moved for w in own)


def _is_left(p: ParameterFacts) -> bool:
    wanted = p.optimizer < 0 and p.requires_grad and p.reached
    return wanted and not p.changed and not p.trained_before


def _strangers(seen: Observations) -> list[ParameterFacts]:
    """Return parameters of optimizers that belong to no module and have no gradients."""
    known = {name for root in seen.roots for name in root.parameters}
    return [
        p
        for o in seen.optimizers
        for name in o.parameters
        if name not in known and (p := seen.parameters.get(name)) and p.windows > 1 and not p.gradients
    ]


def frozen_parameters(seen: Observations) -> Iterable[Suspicion]:
    """Tell of parameters of a trained module that cannot move, though nobody has trained them before."""
    for root, known, moving in _roots(seen):
        if not moving:
            continue
        still = [p for p in known if p.registered and not p.moved and not p.changed and not p.trained_before]
        yield from _unwanted(root, known, moving, [p for p in still if not p.requires_grad])
        cut = [p for p in still if p.requires_grad and not p.reached and not p.gradients and p.optimizer >= 0]
        yield from _cut_off(root, known, moving, cut)
    yield from _held(seen)


def _unwanted(
    root: RootFacts, known: list[ParameterFacts], moving: list[ParameterFacts], off: list[ParameterFacts]
) -> Iterable[Suspicion]:
    weights = [p for p in off if p.role in ("weight", "embedding")]
    if not weights:
        return
    raw = [p for p in weights if _untrained(p)]
    share = _size(off) / max(1, _size(known))
    if len(raw) < len(weights):
        confidence = 0.3
    elif all(p.order == 0 and p.role == "weight" for p in off) and len(weights) == 1:
        confidence = 0.55  # perhaps a random projection on purpose
    else:
        confidence = 0.9 if share > 0.05 else 0.7
    yield Suspicion(
        "frozen-parameters",
        confidence,
        f"{len(off)} of {len(known)} parameters of {root.kind} ({_layers(off)}; {share:.0%} of its numbers) "
        "have requires_grad=False and stay as they were, though their values look "
        f"{'as initialisers leave them' if len(raw) == len(weights) else 'trained'}.",
        certain=confidence >= 0.9,
        where=_layers(off),
        step=1,
    )


def _cut_off(
    root: RootFacts, known: list[ParameterFacts], moving: list[ParameterFacts], cut: list[ParameterFacts]
) -> Iterable[Suspicion]:
    cut = [p for p in cut if p.windows]
    called = [p for p in cut if p.order >= 0 and p.name not in root.silent]
    last = max((p.order for p in moving), default=-1)
    before = [p for p in called if p.order < last]
    if not cut:
        return
    confidence = 0.93 if before else 0.2
    if before and min(p.windows for p in before) < 3:
        confidence = 0.8
    shown = before or cut
    yield Suspicion(
        "frozen-parameters",
        confidence,
        f"No gradient reaches {len(shown)} of {len(known)} parameters of {root.kind} ({_layers(shown)}), "
        f"in none of {max(p.windows for p in shown)} steps that were looked at, "
        + (
            "though their layers are called and later ones learn: what they give is cut from the graph."
            if before
            else "which may be as nothing uses them."
        ),
        certain=confidence > 0.9,
        where=_layers(shown),
        step=1,
    )


def _held(seen: Observations) -> Iterable[Suspicion]:
    """Tell of parameters that have gradients, and a step that does not move them."""
    pushed: dict[str, list[bool]] = defaultdict(list)
    for window in seen.windows:
        for moved in window.moved:
            if moved.gradient > 1e-6 * moved.weight and moved.finite:  # less is lost in rounding
                pushed[moved.name].append(moved.update > 0)
    held = [
        p
        for name, ups in pushed.items()
        if len(ups) >= 3 and not any(ups) and (p := seen.parameters.get(name))
    ]
    held = [p for p in held if not p.changed and not p.trained_before]
    free = [name for name, ups in pushed.items() if any(ups)]
    if held and free:
        yield Suspicion(
            "frozen-parameters",
            0.85,
            f"{len(held)} parameters ({_layers(held)}) have gradients, but no step moves them, while "
            f"{len(free)} others move.",
            where=_layers(held),
            step=1,
        )


__all__ = ["frozen_parameters", "parameters_not_in_optimizer"]
