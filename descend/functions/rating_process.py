"""Ratings told from a person's other ratings: a Gaussian process a user, whose kernel is learned.

What a user thinks of an item is a general opinion of it and the user's own deviation from that. Deviations of
two ratings of one user go together, the more so the more alike the items are and the closer in time both were
given:

    r_i = μ + b_i + context_i + δ_i + noise_i
    cov(δ_i, δ_j) = c + q_i·q_j + Σ_s a_s exp(−|t_i − t_j| / τ_s)

b_i and q_i are learned for each item, as the sum of its own part and of one that its features give; so are c,
a, τ, and the noise, which is larger for items that few have rated. A user has no parameters: the deviations
that were seen tell those that were not, by the equations of Gaussian processes, which are exact:

    δ̂ = K_*ᵀ (K + N)⁻¹ (r − μ − b − context)

That is how a user who was never seen is told of, and it says how much each rating contributed. While
learning, each rating is told from the user's others in closed form (Rasmussen & Williams 2006, eq. 5.10–12):
r_i − r̂_i = [A⁻¹e]_i / [A⁻¹]_ii with A = K + N.
"""

import math

import torch
from torch import Tensor, nn

from descend.functions.memory import Memory

# The standard deviations that parameters are expected to have; they are learned in these units, so that one
# weight decay means the same for all (a prior). Chosen on validation parts of MovieLens.
BIAS, FEATURE_BIAS, FACTOR, FEATURE_FACTOR, CONTEXT, LOGARITHM = 0.35, 0.1, 0.03, 0.1, 0.05, 0.05
WAVES = 48
"""Random features of what surrounds a rating: how many the user and the item have, when, the item's year."""


