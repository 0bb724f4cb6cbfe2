"""The table of Moré, Garbow & Hillstrom's test problems.

The equations stand in :mod:`descend.functions.testing_functions` and, where any number of unknowns suits, in
:mod:`descend.functions.testing_functions_any_size`. Those are here in a size in which MINPACK's own test
drivers run them. The minima are of the plain sum of squares, as in the paper: without the ½ or the mean of
other conventions. The paper gives six digits; these were solved for in 50, from scalar loops written anew
from the paper.
"""

import itertools

from descend.functions import testing_functions as fixed
from descend.functions import testing_functions_any_size as sized
from descend.functions.sum_of_squares import Minimum, SumOfSquares
from descend.functions.surface import Point


def _point(digits: str) -> Point:
    return tuple(map(float, digits.split()))


def _at(value: float, *points: Point) -> Minimum:
    return Minimum(value, points)


_BOUNDARY = _point(
    "-0.04316498251876487 -0.08157715653538689 -0.11448571438052929 -0.14097357686259668 "
    "-0.1599086961819831 -0.16987720231277492 -0.16908998378120835 -0.15524953522183182 "
    "-0.125355891678935 -0.07541653368589209"
)
"""What both discretisations of the boundary value problem have for a solution, n = 10."""

_BOUNDARY_START = tuple(i / 11 * (i / 11 - 1) for i in range(1, 11))

_EXP6 = tuple(
    (a, b, u, -v, c, w)
    for (a, u), (b, v), (c, w) in itertools.permutations(((1.0, 1.0), (10.0, -5.0), (4.0, 3.0)))
)
"""Its three decays (rate, weight), each of which any of the three terms can be."""

