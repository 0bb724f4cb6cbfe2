"""Advice on the architecture: what it is made from, and what it says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from descend.diagnosing.inspecting.calls import Look
from descend.diagnosing.inspecting.chance import Chance, kind_of
from descend.diagnosing.inspecting.depth import Depth
from descend.diagnosing.inspecting.shapes import Shapes
from descend.diagnosing.inspecting.subject import Subject


@dataclass(frozen=True)
class Advice:
    """One change of the architecture.

    Attributes:
        change: what to do, as an imperative.
        evidence: what was measured.
        where: the module it is about; empty for the function as a whole.
    """

    change: str
    evidence: str
    where: str = ""


@dataclass(frozen=True)
class Known:
    """What advice is made from.

    Attributes:
        subject: the problem.
        seen: what one forward and backward of it showed.
        shapes: the table.
        chance: the loss at the start.
        depth: signal and gradient.
        target: the targets of some training examples; ``None`` where they are no tensors.
    """

    subject: Subject
    seen: Look
    shapes: Shapes
    chance: Chance
    depth: Depth
    target: Tensor | None

    @property
    def function(self) -> nn.Module:
        """The copy that was looked at."""
        return self.seen.function

    @property
    def classes(self) -> int:
        """Classes of a cross-entropy; 0 for any other loss."""
        return self.chance.classes if kind_of(self.subject.problem.loss) == "cross_entropy" else 0


def listed(names: Sequence[str]) -> str:
    """Write the first names, and how many more there are."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
