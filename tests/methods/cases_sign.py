"""The methods that follow signs."""

from cases import Case, package

_SIGN = "pytorch_optimizer SignSGD"

CASES: dict[str, Case] = {
    "signsgd": Case(
        package("pytorch_optimizer", "SignSGD", momentum=0.0),
        ({}, {"weight_decay": 0.1}),
        source=_SIGN,
        passes=2,
    ),
    "signum": Case(
        package("pytorch_optimizer", "SignSGD"),
        ({}, {"momentum": 0.5, "weight_decay": 0.1}, {"momentum": 0.0, "maximize": True}),
        source=_SIGN,
        cyclic="momentum",
        passes=3,
    ),
    "lion": Case(
        package("lion_pytorch", "Lion"),
        ({}, {"weight_decay": 0.1}, {"betas": (0.0, 0.5), "maximize": True}),
        source="lion-pytorch",
        cyclic="betas",
        passes=5,
    ),
}
