"""The methods that estimate the Hessian's diagonal; the tests' loss has a diagonal Hessian, known exactly."""

from cases import Case
from references.curvature import AdaHessian, Sophia

_WITHOUT = {
    "compiled": "the test's backward pass keeps no graph of the gradient",
    "complex": "the test gives gradients, and these need a loss",
    "maximize": "the test gives gradients, and these need a loss; see test_curvature.py",
    "scaler": "the graph of a scaled loss has a scaled curvature",
    "wide": "the test's loss is itself rounded to bfloat16",
}

CASES: dict[str, Case] = {
    "sophia": Case(
        Sophia,
        (
            {},
            {"weight_decay": 0.3, "rho": 0.5, "update_period": 3},
            {"betas": (0.5, 0.9), "eps": 1e-3, "update_period": 1, "rho": 2.0},
        ),
        source="the paper's algorithm 3, written out",
        graph=True,
        together=True,  # an estimate is made for all parameters, by the steps of the one with the most
        without=_WITHOUT,
    ),
    "adahessian": Case(
        AdaHessian,
        (
            {},
            {"weight_decay": 0.1, "lr": 0.05},
            {"hessian_power": 0.5, "betas": (0.5, 0.9), "eps": 1e-2},
            {"update_period": 4, "spatial_averaging": False, "betas": (0.5, 0.9)},
        ),
        source="the authors' code, written out",
        lr=0.15,
        generic={"test_forloop_goes_right_direction": "0.15 is the authors' rate, too large for this loss"},
        graph=True,
        together=True,  # an estimate is made for all parameters, by the steps of the one with the most
        without=_WITHOUT,
    ),
}
