"""The table of surfaces: the equations stand in :mod:`descend.functions.surface_functions`."""

import math
from dataclasses import replace

from descend.errors import UsageError
from descend.functions import surface_functions as equations
from descend.functions.surface import (
    Surface,
    any_dimension,
    check_dimension,
    falling,
    heavy_ball,
    polyak,
    repeated,
    square,
)

SURVEY = "Jamil & Yang 2013, A literature survey of benchmark functions, arXiv:1308.4008"
TESTING = "Moré, Garbow & Hillstrom 1981, Testing unconstrained optimization software, ACM TOMS 7(1)"


def quadratic(dimension: int = 2, condition: float = 100.0, rotated: bool = True) -> Surface:
    """Return a quadratic with eigenvalues from 1 to ``condition``; see :func:`equations.quadratic`.

    Raises:
        UsageError: where there is no such quadratic.
    """
    check_dimension("quadratic", dimension, 1, 2000 if rotated else 10_000_000)
    if not isinstance(condition, int | float) or not 1 <= condition < math.inf:
        raise UsageError("a condition number ≥ 1", repr(condition), "give another condition")
    return Surface(
        "quadratic",
        equations.quadratic(dimension, condition, rotated),
        minimum=0.0,
        minimisers=((0.0,) * dimension,),
        start=repeated((3.0, -1.0), dimension),
        bounds=((-4.0, 4.0),) * dimension,
        settings=polyak(1.0, condition if dimension > 1 else 1.0),
        teaches="The condition number alone decides how many steps descent needs; momentum takes its root.",
        source="Polyak 1964, Some methods of speeding up the convergence of iteration methods",
        convex=True,
        family=quadratic,
    )


