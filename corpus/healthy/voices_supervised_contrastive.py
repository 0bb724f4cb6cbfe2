"""Who speaks? Embeddings of voices by a supervised contrastive loss, checked on unheard speakers.

family: siamese
metric: nearest neighbour accuracy, higher
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

BANDS, FRAMES = 20, 16


def recordings(speakers, each, rng):
    timbre = rng.normal(0, 1, (speakers, BANDS))
    rhythm = rng.uniform(0.3, 1.5, speakers)
    x, who = [], np.repeat(np.arange(speakers), each)
    t = np.arange(FRAMES)
    for s in who:
        words = rng.normal(0, 1, (BANDS, FRAMES))
        words = (words + np.roll(words, 1, 1) + np.roll(words, 1, 0)) / 1.7
        loud = 1 + 0.6 * np.sin(rhythm[s] * t + rng.uniform(0, 6.3))
        x.append((timbre[s][:, None] * 0.6 * loud + 1.0 * words) * rng.uniform(0.7, 1.4))
    return torch.tensor(np.stack(x), dtype=torch.float32), torch.from_numpy(who)


class VoiceNet(nn.Module):
    def __init__(self, dim=24):
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv1d(BANDS, 48, 3, padding=1),
            nn.GroupNorm(6, 48),
            nn.ReLU(),
            nn.Conv1d(48, 64, 3, padding=1),
            nn.ReLU(),
        )
        self.fc = nn.Sequential(nn.Dropout(0.1), nn.Linear(128, dim))

    def forward(self, x):
        h = self.conv(x)
        return F.normalize(self.fc(torch.cat([h.mean(2), h.std(2)], 1)), dim=1)


def supervised_contrastive(z, who, temperature=0.1):
    self_mask = torch.eye(len(z), dtype=torch.bool)
    logits = (z @ z.T / temperature).masked_fill(self_mask, -1e9)
    same = (who[:, None] == who) & ~self_mask
    log_prob = logits - logits.logsumexp(1, keepdim=True)
    return -(log_prob * same).sum(1).div(same.sum(1)).mean()


def batches(who, speakers=24, each=4):
    """Some speakers, a few recordings of each."""
    for _ in range(len(who) // (speakers * each)):
        chosen = torch.randperm(int(who.max()) + 1)[:speakers]
        yield torch.cat(
            [rows[torch.randperm(len(rows))[:each]] for rows in (torch.where(who == s)[0] for s in chosen)]
        )


@torch.no_grad()
def neighbour_accuracy(net, x, who):
    net.eval()
    z = net(x)
    closest = (z @ z.T).fill_diagonal_(-2).argmax(1)
    return (who[closest] == who).float().mean().item()


def main():
    torch.manual_seed(32)
    rng = np.random.default_rng(32)
    x, who = recordings(120, 30, rng)
    new_x, new_who = recordings(40, 15, rng)
    net = VoiceNet()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3, weight_decay=1e-5)
    for epoch in range(14):
        net.train()
        losses = []
        for rows in batches(who):
            loss = supervised_contrastive(net(x[rows]), who[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        accuracy = neighbour_accuracy(net, new_x, new_who)
        print(f"epoch {epoch}: loss {np.mean(losses):.4f}, unheard speakers {accuracy:.4f}")
    print(f"metric: {accuracy:.4f}")


if __name__ == "__main__":
    main()