_ROWS = [
    SumOfSquares(
        "rosenbrock",
        1,
        sized.rosenbrock,
        start=(-1.2, 1.0),
        m=2,
        minima=(_at(0.0, (1.0, 1.0)),),
        source="Rosenbrock 1960, An automatic method for finding the greatest or least value, Computer J. 3",
    ),
    SumOfSquares(
        "freudenstein-roth",
        2,
        fixed.freudenstein_roth,
        start=(0.5, -2.0),
        m=2,
        minima=(
            _at(0.0, (5.0, 4.0)),
            _at(48.9842536792400212, (11.412778986902094, -0.8968052532744765)),
        ),
        source="Freudenstein & Roth 1963, Numerical solution of systems of nonlinear equations, J. ACM 10",
    ),
    SumOfSquares(
        "powell-badly-scaled",
        3,
        fixed.powell_badly_scaled,
        start=(0.0, 1.0),
        m=2,
        minima=(
            _at(
                0.0, (1.0981593296998175e-05, 9.106146739866524), (9.106146739866524, 1.0981593296998175e-05)
            ),
            _at(1.04029400396163942, (-0.009948091925800946, -0.009948091925800946)),
        ),
        source="Powell 1970, A hybrid method for nonlinear equations",
    ),
    SumOfSquares(
        "brown-badly-scaled",
        4,
        fixed.brown_badly_scaled,
        start=(1.0, 1.0),
        m=3,
        minima=(_at(0.0, (1e6, 2e-6)),),
    ),
    SumOfSquares(
        "beale",
        5,
        fixed.beale,
        start=(1.0, 1.0),
        m=3,
        minima=(_at(0.0, (3.0, 0.5)), _at(14.203125 - 13.875**2 / 14)),
        source="Beale 1958, On an iterative method for finding a local minimum",
    ),
    SumOfSquares(
        "jennrich-sampson",
        6,
        fixed.jennrich_sampson,
        start=(0.3, 0.4),
        m=10,
        minima=(
            _at(124.362182355614854, (0.2578252136703641, 0.2578252136703641)),
            _at(259.580190134253279),
        ),
        source="Jennrich & Sampson 1968, Application of stepwise regression, Technometrics 10",
    ),
    SumOfSquares(
        "helical-valley",
        7,
        fixed.helical_valley,
        start=(-1.0, 0.0, 0.0),
        m=3,
        minima=(_at(0.0, (1.0, 0.0, 0.0)),),
        source="Fletcher & Powell 1963, A rapidly convergent descent method for minimization, Computer J. 6",
    ),
    SumOfSquares(
        "bard",
        8,
        fixed.bard,
        start=(1.0, 1.0, 1.0),
        m=15,
        minima=(
            _at(0.00821487730657897982, (0.08241055974978899, 1.1330360920297224, 2.3436951786425366)),
            _at(17.4286933333333314),
        ),
        source="Bard 1970, Comparison of gradient methods, SIAM J. Numer. Anal. 7",
    ),
    SumOfSquares(
        "gaussian",
        9,
        fixed.gaussian,
        start=(0.4, 1.0, 0.0),
        m=15,
        minima=(_at(1.12793276961901129e-8, (0.39895613783875666, 1.0000190844878056, 0.0)),),
    ),
    SumOfSquares(
        "meyer",
        10,
        fixed.meyer,
        start=(0.02, 4000.0, 250.0),
        m=16,
        minima=(_at(87.9458551708511209, (0.005609636471028053, 6181.346346286372, 345.2236346241365)),),
        source="Meyer 1970, Theoretical and computational aspects of nonlinear regression",
    ),
    SumOfSquares(
        "gulf",
        11,
        fixed.gulf,
        start=(5.0, 2.5, 0.15),
        m=99,
        minima=(_at(0.0, (50.0, 25.0, 1.5)),),
        source="Cox 1969, Comparison of two methods, Gulf Research and Development",
    ),
    SumOfSquares(
        "box",
        12,
        fixed.box,
        start=(0.0, 10.0, 20.0),
        m=10,
        # And wherever x₁ = x₂ and x₃ = 0.
        minima=(_at(0.0, (1.0, 10.0, 1.0), (10.0, 1.0, -1.0), (1.0, 1.0, 0.0)), _at(0.0755887407549974032)),
        source="Box 1966, A comparison of several current optimization methods, Computer J. 9",
    ),
    SumOfSquares(
        "powell-singular",
        13,
        sized.powell_singular,
        start=(3.0, -1.0, 0.0, 1.0),
        m=4,
        minima=(_at(0.0, (0.0,) * 4),),
        source="Powell 1962, An iterative method for finding stationary values, Computer J. 5",
    ),
    SumOfSquares(
        "wood",
        14,
        fixed.wood,
        start=(-3.0, -1.0, -3.0, -1.0),
        m=6,
        minima=(_at(0.0, (1.0,) * 4),),
        source="Colville 1968, A comparative study of nonlinear programming codes",
    ),
    SumOfSquares(
        "kowalik-osborne",
        15,
        fixed.kowalik_osborne,
        start=(0.25, 0.39, 0.415, 0.39),
        m=11,
        minima=(
            _at(
                0.000307505603849237782,
                (0.1928069345790379, 0.19128232873436676, 0.12305650692632074, 0.13606233068379475),
            ),
            _at(0.00102734304869545797),
        ),
        source="Kowalik & Osborne 1968, Methods for Unconstrained Optimization Problems, Elsevier",
    ),
    SumOfSquares(
        "brown-dennis",
        16,
        fixed.brown_dennis,
        start=(25.0, 5.0, -5.0, -1.0),
        m=20,
        minima=(
            _at(
                85822.2016263563447,
                (-11.594439904762165, 13.203630051207204, -0.40343948817685954, 0.2367787744557363),
            ),
        ),
        source="Brown & Dennis 1971, New computational algorithms for minimizing a sum of squares",
    ),
    SumOfSquares(
        "osborne-1",
        17,
        fixed.osborne_1,
        start=(0.5, 1.5, -1.0, 0.01, 0.02),
        m=33,
        minima=(
            _at(
                0.0000546489469748291182,
                _point(
                    "0.37541005210695194 1.9358469127123559 -1.4646871366134115 0.012867534640057266 "
                    "0.02212269966167266"
                ),
            ),
        ),
        source="Osborne 1972, Some aspects of nonlinear least squares calculations",
    ),
    SumOfSquares(
        "biggs-exp6",
        18,
        fixed.biggs_exp6,
        start=(1.0, 2.0, 1.0, 1.0, 1.0, 1.0),
        m=13,
        minima=(
            _at(0.0, *_EXP6),
            # The start lies on this plane, and no gradient on it points off it.
            Minimum(
                0.00565564992549993095,
                (
                    _point(
                        "1.7114159947195875 17.683198180949066 1.1631436609188925 5.186561551993452 "
                        "1.7114159947195875 1.1631436609188925"
                    ),
                ),
                within="x₁ = x₅, x₃ = x₆",
            ),
            _at(0.306366772624789781),
        ),
        source="Biggs 1971, Minimization algorithms making use of non-quadratic properties, J. IMA 8",
    ),
    SumOfSquares(
        "osborne-2",
        19,
        fixed.osborne_2,
        start=(1.3, 0.65, 0.65, 0.7, 0.6, 3.0, 5.0, 7.0, 2.0, 4.5, 5.5),
        m=65,
        minima=(
            _at(
                0.040137736293547744,
                _point(
                    "1.3099771546273007 0.431553794602989 0.633661698960724 0.5994305347859163 "
                    "0.7541832263280115 0.9042885798596334 1.3658118352370285 4.8236988172271555 "
                    "2.3986848661317546 4.568874597667672 5.6753414705806415"
                ),
            ),
            _at(1.78981358688109323),
        ),
        source="Osborne 1972, Some aspects of nonlinear least squares calculations",
    ),
    SumOfSquares(
        "watson",
        20,
        sized.watson,
        start=(0.0,) * 6,
        m=31,
        minima=(
            _at(
                0.00228767005355243624,
                _point(
                    "-0.015725086401458456 1.0124348693691099 -0.2329916259567377 1.2604300877996084 "
                    "-1.5137289227222797 0.9929964324311346"
                ),
            ),
        ),
        source="Kowalik & Osborne 1968, Methods for Unconstrained Optimization Problems, Elsevier",
    ),
    SumOfSquares(
        "extended-rosenbrock",
        21,
        sized.rosenbrock,
        start=(-1.2, 1.0) * 5,
        m=10,
        minima=(_at(0.0, (1.0,) * 10),),
        source="Spedicato 1975, Computational experience with quasi-Newton algorithms",
    ),
    SumOfSquares(
        "extended-powell",
        22,
        sized.powell_singular,
        start=(3.0, -1.0, 0.0, 1.0) * 3,
        m=12,
        minima=(_at(0.0, (0.0,) * 12),),
        source="Spedicato 1975, Computational experience with quasi-Newton algorithms",
    ),
    SumOfSquares(
        "penalty-1",
        23,
        sized.penalty_1,
        start=tuple(float(i) for i in range(1, 11)),
        m=11,
        minima=(_at(0.0000708765146709036944, (0.15812230111311634,) * 10),),
        source="Gill, Murray & Pitfield 1972, The implementation of two revised quasi-Newton algorithms",
    ),
    SumOfSquares(
        "penalty-2",
        24,
        sized.penalty_2,
        start=(0.5,) * 10,
        m=20,
        minima=(
            _at(
                0.000293660537456745938,
                _point(
                    "0.1999836051978236 0.010350648471292297 0.019604934480438402 0.03208906722068565 "
                    "0.049932677399641294 0.07651399515399361 0.11862407286950417 0.19214487233557667 "
                    "0.34732058694184365 0.3691643741593508"
                ),
            ),
        ),
        source="Gill, Murray & Pitfield 1972, The implementation of two revised quasi-Newton algorithms",
    ),
    SumOfSquares(
        "variably-dimensioned",
        25,
        sized.variably_dimensioned,
        start=tuple(1 - i / 10 for i in range(1, 11)),
        m=12,
        minima=(_at(0.0, (1.0,) * 10),),
    ),
    SumOfSquares(
        "trigonometric",
        26,
        sized.trigonometric,
        start=(0.1,) * 10,
        m=10,
        minima=(
            _at(
                0.0,
                (0.0,) * 10,
                _point(
                    "0.04791194730372715 0.049184518166637436 0.05060870289457072 0.05222304938978842 "
                    "0.054083092294858734 0.05627330346630052 0.058932138535340545 0.18639700138447557 "
                    "0.15434196040113907 0.12462537696307192"
                ),
            ),
            _at(
                0.0000279505612187945628,
                _point(
                    "0.05515090398069129 0.05684061679473856 0.058764001762695084 0.06099060865676081 "
                    "0.06362621369585451 0.06684317945275879 0.20816151856988116 0.16436309588564774 "
                    "0.08500689568850744 0.09143145071470794"
                ),
            ),
            _at(
                0.0000421863388792372585,
                _point(
                    "0.05391292537425285 0.05549659137966954 0.057285880932085434 0.05933664544364744 "
                    "0.061730127154342666 0.2578860035963596 0.06811418211955436 0.07262293109413032 "
                    "0.07846159925209059 0.08375386408669601"
                ),
            ),
            _at(
                0.00087882252182189827,
                _point(
                    "0.06249184518052858 0.06447288280921698 0.0667059413200335 0.06924455569856448 "
                    "0.2753975641952831 0.07544566779667514 0.07903015975653442 0.08227326322319861 "
                    "0.08363927889399111 0.08208884827007894"
                ),
            ),
        ),
        source="Spedicato 1975, Computational experience with quasi-Newton algorithms",
    ),
    SumOfSquares(
        "brown-almost-linear",
        27,
        sized.brown_almost_linear,
        start=(0.5,) * 10,
        m=10,
        # The paper counts (0, ..., 0, n + 1) among the minima, with the value 1. The gradient is zero there,
        # but the sum of squares falls towards (c, ..., c, n + 1 − nc) for small c > 0.
        minima=(_at(0.0, (1.0,) * 10, (*(0.9794303033498625,) * 9, 1.2056969665013755)),),
        source="Brown 1969, A quadratically convergent Newton-like method, SIAM J. Numer. Anal. 6",
    ),
    SumOfSquares(
        "discrete-boundary-value",
        28,
        sized.discrete_boundary_value,
        start=_BOUNDARY_START,
        m=10,
        minima=(_at(0.0, _BOUNDARY),),
        source="Moré & Cosnard 1979, Numerical solution of nonlinear equations, ACM TOMS 5",
    ),
    SumOfSquares(
        "discrete-integral-equation",
        29,
        sized.discrete_integral_equation,
        start=_BOUNDARY_START,
        m=10,
        minima=(_at(0.0, _BOUNDARY),),
        source="Moré & Cosnard 1979, Numerical solution of nonlinear equations, ACM TOMS 5",
    ),
    SumOfSquares(
        "broyden-tridiagonal",
        30,
        sized.broyden_tridiagonal,
        start=(-1.0,) * 10,
        m=10,
        minima=(
            _at(
                0.0,
                _point(
                    "-0.5707221320112248 -0.681806949984275 -0.7022100760176601 -0.7055106298950804 "
                    "-0.7049061557287437 -0.7014966070298512 -0.6918893223547983 -0.6657965144058537 "
                    "-0.5960351090263657 -0.4164122575286934"
                ),
            ),
        ),
        source="Broyden 1965, A class of methods for solving simultaneous equations, Math. Comp. 19",
    ),
    SumOfSquares(
        "broyden-banded",
        31,
        sized.broyden_banded,
        start=(-1.0,) * 10,
        m=10,
        minima=(
            _at(
                0.0,
                _point(
                    "-0.4283028635872503 -0.47659642435629024 -0.5196524636468617 -0.5580993248321809 "
                    "-0.5925061568294574 -0.624503682199468 -0.6232394714405911 -0.6213938417965735 "
                    "-0.6204535966590874 -0.5864692707204351"
                ),
            ),
        ),
        source="Broyden 1971, The convergence of an algorithm for sparse nonlinear systems, Math. Comp. 25",
    ),
    SumOfSquares(
        "linear-full-rank",
        32,
        sized.linear_full_rank(10),
        start=(1.0,) * 5,
        m=10,
        minima=(_at(5.0, (-1.0,) * 5),),  # m − n
    ),
    SumOfSquares(
        "linear-rank-1",
        33,
        sized.linear_rank_1(10),
        start=(1.0,) * 5,
        m=10,
        # m (m − 1)/(2 (2m + 1)), wherever Σ j xⱼ = 3/(2m + 1); the shortest such point.
        minima=(_at(15 / 7, tuple(j / 385 for j in range(1, 6))),),
    ),
    SumOfSquares(
        "linear-rank-1-with-zeros",
        34,
        sized.linear_rank_1_with_zeros(10),
        start=(1.0,) * 5,
        m=10,
        # (m² + 3m − 6)/(2 (2m − 3)), wherever Σ j xⱼ = 3/(2m − 3) over 1 < j < n; the shortest such point.
        minima=(_at(62 / 17, (0.0, 6 / 493, 9 / 493, 12 / 493, 0.0)),),
    ),
    SumOfSquares(
        "chebyquad",
        35,
        sized.chebyquad,
        start=tuple(i / 9 for i in range(1, 9)),
        m=8,
        minima=(
            _at(
                0.00351687372567793167,
                _point(
                    "0.04315276015101663 0.1930908403841861 0.26632870689027294 0.5 0.5 "
                    "0.7336712931097271 0.8069091596158139 0.9568472398489833"
                ),
            ),
        ),
        source="Fletcher 1965, Function minimization without evaluating derivatives, Computer J. 8",
    ),
]

TESTING_PROBLEMS: dict[str, SumOfSquares] = {row.name: row for row in _ROWS}
"""Every test problem by its name, in the paper's order."""
