"""Causes in the descent itself: its settings, its initial values, what flows through the model."""

from __future__ import annotations

from descend.diagnosing.cause import SLOW, Cause

DESCENT: tuple[Cause, ...] = (
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
        signal=(
            "The first moves are more than an eighth of the weights, weights grow several times over, the "
            "loss rises by half or ends above where it began, consecutive gradients point against each "
            "other; several of these together."
        ),
        unlike=(
            "Of unscaled data, large initial values, momentum of 0.97 and more, or stale gradients each "
            "lowers it; with several optimizers or moving targets (GANs, reinforcement) it never becomes "
            "a warning by itself."
        ),
    ),
    Cause(
        "learning-rate-too-low",
        "Steps are so short that the loss goes on falling in a straight line when the run ends.",
        "Multiply the learning rate by 3 to 10.",
        ("underfitting", "vanishing-gradients"),
        signal=(
            "The whole way (size of a step × steps) is less than half the weights' own size, while the "
            "loss still falls in a straight line or consecutive gradients are nearly parallel."
        ),
        unlike=(
            "A rate that has decayed, a gradient that is clipped, or weights of an odd scale explain the "
            "same slowness."
        ),
    ),
    Cause(
        "vanishing-gradients",
        "Gradients shrink on their way back, until the first layers hardly move.",
        "Use ReLU-like activations, normalisation, residual connections or gated cells; initialise for the "
        "activation.",
        SLOW,
        signal=(
            "Gradients relative to weights fall by a hundred and more from the last layers to the first; "
            "in recurrent nets the last output's gradient hardly reaches the first quarter of the places; "
            "the loss is stuck. Behind sigmoids a thirtieth is enough."
        ),
        unlike=(
            "Exact zeros are dead units; weights of an odd scale are poor initial values; with a falling "
            "loss it is only noted."
        ),
    ),
    Cause(
        "exploding-gradients",
        "Gradients grow on their way back, so that single steps throw the parameters far away.",
        "Clip the gradient's norm, and initialise (recurrent) weights so that signals keep their size.",
        ("learning-rate-too-high", "not-finite", "saturated-units"),
        signal=(
            "A loss that had fallen leaps tenfold and more, gradients grow through the depth, or their "
            "norm spikes in a recurrent net, unclipped."
        ),
        unlike="Large moves from the first step on are a learning rate; unscaled data is excluded first.",
    ),
    Cause(
        "dead-units",
        "Rectifiers give zero for every example, so nothing behind them is learned through them.",
        "Lower the learning rate, initialise biases at zero, or use a leaky rectifier.",
        ("underfitting", "vanishing-gradients", "inputs-ignored"),
        signal=(
            "A rectifier layer gives zero for everything, or more than half of its units were never alive "
            "in the late windows, and the loss is stuck."
        ),
        unlike=(
            "Units that are off for some examples are sound; what killed them (rate, inputs, initial "
            "values) is looked for first."
        ),
    ),
    Cause(
        "saturated-units",
        "Sigmoids or tanhs stand at the ends of their range, where they have no slope.",
        "Scale inputs, initialise smaller, or use another activation.",
        ("vanishing-gradients", "underfitting", "learning-rate-too-low"),
        signal=(
            "More than most of a sigmoid's, tanh's or softmax's outputs inside the model are at the ends "
            "of their range, at the first look and still at the end."
        ),
        unlike="Output layers, and gates that open late, are left out.",
    ),
    Cause(
        "poor-initial-values",
        "The first weights are of a size at which signals die or grow through the depth.",
        "Initialise with a standard deviation of about 1/√fan_in (torch's defaults do).",
        (
            *("vanishing-gradients", "exploding-gradients", "saturated-units", "dead-units", "underfitting"),
            *("learning-rate-too-high", "learning-rate-too-low"),
        ),
        signal=(
            "Before anything has moved: std·√fan_in is beyond 3 or below 0.2 in half of the layers, with "
            "a wild first loss, signals that die through the depth, or saturation; or it is below 0.1 and "
            "the weights grow several times over."
        ),
        unlike=(
            "Small weights beside normalisation layers are sound; unscaled inputs make sound weights look "
            "too large."
        ),
    ),
    Cause(
        "symmetric-initial-values",
        "Units of a layer start equal, get equal gradients, and stay equal for ever.",
        "Initialise weights at random.",
        ("underfitting", "dead-units", "poor-initial-values", "vanishing-gradients", "inputs-ignored"),
        "error",
        signal=(
            "Before anything has moved: two layers one after the other have equal rows (invariant: units "
            "that start equal stay equal)."
        ),
        unlike="Zero last layers, zero ends of residual branches, norms and biases are sound.",
    ),
    Cause(
        "missing-activation",
        "Linear layers follow each other with nothing between, and are together no more than one of them.",
        "Put an activation between them.",
        ("underfitting",),
        signal=(
            "A linear or convolution layer is given the very tensor that another one returned, perhaps "
            "through dropout, normalisation or flattening, with nothing non-linear between."
        ),
        unlike=(
            "Bottlenecks (low rank on purpose), depthwise and 1×1 convolutions, projections after an "
            "embedding or a recurrent net are sound."
        ),
    ),
    Cause(
        "gradient-clipped-away",
        "Gradients are clipped to a small share of their size in every step.",
        "Clip at a norm that only the largest gradients reach.",
        SLOW,
        signal=(
            "What a step finds is less than a tenth of what backward left, in nine of ten windows, and "
            "the loss still falls."
        ),
        unlike="A constant ratio is a scale of the loss (mixed precision).",
    ),
    Cause(
        "decay-too-strong",
        "Weight decay pulls the parameters to zero harder than the loss pulls them anywhere.",
        "Divide the weight decay by 10 or more.",
        ("underfitting", "vanishing-gradients", "dead-units", "learning-rate-too-low"),
        signal=(
            "Weights shrink to 60% and less while the decay pulls as hard as the gradient, and the loss "
            "is flat and unsolved."
        ),
        unlike="Weights that shrink without that pull.",
    ),
    Cause(
        "learning-rate-decayed-to-zero",
        "The schedule ends long before the run does.",
        "Let the schedule span the whole run.",
        SLOW,
        signal=(
            "98% of all of the learning rate was spent by 55% of the run, and the loss was not solved by "
            "then."
        ),
        unlike="A decay to zero at the end of a run is sound (there it is 77% and later).",
    ),
    Cause(
        "momentum-too-high",
        "Momentum remembers so long that the descent overshoots again and again.",
        "Use 0.9 (at most 0.95).",
        ("learning-rate-too-high", "exploding-gradients", "not-finite"),
        signal=(
            "Momentum (or β₁) of 0.985 and more, with moves that do not go downhill or a loss that swings."
        ),
        unlike="Without a symptom it is only noted.",
    ),
    Cause(
        "batch-too-small",
        "Gradients of so few examples are mostly noise at this learning rate.",
        "Use larger batches, accumulate gradients, or lower the learning rate.",
        ("learning-rate-too-high", "underfitting"),
        signal=(
            "Batch normalisation over at most four examples; or batches of at most four at a fast pace, "
            "gradients uncorrelated from step to step, and a stuck loss."
        ),
        unlike="Batch 1 with a small rate, and accumulation, are sound.",
    ),
    Cause(
        "overfitting",
        "The training loss falls while that of held-out data rises.",
        "Stop earlier, regularise (decay, dropout, augmentation), use a smaller model or more data.",
        signal=(
            "The loss of evaluations rises from its least value and stays up, with a gap to the training "
            "loss; for classes the gap of accuracies decides."
        ),
        unlike="A rising cross-entropy with an accuracy that keeps up; evaluations in training mode.",
    ),
    Cause(
        "underfitting",
        "The model is too small or too constrained to follow the data.",
        "Use a wider or deeper model, better features, or less regularisation.",
        signal=(
            "The loss hardly falls at a high level while parameters move, and a very narrow layer or "
            "heavy dropout holds it, or neighbours do better."
        ),
        unlike="Whatever else makes a run stuck comes first.",
    ),
)
