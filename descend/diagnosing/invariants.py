"""What no sound training loop does: stale gradients, lost optimizers, wrong modes, inputs that are dropped.

Mostly yes or no: no threshold is tuned, only how often a thing was seen. Parameters that cannot move are in
:mod:`descend.diagnosing.unmoved`.
"""

from __future__ import annotations

from collections.abc import Iterable
from statistics import median

from descend.diagnosing.progress import often
from descend.diagnosing.suspicion import Detector, Suspicion
from descend.diagnosing.unmoved import frozen_parameters, parameters_not_in_optimizer
from descend.watching.by_hand import ByHand
from descend.watching.facts import OptimizerFacts, RootFacts
from descend.watching.observations import Evaluation, Observations


def missing_zero_grad(seen: Observations) -> Iterable[Suspicion]:
    """Tell of gradients that a step has used and that nobody clears before the next backward."""
    for index, optimizer in enumerate(seen.optimizers):
        if "LBFGS" in optimizer.kind:
            continue
        own = [w for w in seen.windows if w.optimizer == index and w.step > optimizer.first and w.backwards]
        own = [] if optimizer.kind == ByHand.__name__ else own  # whose windows end before that is known
        stale = [w for w in own if w.stale > 0]
        looked, found = len(own) + optimizer.looked, len(stale) + optimizer.stale
        if not found:
            continue
        share = found / looked
        part = median(w.stale for w in stale) if stale else 1
        what = "all parameters" if part == 1 else f"{part:.0%} of the parameters"
        times, uncleared = optimizer.least_cleared
        if times >= 4 and uncleared / times > share:  # others are
            looked, found, share, what = times, uncleared, uncleared / times, "some parameters"
        since = [w for w in own if stale and w.step >= stale[0].step]
        if len(since) >= 3 and len(stale) == len(since):
            share = max(share, 0.8)  # from some step on
        confidence = 0.97 if share >= 0.9 and looked > 1 else 0.93 if share >= 0.4 else 0.6
        if any(2 * optimizer.steps <= other.steps for other in seen.optimizers):
            confidence = min(confidence, 0.45)  # it may gather gradients over another optimizer's steps
        first = stale[0].step if stale else optimizer.first + 1
        yield Suspicion(
            "missing-zero-grad",
            confidence,
            f"The gradients of {what} that were looked at had not been cleared when the backward before step "
            f"{first} began, and so in {found} of {looked} steps: each step follows the sum of "
            "earlier gradients, although it has used them already.",
            certain=confidence > 0.9,
            step=first,
        )


def optimizer_recreated(seen: Observations) -> Iterable[Suspicion]:
    """Tell of optimizers that are made anew, or emptied, again and again for the same parameters."""
    born = [o for o in seen.optimizers if o.again and 2 * o.again >= len(o.parameters)]
    if born and any(o.stateful for o in seen.optimizers):
        yield from _recreated(seen, born)
    for o in seen.optimizers:
        if o.resets and o.stateful:
            yield Suspicion(
                "optimizer-recreated",
                0.93 if o.resets > 2 else 0.7,
                f"{o.kind} had lost what it keeps for its parameters (its momentum or its averages) before "
                f"{o.resets} of the steps that were looked at.",
                certain=o.resets > 2,
            )


def _recreated(seen: Observations, born: list[OptimizerFacts]) -> Iterable[Suspicion]:
    kinds = {o.kind for o in born}
    lives = [o.steps for o in seen.optimizers if o.kind in kinds][:-1] or [born[0].first - 1]
    life = median(lives)
    regular = max(lives) <= 1.1 * life + 1
    if "LBFGS" in kinds:
        confidence = 0.3
    elif len(born) >= 4 and life <= 2:
        confidence = 0.97
    elif len(born) >= 4 and regular:
        confidence = 0.92 if life <= 500 else 0.7
    elif len(born) >= 4:
        confidence = 0.6 if len(born) >= 8 else 0.4
    else:
        confidence = 0.3 if regular and len(kinds) == 1 else 0.1  # stages: fine-tuning, another method
    lost = "all that it had gathered (momentum, averages of squares) is lost each time"
    times = (
        "for every step" if life <= 1 else f"after {life:.0f} steps" + ("" if regular else " in the median")
    )
    yield Suspicion(
        "optimizer-recreated",
        confidence,
        f"{born[0].kind} was made anew {len(born)} times for parameters that another had already moved, "
        f"{times}: {lost}.",
        certain=confidence > 0.95,
        step=born[0].first,
    )


def _where_modes_matter(root: RootFacts) -> str:
    """Name the layers to which the mode makes a difference."""
    if root.mode_matters == ["forward"]:
        return f"{root.kind}.forward"
    more = f" and {len(root.mode_matters) - 1} more" if len(root.mode_matters) > 1 else ""
    return f"{root.mode_matters[0] or root.kind}{more}"


