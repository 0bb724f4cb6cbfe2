"""The curvature of a problem's loss: products of its Hessian and its kin with vectors, and what they tell.

With L the mean over examples of ℓ(f(θ, x), y), J the Jacobian of the outputs f in the parameters θ, and H the
Hessian of ℓ in the outputs:

==================  ====================================================================================
hessian             ∇²L: all of it; indefinite where the loss is not convex
gauss-newton        mean of Jᵀ H J (Schraudolph 2002): what is left where f is straight; never negative
                    where ℓ is convex in the outputs
fisher              mean of Jᵀ E[∇ℓ ∇ℓᵀ] J, over targets drawn from the function's own distribution
                    (Amari 1998); for cross-entropy and squares it is the Gauss-Newton matrix
empirical-fisher    mean of ∇ℓ ∇ℓᵀ of each example at its own target: the spread of the gradients, which
                    is no curvature away from a perfect fit (Kunstner et al. 2019, arXiv:1905.12558)
==================  ====================================================================================

None is ever written down: a product with a vector costs a few gradients (Pearlmutter 1994).
"""

import functools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from descend.errors import UsageError, nearest
from descend.functions.curvature_kinds import INFORMED, KINDS, Part, Sampler, known
from descend.functions.data import Batch, Data, Whole, as_data, generator_at
from descend.functions.lanczos import Eigenvalues, eigenvalues
from descend.functions.problem import Problem
from descend.functions.spectrum import Density, Estimate, density, diagonal, trace
from descend.functions.twice_differentiable import twice_differentiable

LARGEST_DENSE = 10_000
"""Parameters up to which a matrix is written down: 800 MB in float64."""


