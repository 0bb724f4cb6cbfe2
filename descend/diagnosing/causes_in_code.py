"""Causes in the program and in its data: what is descended is not what was meant."""

from __future__ import annotations

from descend.diagnosing.cause import SLOW, WILD, Cause

CODE: tuple[Cause, ...] = (
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
        signal=(
            "Features of a root mean square beyond 15 or below 0.01, or of sizes 300 times apart, reach "
            "the first layer as they are."
        ),
        unlike=(
            "A model that scales its inputs, normalises first or embeds them is left alone; learned well "
            "all the same, it is only noted."
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
            "gradient-clipped-away",
            "underfitting",
            "dead-units",
        ),
        signal=(
            "Targets are far from the size of the first answers, and answers have not arrived within a "
            "fifth of the run."
        ),
        unlike="Targets that drift (reinforcement) are left out.",
    ),
    Cause(
        "missing-zero-grad",
        "Gradients are never cleared, so every step descends the sum of all gradients so far.",
        "Call optimizer.zero_grad() before each backward (or every k steps, when accumulating).",
        (*WILD, "not-finite", "dead-units", "saturated-units", "batch-too-small"),
        "error",
        signal=(
            "Invariant: a backward begins without the gradients that the step before has used. Broken for "
            "some parameter in most of the steps in which it is looked at."
        ),
        unlike=(
            "Accumulation between steps, a generator's gradients left in a discriminator, and closures "
            "are told apart by what each step consumes."
        ),
    ),
    Cause(
        "softmax-before-cross-entropy",
        "The loss applies softmax (or the logarithm) itself, but is given what has been through one already.",
        "Give the loss raw scores: remove the softmax, log-softmax or sigmoid at the end of the model.",
        ("vanishing-gradients", "saturated-units", *SLOW),
        "error",
        signal=(
            "Invariant: what enters a cross-entropy is not a probability already. Every call gets rows "
            "that are non-negative and sum to one; or numbers in [0, 1] of a sigmoid layer, with a loss "
            "that applies the sigmoid itself."
        ),
        unlike="log_softmax before cross_entropy changes nothing, and is not named.",
    ),
    Cause(
        "wrong-loss-sign",
        "The loss is climbed instead of descended.",
        "Remove the minus sign (or maximize=True).",
        ("learning-rate-too-high", "exploding-gradients", "not-finite", "dead-units", "saturated-units"),
        "error",
        signal=(
            "Invariant: what is descended grows with the criterion. Its derivative by the criterion is "
            "negative in all elements, or the optimizer climbs."
        ),
        unlike=(
            "Losses of several parts, GANs and policy gradients with weights of both signs give no verdict."
        ),
    ),
    Cause(
        "loss-broadcast",
        "Predictions and targets differ in shape, and the loss compares every one with every other.",
        "Make the shapes equal: prediction.squeeze(1), or target.unsqueeze(1).",
        ("underfitting", "inputs-ignored", "labels-misaligned"),
        "error",
        signal=(
            "Invariant: prediction and target have one shape. As many elements in other shapes, and more "
            "once they are together."
        ),
        unlike=(
            "Tables of all pairs (contrastive losses) are made on purpose: there both sides need a "
            "gradient, or neither does."
        ),
    ),
    Cause(
        "frozen-parameters",
        "Parameters that were meant to learn get no gradient.",
        "Set requires_grad=True, and remove detach(), .data or no_grad() between them and the loss.",
        ("underfitting", "vanishing-gradients"),
        "error",
        signal=(
            "Parameters that look freshly initialised do not require a gradient; or a layer is called, "
            "gets none, and later layers learn."
        ),
        unlike="Trained before, or loaded: frozen on purpose. Unused heads are only noted.",
    ),
    Cause(
        "parameters-not-in-optimizer",
        "Parameters get gradients, but no optimizer has them.",
        "Make the optimizer from model.parameters() after the model is complete; keep layers in an "
        "nn.ModuleList.",
        ("underfitting", "frozen-parameters"),
        "error",
        signal=(
            "A gradient reaches parameters that no optimizer has, and they never change; layers called "
            "or tensors kept that no module lists; parts that came after the optimizer; optimizers of "
            "tensors that no module has any more."
        ),
        unlike="Trained before, updated by hand or as a moving average: sound.",
    ),
    Cause(
        "optimizer-recreated",
        "A new optimizer is made again and again, and with it goes what it had kept.",
        "Make the optimizer once, before the loop.",
        ("learning-rate-too-high", "underfitting"),
        "error",
        signal=(
            "The very same tensors are handed to one new optimizer after the other, each with a state "
            "that never ages."
        ),
        unlike=(
            "Two or three stages of training, optimizers without a state, and new models for each fold "
            "are sound."
        ),
    ),
    Cause(
        "training-in-eval-mode",
        "The model trains in evaluation mode: dropout does nothing, normalisation uses old statistics.",
        "Call model.train() before the training loop, and again after each evaluation.",
        ("overfitting", "underfitting", "exploding-gradients"),
        "error",
        signal=(
            "Invariant: a module in which modes matter (dropout, batch normalisation) is in training mode "
            "while it trains: in the steps that are looked at, and in eight after each eval()."
        ),
        unlike=(
            "Normalisation kept in evaluation on purpose while the rest trains, and fine-tuning, are only "
            "noted."
        ),
    ),
    Cause(
        "evaluating-in-train-mode",
        "The model is evaluated in training mode: dropout is on, normalisation uses the batch's statistics.",
        "Call model.eval() before evaluating, and model.train() after it.",
        ("overfitting", "underfitting"),
        "error",
        signal=(
            "Forward passes without gradients, between steps, find such a module in training mode, or a "
            "copy of it (averages, a best state); also dropout by function that stays on after eval()."
        ),
        unlike=(
            "A generator's or policy's passes at every step, Monte Carlo dropout, and training accuracy "
            "measured on the way are told apart by how often and in which order they come."
        ),
    ),
    Cause(
        "labels-misaligned",
        "Labels do not belong to the inputs that they come with.",
        "Shuffle inputs and labels by one permutation, and check that they have the same order.",
        ("label-noise", "underfitting", "overfitting", "inputs-ignored", "learning-rate-too-low"),
        "error",
        signal=(
            "Inputs lie in clusters, but neither neighbours nor a ridge regression tell labels better "
            "than shuffled labels, and evaluation is at chance. Or rows that come twice have another "
            "label. Or labels of a sequence's places are told far better by what comes some places "
            "earlier or later."
        ),
        unlike="Inputs without clusters (hard tasks, several inputs, mixup) give no verdict.",
    ),
    Cause(
        "label-noise",
        "A share of the labels is wrong.",
        "Look at the examples with the largest loss, correct them, or train with a robust loss.",
        ("overfitting", "underfitting", "labels-misaligned"),
        signal=(
            "Where neighbours and ridge regression agree most surely, labels disagree; the evidence gives "
            "the estimated rate."
        ),
        unlike="Classes that overlap disagree near the boundary only.",
    ),
    Cause(
        "class-imbalance",
        "Some classes are so rare that predicting the others is nearly as good.",
        "Weight the loss by inverse frequency, or sample classes evenly.",
        ("underfitting",),
        signal=(
            "Unweighted loss, few classes, some of them rare; late in the run less than half of the rare "
            "ones' examples are told, while the common ones are learned."
        ),
        unlike="Weighted losses and samplers; tasks of which nothing was learned; vocabularies.",
    ),
    Cause(
        "data-not-shuffled",
        "Examples come sorted, so each batch is of another kind than the data.",
        "Shuffle: DataLoader(..., shuffle=True), or a new permutation each epoch.",
        ("learning-rate-too-high", "batch-too-small", "class-imbalance", "repeated-batch", "overfitting"),
        signal=(
            "Pairs within a batch agree in class far more often than the mix over batches; or numbers are "
            "correlated along a batch; or inputs vary between batches and hardly within them."
        ),
        unlike="The same order in every epoch is not a fault by itself.",
    ),
    Cause(
        "repeated-batch",
        "The same batch comes again and again, and the rest of the data never.",
        "Iterate over the loader (for x, y in loader) instead of taking its first batch in each step.",
        ("overfitting", "class-imbalance", "data-not-shuffled"),
        "error",
        signal=(
            "Every window has the same fingerprint, or the same targets in order, while a loader or the "
            "tensor behind it has more; or batches come twice though the loader mixes them anew."
        ),
        unlike="Training on the full batch on purpose.",
    ),
    Cause(
        "inputs-ignored",
        "The output does not depend on (part of) the input.",
        "Look for a detached, overwritten or multiplied-away input on the way to the output.",
        ("underfitting", "labels-misaligned"),
        "error",
        signal=(
            "A copy of the model, asked at the end, gives the same output for shuffled inputs, or no "
            "gradient reaches them; with its own and with random parameters."
        ),
        unlike="Dead units, zero initial values, rounded columns, sets and graphs.",
    ),
    Cause(
        "not-finite",
        "A number became infinite or none at all.",
        "Guard the operation named: add a small ε, clamp, or use the numerically stable form.",
        ("exploding-gradients", "learning-rate-too-high"),
        "error",
        signal=(
            "The first operation that made something infinite or not a number of finite ones is named "
            "from the graph; or inputs, targets or gradients that were so before."
        ),
        unlike="A loss that grew over many steps first is a learning rate or exploding gradients.",
    ),
    Cause(
        "target-leak",
        "A feature tells the target in training, and will not be there when it counts.",
        "Remove the feature.",
        ("overfitting",),
        signal=(
            "One feature alone tells the target, and is otherwise in what is evaluated; a copy of the "
            "target among the inputs; a sequence model whose answers depend on the place that they are to "
            "predict."
        ),
        unlike="A threshold in one feature may be what there is to be learned, and is only noted.",
    ),
)
