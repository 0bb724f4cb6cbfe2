"""The same methods in other people's code: what ``bench/step.py`` compares with.

One row a method: the packages that have it, each with what makes its optimizer. A package is imported when it
is asked for; one that is not installed, or whose step fails, is reported with its error.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from tensors import Named


@dataclass(frozen=True)
class Peer:
    """A method in someone else's code.

    Attributes:
        name: the package, and its form where it has several.
        package: the module to import.
        make: ``(named parameters, our hyperparameters) → an optimizer``.
        slow: whether it compiles with a C++ compiler at the user's, for minutes: taken along on demand.
    """

    name: str
    package: str
    make: Callable[[Named, dict[str, Any]], Any]
    slow: bool = False


def of(
    package: str,
    name: str,
    form: str = "",
    *,
    slow: bool = False,
    group: dict[str, Any] | None = None,
    **fixed: Any,
) -> Peer:
    """Return the class ``name`` of a package as a peer; it shares our weight decay.

    Args:
        package: the module to import.
        name: the class in it.
        form: told apart from the package's other forms by this.
        slow: as in :class:`Peer`.
        group: what its parameter group has to say.
        **fixed: its further arguments.
    """

    def make(named: Named, ours: dict[str, Any]) -> Any:
        cls = getattr(import_module(package), name)
        takes = inspect.signature(cls.__init__).parameters
        given: dict[str, Any] = {"lr": ours["lr"]} if takes["lr"].default is inspect.Parameter.empty else {}
        if "weight_decay" in takes and "weight_decay" in ours:
            given["weight_decay"] = ours["weight_decay"]
        given |= {name: value for name, value in FIXED.items() if name in takes}
        tensors = [p for _, p in named]
        optimizer = cls([{"params": tensors, **group}] if group else tensors, **{**given, **fixed})
        if hasattr(optimizer, "train"):  # schedule-free ones begin where they evaluate
            optimizer.train()
        return optimizer

    return Peer(f"{package.removesuffix('.optim').replace('_', '-')} {form}".strip(), package, make, slow)


def torchs(name: str, *forms: str, **fixed: Any) -> list[Peer]:
    """Return torch's own, in these forms (``fused``, ``foreach``)."""
    return [of("torch.optim", name, form, **{form: True}, **fixed) for form in forms]


def lists(package: str, name: str, **fixed: Any) -> list[Peer]:
    """Return a package's class, as it comes and over lists of tensors."""
    return [of(package, name, **fixed), of(package, name, "foreach", foreach=True, **fixed)]


def po(name: str, foreach: bool = True, **fixed: Any) -> list[Peer]:
    """Return the class of pytorch_optimizer."""
    return lists("pytorch_optimizer", name, **fixed) if foreach else [of("pytorch_optimizer", name, **fixed)]


def heavy(name: str, **fixed: Any) -> list[Peer]:
    """Return the class of heavyball, which compiles."""
    return [of("heavyball", name, slow=True, **fixed)]


def _galore(named: Named, ours: dict[str, Any]) -> Any:
    """Take its matrices' rank, as ours, and all else without."""
    low = {k: ours[k] for k in ("rank", "update_proj_gap", "scale")} | {"projection_type": "std"}
    groups = [
        {"params": [p for _, p in named if p.ndim == 2], **low},
        {"params": [p for _, p in named if p.ndim != 2]},
    ]
    return import_module("pytorch_optimizer").GaLore([g for g in groups if g["params"]])


def _mini(named: Named, ours: dict[str, Any]) -> Any:
    return import_module("adam_mini").Adam_mini(
        named, weight_decay=ours["weight_decay"], dim=384, n_heads=6, verbose=False
    )


LONGEST = 4096
FIXED: dict[str, Any] = {
    "update_period": 10**9,
    "growth_rate": 1.0,
    "max_precond_dim": LONGEST,
    "max_precondition_dim": LONGEST,
    "no_preconditioning_for_layers_with_dim_gt": LONGEST,
    "max_size_triangular": LONGEST,
}
"""What ours and peers alike are given, where they have it.

Curvature is estimated once, so that the step alone is timed. A rate that is found on the way stays, or
gradients that never change would drive it to infinity. A side as long as a vocabulary has no matrix.
"""

