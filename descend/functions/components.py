"""Connected pieces of a mask."""

import numpy as np


def components(mask: np.ndarray) -> int:
    """Return how many connected pieces a mask has; pixels that touch at a corner are connected.

    Runs of a row are joined with those of the row above that they touch (Rosenfeld & Pfaltz 1966, Sequential
    operations in digital picture processing, JACM 13), by a forest in which each piece has one root.

    Args:
        mask: bool (height, width).

    Example:
        >>> components(np.array([[1, 0, 1], [0, 1, 0], [0, 0, 0], [1, 1, 1]], bool))
        2
    """
    parents: list[int] = []

    def root(k: int) -> int:
        while parents[k] != k:
            parents[k] = parents[parents[k]]
            k = parents[k]
        return k

    change = np.diff(np.pad(mask, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    above: list[tuple[int, int, int]] = []
    for row in change:
        runs = []
        k = 0
        for start, end in zip(
            (row == 1).nonzero()[0].tolist(), (row == -1).nonzero()[0].tolist(), strict=True
        ):
            own = len(parents)
            parents.append(own)
            while k < len(above) and above[k][1] < start:  # ends before a corner of this one
                k += 1
            at = k
            while at < len(above) and above[at][0] <= end:
                parents[root(above[at][2])] = root(own)
                at += 1
            runs.append((start, end, own))
        above = runs
    return sum(parent == k for k, parent in enumerate(parents))