_ROWS = [
    any_dimension(
        Surface(
            "sphere",
            equations.sphere,
            minimum=0.0,
            minimisers=((0.0, 0.0),),
            start=(2.0, -1.5),
            bounds=square(3),
            settings=heavy_ball(0.1, 0.5),
            teaches="On a round bowl the gradient points at the minimum: one step of the right length ends.",
            source=SURVEY,
            convex=True,
        )
    ),
    quadratic(),
    Surface(
        "booth",
        equations.booth,
        minimum=0.0,
        minimisers=((1.0, 3.0),),
        start=(-4.0, -3.0),
        bounds=square(10),
        settings=heavy_ball(0.05, 0.7),
        teaches="A mild bowl away from the origin: weight decay would pull the answer off its minimum.",
        source=SURVEY,
        convex=True,
    ),
    Surface(
        "matyas",
        equations.matyas,
        minimum=0.0,
        minimisers=((0.0, 0.0),),
        start=(8.0, -5.0),
        bounds=square(10),
        settings=heavy_ball(1.0, 0.8),
        teaches="A shallow valley along the diagonal: small curvature asks for a learning rate above one.",
        source=SURVEY,
        convex=True,
    ),
    Surface(
        "zakharov",
        equations.zakharov,
        minimum=0.0,
        minimisers=((0.0, 0.0),),
        start=(3.0, -1.0),
        bounds=((-5.0, 10.0), (-5.0, 10.0)),
        settings=heavy_ball(0.1, 0.5),
        teaches="Convex, and yet a rate that is right at the minimum diverges on the steep walls.",
        source=SURVEY,
        convex=True,
    ),
    any_dimension(
        Surface(
            "absolute",
            equations.absolute,
            minimum=0.0,
            minimisers=((0.0, 0.0),),
            start=(1.7, -0.9),
            bounds=square(2),
            settings=falling(0.01),
            teaches="At an edge the gradient does not become small: only a falling rate comes to rest.",
            source="Shor 1985, Minimization Methods for Non-Differentiable Functions, Springer",
            smooth=False,
            convex=True,
        )
    ),
    any_dimension(
        Surface(
            "rosenbrock",
            equations.rosenbrock,
            minimum=0.0,
            minimisers=((1.0, 1.0),),
            start=(-1.2, 1.0),
            bounds=((-2.0, 2.0), (-1.0, 3.0)),
            settings=heavy_ball(0.002, 0.95, 4000),
            teaches="A curved, flat valley: its floor is found at once, and followed with patience.",
            source="Rosenbrock 1960, An automatic method for finding the greatest or least value",
        ),
        least=2,
        beyond=heavy_ball(0.001, 0.95, 6000),
    ),
    Surface(
        "beale",
        equations.beale,
        minimum=0.0,
        minimisers=((3.0, 0.5),),
        start=(1.0, 1.0),
        bounds=square(4.5),
        settings=heavy_ball(0.01, 0.9),
        teaches="A plateau with steep corners: the rate that the corners bear crawls on the plateau.",
        source="Beale 1958, On an iterative method for finding a local minimum; " + TESTING,
    ),
    Surface(
        "wood",
        equations.wood,
        minimum=0.0,
        minimisers=((1.0, 1.0, 1.0, 1.0),),
        start=(-3.0, -1.0, -3.0, -1.0),
        bounds=((-4.0, 4.0),) * 4,
        settings=replace(heavy_ball(0.0002, 0.98, 6000), method="nesterov"),
        teaches="Four numbers, and a saddle near (−1, 1, −1, 1) on the way, which looks like the end.",
        source="Colville 1968, A comparative study of nonlinear programming codes; " + TESTING,
    ),
    Surface(
        "powell",
        equations.powell,
        minimum=0.0,
        minimisers=((0.0, 0.0, 0.0, 0.0),),
        start=(3.0, -1.0, 0.0, 1.0),
        bounds=((-4.0, 5.0),) * 4,
        settings=replace(heavy_ball(0.002, 0.98, 6000), gradient_norm=1e-5),
        teaches="The curvature vanishes at the minimum, so that no first-order method comes close quickly.",
        source="Powell 1962, An iterative method for finding stationary values, Computer J. 5; " + TESTING,
        convex=True,
    ),
    Surface(
        "dixon-price",
        equations.dixon_price,
        minimum=0.0,
        minimisers=((1.0, math.sqrt(0.5)), (1.0, -math.sqrt(0.5))),
        start=(-1.5, 0.3),
        bounds=square(2),
        settings=heavy_ball(0.02, 0.7),
        teaches="A valley that forks: which arm is taken is decided by small differences at the fork.",
        source="Dixon & Price 1989, Truncated Newton method for sparse unconstrained optimization, JOTA 60",
    ),
    Surface(
        "saddle",
        equations.saddle,
        minimum=-0.25,
        minimisers=((0.0, 1.0), (0.0, -1.0)),
        start=(1.0, 0.001),
        bounds=square(1.6),
        settings=heavy_ball(0.2, 0.5),
        teaches="Descent lingers at a saddle: a small gradient is not yet a minimum.",
        source="Dauphin et al. 2014, Identifying and attacking the saddle point problem, arXiv:1406.2572",
    ),
    Surface(
        "monkey-saddle",
        equations.monkey_saddle,
        minimum=-0.25,
        minimisers=((-1.0, 0.0), (0.5, math.sqrt(0.75)), (0.5, -math.sqrt(0.75))),
        start=(0.5, 0.01),
        bounds=square(1.4),
        settings=heavy_ball(0.1, 0.5),
        teaches="At the saddle even the curvature is zero: descent leaves it slower than any exponential.",
        source="Hilbert & Cohn-Vossen 1932, Anschauliche Geometrie; with a quartic wall that bounds it",
    ),
    Surface(
        "himmelblau",
        equations.himmelblau,
        minimum=0.0,
        minimisers=(
            (3.0, 2.0),
            (-2.805118086952745, 3.131312518250573),
            (-3.779310253377747, -3.283185991286170),
            (3.584428340330492, -1.848126526964404),
        ),
        start=(0.0, 0.0),
        bounds=square(5),
        settings=heavy_ball(0.01, 0.5),
        teaches="Four equal minima: the start and the learning rate decide which one is found.",
        source="Himmelblau 1972, Applied Nonlinear Programming, McGraw-Hill",
    ),
    Surface(
        "three-hump-camel",
        equations.three_hump_camel,
        minimum=0.0,
        minimisers=((0.0, 0.0),),
        start=(0.9, 1.0),
        bounds=square(2),
        settings=heavy_ball(0.1, 0.5),
        teaches="Three basins of different depth: momentum may carry the point out of a shallow one.",
        source=SURVEY,
    ),
    Surface(
        "six-hump-camel",
        equations.six_hump_camel,
        minimum=-1.0316284534898774,
        minimisers=(
            (0.08984201310031806, -0.7126564030207396),
            (-0.08984201310031806, 0.7126564030207396),
        ),
        start=(0.5, -0.2),
        bounds=((-2.0, 2.0), (-1.2, 1.2)),
        settings=heavy_ball(0.02, 0.5),
        teaches="Six minima, two of them least, mirror images of each other.",
        source="Dixon & Szegő 1978, The global optimization problem, in Towards Global Optimisation 2",
    ),
    Surface(
        "branin",
        equations.branin,
        minimum=10 / (8 * math.pi),
        minimisers=((-math.pi, 12.275), (math.pi, 2.275), (3 * math.pi, 2.475)),
        start=(2.5, 7.5),
        bounds=((-5.0, 10.0), (0.0, 15.0)),
        settings=heavy_ball(0.1, 0.5),
        teaches="Three equal minima along one winding valley.",
        source="Branin 1972, Widely convergent method for finding multiple solutions, IBM J. Res. Dev. 16(5)",
    ),
    Surface(
        "mccormick",
        equations.mccormick,
        minimum=-math.sqrt(0.75) - math.pi / 3,
        minimisers=((0.5 - math.pi / 3, -0.5 - math.pi / 3),),
        start=(0.0, 0.0),
        bounds=((-1.5, 4.0), (-3.0, 4.0)),
        settings=heavy_ball(0.1, 0.5),
        teaches="Lower and lower minima lie outside the bounds: too large a rate ends in another one.",
        source="McCormick 1976, Computability of global solutions to factorable nonconvex programs",
        within_bounds=True,
    ),
    Surface(
        "goldstein-price",
        equations.goldstein_price,
        minimum=3.0,
        minimisers=((0.0, -1.0),),
        start=(-0.3, -0.7),
        bounds=square(2),
        settings=heavy_ball(0.0005, 0.5),
        teaches="Values over six powers of ten: far from the minimum the gradient throws any fixed rate off.",
        source="Goldstein & Price 1971, On descent from local minima, Math. Comp. 25",
    ),
    any_dimension(
        Surface(
            "styblinski-tang",
            equations.styblinski_tang,
            minimum=-78.33233140754283,
            minimisers=((-2.903534027771177, -2.903534027771177),),
            start=(-1.0, -0.5),
            bounds=square(5),
            settings=heavy_ball(0.02, 0.3),
            teaches="Each coordinate has a good and a bad minimum, and the sign of its start decides which.",
            source="Styblinski & Tang 1990, Experiments in nonconvex optimization, Neural Networks 3(4)",
        )
    ),
    Surface(
        "bohachevsky",
        equations.bohachevsky,
        minimum=0.0,
        minimisers=((0.0, 0.0),),
        start=(0.25, -0.2),
        bounds=square(2),
        settings=heavy_ball(0.01, 0.5),
        teaches="Ripples on a bowl: from far away descent stops in the first ripple that it meets.",
        source="Bohachevsky, Johnson & Stein 1986, Generalized simulated annealing, Technometrics 28(3)",
    ),
    any_dimension(
        Surface(
            "rastrigin",
            equations.rastrigin,
            minimum=0.0,
            minimisers=((0.0, 0.0),),
            start=(0.4, -0.3),
            bounds=square(5.12),
            settings=heavy_ball(0.002, 0.3),
            teaches="A minimum near every whole number: descent finds the one in whose basin it starts.",
            source="Rastrigin 1974, Systems of Extremal Control, Nauka",
        )
    ),
    any_dimension(
        Surface(
            "ackley",
            equations.ackley,
            minimum=0.0,
            minimisers=((0.0, 0.0),),
            start=(0.4, -0.3),
            bounds=square(5),
            settings=falling(0.01),
            teaches="Its least minimum is the tip of a cone: the gradient does not vanish, the rate must.",
            source="Ackley 1987, A Connectionist Machine for Genetic Hillclimbing, Kluwer",
            smooth=False,
        )
    ),
    any_dimension(
        Surface(
            "griewank",
            equations.griewank,
            minimum=0.0,
            minimisers=((0.0, 0.0),),
            start=(1.5, -2.0),
            bounds=square(10),
            settings=heavy_ball(0.5, 0.5),
            teaches="Regular minima on a bowl so wide that near the start its slope cannot be felt.",
            source="Griewank 1981, Generalized descent for global optimization, JOTA 34",
        )
    ),
    any_dimension(
        Surface(
            "levy",
            equations.levy,
            minimum=0.0,
            minimisers=((1.0, 1.0),),
            start=(0.5, 1.5),
            bounds=square(10),
            settings=heavy_ball(0.5, 0.7),
            teaches="Long waves with a minimum each; within the innermost one descent is quick.",
            source="Levy & Montalvo 1985, The tunneling algorithm, SIAM J. Sci. Stat. Comput. 6(1)",
        )
    ),
    Surface(
        "easom",
        equations.easom,
        minimum=-1.0,
        minimisers=((math.pi, math.pi),),
        start=(2.0, 2.2),
        bounds=((0.0, 6.0), (0.0, 6.0)),
        settings=heavy_ball(0.2, 0.5),
        teaches="A hole in a plain: a few steps away the gradient is too small to tell where it lies.",
        source="Easom 1990, A survey of global optimization techniques, University of Louisville",
    ),
]

SURFACES: dict[str, Surface] = {row.name: row for row in _ROWS}
"""Every surface by its name; being here brings it into every test, drawing and page."""
