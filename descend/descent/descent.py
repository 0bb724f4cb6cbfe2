"""The heart: compute the gradient of the error for each parameter, update, iterate.

A :class:`Descent` takes a problem from its initial parameters down, until something says stop. Its whole
state is one value (:class:`~descend.descent.state.State`) that can be kept, written, read and forked.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from descend.descent.asking import objective_of
from descend.descent.device import device_of
from descend.descent.loop import SMOOTHING, Loop
from descend.descent.observe import Observer
from descend.descent.outcome import Outcome
from descend.descent.precision import in_precision, resolve_precision
from descend.descent.record import Record
from descend.descent.schedules import Schedules
from descend.descent.settings import hyperparameters_for, resolve_settings
from descend.descent.state import State
from descend.descent.trajectory import Trajectory
from descend.descent.until import Until
from descend.errors import DataError, UsageError
from descend.functions.problem import Problem, Settings
from descend.methods import optimizer
from descend.methods.curvature.deterministic import Deterministic, Ended
from descend.methods.curvature.objective import differentiable
from descend.methods.stochastic_curvature import Curved


class Descent:
    """One descent on one problem.

    Args:
        problem: what to minimise; it is not changed, the descent has its own copy of the function.
        method: a method's name; ``None`` takes the problem's own settings.
        seed: of the order of the data and of every random number drawn while descending.
        device: where to compute; ``None`` takes the first GPU, or the CPU.
        **settings: the fields of :class:`~descend.functions.problem.Settings` to be set otherwise.

    Attributes:
        function: the descent's own function.
        computed: the same, as it is called: in the precision of the settings.
        names: of the parameters that are descended.
        method: the method, a ``torch.optim.Optimizer``.
        steps: updates taken so far.
        seconds: time spent descending so far.
        best: the best parameters so far, or ``None`` where nothing tells which are best.
        stop_requested: ends it after the step that is being taken.
        end_by: seconds at which a descent that is bounded by time ends, if that is before its bound; its
            schedule ends there too.
        around_backward: takes a loss, and what differentiates it: whoever watches may look before and after.
        around_evaluation: makes a context around each evaluation, for whoever watches.

    Raises:
        UsageError: where a name is unknown or a number out of its range.

    Example:
        >>> import torch, descend
        >>> x = torch.linspace(-1, 1, 64)[:, None]
        >>> problem = descend.Problem(torch.nn.Linear(1, 1), "mse", train=(x, 3 * x + 1))
        >>> descent = descend.Descent(problem, "sgd", lr=0.5, batch_size=None)
        >>> descent.run(descend.Until(steps=200)).value
        'out of steps'
        >>> bool(descent.loss < 1e-8)
        True
    """

    def __init__(
        self,
        problem: Problem,
        method: str | None = None,
        *,
        seed: int = 0,
        device: str | torch.device | None = None,
        **settings: Any,
    ):
        self.problem, self.seed = problem, seed
        self.settings = resolve_settings(problem.settings, method, settings)
        self.device = device_of(device)
        self.function: nn.Module = problem.fresh_function().to(self.device)
        self.function.train()
        self.settings = replace(
            self.settings, precision=resolve_precision(self.settings.precision, self.device)
        )
        self.computed = in_precision(self.function, self.settings.precision)
        named = [(n, p) for n, p in self.function.named_parameters() if p.requires_grad]
        self.names = [n for n, _ in named]
        self.parameters: list[Tensor] = [p for _, p in named]
        # What makes up the function's values: these very tensors change in place, so the list stays true.
        self._values = {k: v.detach() for k, v in self.function.state_dict().items()}
        given = hyperparameters_for(problem, self.settings)
        self.method = optimizer(self.settings.method, self.function, show=False, **given)
        self._base = [self._hyperparameters(g) for g in self.method.param_groups]
        self.schedule = Schedules(self.settings.schedule, self.settings.warmup)
        self.schedule.check(self.method.param_groups[0])
        self.steps = 0
        self.seconds = 0.0
        self.best: dict[str, Any] | None = None
        self.validation: dict[str, float] = {}
        self.stop_requested = False
        self.end_by = math.inf
        self.around_backward: Callable[[Tensor, Callable[[], None]], None] | None = None
        self.around_evaluation: Callable[[], AbstractContextManager[Any]] | None = None
        self.course: dict[str, Any] = {"first": None, "smoothed": 0.0, "counted": 0, "idle": 0}
        self._drawing = False  # are torch's generators this descent's own just now?
        self._random = {"cpu": torch.Generator().manual_seed(seed).get_state()}
        if self.device.type == "cuda":
            self._random["cuda"] = torch.Generator(self.device).manual_seed(seed).get_state()
        size = self.settings.batch_size or max(1, len(problem.train))
        with self._own_random():
            self.batches = problem.train.batches(size, seed, self.device)
        # Whether every step sees the same function.
        once = self.batches.per_epoch == 1 and self.settings.accumulate == 1
        self.whole = not problem.has_data or (once and size >= len(problem.train))
        if isinstance(self.method, Deterministic) and not self.whole:
            what = f"all examples in every step for {self.settings.method}, which compares losses"
            raise UsageError(what, f"batches of {size}", "leave the batch size out, or take adamw")
        # Where the loss is exact, it tells by itself which parameters are best.
        self.exact = not problem.has_data or (self.whole and problem.validation is None)
        self.taken: list[Any] = []  # the batches of the last gradient, where they are needed again

    # One step ------------------------------------------------------------------------------------
    def gradient(self, again: bool = False) -> Tensor:
        """Compute the gradient of the loss on the next batch (or batches), into ``p.grad``.

        Args:
            again: take those of the last time once more, for a method that needs a closure.

        Returns:
            The loss, detached: a scalar tensor.
        """
        method = self.method
        if isinstance(method, Deterministic) and not again:
            self.taken = [self.batches.next() for _ in range(self.settings.accumulate)]
            if self.whole and method.known is not None:  # by the step before, with its gradient
                return method.known
            again = True
        for p in self.parameters:
            p.grad = None
        # A climb of SAM needs no estimate of the curvature: that is made where the parameters are.
        graph = self.method.needs_graph and not again
        if not graph:
            return self._backward(False, again)
        with differentiable(self.function):
            loss = self._backward(True, again)
        assert isinstance(self.method, Curved)
        self.method.estimate()  # before the gradients are clipped
        return loss

    def _backward(self, graph: bool, again: bool) -> Tensor:
        parts = self.settings.accumulate
        batches: Iterable[Any] = self.taken if again else (self.batches.next() for _ in range(parts))
        if self.method.needs_closure:
            batches = self.taken = list(batches)
        if parts == 1:
            loss = self.problem.loss_of(self.computed, next(iter(batches)))
            self._check_loss(loss)
            self._differentiate(loss, graph)
            return loss.detach()
        whole = torch.zeros((), device=self.device)
        for batch in batches:
            loss = self.problem.loss_of(self.computed, batch) / parts
            self._check_loss(loss)
            self._differentiate(loss, graph)
            whole += loss.detach()
        return whole

    def _differentiate(self, loss: Tensor, graph: bool) -> None:
        if self.around_backward is None:
            loss.backward(create_graph=graph)
        else:
            self.around_backward(loss, lambda: loss.backward(create_graph=graph))

    def closure(self, loss: Tensor) -> Callable[[], Tensor]:
        """Return what a method is given that takes gradients itself.

        Args:
            loss: that of the gradient just computed, which the first call stands for; each further one
                computes it anew, on the same batch.
        """
        known = [loss]

        def evaluated() -> Tensor:
            if known:
                return known.pop()
            found = self.gradient(again=True)
            if self.settings.clip is not None:
                self.clip(self.gradient_norm(), self.settings.clip)
            return found

        return evaluated

    def update(self, loss: Tensor) -> None:
        """Take the method's step.

        Args:
            loss: that of the gradient just computed.
        """
        method = self.method
        if isinstance(method, Deterministic):
            method.step(objective_of(self, loss))
        else:
            method.step(self.closure(loss) if method.needs_closure else None)

    def _check_loss(self, loss: Tensor) -> None:
        if self.steps == 0 and (not isinstance(loss, Tensor) or loss.numel() != 1 or not loss.requires_grad):
            came = f"shape {tuple(loss.shape)}" if isinstance(loss, Tensor) else f"a {type(loss).__name__}"
            if isinstance(loss, Tensor) and loss.numel() == 1:
                came = "one that depends on no trainable parameter"
            raise DataError(
                "a loss that is one number and depends on the parameters",
                came,
                "return a mean over the batch, made from the function's output",
            )

    def _gradients(self) -> list[Tensor]:
        return [p.grad for p in self.parameters if p.grad is not None]

    def gradient_norm(self) -> Tensor:
        """Return the norm of the whole gradient, as a scalar tensor."""
        return torch.linalg.vector_norm(torch.stack(torch._foreach_norm(self._gradients())))

    def clip(self, norm: Tensor, most: float) -> None:
        """Shorten a gradient of the given norm to the norm ``most``."""
        torch._foreach_mul_(self._gradients(), (most / (norm + 1e-6)).clamp(max=1.0))

    def set_rates(self, done: float) -> None:
        """Set learning rates and other scheduled values for a step when the share ``done`` lies behind."""
        for group, base in zip(self.method.param_groups, self._base, strict=True):
            group.update(self.schedule.at(done, base))

    @property
    def ended(self) -> Ended | None:
        """Why the method goes no further, where it is one that knows."""
        return self.method.ended if isinstance(self.method, Deterministic) else None

    @property
    def never_climbs(self) -> bool:
        """Whether each step leaves the best point so far, but for roundings of the loss."""
        return self.whole and isinstance(self.method, Deterministic)

    @property
    def lr(self) -> float:
        """The learning rate now."""
        return float(self.method.param_groups[0]["lr"])

    @property
    def loss(self) -> float:
        """The training loss: the best so far where it is exact, else smoothed over some fifty steps."""
        if self.exact and self.best is not None:
            return float(self.best["loss"])
        return self.recent_loss

    @property
    def recent_loss(self) -> float:
        """The training loss of late, smoothed over some fifty steps."""
        n = self.course["counted"]
        return self.course["smoothed"] / (1 - SMOOTHING**n) if n else math.nan

    @property
    def first_loss(self) -> float:
        """The loss of the first step."""
        return math.nan if self.course["first"] is None else self.course["first"]

    @property
    def epochs(self) -> float:
        """Passes over the training data so far."""
        return self.steps * self.settings.accumulate / self.batches.per_epoch

    # The descent ---------------------------------------------------------------------------------
    def run(
        self,
        until: Until,
        *,
        record: Record | None = None,
        observers: Sequence[Observer] = (),
        checkpoint: Callable[[], None] | None = None,
        checkpoint_seconds: float = 10.0,
        evaluate_every: int | None = None,
        trajectory: Trajectory | None = None,
    ) -> Outcome:
        """Descend until something says stop.

        Args:
            until: what says stop.
            record: takes the metrics, if given.
            observers: are shown where it stands, from time to time.
            checkpoint: called every ``checkpoint_seconds``; saves what it wants of the state.
            checkpoint_seconds: how often at the most.
            evaluate_every: steps between evaluations on the validation data; by default once an epoch,
                seldomer where that would take more than a few percent of the time.
            trajectory: keeps where it was on its way.

        Returns:
            How it ended. The parameters are those of the last step; :attr:`best` has the best.

        Raises:
            UsageError: where no bound is given at all.
        """
        if until == Until():
            raise UsageError("a bound", "none", "give Until(steps=...) or Until(seconds=...)")
        given = record, observers, checkpoint, checkpoint_seconds, evaluate_every, trajectory
        loop = Loop(self, until, *given)
        with self._own_random():
            return loop.run()

    def evaluate(self) -> dict[str, float]:
        """Measure loss and metric on the validation data, and keep the parameters if they are best.

        It evaluates where the method does: an average of the weights, for example.

        Returns:
            ``{"loss": ..., metric: ...}``.
        """
        if self.problem.validation is None:
            return {}
        around = self.around_evaluation
        with self.method.evaluation(), nullcontext() if around is None else around():
            return self._evaluated()

    def _evaluated(self) -> dict[str, float]:
        assert self.problem.validation is not None
        found = self.validation = self.problem.evaluate(self.computed, self.problem.validation)
        best = self.best
        if best is None or self._better(found, best["validation"]):
            self.keep(found["loss"], found)
            self.course["idle"] = 0
        else:
            self.course["idle"] += 1
        return found

    def _better(self, new: Mapping[str, float], old: Mapping[str, float]) -> bool:
        """Whether an evaluation is better: by the metric where one chooses, ties by the loss."""
        metric = self.problem.metric
        if metric is not None and metric.chooses and new.get(metric.name) != old.get(metric.name):
            a, b = new[metric.name], old[metric.name]
            if math.isnan(b):
                return True
            return a > b if metric.larger_is_better else a < b
        return new["loss"] < old["loss"] or math.isnan(old["loss"])

    def keep(self, loss: float, validation: Mapping[str, float]) -> None:
        """Keep a copy of the parameters as the best so far, with what made them so."""
        if self.best is None:
            self.best = {"function": {k: v.clone() for k, v in self._values.items()}}
        else:
            torch._foreach_copy_(list(self.best["function"].values()), list(self._values.values()))
        self.best.update(step=self.steps, loss=loss, validation=dict(validation))

    def result(self) -> nn.Module:
        """Return a copy of the function with the best parameters, in eval mode."""
        function = self.problem.fresh_function().to(self.device)
        if self.best is None:
            with self.method.evaluation():
                function.load_state_dict(self.function.state_dict())
        else:
            function.load_state_dict(self.best["function"])
        return function.eval()

    def hyperparameters(self) -> dict[str, Any]:
        """Return the method's hyperparameters, before any schedule, by torch's names."""
        return dict(self._base[0])

    # The state -----------------------------------------------------------------------------------
    def _hyperparameters(self, group: Mapping[str, Any]) -> dict[str, Any]:
        known = {**type(self.method).defaults, **dict.fromkeys(self.method.modifying())}
        return {name: group[name] for name in known if name in group}

    def _view(self) -> State:
        """Return the state, sharing memory with the descent."""
        state = self.method.state
        if self._drawing:
            self._note_random()
        return State(
            step=self.steps,
            seconds=self.seconds,
            function=dict(self.function.named_parameters()) | dict(self.function.named_buffers()),
            kept={n: dict(state[p]) for n, p in zip(self.names, self.parameters, strict=True) if p in state}
            | {"": self.method.kept_for_all()},
            hyperparameters=self._base,
            data=self.batches.state(),
            random=self._random,
            best=self.best,
            course=self.course,
            training=self.function.training,
        )

    def snapshot(self) -> State:
        """Return the whole state: a value of its own, untouched by what the descent does next."""
        return self._view().clone()

    def restore(self, state: State) -> None:
        """Go back to a state.

        Args:
            state: of a descent on the same problem with the same method.

        Raises:
            UsageError: where its parameters are not this function's.
        """
        state = state.clone()
        own = dict(self.function.named_parameters()) | dict(self.function.named_buffers())
        if own.keys() != state.function.keys() or any(
            own[k].shape != v.shape for k, v in state.function.items()
        ):
            raise UsageError(
                "the state of this very function", "one with other parameters", "use the same problem"
            )
        with torch.no_grad():
            for name, tensor in own.items():
                tensor.copy_(state.function[name])
        self.method.state.clear()
        if isinstance(self.method, Deterministic):
            self.method.known = None
        for name, p in zip(self.names, self.parameters, strict=True):
            if name in state.kept:
                self.method.state[p] = {
                    k: v.to(self.device) if isinstance(v, Tensor) else v for k, v in state.kept[name].items()
                }
        numbers = state.kept.get("", {})
        for group in self.method.param_groups:
            for name in self.method.kept_for_all():  # as it was, or from the start
                del group[name]
            group.update({k: v.to(self.device, copy=True) for k, v in numbers.items()})
        self._base = state.hyperparameters
        for group, base in zip(self.method.param_groups, self._base, strict=True):
            group.update(base)
        self._random = dict(state.random)
        with self._own_random():
            self.batches.load_state(state.data)
        self._random = dict(state.random)
        self.best = state.best
        if self.best is not None:
            self.best["function"] = {k: v.to(self.device) for k, v in self.best["function"].items()}
            self.validation = dict(self.best["validation"])
        self.course = state.course
        self.steps, self.seconds = state.step, state.seconds
        self.function.train(state.training)

    def fork(self) -> "Descent":
        """Return a second descent in the same state, with memory of its own.

        Both see the same batches and draw the same random numbers from here on, until they are told to
        differ.
        """
        settings = {f: getattr(self.settings, f) for f in Settings.__dataclass_fields__}
        other = Descent(self.problem, seed=self.seed, device=self.device, **settings)
        other.restore(self._view())
        return other

    def save(self, path: str | Path) -> None:
        """Write the state to a file (safetensors), whole or not at all.

        Raises:
            RunError: where the file cannot be written.
        """
        self._view().save(Path(path))

    def load(self, path: str | Path) -> None:
        """Go back to the state in a file.

        Raises:
            RunError: where the file is missing, damaged or newer than this program.
        """
        self.restore(State.load(Path(path)))

    @contextmanager
    def _own_random(self) -> Iterator[None]:
        """Draw from the descent's own random generators, and leave torch's as they were."""
        cuda = "cuda" in self._random
        outside = torch.get_rng_state()
        outside_cuda = torch.cuda.get_rng_state(self.device) if cuda else None
        torch.set_rng_state(self._random["cpu"])
        if cuda:
            torch.cuda.set_rng_state(self._random["cuda"], self.device)
        self._drawing = True
        try:
            yield
        finally:
            self._drawing = False
            self._note_random()
            torch.set_rng_state(outside)
            if outside_cuda is not None:
                torch.cuda.set_rng_state(outside_cuda, self.device)

    def _note_random(self) -> None:
        """Take down where torch's generators are, while they are this descent's own."""
        self._random["cpu"] = torch.get_rng_state()
        if "cuda" in self._random:
            self._random["cuda"] = torch.cuda.get_rng_state(self.device)
