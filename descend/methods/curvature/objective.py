"""A loss as a function of one vector: its value, its gradient and its curvature, wherever a method asks."""

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from descend.errors import DataError, UsageError
from descend.functions.twice_differentiable import twice_differentiable

Product = Callable[[Tensor], list[Tensor]]
"""A vector (n,) → the product of a symmetric matrix with it, a tensor a parameter."""


class Objective:
    """What a method that uses curvature descends.

    Args:
        parameters: the tensors that a point is made of; asking moves them.
        evaluate: returns the loss, a scalar, at the parameters as they are. It may leave gradients in
            ``p.grad``; where it leaves none, they are taken from the loss.
        loss: returns the loss with its graph, for second derivatives; ``None`` takes ``evaluate``.
        outputs: returns what the function gives, with its graph, where the loss is made of it; without
            them residuals are taken for it.
        loss_of: outputs → the loss.
        residuals: returns the residuals whose squares have the loss as mean, with their graph; ``None``
            where the loss is none.
        function: whose layers tell which kernels have no second derivative.

    Attributes:
        known: the loss where the parameters are, if it is known already and its gradient is in ``p.grad``.
        evaluations: how often loss and gradient were asked for.
        products: how often the curvature was multiplied with a vector.
        count: how many numbers a point has.
    """

    def __init__(
        self,
        parameters: Sequence[Tensor],
        evaluate: Callable[[], Tensor],
        *,
        loss: Callable[[], Tensor] | None = None,
        outputs: Callable[[], Tensor] | None = None,
        loss_of: Callable[[Tensor], Tensor] | None = None,
        residuals: Callable[[], Tensor] | None = None,
        function: nn.Module | None = None,
    ):
        self.parameters = list(parameters)
        self._evaluate, self._loss, self._residuals = evaluate, loss or evaluate, residuals
        if outputs is None and residuals is not None:
            outputs, loss_of = residuals, lambda r: r.square().mean()
        self._outputs, self._loss_of = outputs, loss_of
        self._function = function
        self.known: float | None = None
        self.evaluations, self.products = 0, 0
        self._sizes = [p.numel() for p in self.parameters]
        self.count = sum(self._sizes)

    # Points ----------------------------------------------------------------------------------------
    def point(self) -> Tensor:
        """Return where the parameters are, a copy of shape (n,)."""
        return torch.cat([p.detach().reshape(-1) for p in self.parameters])

    def pieces(self, vector: Tensor) -> list[Tensor]:
        """Return a vector (n,) as views in the parameters' shapes."""
        parts = vector.split(self._sizes)
        return [v.view(p.shape) for v, p in zip(parts, self.parameters, strict=True)]

    @torch.no_grad()
    def move(self, point: Tensor) -> None:
        """Put the parameters at a point of shape (n,)."""
        for p, value in zip(self.parameters, self.pieces(point), strict=True):
            p.copy_(value)

    @torch.no_grad()
    def step(self, vector: Tensor, length: float = 1.0) -> None:
        """Move the parameters by ``length`` times a vector (n,)."""
        for p, value in zip(self.parameters, self.pieces(vector), strict=True):
            p.add_(value, alpha=length)

    def dot(self, vector: Tensor, pieces: Sequence[Tensor]) -> float:
        """Return the product of a vector (n,) with another one in the parameters' shapes."""
        own = self.pieces(vector)
        return sum(float(torch.dot(a.reshape(-1), b.reshape(-1))) for a, b in zip(own, pieces, strict=True))

    # What a method asks ----------------------------------------------------------------------------
    def gradient(self) -> tuple[float, Tensor]:
        """Return the loss and its gradient (n,) where the parameters are."""
        if self.known is not None:
            value, self.known = self.known, None
            return value, flat([torch.zeros_like(p) if p.grad is None else p.grad for p in self.parameters])
        self.evaluations += 1
        self._forget()
        with torch.enable_grad():
            loss = self._evaluate()
            _scalar(loss)
            if all(p.grad is None for p in self.parameters):
                found = torch.autograd.grad(loss, self.parameters, allow_unused=True, materialize_grads=True)
            else:
                found = [torch.zeros_like(p) if p.grad is None else p.grad for p in self.parameters]
                self._forget()
        return float(loss.detach()), flat(found)

    def _forget(self) -> None:
        """Let gradients go that are of no use any more."""
        self.known = None
        for p in self.parameters:
            p.grad = None

    def hessian(self) -> tuple[float, list[Tensor], Product]:
        """Return loss, gradient (in the parameters' shapes), and what multiplies the Hessian with a vector.

        The product holds the graph of the gradient; it can be used while the parameters stay.
        """
        self.evaluations += 1
        self._forget()
        with differentiable(self._function):
            loss = self._loss()
            _scalar(loss)
            found = torch.autograd.grad(
                loss, self.parameters, create_graph=True, allow_unused=True, materialize_grads=True
            )
        curved = [(g, k) for k, g in enumerate(found) if g.requires_grad]  # the others are constant
        own = [g for g, _ in curved]

        def product(vector: Tensor) -> list[Tensor]:
            self.products += 1
            pieces = self.pieces(vector)
            if not own:
                return [torch.zeros_like(p) for p in self.parameters]
            return list(
                torch.autograd.grad(
                    own,
                    self.parameters,
                    [pieces[k] for _, k in curved],
                    retain_graph=True,
                    allow_unused=True,
                    materialize_grads=True,
                )
            )

        return float(loss.detach()), [g.detach() for g in found], product

    def gauss_newton(self) -> tuple[float, list[Tensor], Product]:
        """Return loss, gradient (in the parameters' shapes), and what multiplies the Gauss–Newton matrix.

        The matrix is Jᵀ L J, with J the derivatives of the outputs and L the loss's second ones in them.

        Raises:
            UsageError: where the loss is not made of outputs.
        """
        if self._outputs is None or self._loss_of is None:
            raise UsageError(
                "a loss that is made of a function's outputs",
                "a function that is the loss",
                "use newton or lbfgs",
            )
        self.evaluations += 1
        self._forget()
        with differentiable(self._function):
            y = self._outputs()
            leaf = y.detach().requires_grad_()
            loss = self._loss_of(leaf)
            _scalar(loss)
            (pull,) = torch.autograd.grad(loss, leaf, create_graph=True)
            found = torch.autograd.grad(
                y,
                self.parameters,
                pull.detach(),
                retain_graph=True,
                allow_unused=True,
                materialize_grads=True,
            )
            u = torch.zeros_like(y, requires_grad=True)
            back = torch.autograd.grad(
                y, self.parameters, u, create_graph=True, allow_unused=True, materialize_grads=True
            )
        used = [(b, k) for k, b in enumerate(back) if b.requires_grad]

        def product(vector: Tensor) -> list[Tensor]:
            self.products += 1
            pieces = self.pieces(vector)
            (along,) = torch.autograd.grad(
                [b for b, _ in used],
                u,
                [pieces[k] for _, k in used],
                retain_graph=True,
                materialize_grads=True,
            )
            if pull.requires_grad:
                (along,) = torch.autograd.grad(pull, leaf, along, retain_graph=True, materialize_grads=True)
            else:
                along = torch.zeros_like(along)
            return list(
                torch.autograd.grad(
                    y, self.parameters, along, retain_graph=True, allow_unused=True, materialize_grads=True
                )
            )

        return float(loss.detach()), list(found), product

    @property
    def squares(self) -> bool:
        """Whether the loss is a mean of squares whose residuals are known."""
        return self._residuals is not None

    def residuals(self) -> Tensor:
        """Return the residuals (m,) at the parameters; the loss is the mean of their squares."""
        self.evaluations += 1
        with torch.no_grad():
            return self._own(self._asked_residuals())

    def jacobian(self) -> tuple[Tensor, Tensor]:
        """Return the residuals (m,) and their Jacobian (m, n) at the parameters."""
        self.evaluations += 1
        with differentiable(self._function):
            r = self._asked_residuals()
            if r.numel() <= self.count:
                rows = _each(r, self.parameters, torch.eye(r.numel(), dtype=r.dtype, device=r.device))
                return self._own(r.detach()), self._own(
                    torch.cat([x.reshape(r.numel(), -1) for x in rows], 1)
                )
            # Jᵀu is linear in u: its derivative by u, along each parameter, is a column.
            u = torch.zeros_like(r, requires_grad=True)
            pulled = torch.autograd.grad(
                r, self.parameters, u, create_graph=True, allow_unused=True, materialize_grads=True
            )
            whole = torch.cat([x.reshape(-1) for x in pulled])
            if not whole.requires_grad:
                return self._own(r.detach()), self._own(r.new_zeros(r.numel(), self.count))
            (columns,) = _each(whole, [u], torch.eye(self.count, dtype=whole.dtype, device=whole.device))
        return self._own(r.detach()), self._own(columns.T.contiguous())

    def _own(self, x: Tensor) -> Tensor:
        """Return a tensor in the parameters' number format."""
        return x.to(self.parameters[0].dtype)

    def _asked_residuals(self) -> Tensor:
        if self._residuals is None:
            raise UsageError(
                "a loss that is a mean of squares (mse)",
                "another",
                "use lbfgs, or newton, which take any loss",
            )
        return self._residuals().reshape(-1)


