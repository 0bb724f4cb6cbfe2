"""K-FAC: natural gradient for networks, with two small matrices a layer in the place of a large one.

The natural gradient F⁻¹g asks how far a step changes what the model says, not how far the parameters go. F,
the Fisher information, has a row for each parameter; but a layer's block of it is nearly A ⊗ G
(:mod:`.kfac_layers`), and (A ⊗ G)⁻¹ is A⁻¹ ⊗ G⁻¹: two products with small matrices.
"""

import weakref
from collections.abc import Callable, Mapping
from math import nan, sqrt
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from descend.errors import UsageError
from descend.methods import routing, storing
from descend.methods.equations import given
from descend.methods.kfac_equations import damped_inverses, due, joint, natural, trust
from descend.methods.kfac_layers import EMPIRICAL, EXPAND, LOSSES, REDUCE, Asked, Layer, Layers, layers_of
from descend.methods.kfac_model import minimum, products
from descend.methods.method import Method
from descend.methods.modifiers import decoupled_decay
from descend.methods.modifiers.measuring import Moving
from descend.methods.rule import Batch, elementwise, matrix, one_a_tensor, rule

_PERIOD: tuple[str, Callable[[float], bool]] = (
    "a whole number of at least 1",
    lambda x: x >= 1 and x == int(x),
)

_SEED = 1_000_003
"""Between the seeds of two steps: there may be many passes in one."""

_SEARCHED, _GIVEN = 1e-3, 0.03
"""AdamW's share of the rate, where the step is searched for and where the momentum is a number: of the usual
rates, 1 and 0.03, it has its own 1e-3."""

_POOR, _GOOD, _CHANGE = 0.25, 0.75, 0.95
"""Martens and Grosse's: where less than a quarter of what was foretold came, λ grows by 1/0.95 a step; where
more than three quarters did, it shrinks by 0.95."""


class _Move(NamedTuple):
    """A layer in a step: its state and its bias's; its gradient and natural gradient, of shape (m, n + 1)."""

    layer: Layer
    own: dict[str, Any]
    beside: dict[str, Any] | None
    g: Tensor
    u: Tensor


def _inputs(w: Tensor) -> tuple[int, int]:
    n = w.shape[1:].numel() + 1
    return n, n


def _outputs(w: Tensor) -> tuple[int, int]:
    return len(w), len(w)


def _layer_or_bias(w: Tensor) -> str:
    return "layer" if w.ndim > 1 else "bias"


_of_inputs = matrix(_inputs).in_float32().of("layer")
_of_outputs = matrix(_outputs).in_float32().of("layer")


@rule(
    form=_layer_or_bias,
    m=elementwise,
    carried=one_a_tensor,
    inputs=_of_inputs,
    outputs=_of_outputs,
    inputs_inverse=_of_inputs,
    outputs_inverse=_of_outputs,
    measured=one_a_tensor.of("layer"),
    adapted=one_a_tensor.of("layer").starting("damping"),
)
def kfac(w: Any, g: Any, s: Any, h: Any) -> Any:
    """Carry the last step on, and follow the natural gradient: g is one, times its length."""
    s.m = (h.momentum if given(h.momentum) else s.carried) * s.m + g
    return w - h.lr * s.m