class Curvature:
    """A curvature matrix (n, n) of a problem's mean loss over its data, by products with vectors.

    Products are exact: over all examples, batch by batch, each weighted by its size. They are made in eval
    mode with one and the same random numbers; modes, buffers, ``p.grad`` and torch's generators stay as they
    are. Frozen parameters are left out; a parameter that is used twice counts once.

    Args:
        problem: whose loss, and on which data. A loss is taken for a mean over the first dimension.
        kind: hessian, gauss-newton, fisher or empirical-fisher.
        at: where: a module with the problem's parameters, such as ``run.model``, or a dict of tensors by
            name; by default the problem's own function. Nothing is copied: it is where the module is when
            a product is made.
        data: train, validation or test, or examples as :class:`Problem` takes them.
        batch: examples at a time; ``None`` takes all. It changes memory and time, not the product.
        sample: for a Fisher matrix whose loss descend does not know: (outputs, generator) → targets drawn
            from the distribution whose −log p is the loss of an example.
        draws: targets an example that ``sample`` draws; always the same ones.
        seed: of those draws, and of a function that draws numbers in eval mode.

    Attributes:
        kind: which matrix it is.
        names: of the parameters that are not frozen, in the order in which they make up a vector.
        shape: (n, n).
        dtype: of the vectors: the parameters' own, at least float32.
        device: where the parameters are.
        products: with a vector, made so far: each goes once over all the data.

    Memory: a product needs, besides its vector, its result, one batch's part of it, a gradient, and what
    one batch's activations take.

    Raises:
        UsageError: where a name is unknown, ``at`` has other parameters, or there is no such matrix: all but
            the Hessian need a loss apart from the function.

    Example:
        >>> import torch, descend
        >>> x = torch.linspace(-1, 1, 64)[:, None]
        >>> problem = descend.Problem(torch.nn.Linear(1, 1), "mse", train=(x, 3 * x + 1))
        >>> hessian = Curvature(problem)
        >>> (hessian @ torch.tensor([0.0, 1.0])).round(decimals=4)
        tensor([0., 2.])
        >>> round(float(hessian.top(1).values), 4), hessian.shape
        (2.0, (2, 2))
    """

    def __init__(
        self,
        problem: Problem,
        kind: str = "hessian",
        *,
        at: nn.Module | Mapping[str, Tensor] | None = None,
        data: object = "train",
        batch: int | None = 512,
        sample: Sampler | None = None,
        draws: int = 1,
        seed: int = 0,
    ):
        if kind not in KINDS:
            raise UsageError("a kind of curvature", repr(kind), nearest(kind, list(KINDS)))
        if draws < 1 or (batch is not None and batch < 1):
            raise UsageError("draws and batch of at least 1", f"draws={draws}, batch={batch}", "raise them")
        self.problem, self.kind, self.sample, self.draws, self.seed = problem, kind, sample, draws, seed
        self.data = _examples(problem, data)
        self.batch = batch or max(1, len(self.data))
        if kind != "hessian" and (problem.loss is None or isinstance(self.data, Whole)):
            raise UsageError(
                "a loss apart from the function",
                f"kind={kind!r} of a function that is its own loss",
                "take kind='hessian', or give the problem a loss and targets",
            )
        if kind == "fisher" and sample is None and not known(problem.loss):
            raise UsageError(
                f"sample=, or one of the losses {', '.join(INFORMED)}",
                f"the loss {problem.loss_name}, whose distribution is not known",
                "pass sample=(outputs, generator) → targets",
            )
        self._module = at if isinstance(at, nn.Module) else problem.function
        self._module = getattr(self._module, "_orig_mod", self._module)  # what torch.compile has wrapped
        self._given = dict(at) if isinstance(at, Mapping) else {}
        own = {name: p.shape for name, p in problem.function.named_parameters() if p.requires_grad}
        self.names = list(own)
        there = {n: p.shape for n, p in self._module.named_parameters()}
        there |= {n: p.shape for n, p in self._given.items()}
        if not self._given.keys() <= own.keys() or any(there.get(n) != shape for n, shape in own.items()):
            raise UsageError(
                "the problem's own parameters in at",
                "others",
                "pass a module or a dict with their names and shapes",
            )
        values = list(self._values().values())
        self.dtype = functools.reduce(torch.promote_types, [v.dtype for v in values], torch.float32)
        self.device = values[0].device
        self._shapes = [v.shape for v in values]
        self._counts = [v.numel() for v in values]
        self.shape = (sum(self._counts), sum(self._counts))
        self.products = 0

    def __matmul__(self, v: Any) -> Any:
        """Return the product with a vector (n,), with the columns of (n, k), or with a dict by name."""
        if isinstance(v, Mapping):
            return self._named(self @ self._flat(v))
        if not isinstance(v, Tensor) or v.ndim not in (1, 2) or len(v) != self.shape[0]:
            came = f"shape {tuple(v.shape)}" if isinstance(v, Tensor) else f"a {type(v).__name__}"
            expected = f"a vector ({self.shape[0]},) or columns ({self.shape[0]}, k)"
            raise UsageError(expected, came, "or pass a dict of tensors by parameter name")
        v = v.detach().to(self.device, self.dtype)
        return self._times(v[None])[0] if v.ndim == 1 else self._times(v.T).T

    def top(self, k: int = 5, which: str = "largest", **options: Any) -> Eigenvalues:
        """Return k eigenvalues: largest, smallest, or by magnitude; see :func:`~.lanczos.eigenvalues`."""
        return eigenvalues(self, k, which, **options)

    def trace(self, budget: int = 99, **options: Any) -> Estimate[float]:
        """Return the trace; see :func:`~.spectrum.trace`."""
        return trace(self, budget, **options)

    def diagonal(self, budget: int = 99, **options: Any) -> Estimate[Tensor]:
        """Return the diagonal; see :func:`~.spectrum.diagonal`."""
        return diagonal(self, budget, **options)

    def density(self, steps: int = 40, probes: int = 5, **options: Any) -> Density:
        """Return the density of the eigenvalues; see :func:`~.spectrum.density`."""
        return density(self, steps, probes, **options)

    def dense(self) -> Tensor:
        """Return the matrix itself, of shape (n, n), by n products.

        Raises:
            UsageError: where n is above :data:`LARGEST_DENSE`.
        """
        if self.shape[0] > LARGEST_DENSE:
            raise UsageError(
                f"at most {LARGEST_DENSE} parameters", str(self.shape[0]), "take products, top or trace"
            )
        return self @ torch.eye(self.shape[0], dtype=self.dtype, device=self.device)

    # Vectors -------------------------------------------------------------------------------------
    def _values(self) -> dict[str, Tensor]:
        there = dict(self._module.named_parameters()) | self._given
        return {name: there[name].detach() for name in self.names}

    def _flat(self, v: Mapping[str, Tensor]) -> Tensor:
        if v.keys() != set(self.names) or any(
            v[n].shape != s for n, s in zip(self.names, self._shapes, strict=True)
        ):
            names = ", ".join(self.names[:5]) + (", ..." if len(self.names) > 5 else "")
            raise UsageError(f"tensors of the parameters' shapes for {names}", "others", "give each its own")
        return torch.cat([v[n].reshape(-1).to(self.device, self.dtype) for n in self.names])

    def _named(self, v: Tensor) -> dict[str, Tensor]:
        parts = v.split(self._counts)
        return {n: p.reshape(s) for n, p, s in zip(self.names, parts, self._shapes, strict=True)}

    # Products ------------------------------------------------------------------------------------
    def _times(self, vectors: Tensor) -> Tensor:
        """Return the products with the rows of (k, n), of that shape."""
        total = torch.zeros(len(vectors), self.shape[0], dtype=self.dtype, device=self.device)
        count = 0
        with self._undisturbed():
            for number, batch in enumerate(self.data.passes(self.batch, self.device)):
                part = self._part(batch, number)
                times = KINDS[self.kind](part)
                for row, v in zip(total, vectors, strict=True):
                    # In the parameters' own formats, which may be narrower than the vectors'.
                    product = times({n: p.to(part.values[n].dtype) for n, p in self._named(v).items()})
                    for to, name in zip(row.split(self._counts), self.names, strict=True):
                        to.add_(product.pop(name).reshape(-1), alpha=part.size)
                count += part.size
                del part, times  # the graph of one batch, before the next one's
        self.products += len(vectors)
        return total.div_(max(count, 1))

    def _part(self, batch: Batch, number: int) -> Part:
        inputs = batch if self.problem.loss is None else batch[:-1]
        seeds = [generator_at(self.seed, number * self.draws + i).initial_seed() for i in range(self.draws)]
        return Part(
            model=lambda values: functional_call(self._module, dict(values), inputs),
            values=self._values(),
            loss=self.problem.loss,
            target=batch[-1] if batch else None,
            size=len(batch[-1]) if batch else 1,
            sample=self.sample,
            generators=tuple(torch.Generator(self.device).manual_seed(s) for s in seeds),
        )

    @contextmanager
    def _undisturbed(self) -> Iterator[None]:
        """Be in eval mode, with random numbers of one's own, and leave everything as it was."""
        modes = [(m, m.training) for m in self._module.modules()]
        loader = getattr(getattr(self.data, "loader", None), "generator", None)  # a DataLoader's own
        position = None if loader is None else loader.get_state()
        devices = [self.device.index or 0] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices), torch.no_grad(), twice_differentiable(self._module):
            torch.default_generator.manual_seed(self.seed)
            for device in devices:
                torch.cuda.default_generators[device].manual_seed(self.seed)
            self._module.eval()
            try:
                yield
            finally:
                for module, training in modes:
                    module.training = training
                if loader is not None and position is not None:
                    loader.set_state(position)


def _examples(problem: Problem, data: object) -> Data:
    """Return the examples of a part of the problem, or those given."""
    if not isinstance(data, str):
        return as_data(data, "data")
    parts = {"train": problem.train, "validation": problem.validation, "test": problem.test}
    found = parts.get(data)
    if found is None:
        there = [name for name, part in parts.items() if part is not None]
        raise UsageError("a part of the problem's data", repr(data), f"choose one of: {', '.join(there)}")
    return found