def training_in_eval_mode(seen: Observations) -> Iterable[Suspicion]:
    """Tell of modules that are in evaluation mode while they are trained, where that matters."""
    for index, root in enumerate(seen.roots):
        if not root.mode_matters:
            continue
        names = set(root.parameters)
        trains = [not names.isdisjoint(o.parameters) for o in seen.optimizers]
        own = [w for w in seen.windows if index in w.modes and w.optimizer >= 0 and trains[w.optimizer]]
        if not own:
            continue
        wrong = [w for w in own if not w.modes[index]]
        # Of steps that were not looked at it is not known whose they were.
        overall = root.trained_in_eval / root.trained if root.trained and all(trains) else 0.0
        left = root.asked >= 4 and root.asked_in_eval / root.asked > 0.6
        share = max(len(wrong) / len(own), overall, root.asked_in_eval / root.asked if left else 0.0)
        known = [p for name in names if (p := seen.parameters.get(name)) is not None]
        before = sum(p.trained_before for p in known) > 0.5 * max(1, len(known))
        layers = _where_modes_matter(root)
        if wrong or left or (root.trained >= 10 and overall >= 0.3):
            confidence = 0.93 if share >= 0.9 else 0.9 if share >= 0.3 else 0.4
            if root.mode_matters == ["forward"]:
                confidence -= 0.15
            if before and len({o.first for o in seen.optimizers}) <= 8:
                confidence *= 0.45  # what was trained before may be fine-tuned with its statistics kept
            since = "" if share >= 0.9 or not wrong else f", from step {wrong[0].step} on"
            if left:
                since += f", and in {root.asked_in_eval} of {root.asked} steps after it was set to evaluation"
            yield Suspicion(
                "training-in-eval-mode",
                confidence,
                f"{root.kind} was in evaluation mode in {len(wrong)} of {len(own)} training steps that were "
                f"looked at{since} ({root.trained_in_eval} of {root.trained} calls before a backward), "
                f"so that {layers} did not act as in training.",
                certain=confidence > 0.9,
                where=layers,
                step=wrong[0].step if wrong else 0,
            )
            continue
        calls = [c for w in own for c in w.layers if c.name in root.mode_matters and c.training is not None]
        asleep = sorted({c.name for c in calls if not c.training} - {c.name for c in calls if c.training})
        if asleep:
            yield Suspicion(
                "training-in-eval-mode",
                0.2 if before or all("BatchNorm" in c.kind for c in calls if c.name in asleep) else 0.6,
                f"{root.kind} was in training mode, but {len(asleep)} of its layers never were "
                f"({asleep[0]} first).",
                where=asleep[0],
                step=own[0].step,
            )


def evaluating_in_train_mode(seen: Observations) -> Iterable[Suspicion]:
    """Tell of evaluations in which layers act as in training."""
    for index, root in enumerate(seen.roots):
        own = [e for e in seen.evaluations if e.root == index and e.calls]
        if not root.calls and own and root.mode_matters and _is_copy(seen, root):
            yield from _copy_awake(seen, root, own)
        if not root.calls or not (own or root.calls_after) or not (root.mode_matters or root.always):
            continue
        if often(seen, len(own)) or any(_repeats(e) for e in own):
            continue
        judged = any(e.criteria or e.accuracy == e.accuracy for e in own)
        several = len({o.kind + str(o.parameters) for o in seen.optimizers}) > 1
        if root.always:
            yield Suspicion(
                "evaluating-in-train-mode",
                0.92 if own or judged else 0.8,
                f"{root.kind} calls {' and '.join(root.always)} such that it acts as in training even in "
                f"evaluation mode: its {len(own) or 'final'} evaluation(s) were of a disturbed model.",
                certain=True,
                where=root.always[0],
            )
            continue
        if not own:
            if root.training_after == root.calls_after:
                yield Suspicion(
                    "evaluating-in-train-mode",
                    0.45 if several else 0.8,
                    f"After the last step {root.kind} was called {root.calls_after} time(s) more in training "
                    f"mode, in which {_where_modes_matter(root)} acts otherwise than in evaluation.",
                    where=_where_modes_matter(root),
                    step=seen.steps,
                )
            continue
        wrong = [e for e in own if 2 * e.training > e.calls]
        if not wrong:
            yield from _awake(root, own)
            continue
        last = own[-1] in wrong
        confidence = 0.9 if len(wrong) == len(own) else 0.75 if last else 0.2
        if several and not judged:
            confidence *= 0.5  # generators are often sampled from in training mode
        if root.mode_matters == ["forward"]:
            confidence *= 0.8
        yield Suspicion(
            "evaluating-in-train-mode",
            confidence,
            f"{len(wrong)} of {len(own)} evaluations of {root.kind}{', the last one too,' if last else ''} "
            f"were in training mode, in which {_where_modes_matter(root)} acts otherwise.",
            certain=confidence >= 0.9,
            where=_where_modes_matter(root),
            step=wrong[0].step,
        )