class KFAC(Method):
    """K-FAC: a network's natural gradient, from products of each layer's inputs and of gradients behind it.

    Equations, for a layer's matrix, which is its weight with the bias as a last column: x̄ is its input, with
    a 1 at the end, and d the gradient at its output for random gradients at the model's, whose covariance is
    the loss's Hessian there (``empirical``: for those of the batch)::

        A ← β A + (1 − β) x̄ x̄ᵀ      G ← β G + (1 − β) d dᵀ          means over the batch
        ĝ = (G + √λ/π I)⁻¹ g (A + π√λ I)⁻¹                          π² = (tr A/n) / (tr G/m)
        δ = −(α ĝ + μ m)             with α, μ in [0, 1] at the least ⟨g, δ⟩ + δᵀ(F + λI)δ/2; lr²δᵀFδ ≤ κ
        m ← α ĝ + μ m
        w ← (1 − lr·λ') w − lr · m

    The length α and the momentum μ are found anew in each step, for all layers together, with the Fisher
    information F itself (:mod:`.kfac_model`). Where the momentum is a number, or the loss is not known, the
    length is ν = min(1, √(κ / lr²Σ⟨ĝ, g⟩)) instead.

    Linear, Conv1d and Conv2d layers (without groups) are descended so; all other parameters, as of norms and
    embeddings, by AdamW. Where a layer works at several positions of an example, see ``sharing``.

    Args:
        params: a module; or its parameters, or groups of them, together with ``model``.
        lr: a share of the step found, 1 or less; less where batches are small, or towards the end. Where the
            momentum is a number, a share of the natural gradient: 0.03 is usual with 0.9.
        momentum: ``None`` to find it, with the step's length, where ``loss`` is known; or μ in [0, 1).
        damping: λ > 0, in units of curvature: what is added to F, so that directions of little curvature are
            not followed too far.
        weight_decay: λ' ≥ 0, decoupled.
        kl_clip: κ ≥ 0: twice the divergence that one step may come to; 0 for no bound. Where the momentum is
            a number, 1e-3 is usual.
        loss: ``cross_entropy``, ``mse`` or ``binary_cross_entropy`` (of logits), each a mean as torch has it;
            or ``empirical``, for any loss, with a momentum that is a number: near the minimum the batch's own
            gradients say little of the curvature.
        beta2: β in [0, 1): the memory of A and G, in updates.
        update_period: ≥ 1: steps from one update of A and G to the next.
        inverse_period: ≥ 1: steps from one computation of the inverses to the next.
        damping_period: ≥ 0: every so many steps λ is adapted by how well the quadratic model foretold the
            loss (Levenberg and Marquardt's rule); ``step`` then needs a closure. 0: λ stays as it is.
        sharing: ``expand`` (each position for itself: language models, convolutions) or ``reduce`` (positions
            together: where their mean is what counts).
        max_rows: > 0: at most so many rows (examples × positions) go into a product.
        maximize: climb instead of descending.

    Memory: 4 bytes a float32 parameter, and 8 (n² + m²) bytes for a layer with n inputs and m outputs: 20 for
    a square matrix.

    Use it when: layers are matrices of moderate size, batches are of some hundred examples or more, and few
    steps are to go far. It works on mini-batches and on whole sets. In small batches each step follows the
    batch's noise: give it a schedule, or an ``average``.

    Source: Martens & Grosse 2015, arXiv:1503.05671; convolutions: Grosse & Martens 2016, arXiv:1602.01407;
    ``sharing``: Eschenhagen et al. 2023, arXiv:2311.00636; ν: Ba et al. 2017.

    Differs: curvature is measured with random signs times the Hessian's root, the authors draw labels, and
    find α and μ with exact products; α and μ are bounded, by 1 and by κ; A and G are means from the first
    update on; blocks of neighbouring layers are taken for independent; λ is one for α and for the blocks.

    It listens to the module's forward passes in training mode, and only to those with gradients. Gradients
    that are scaled (``GradScaler``), or accumulated as shares of a mean, want a ``loss`` that is not
    ``empirical``. A copy of it, made by ``copy`` or ``pickle``, listens to nothing before ``attach(model)``.
    Modules under DDP or FSDP are refused, and those under ``torch.compile`` are not heard.

    Example:
        >>> import torch
        >>> from descend.methods.kfac import KFAC
        >>> model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3))
        >>> opt = KFAC(model, loss="cross_entropy")
        >>> x, y = torch.randn(16, 4), torch.randint(3, (16,))
        >>> for _ in range(20):
        ...     opt.zero_grad()
        ...     loss = torch.nn.functional.cross_entropy(model(x), y)
        ...     loss.backward()
        ...     opt.step()
        >>> opt.state[model[0].weight]["inputs"].shape
        torch.Size([5, 5])
    """

    rule: ClassVar = kfac
    decay: ClassVar = decoupled_decay
    alone: ClassVar = True
    equation: ClassVar = "w ← w − lr·m,  m ← μm + α·G⁻¹gA⁻¹"
    choices: ClassVar = {"loss": LOSSES, "sharing": (EXPAND, REDUCE)}
    ranges: ClassVar = {
        "damping": ("above 0", lambda x: x > 0),
        "kl_clip": ("at least 0", lambda x: x >= 0),
        "beta2": ("in [0, 1)", lambda x: 0 <= x < 1),
        "update_period": _PERIOD,
        "inverse_period": _PERIOD,
        "damping_period": ("a whole number of at least 0", lambda x: x >= 0 and x == int(x)),
        "max_rows": ("above 0", lambda x: x > 0),
    }

    lr: float = 1.0
    momentum: float | None = None
    damping: float = 1e-3
    weight_decay: float = 0.0
    kl_clip: float = 0.1
    loss: str = EMPIRICAL
    beta2: float = 0.95
    update_period: int = 10
    inverse_period: int = 10
    damping_period: int = 0
    sharing: str = EXPAND
    max_rows: int = 4096

    _foretold = 0.0

    def __init__(self, params: Any, *args: Any, model: nn.Module | None = None, **hyperparameters: Any):
        if isinstance(params, nn.Module):
            model = params
            params = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
        if model is None:
            raise UsageError(
                "a module, to whose layers it can listen",
                "parameters alone",
                'call descend.optimizer("kfac", model), or KFAC(groups, model=model)',
            )
        if hyperparameters.get("capturable"):
            raise UsageError("capturable=False", "capturable=True", "K-FAC's rare work cannot be replayed")
        self._layers: Layers | None = None
        super().__init__(params, *args, **hyperparameters)
        self.attach(model)

    def _hold(self, moving: Moving, made: list[list[Batch]]) -> None:
        """Hold nothing: no step has the gradients of the parameters themselves."""

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_layers": None}

    @staticmethod
    def for_loss(name: str) -> dict[str, Any]:
        """Return the hyperparameters that are usual for a problem's loss.

        Args:
            name: ``cross_entropy``, ``mse`` or ``binary_cross_entropy``; of any other loss nothing is known.

        Example:
            >>> KFAC.for_loss("mse")
            {'loss': 'mse'}
        """
        if name in LOSSES and name != EMPIRICAL:
            return {"loss": name}
        return {"loss": EMPIRICAL, "lr": 0.03, "momentum": 0.9, "kl_clip": 1e-3}

    # The layers ----------------------------------------------------------------------------------
    def attach(self, model: nn.Module) -> None:
        """Listen to the layers of a module, and give parameters of its own that are in none of them to AdamW.

        Args:
            model: the module whose parameters it has; it is the one that must be called.

        Raises:
            UsageError: where there is no layer that it could take, or the module is spread over processes.
        """
        if isinstance(model, nn.parallel.DistributedDataParallel) or any(map(_spread, model.parameters())):
            raise UsageError(
                "a module in one process",
                "one that is spread over several",
                "use another method, such as shampoo: the processes' A and G would differ",
            )
        if any(g["momentum"] is None and g["loss"] == EMPIRICAL for g in self._groups()):
            raise UsageError(
                f"the loss, where momentum=None searches for the step: {', '.join(LOSSES[1:])}",
                repr(EMPIRICAL),
                "give loss=..., or momentum=0.9 with lr=0.03",
            )
        own = {p for group in self._groups() for p in group["params"]}
        layers = layers_of(model, own)
        if not layers:
            raise UsageError(
                "a module with Linear, Conv1d or Conv2d layers",
                f"{type(model).__name__} without any whose weights it has",
                "use another method, such as adamw",
            )
        if self._layers is not None:
            self._layers.close()
        me = weakref.ref(self)  # so that it goes, and its hooks with it, when nobody has it any more

        def asked() -> Asked | None:
            opt = me()
            return None if opt is None else opt._asked()

        self._layers = Layers(model, layers, asked)
        self._leave({p for layer in layers for p in (layer.weight, layer.bias) if p is not None})
        self.routing = tuple(routing.table(self))

    def _leave(self, taken: set[Tensor]) -> None:
        """Leave parameters that are in no layer to AdamW."""
        for group in self._groups():
            names = group.get("param_names") or [None] * len(group["params"])
            each = list(zip(names, group["params"], strict=True))
            rest = [(name, p) for name, p in each if p not in taken]
            if not rest:
                continue
            group["params"] = [p for _, p in each if p in taken]
            if "param_names" in group:
                group["param_names"] = [name for name, p in each if p in taken]
            share = _SEARCHED if group["momentum"] is None else _GIVEN
            adamw = {"method": "adamw", "lr": share * group["lr"], "weight_decay": 0.0}
            params = rest if "param_names" in group else [p for _, p in rest]
            self.add_param_group({"params": params, "maximize": group["maximize"], **adamw})
        self.param_groups[:] = [group for group in self.param_groups if group["params"]]

    def _groups(self) -> list[dict[str, Any]]:
        """Return the groups that are descended by this method, not routed to another."""
        return [group for group in self.param_groups if self._class(group) is type(self)]

    def _all(self) -> list[Layer]:
        return [] if self._layers is None else self._layers.all

    def _steps(self, layer: Layer) -> int:
        own = self.state.get(layer.weight)
        return 0 if own is None else int(own.get("step", 0))

    def _done(self) -> int:
        return max(map(self._steps, self._all()), default=0)

    def _asked(self) -> Asked | None:
        """Say what is asked of the layers in the pass that begins, if anything."""
        h = self._groups()[0]
        period, layers = int(h["update_period"]), self._all()
        wanted = {layer for layer in layers if due(self._steps(layer), period)}
        searched = h["momentum"] is None
        if not wanted and not searched:
            return None
        seed = _SEED * (self._done() + 1)
        return Asked(wanted, h["loss"], h["sharing"], int(h["max_rows"]), seed, searched)

    # The natural gradient ------------------------------------------------------------------------
    def _found(self) -> Moving:
        moving = super()._found()
        groups = [(group, found) for group, found in moving if self._class(group) is type(self)]
        if not any(owners for _, (owners, _, _) in groups):
            return moving
        if self._layers is None:
            raise UsageError(
                "a module to listen to", "a copy that has none", "call opt.attach(model) with its module"
            )
        h, own = self._hyperparameters(groups[0][0]), {id(group) for group, _ in groups}
        # By id, for hashing a tensor takes long.
        gradients = {id(p): g for _, (owners, _, gs) in groups for p, g in zip(owners, gs, strict=True)}
        rates = {id(p): float(group["lr"]) for group, (owners, _, _) in groups for p in owners}
        found = self._natural(gradients, rates, h)
        self._layers.forget()
        return [
            (group, (owners, w, [found.get(id(p), g) for p, g in zip(owners, gs, strict=True)]))
            if id(group) in own
            else (group, (owners, w, gs))
            for group, (owners, w, gs) in moving
        ]

    def _natural(
        self, gradients: Mapping[int, Tensor], rates: Mapping[int, float], h: Mapping[str, Any]
    ) -> dict[int, Tensor]:
        """Return the natural gradients, at their length, of layers whose weights have gradients."""
        assert self._layers is not None
        layers = [layer for layer in self._layers.all if id(layer.weight) in gradients]
        searched = h["momentum"] is None
        unheard = [x.name for x in layers if x.means() is None and "measured" not in self.state[x.weight]]
        if unheard or (searched and layers and not self._layers.drawn):
            raise UsageError(
                "a forward and a backward pass of the module in training mode before the step",
                f"gradients of {(unheard or [layers[0].name])[0]!r} without them",
                "call the module itself, not its parts; give layers that it uses otherwise to another method",
            )
        moves = [self._move(layer, gradients, h) for layer in layers]
        if not moves:
            return {}
        length: Tensor | float = 1.0
        if searched:
            length = self._searched(moves, h)
        elif h["kl_clip"]:
            squares = [rates[id(x.layer.weight)] ** 2 * torch.dot(x.g.view(-1), x.u.view(-1)) for x in moves]
            length = trust(torch.stack([x.to(squares[0].device) for x in squares]).sum(), h["kl_clip"])
        found: dict[int, Tensor] = {}
        for layer, _, _, _, u in moves:
            here = length.to(u) if isinstance(length, Tensor) else length
            like = gradients[id(layer.weight)]
            found[id(layer.weight)] = (u[:, :-1] * here).view(like.shape).to(like.dtype)
            if layer.bias is not None and id(layer.bias) in gradients:
                found[id(layer.bias)] = (u[:, -1] * here).to(like.dtype)
        return found

    def _move(self, layer: Layer, gradients: Mapping[int, Tensor], h: Mapping[str, Any]) -> _Move:
        """Return a layer's natural gradient, with what it has given taken in, and inverses renewed."""
        own = self.state[layer.weight]
        first = "measured" not in own
        if first:
            for name, kept in type(self).base.keeps(h, "layer").items():
                if kept.kind != "elementwise":
                    own[name] = kept.fresh(layer.weight, h)
        beside = None if layer.bias is None else self.state[layer.bias]
        if beside is not None and "carried" not in beside:
            beside["carried"] = type(self).base.kept["carried"].fresh(layer.weight, h)
        means = layer.means()
        if means is not None:
            # As Adam's moments: a mean of all so far at first, then one that forgets.
            own["measured"] += (1 - h["beta2"]) * (1 - own["measured"])
            share = (1 - h["beta2"]) / own["measured"]
            for name, new in zip(("inputs", "outputs"), means, strict=True):
                own[name].lerp_(new.to(own[name].dtype), share.to(own[name].dtype))
        if first or due(int(own.get("step", 0)), int(h["inverse_period"])):
            damping = float(own["adapted"] if h["damping_period"] else h["damping"])
            own["inputs_inverse"], own["outputs_inverse"] = damped_inverses(
                own["inputs"], own["outputs"], damping, layer.bias is not None
            )
        g = joint(gradients[id(layer.weight)], None if layer.bias is None else gradients.get(id(layer.bias)))
        g = g.to(own["inputs"].dtype)
        return _Move(layer, own, beside, g, natural(g, own["inputs_inverse"], own["outputs_inverse"]))

    def _searched(self, moves: list[_Move], h: Mapping[str, Any]) -> float:
        """Return α at the minimum of the quadratic model, and note μ with each parameter."""
        assert self._layers is not None
        sign, kept = -1 if h["maximize"] else 1, type(self).base.kept["m"]
        pairs: dict[int, Tensor] = {}
        dots = []
        for layer, own, beside, g, u in moves:
            three = g.new_zeros(3, *g.shape)
            torch.mul(u, sign, out=three[0])
            torch.mul(g, sign, out=three[2])
            if "m" in own:
                three[1, :, :-1] = storing.plain(own, "m", kept).flatten(1)
                if beside is not None and "m" in beside:
                    three[1, :, -1] = storing.plain(beside, "m", kept)
            pairs[id(layer.weight)] = three[:2]
            flat = three.flatten(1)
            dots.append(flat[:2] @ flat.mT)
        summed = torch.stack([x.to(dots[0].device) for x in dots]).sum(0)
        curvature = products(self._layers.drawn, pairs).to(summed)
        # Six numbers: from here on the host counts faster.
        (aa, ab, ga), (_, bb, gb), (ff, fb), (_, bf) = [*summed.tolist(), *curvature.tolist()]
        damping = float(moves[0].own["adapted"] if h["damping_period"] else h["damping"])
        along = (ff + damping * aa, fb + damping * ab, bf + damping * bb)
        alpha, mu = minimum(along, (ga, gb))
        bent = alpha * alpha * ff + 2 * alpha * mu * fb + mu * mu * bf
        lr = float(h["lr"])
        if h["kl_clip"] and lr * lr * bent > h["kl_clip"]:
            share = sqrt(h["kl_clip"] / bent) / lr
            alpha, mu, bent = share * alpha, share * mu, share * share * bent
        self._foretold = 0.5 * lr * lr * bent - lr * (alpha * ga + mu * gb)
        for move in moves:
            for state in (move.own, move.beside):
                if state is not None:
                    state["carried"].fill_(mu)
        return alpha

    # The damping ---------------------------------------------------------------------------------
    @property
    def needs_closure(self) -> bool:
        """Whether ``step`` has to be given a closure that evaluates loss and gradients anew."""
        return self._adapting() or super().needs_closure

    def _adapting(self) -> bool:
        """Whether the next step is one that adapts the damping."""
        groups = self._groups()
        period = int(groups[0]["damping_period"]) if groups else 0
        searched = bool(groups) and groups[0]["momentum"] is None
        return searched and period > 0 and self._done() % period == 0

    def _step(self, closure: Callable[[], Any] | None) -> Any:
        """Take one step; where that is due, adapt the damping by what came of it.

        Args:
            closure: evaluates the loss anew, as torch's; on the same batch.

        Returns:
            What ``closure`` returned at first, or ``None``.

        Raises:
            UsageError: where the damping is to be adapted and there is no closure.
        """
        if not self._adapting():
            return super()._step(closure)
        if closure is None:
            raise UsageError(
                "a closure with damping_period, which compares the loss before and after a step",
                "none",
                "call opt.step(closure), where closure() computes the gradients anew and returns the loss",
            )
        loss = super()._step(closure)
        assert self._layers is not None
        self._layers.closed = True
        try:
            with torch.enable_grad():
                came = float(closure().detach()) - float(loss.detach())
        finally:
            self._layers.closed = False
        if self._groups()[0]["maximize"]:
            came = -came
        self._adapt(came / self._foretold if self._foretold else nan)
        return loss

    def _adapt(self, ratio: float) -> None:
        """Believe the quadratic model farther where it foretold well, and less far where it did not."""
        if _POOR <= ratio <= _GOOD:
            return
        factor = _CHANGE ** int(self._groups()[0]["damping_period"])
        for layer in self._all():
            if "adapted" in self.state.get(layer.weight, ()):
                self.state[layer.weight]["adapted"] *= factor if ratio > _GOOD else 1 / factor


def _spread(p: Tensor) -> bool:
    return hasattr(p, "placements")
