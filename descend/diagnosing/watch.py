"""Any training loop, with somebody watching: two lines around it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from descend.diagnosing.detectors import findings
from descend.diagnosing.finding import Finding
from descend.watching.capturing import Capturing
from descend.watching.warming import warm
from descend.watching.watcher import Watcher

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer

    from descend.diagnosing.replay_proof import Proof
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
        prove: for how many seconds remedies are tried afterwards, on captured steps; by default not at all.

    Attributes:
        seen: what was seen; complete after the ``with``.
        proof: what was tried; known with the findings, ``None`` where nothing was to be proved.
    """

    def __init__(
        self,
        model: nn.Module | None = None,
        optimizer: Optimizer | None = None,
        *,
        budget: float = 0.03,
        prove: float | None = None,
    ):
        warm()
        self._watcher = Watcher(model, optimizer, budget)
        self.seen: Observations = self._watcher.seen
        self._findings: list[Finding] | None = None
        self._prove = prove
        self._capturing = Capturing() if prove else None
        self.proof: Proof | None = None

    def __enter__(self) -> Watch:
        self._watcher.start()
        if self._capturing is not None:
            self._capturing.start(self._watcher.looking)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        if self._capturing is not None:
            self._capturing.stop()
        self._watcher.stop()
        if kind is not None:
            self.seen.ended = f"{kind.__name__}: {error}"

    @property
    def findings(self) -> list[Finding]:
        """What is wrong, the most probable root cause first; known after the ``with``."""
        if self._findings is None:
            self._findings = findings(self.seen)
            if self._capturing is not None and self._prove:
                from descend.diagnosing.replay_proof import prove

                self.proof = prove(self._capturing, self._findings, self._prove)
                self._findings = self.proof.findings
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
        found = self.findings
        return said(self.seen, found, self.proof)


def said(seen: Observations, found: list[Finding], proof: Proof | None = None) -> dict[str, Any]:
    """Return what ``descend watch --json`` prints."""
    told = {} if proof is None else {"proof": proof.as_json()}
    return {
        "findings": [one.as_json() for one in found],
        "overhead": round(seen.overhead, 5),
        "steps": seen.steps,
        "seconds": round(seen.seconds, 3),
        "windows": len(seen.windows),
        "not_measured": list(dict.fromkeys(seen.not_measured)),
        "ended": seen.ended,
        **told,
    }


def watch(
    model: nn.Module | None = None,
    optimizer: Optimizer | None = None,
    *,
    budget: float = 0.03,
    prove: float | None = None,
) -> Watch:
    """Watch a training loop: ``with descend.watch(model, optimizer) as watch: ...``; see :class:`Watch`.

    Args:
        model: the module to watch; by default all that are called.
        optimizer: the optimizer to watch; by default all that take steps.
        budget: the share of the training time that watching may take.
        prove: for how many seconds remedies are tried afterwards; see :class:`Watch`.
    """
    return Watch(model, optimizer, budget=budget, prove=prove)
