"""What a type checker and an editor are told of how a method is made.

They read a method's class as a dataclass: its hyperparameters are the constructor's. What every method takes
stands here. The class that carries the transform is none itself (PEP 681), hence the two.
"""

import inspect
import typing
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar, dataclass_transform

from torch.optim import Optimizer


def _keyword(*, default: Any, kw_only: bool, alias: str | None = None) -> Any:
    """Declare a keyword of every method's constructor; ``alias`` where the class uses its name otherwise."""


@dataclass_transform(field_specifiers=(_keyword,))
class _Transformed(Optimizer):
    routing: tuple[dict[str, Any], ...] = ()
    """Which parameter goes which way, where ``descend.optimizer`` sorted them: see :func:`.routing.table`."""


def declared(cls: type) -> dict[str, Any]:
    """Return the hyperparameters that a class declares itself: ``lr: float = 1e-3``, by name."""
    kinds = inspect.get_annotations(cls)
    for_all = {name for name, kind in kinds.items() if ClassVar in (kind, typing.get_origin(kind))}
    return {
        name: cls.__dict__[name]
        for name in kinds
        if name in cls.__dict__ and name not in for_all and not name.startswith("_")
    }


class Constructor(_Transformed):
    """An optimizer whose constructor takes what every method's takes."""

    if TYPE_CHECKING:
        params: Iterable[Any]
        maximize: bool = _keyword(default=False, kw_only=True)
        executor: str = _keyword(default="fused", kw_only=True)
        foreach: bool | None = _keyword(default=None, kw_only=True)
        fused: bool | None = _keyword(default=None, kw_only=True)
        capturable: bool = _keyword(default=False, kw_only=True)
        differentiable: bool = _keyword(default=False, kw_only=True)
        # Modifiers, in the order in which they act.
        sam: float | None = _keyword(default=None, kw_only=True)
        sam_adaptive: bool = _keyword(default=False, kw_only=True)
        accumulate: int | None = _keyword(default=None, kw_only=True)
        clip_norm: float | None = _keyword(default=None, kw_only=True)
        clip_value: float | None = _keyword(default=None, kw_only=True)
        clip_adaptive: float | None = _keyword(default=None, kw_only=True)
        clip_adaptive_eps: float = _keyword(default=1e-3, kw_only=True)
        mars: float | None = _keyword(default=None, kw_only=True)
        mars_beta: float | None = _keyword(default=None, kw_only=True)
        cautious: bool = _keyword(default=False, kw_only=True)
        kind_of_decay: str | None = _keyword(default=None, kw_only=True, alias="decay")
        lr_max: float | None = _keyword(default=None, kw_only=True)
        lookahead: int | None = _keyword(default=None, kw_only=True)
        lookahead_share: float = _keyword(default=0.5, kw_only=True)
        average: float | None = _keyword(default=None, kw_only=True)
        average_from: int | None = _keyword(default=None, kw_only=True)
        average_warmup: bool = _keyword(default=False, kw_only=True)
