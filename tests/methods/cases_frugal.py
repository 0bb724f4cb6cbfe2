"""The methods that keep less than Adam."""

from cases import Case, package
from references.frugal import Adafactor, AdamMini, GaLore

_DOMAIN = "torch refuses complex parameters"

CASES: dict[str, Case] = {
    "adafactor": Case(
        Adafactor,
        (
            {},
            {"weight_decay": 0.1},
            {"beta2_decay": -0.5, "eps": (1e-4, 1e-2), "d": 2.0, "weight_decay": 0.1, "maximize": True},
        ),
        source="torch.optim.Adafactor",
        whole_tensor=True,
        without={"complex": _DOMAIN},
    ),
    "came": Case(
        package("came_pytorch", "CAME"),
        (
            {},
            {"weight_decay": 0.1},
            {"betas": (0.5, 0.9, 0.99), "eps": (1e-8, 1e-4), "clip_threshold": 0.5, "maximize": True},
        ),
        source="came-pytorch",
        narrow=False,  # it keeps float32 state
        whole_tensor=True,
    ),
    "adammini": Case(
        AdamMini,
        (
            {},
            {"weight_decay": 0.1},
            {"block": "tensor", "weight_decay": 0.1},
            {"betas": (0.5, 0.9), "eps": 1e-3, "maximize": True},
        ),
        source="adam-mini",
        whole_tensor=True,
        without={"complex": "the package takes no tensor of three dimensions"},
    ),
    "galore": Case(
        GaLore,
        (
            {},
            {"weight_decay": 0.1, "rank": 2, "update_proj_gap": 7, "betas": (0.5, 0.9)},
            {"proj_type": "reverse_std", "rank": 1, "update_proj_gap": 5, "scale": 2.0, "maximize": True},
            {"proj_type": "left", "rank": 2, "update_proj_gap": 50},
            {"proj_type": "right", "rank": 2, "update_proj_gap": 50},
        ),
        source="the paper's algorithm 2, written out",
        shapes="matrices",
        narrow=False,  # torch has no eigenvectors in bfloat16
        whole_tensor=True,
        programs=2,
    ),
}
