"""The causes that are known: what each is, what it makes others look like, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Cause:
    """Something that goes wrong with a descent.

    Attributes:
        name: as findings have it.
        meaning: what is wrong, in one sentence.
        remedy: what to do, in one sentence.
        signal: what is seen of it.
        makes: causes that it makes a run look like it had, though it has not.
        unlike: how it is told apart from what looks like it.
        severity: of a finding: ``error`` where what is trained cannot be what was meant, else ``warning``.
    """

    name: str
    meaning: str
    remedy: str
    makes: tuple[str, ...] = ()
    severity: str = "warning"
    signal: str = ""
    unlike: str = ""


_SLOW = ("learning-rate-too-low", "underfitting")
_WILD = ("learning-rate-too-high", "exploding-gradients", "momentum-too-high")

_TABLE = (
    Cause(
        "learning-rate-too-high",
        "Steps are longer than the valley is wide: the loss jumps or grows instead of falling.",
        "Divide the learning rate by 3 to 10, or warm it up.",
        (
            "exploding-gradients",
            "dead-units",
            "saturated-units",
            "not-finite",
            "batch-too-small",
            "underfitting",
        ),
    ),
    Cause(
        "learning-rate-too-low",
        "Steps are so short that the loss goes on falling in a straight line when the run ends.",
        "Multiply the learning rate by 3 to 10.",
        ("underfitting", "vanishing-gradients"),
    ),
    Cause(
        "vanishing-gradients",
        "Gradients shrink on their way back, until the first layers hardly move.",
        "Use ReLU-like activations, normalisation, residual connections or gated cells; initialise for the "
        "activation.",
        _SLOW,
    ),
    Cause(
        "exploding-gradients",
        "Gradients grow on their way back, so that single steps throw the parameters far away.",
        "Clip the gradient's norm, and initialise (recurrent) weights so that signals keep their size.",
        ("learning-rate-too-high", "not-finite", "saturated-units"),
    ),
    Cause(
        "dead-units",
        "Rectifiers give zero for every example, so nothing behind them is learned through them.",
        "Lower the learning rate, initialise biases at zero, or use a leaky rectifier.",
        ("underfitting", "vanishing-gradients", "inputs-ignored"),
    ),
    Cause(
        "saturated-units",
        "Sigmoids or tanhs stand at the ends of their range, where they have no slope.",
        "Scale inputs, initialise smaller, or use another activation.",
        ("vanishing-gradients", "underfitting", "learning-rate-too-low"),
    ),
    Cause(
        "poor-initial-values",
        "The first weights are of a size at which signals die or grow through the depth.",
        "Initialise with a standard deviation of about 1/√fan_in (torch's defaults do).",
        (
            *("vanishing-gradients", "exploding-gradients", "saturated-units", "dead-units", "underfitting"),
            *("learning-rate-too-high", "learning-rate-too-low"),
        ),
    ),
    Cause(
        "symmetric-initial-values",
        "Units of a layer start equal, get equal gradients, and stay equal for ever.",
        "Initialise weights at random.",
        ("underfitting", "dead-units", "poor-initial-values", "vanishing-gradients", "inputs-ignored"),
        "error",
    ),
    Cause(
        "inputs-not-scaled",
        "Inputs are of very different or very large sizes, so that no learning rate suits all of them.",
        "Standardise each feature by the training data's mean and standard deviation.",
        (
            *(
                "learning-rate-too-high",
                "learning-rate-too-low",
                "saturated-units",
                "dead-units",
                "underfitting",
            ),
            *("exploding-gradients", "poor-initial-values", "inputs-ignored", "vanishing-gradients"),
        ),
    ),
    Cause(
        "targets-not-scaled",
        "Targets are far from the size that the network starts with, so most steps go into their scale.",
        "Standardise the targets by the training data, and undo it for predictions.",
        (
            "learning-rate-too-high",
            "learning-rate-too-low",
            "exploding-gradients",
            "underfitting",
            "dead-units",
        ),
    ),
    Cause(
        "missing-zero-grad",
        "Gradients are never cleared, so every step descends the sum of all gradients so far.",
        "Call optimizer.zero_grad() before each backward (or every k steps, when accumulating).",
        (*_WILD, "not-finite", "dead-units", "saturated-units", "batch-too-small"),
        "error",
    ),
    Cause(
        "softmax-before-cross-entropy",
        "The loss applies softmax (or the logarithm) itself, but is given what has been through one already.",
        "Give the loss raw scores: remove the softmax, log-softmax or sigmoid at the end of the model.",
        ("vanishing-gradients", "saturated-units", *_SLOW),
        "error",
    ),
    Cause(
        "missing-activation",
        "Linear layers follow each other with nothing between, and are together no more than one of them.",
        "Put an activation between them.",
        ("underfitting",),
    ),
    Cause(
        "wrong-loss-sign",
        "The loss is climbed instead of descended.",
        "Remove the minus sign (or maximize=True).",
        ("learning-rate-too-high", "exploding-gradients", "not-finite", "dead-units", "saturated-units"),
        "error",
    ),
    Cause(
        "loss-broadcast",
        "Predictions and targets differ in shape, and the loss compares every one with every other.",
        "Make the shapes equal: prediction.squeeze(1), or target.unsqueeze(1).",
        ("underfitting", "inputs-ignored", "labels-misaligned"),
        "error",
    ),
    Cause(
        "frozen-parameters",
        "Parameters that were meant to learn get no gradient.",
        "Set requires_grad=True, and remove detach(), .data or no_grad() between them and the loss.",
        ("underfitting", "vanishing-gradients"),
        "error",
    ),
    Cause(
        "parameters-not-in-optimizer",
        "Parameters get gradients, but no optimizer has them.",
        "Make the optimizer from model.parameters() after the model is complete; keep layers in an "
        "nn.ModuleList.",
        ("underfitting", "frozen-parameters"),
        "error",
    ),
    Cause(
        "optimizer-recreated",
        "A new optimizer is made again and again, and with it goes what it had kept.",
        "Make the optimizer once, before the loop.",
        ("learning-rate-too-high", "underfitting"),
        "error",
    ),
    Cause(
        "training-in-eval-mode",
        "The model trains in evaluation mode: dropout does nothing, normalisation uses old statistics.",
        "Call model.train() before the training loop, and again after each evaluation.",
        ("overfitting", "underfitting", "exploding-gradients"),
        "error",
    ),
    Cause(
        "evaluating-in-train-mode",
        "The model is evaluated in training mode: dropout is on, normalisation uses the batch's statistics.",
        "Call model.eval() before evaluating, and model.train() after it.",
        ("overfitting", "underfitting"),
        "error",
    ),
    Cause(
        "labels-misaligned",
        "Labels do not belong to the inputs that they come with.",
        "Shuffle inputs and labels by one permutation, and check that they have the same order.",
        ("label-noise", "underfitting", "overfitting", "inputs-ignored", "learning-rate-too-low"),
        "error",
    ),
    Cause(
        "label-noise",
        "A share of the labels is wrong.",
        "Look at the examples with the largest loss, correct them, or train with a robust loss.",
        ("overfitting", "underfitting", "labels-misaligned"),
    ),
    Cause(
        "class-imbalance",
        "Some classes are so rare that predicting the others is nearly as good.",
        "Weight the loss by inverse frequency, or sample classes evenly.",
        ("underfitting",),
    ),
    Cause(
        "data-not-shuffled",
        "Examples come sorted, so each batch is of another kind than the data.",
        "Shuffle: DataLoader(..., shuffle=True), or a new permutation each epoch.",
        ("learning-rate-too-high", "batch-too-small", "class-imbalance", "repeated-batch", "overfitting"),
    ),
    Cause(
        "repeated-batch",
        "The same batch comes again and again, and the rest of the data never.",
        "Iterate over the loader (for x, y in loader) instead of taking its first batch in each step.",
        ("overfitting", "class-imbalance", "data-not-shuffled"),
        "error",
    ),
    Cause(
        "inputs-ignored",
        "The output does not depend on (part of) the input.",
        "Look for a detached, overwritten or multiplied-away input on the way to the output.",
        ("underfitting", "labels-misaligned"),
        "error",
    ),
    Cause(
        "not-finite",
        "A number became infinite or none at all.",
        "Guard the operation named: add a small ε, clamp, or use the numerically stable form.",
        ("exploding-gradients", "learning-rate-too-high"),
        "error",
    ),
    Cause(
        "gradient-clipped-away",
        "Gradients are clipped to a small share of their size in every step.",
        "Clip at a norm that only the largest gradients reach.",
        _SLOW,
    ),
    Cause(
        "decay-too-strong",
        "Weight decay pulls the parameters to zero harder than the loss pulls them anywhere.",
        "Divide the weight decay by 10 or more.",
        ("underfitting", "vanishing-gradients", "dead-units", "learning-rate-too-low"),
    ),
    Cause(
        "learning-rate-decayed-to-zero",
        "The schedule ends long before the run does.",
        "Let the schedule span the whole run.",
        _SLOW,
    ),
    Cause(
        "momentum-too-high",
        "Momentum remembers so long that the descent overshoots again and again.",
        "Use 0.9 (at most 0.95).",
        ("learning-rate-too-high", "exploding-gradients", "not-finite"),
    ),
    Cause(
        "batch-too-small",
        "Gradients of so few examples are mostly noise at this learning rate.",
        "Use larger batches, accumulate gradients, or lower the learning rate.",
        ("learning-rate-too-high", "underfitting"),
    ),
    Cause(
        "overfitting",
        "The training loss falls while that of held-out data rises.",
        "Stop earlier, regularise (decay, dropout, augmentation), use a smaller model or more data.",
    ),
    Cause(
        "underfitting",
        "The model is too small or too constrained to follow the data.",
        "Use a wider or deeper model, better features, or less regularisation.",
    ),
    Cause(
        "target-leak",
        "A feature tells the target in training, and will not be there when it counts.",
        "Remove the feature.",
        ("overfitting",),
    ),
)

CAUSES: dict[str, Cause] = {cause.name: cause for cause in _TABLE}
"""Every cause by name."""
