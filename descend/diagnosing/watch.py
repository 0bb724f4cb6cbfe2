"""Any training loop, with somebody watching: two lines around it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from descend.diagnosing.detectors import findings
from descend.diagnosing.finding import Finding
from descend.watching.watcher import Watcher

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer

    from descend.watching.observations import Observations


class Watch:
    """Watches a training loop, from outside; nothing of it is changed.

    ::

        with descend.watch(model, optimizer) as watch:
            for x, y in loader:
                ...
        for finding in watch.findings:
            print(finding.cause, finding.evidence)

    Args:
        model: the module to watch; by default all that are called.
        optimizer: the optimizer to watch; by default all that take steps.
        budget: the share of the training time that watching may take.

    Attributes:
        seen: what was seen; complete after the ``with``.
    """

    def __init__(
        self,
        model: nn.Module | None = None,
        optimizer: Optimizer | None = None,
        *,
        budget: float = 0.03,
    ):
        self._watcher = Watcher(model, optimizer, budget)
        self.seen: Observations = self._watcher.seen
        self._findings: list[Finding] | None = None

    def __enter__(self) -> Watch:
        self._watcher.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        self._watcher.stop()
        if kind is not None:
            self.seen.ended = f"{kind.__name__}: {error}"

    @property
    def findings(self) -> list[Finding]:
        """What is wrong, the most probable root cause first; known after the ``with``."""
        if self._findings is None:
            self._findings = findings(self.seen)
        return self._findings

    @property
    def overhead(self) -> float:
        """The share of the training time that watching took, as it measured itself."""
        return self.seen.overhead

    @property
    def steps(self) -> int:
        """How many steps were taken."""
        return self.seen.steps

    def as_json(self) -> dict[str, Any]:
        """Return it as ``descend watch --json`` prints it."""
        return said(self.seen, self.findings)


def said(seen: Observations, found: list[Finding]) -> dict[str, Any]:
    """Return what ``descend watch --json`` prints."""
    return {
        "findings": [one.as_json() for one in found],
        "overhead": round(seen.overhead, 5),
        "steps": seen.steps,
        "seconds": round(seen.seconds, 3),
        "windows": len(seen.windows),
        "not_measured": list(dict.fromkeys(seen.not_measured)),
        "ended": seen.ended,
    }


def watch(
    model: nn.Module | None = None, optimizer: Optimizer | None = None, *, budget: float = 0.03
) -> Watch:
    """Watch a training loop: ``with descend.watch(model, optimizer) as watch: ...``; see :class:`Watch`.

    Args:
        model: the module to watch; by default all that are called.
        optimizer: the optimizer to watch; by default all that take steps.
        budget: the share of the training time that watching may take.
    """
    return Watch(model, optimizer, budget=budget)
