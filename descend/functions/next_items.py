"""What somebody will choose next, told from what was chosen before.

    score_i = log popularity_i + b_i + q_i · u,      u = Σ_s P_s Σ_j w_s(j) a_j / (Σ_j w_s(j))^p  +  c(t)

a_j is what having chosen j says, q_i what i asks for, each an item's own part and one that its features give.
Every scale s forgets at its own pace, w_s(j) = exp(−age_j / τ_s), where the age is how many choices were made
since; each has a matrix of its own, so that the last few may mean something else than the many before. c(t)
goes with the calendar: what there was to choose, and in fashion. A user has no parameters: one never seen is
told of as any other, and each choice's share of a score can be read off.

(An asymmetric factor model, Paterek 2007, with the softmax loss of Liang et al. 2018, arXiv:1802.05814.)
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from descend.functions.memory import Memory

PACES = (2.0, 8.0, 40.0, 1000.0)
"""τ at the start, in choices."""
LOOKED_AT = 200
"""How many of the latest choices are looked at."""
DROPPED = 0.3
"""The share of them that is left out at random while learning."""
SEASONS = 12
"""Into how many overlapping parts the calendar is divided."""
NEVER = -1e4
"""The score of what was chosen already."""


class NextItems(nn.Module):
    """Scores every item by how likely it is chosen next.

    Args:
        items: how many there are.
        marks: features of an item.
        choices: how many are remembered, see :class:`descend.functions.memory.Memory`.
        users: whose.
        width: the length of a, q and u.
        timed: whether the calendar is known.
    """

    features: Tensor
    popularity: Tensor
    calendar: Tensor

    def __init__(self, items: int, marks: int, choices: int, users: int, width: int = 64, timed: bool = True):
        super().__init__()
        self.memory = Memory(choices, users)
        scales = len(PACES)
        self.bias = nn.Parameter(torch.zeros(items))
        self.asks = nn.Parameter(0.02 * torch.randn(items, width))
        self.says = nn.Parameter(0.02 * torch.randn(items, width))
        self.feature_asks = nn.Parameter(0.02 * torch.randn(marks, width))
        self.feature_says = nn.Parameter(0.02 * torch.randn(marks, width))
        self.scales = nn.Parameter(torch.zeros(scales, width, width))
        self.log_paces = nn.Parameter(torch.zeros(scales))
        self.power = nn.Parameter(torch.zeros(()))
        self.seasons = nn.Parameter(torch.zeros(SEASONS if timed else 0, width))
        self.register_buffer("features", torch.zeros(items, marks))
        self.register_buffer("popularity", torch.zeros(items))
        self.register_buffer("calendar", torch.tensor([0.0, 1.0], dtype=torch.float64))

    def _all_items(self) -> tuple[Tensor, Tensor]:
        return self.says + self.features @ self.feature_says, self.asks + self.features @ self.feature_asks

    def weighed(self, items: Tensor, says: Tensor) -> tuple[Tensor, Tensor]:
        """Return what choices say (n, length, width), and how much each counts, (n, scales, length).

        Args:
            items: what was chosen, (n, length), the latest last, −1 where there is none.
            says: what each item says, (items, width).
        """
        kept = items >= 0
        if self.training:
            kept = kept & (torch.rand(items.shape, device=items.device) >= DROPPED)
        k = kept.float()
        age = k.flip(1).cumsum(1).flip(1) - k
        paces = k.new_tensor(PACES) * self.log_paces.exp()
        w = torch.exp(-age[:, None, :] / paces[:, None]) * k[:, None, :]
        power = (0.5 + self.power).clamp(0, 1)
        return F.embedding(items.clamp(min=0), says), w / (w.sum(2, keepdim=True) + 1e-6) ** power

    def directions(self) -> Tensor:
        """Return P, (scales, width, width)."""
        return 2 * torch.eye(self.scales.shape[1], device=self.scales.device) + self.scales

    def season(self, times: Tensor) -> Tensor:
        """Return c(t), (n, width)."""
        if not len(self.seasons):
            return self.seasons.sum(0)
        middles = torch.linspace(0, 1, SEASONS, device=times.device)
        at = ((times - self.calendar[0]) / self.calendar[1]).float()[:, None]
        return torch.softmax(-0.5 * ((at - middles) * (SEASONS - 1)) ** 2, -1) @ self.seasons

    def forward(self, items: Tensor, times: Tensor) -> Tensor:
        """Score the items.

        Args:
            items: all that was chosen, (n, length), the latest last, −1 before the first.
            times: when something is to be chosen next, (n,), float64.

        Returns:
            Logits (n, items); what was chosen already has :data:`NEVER`.
        """
        says, asks = self._all_items()
        a, w = self.weighed(items[:, -LOOKED_AT:], says)
        u = torch.einsum("nsw,swv->nv", w @ a, self.directions()) + self.season(times)
        logits = self.popularity + self.bias + u @ asks.T
        rows, places = (items >= 0).nonzero(as_tuple=True)
        return logits.index_put((rows, items[rows, places]), logits.new_tensor(NEVER))

    @torch.no_grad()
    def explain(self, items: Tensor, time: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
        """Say what each choice contributes to the scores of some items.

        Args:
            items: all that was chosen, (n,), the latest last.
            time: when something is to be chosen next, ().
            wanted: items, (m,).

        Returns:
            The scores without any choice (m,), and the contributions (m, n): they sum to the scores.
        """
        says, asks = self._all_items()
        q = asks[wanted]
        base = self.popularity[wanted] + self.bias[wanted] + self.season(time[None]).expand(1, -1)[0] @ q.T
        shares = torch.zeros(len(wanted), len(items))
        if len(items):
            a, w = self.weighed(items[None, -LOOKED_AT:], says)
            shares[:, -LOOKED_AT:] = q @ torch.einsum("sl,lw,swv->lv", w[0], a[0], self.directions()).T
        return base, shares