class RatingProcess(nn.Module):
    """Tells a user's ratings from the user's others.

    Args:
        items: how many there are.
        marks: features of an item.
        numbers: numbers of an item that may bend the general opinion, such as its year.
        ratings: how many are remembered, see :class:`descend.functions.memory.Memory`.
        users: whose.
        factors: the length of q.
        spans: how many time constants; 0 where times are not known.
    """

    features: Tensor
    numbers: Tensor
    counts: Tensor
    mean: Tensor
    variance: Tensor
    bounds: Tensor
    calendar: Tensor
    spans: Tensor
    waves: Tensor

    def __init__(
        self,
        items: int,
        marks: int,
        numbers: int,
        ratings: int,
        users: int,
        factors: int = 16,
        spans: int = 2,
    ):
        super().__init__()
        self.memory = Memory(ratings, users)
        self.bias = nn.Parameter(torch.zeros(items))
        self.feature_bias = nn.Parameter(torch.zeros(marks))
        self.factor = nn.Parameter(0.8 * torch.randn(items, factors))
        self.feature_factor = nn.Parameter(0.25 * torch.randn(marks, factors))
        self.context = nn.Parameter(torch.zeros(WAVES))
        self.log_shared = nn.Parameter(torch.zeros(()))
        self.log_noise = nn.Parameter(torch.zeros(3))
        self.log_time = nn.Parameter(torch.zeros(2, spans))
        for name, start in (
            ("features", torch.zeros(items, marks)),
            ("numbers", torch.zeros(items, numbers)),
            ("counts", torch.zeros(items)),
            ("mean", torch.zeros(())),
            ("variance", torch.ones(())),
            ("bounds", torch.tensor([-math.inf, math.inf])),
            ("calendar", torch.tensor([0.0, 1.0], dtype=torch.float64)),
            ("spans", torch.ones(spans)),
            ("waves", torch.randn(numbers + 4, WAVES)),
        ):
            self.register_buffer(name, start)

    # The terms ------------------------------------------------------------------------------------
    def opinion(self, items: Tensor, times: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
        """Return the general opinion μ + b + context, and q.

        Args:
            items: numbers of shape (..., n), −1 for one that is not known.
            times: (..., n), float64.
            known: how many ratings of the user are known, (...).
        """
        at, there = items.clamp(min=0), (items >= 0).float()
        marks = self.features[at] * there[..., None]
        bias = BIAS * self.bias[at] * there + FEATURE_BIAS * (marks @ self.feature_bias)
        q = FACTOR * self.factor[at] * there[..., None] + FEATURE_FACTOR * (marks @ self.feature_factor)
        when = ((times - self.calendar[0]) / self.calendar[1]).float()
        around = [
            torch.log1p(known)[..., None].expand_as(when) - 4,
            torch.log1p(self.counts[at] * there) - 2,
            when,
            torch.ones_like(when),
        ]
        inputs = torch.cat([torch.stack(around, -1), self.numbers[at] * there[..., None]], -1)
        context = CONTEXT * (torch.tanh(inputs @ self.waves * 0.5) @ self.context)
        return self.mean + self.variance.sqrt() * (bias + context), q

    def kernel(self, q: Tensor, times: Tensor, others: Tensor, others_times: Tensor) -> Tensor:
        """Return the covariances of deviations, (..., n, m)."""
        k = q @ others.mT + 0.15 * (LOGARITHM * self.log_shared).exp()
        if len(self.spans):
            apart = (times[..., :, None] - others_times[..., None, :]).abs().float()
            for s, span in enumerate(self.spans):
                size, length = (LOGARITHM * self.log_time[:, s]).exp()
                k = k + 0.06 * size * torch.exp(-apart / (span * length))
        return self.variance * k

    def noise(self, items: Tensor) -> Tensor:
        """Return the variances of noise, (..., n): the part of an item that few have rated is larger."""
        base, rare, soon = (LOGARITHM * self.log_noise).exp()
        counts = self.counts[items.clamp(min=0)] * (items >= 0)
        return self.variance * (0.5 * base + 0.4 * rare / (counts + 3 * soon))

    # The function ---------------------------------------------------------------------------------
    def forward(
        self, items: Tensor, times: Tensor, values: Tensor, given: Tensor, known: Tensor, asked: Tensor
    ) -> Tensor:
        """Tell ratings from others.

        Args:
            items: (users, n), −1 where there is none.
            times: (users, n), float64.
            values: the ratings, (users, n), where they are given.
            given: whether each is, bool.
            known: how many of the user's ratings are known altogether, (users,).
            asked: which are to be told, bool.

        Returns:
            Those ratings, (asked.sum(),). In training mode each is told from the others that are given, and
            must be given itself; in evaluation mode from all that are given, within the ratings' bounds.
        """
        with torch.autocast(items.device.type, enabled=False):
            general, q = self.opinion(items, times, known)
            g = given.float()
            e = (values - general) * g
            k = self.kernel(q, times, q, times) * g[:, None, :]
            a = k * g[:, :, None] + torch.diag_embed(torch.where(given, self.noise(items), torch.ones(())))
            if self.training:
                inverse = torch.linalg.inv(a)
                left = (inverse @ e[..., None])[..., 0] / inverse.diagonal(dim1=-2, dim2=-1)
                return (values - left)[asked]
            weights = torch.cholesky_solve(e[..., None], torch.linalg.cholesky(a))
            told = general + (k @ weights)[..., 0]
            return told[asked].clamp(*self.bounds.tolist())

    @torch.no_grad()
    def explain(
        self, items: Tensor, times: Tensor, values: Tensor, wanted: Tensor, when: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Tell one user's ratings, how sure they are, and what each known rating contributes.

        Args:
            items: of the known ratings, (n,).
            times: of them.
            values: of them.
            wanted: the items to tell of, (m,).
            when: the times at which, (m,).

        Returns:
            The general opinions (m,); the standard deviations of what is told (m,), the noise of one rating
            left out; and the contributions (m, n), which sum to what the user deviates by.
        """
        known = torch.tensor(float(len(items)))
        general, q = self.opinion(items, times, known)
        others, r = self.opinion(wanted, when, known)
        a = self.kernel(q, times, q, times) + torch.diag(self.noise(items))
        k = self.kernel(r, when, q, times)
        weights = torch.cholesky_solve(k.mT, torch.linalg.cholesky(a)).mT if len(items) else k
        rare = self.noise(wanted) - self.variance * 0.5 * (LOGARITHM * self.log_noise[0]).exp()
        spread = (self.kernel_diagonal(r) + rare - (weights * k).sum(1)).clamp(min=0).sqrt()
        return others, spread, weights * (values - general)

    def kernel_diagonal(self, q: Tensor) -> Tensor:
        """Return the variances of deviations, (n,)."""
        shared = 0.15 * (LOGARITHM * self.log_shared).exp()
        return self.variance * ((q * q).sum(-1) + shared + 0.06 * (LOGARITHM * self.log_time[0]).exp().sum())