@contextmanager
def differentiable(function: nn.Module | None = None) -> Iterator[None]:
    """Have gradients that can be differentiated again."""
    with torch.enable_grad(), warnings.catch_warnings(), twice_differentiable(function):
        # The leak that it warns of is taken care of: what keeps gradients detaches them.
        warnings.filterwarnings("ignore", message="Using backward.. with create_graph")
        yield


def _scalar(loss: Tensor) -> None:
    if not isinstance(loss, Tensor) or loss.numel() != 1:
        came = f"shape {tuple(loss.shape)}" if isinstance(loss, Tensor) else f"a {type(loss).__name__}"
        raise DataError("a closure that returns the loss, one number", came, "return a mean over the batch")


def norm_of(tensors: Sequence[Tensor]) -> float:
    """Return the norm of tensors taken as one vector, without making it."""
    return math.sqrt(sum(float(x.square().sum()) for x in tensors))


def flat(tensors: Sequence[Tensor]) -> Tensor:
    """Return tensors as one vector (n,), a copy."""
    return torch.cat([x.detach().reshape(-1) for x in tensors])


def _each(output: Tensor, inputs: Sequence[Tensor], directions: Tensor) -> tuple[Tensor, ...]:
    """Return the derivatives of an output (k,) along each of some directions (d, k): tensors (d, ...)."""
    try:
        return torch.autograd.grad(
            output,
            inputs,
            directions,
            retain_graph=True,
            allow_unused=True,
            materialize_grads=True,
            is_grads_batched=True,
        )
    except RuntimeError:  # an operation without a rule for batches
        found = [
            torch.autograd.grad(
                output, inputs, d, retain_graph=True, allow_unused=True, materialize_grads=True
            )
            for d in directions
        ]
        return tuple(torch.stack(parts) for parts in zip(*found, strict=True))