def _is_copy(seen: Observations, root: RootFacts) -> bool:
    """Whether a module that is not trained itself has the very parameters, in shape, of one that is."""

    def shapes(one: RootFacts) -> tuple[tuple[int, ...], ...]:
        known = (p.shape for name in one.parameters if (p := seen.parameters.get(name)) is not None)
        return one.shapes or tuple(sorted(known))

    return any(other.calls and shapes(other) == shapes(root) for other in seen.roots)


def _copy_awake(seen: Observations, root: RootFacts, own: list[Evaluation]) -> Iterable[Suspicion]:
    """Tell of a copy (of averaged weights) that is judged in training mode, in which copies are made."""
    judged = [e for e in own if e.criteria or e.accuracy == e.accuracy]
    others = [e for e in seen.evaluations if seen.roots[e.root] is not root]
    players = len({o.kind + str(o.parameters) for o in seen.optimizers}) > 1  # generators are sampled from
    careful = bool(others) and all(not e.training for e in others) and not players
    looked_at = judged or own
    wrong = [e for e in looked_at if e.training == e.calls]
    if own[-1].training < own[-1].calls or often(seen, len(own)) or any(_repeats(e) for e in own):
        return  # statistics of averaged weights are taken in training mode, before
    if not wrong or not (judged or careful):
        return
    yield Suspicion(
        "evaluating-in-train-mode",
        0.3 if len(wrong) < len(looked_at) else 0.9 if judged else 0.82,
        f"{root.kind}, which has the parameters of the module that is trained, is only evaluated, and was in "
        f"training mode in {len(wrong)} of {len(looked_at)} evaluations that were looked at: "
        f"{_where_modes_matter(root)} acts otherwise there. A copy has its own mode.",
        certain=len(wrong) == len(judged) > 0,
        where=_where_modes_matter(root),
        step=wrong[0].step,
    )


def _awake(root: RootFacts, own: list[Evaluation]) -> Iterable[Suspicion]:
    """Tell of layers that stay in training mode while the module itself is evaluated."""
    awake = sorted({c.name for e in own for c in e.layers if c.training and c.name in root.mode_matters})
    if awake:
        yield Suspicion(
            "evaluating-in-train-mode",
            0.7,
            f"{root.kind} was set to evaluation, but {len(awake)} of its layers stayed in training mode "
            f"({awake[0]} first).",
            where=awake[0],
            step=own[0].step,
        )


def _repeats(evaluation: Evaluation) -> bool:
    """Whether the same inputs are given again and again: dropout is averaged over on purpose."""
    prints = [b.fingerprint for b in evaluation.batches]
    return evaluation.calls >= 4 and len(prints) >= 3 and len(set(prints)) == 1


def inputs_ignored(seen: Observations) -> Iterable[Suspicion]:
    """Tell of inputs that the outputs do not depend on, whatever the parameters are."""
    for root in seen.roots:
        if not root.calls:
            continue
        if root.ignores:
            first = root.ignores[0]
            which = "input" if first == 0 else f"argument {first + 1}"
            known = [p for name in root.parameters if (p := seen.parameters.get(name)) is not None]
            silent = any(p.requires_grad and p.windows > 1 and not p.gradients for p in known)
            yield Suspicion(
                "inputs-ignored",
                0.95 if first == 0 or silent else 0.6,
                f"Other examples' values in the {which} of {root.kind} changed none of its outputs, with its "
                "own parameters and in 2 trials with random ones: the code drops it on the way"
                f"{', with what its own layers make of it' if silent and first else ''}.",
                certain=first == 0 or silent,
                where=root.kind,
            )
            if first == 0:
                continue
        for count, unused, what in (
            (root.tokens, root.unused_tokens, "different tokens"),
            (root.features, root.unused_features, "numbers that an example consists of"),
        ):
            share = unused / count if count else 0.0
            if share >= 0.3:  # strides leave out a picture's edges
                few = count < 4
                yield Suspicion(
                    "inputs-ignored",
                    (0.93 if share >= 0.65 else 0.75 if share >= 0.5 else 0.35) * (0.6 if few else 1.0),
                    f"Of {count} {what}, {unused} have no way to the output of {root.kind}, whatever its "
                    "parameters are.",
                    certain=share >= 0.65 and not few,
                    where=root.kind,
                )
    yield from _same_for_all(seen)


def _same_for_all(seen: Observations) -> Iterable[Suspicion]:
    """Tell of examples that are all equal, though their targets are not."""
    s = seen.samples
    if s is None or s.kind != "features" or len(s.x) < 16 or not s.x.shape[1] or seen.roots[:1] == []:
        return
    if bool((s.x == s.x[:1]).all()) and not bool((s.y == s.y[:1]).all()):
        yield Suspicion(
            "inputs-ignored",
            0.9,
            f"All {len(s.x)} examples that were looked at were given to {seen.roots[0].kind} as the same "
            "numbers, though their targets differ.",
            certain=True,
        )


DETECTORS: tuple[Detector, ...] = (
    missing_zero_grad,
    optimizer_recreated,
    parameters_not_in_optimizer,
    frozen_parameters,
    training_in_eval_mode,
    evaluating_in_train_mode,
    inputs_ignored,
)