PEERS: dict[str, list[Peer]] = {
    "sgd": [*torchs("SGD", "fused", "foreach"), *lists("optimi", "SGD")],
    "momentum": [
        *torchs("SGD", "fused", "foreach", momentum=0.9),
        *lists("optimi", "SGD", momentum=0.9),
        *heavy("SGD"),
    ],
    "nesterov": torchs("SGD", "fused", "foreach", momentum=0.9, nesterov=True),
    "asgd": torchs("ASGD", "foreach"),
    "adagrad": torchs("Adagrad", "fused", "foreach"),
    "rmsprop": [*torchs("RMSprop", "foreach"), *heavy("RMSprop")],
    "adadelta": torchs("Adadelta", "foreach"),
    "adamax": torchs("Adamax", "foreach"),
    "rprop": torchs("Rprop", "foreach"),
    "adam": [*torchs("Adam", "fused", "foreach"), *lists("optimi", "Adam")],
    "adamw": [*torchs("AdamW", "fused", "foreach"), *lists("optimi", "AdamW"), *heavy("AdamW")],
    "nadam": [*torchs("NAdam", "foreach"), *heavy("NAdam")],
    "radam": [*torchs("RAdam", "foreach"), *lists("optimi", "RAdam")],
    "adan": [*po("Adan"), *lists("optimi", "Adan"), of("adan_pytorch", "Adan")],
    "ademamix": [*po("AdEMAMix"), *heavy("AdEMAMix")],
    "adopt": [*po("ADOPT"), *heavy("ADOPT")],
    "laprop": [*po("LaProp"), *heavy("LaProp")],
    "stableadamw": [*po("StableAdamW", kahan_sum=False), *lists("optimi", "StableAdamW")],
    "adabelief": po("AdaBelief"),
    "yogi": po("Yogi"),
    "adafactor": [*torchs("Adafactor", "foreach"), *po("AdaFactor", betas=(None, 0.999))],
    "came": [of("came_pytorch", "CAME", lr=1e-4), *po("CAME")],
    "adammini": [Peer("adam-mini", "adam_mini", _mini)],
    "galore": [Peer("pytorch-optimizer", "pytorch_optimizer", _galore)],
    "sm3": po("SM3"),
    "apollo": po("APOLLO"),
    "signsgd": po("SignSGD", momentum=0.0),
    "signum": po("SignSGD"),
    "lion": [of("lion_pytorch", "Lion"), *po("Lion"), *lists("optimi", "Lion")],
    "tiger": po("Tiger"),
    "lars": po("LARS"),
    "lamb": po("Lamb", max_grad_norm=0.0),
    "muon": [
        of("torch.optim", "Muon"),
        of("muon", "SingleDeviceMuon"),
        *po("Muon", group={"use_muon": True}),
        *heavy("Muon"),
    ],
    "normuon": po("NorMuon", group={"use_muon": True}),
    "scion": [*po("SCION"), *heavy("Scion")],
    "soap": [*po("SOAP", foreach=False), *heavy("SOAP", precondition_frequency=10)],
    "shampoo": [
        *po("Shampoo", foreach=False),
        of("pytorch_optimizer", "ScalableShampoo", "scalable"),
    ],
    "psgdkron": [of("kron_torch", "Kron"), *po("Kron", foreach=False), *heavy("PSGDKron")],
    "schedulefreesgd": [of("schedulefree", "SGDScheduleFree"), *po("ScheduleFreeSGD")],
    "schedulefreeadamw": [
        of("schedulefree", "AdamWScheduleFree"),
        *po("ScheduleFreeAdamW"),
        *heavy("SFAdamW"),
    ],
    "prodigy": [of("prodigyopt", "Prodigy"), *po("Prodigy")],
    "dadaptadam": [of("dadaptation", "DAdaptAdam"), *po("DAdaptAdam")],
    "dog": [of("dog", "DoG")],
    "sophia": po("SophiaH"),
    "adahessian": po("AdaHessian"),
}
"""For each method, who else has it. A method without a row has no peer that is known here."""
