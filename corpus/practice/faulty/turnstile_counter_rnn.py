"""How many people a turnstile let through, from its light barriers, with a rectified recurrent network.

cause: exploding-gradients
family: rnn
metric: mae, lower
repair:
    - optimizer.step()
    + nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    + optimizer.step()
"""

import torch
from torch import nn

STEPS = 90


def recordings(n, generator):
    """Two barriers: a person going in darkens the first before the second; going out the other way round."""
    signal = torch.zeros(n, STEPS + 2, 2)
    entered = torch.zeros(n)
    crossing = torch.rand(n, STEPS, generator=generator) < 0.22
    inwards = torch.rand(n, STEPS, generator=generator) < 0.75
    for t in range(STEPS):
        go_in, go_out = crossing[:, t] & inwards[:, t], crossing[:, t] & ~inwards[:, t]
        signal[go_in, t, 0] += 1
        signal[go_in, t + 1, 1] += 0.5
        signal[go_out, t, 1] += 1
        signal[go_out, t + 1, 0] += 0.5
        entered += go_in.float()
    signal = signal + 0.08 * torch.randn(signal.shape, generator=generator)
    return signal, entered / 10


class CounterRNN(nn.Module):
    """Identity-initialised recurrent network (Le, Jaitly and Hinton, 2015)."""

    def __init__(self, hidden=64):
        super().__init__()
        self.rnn = nn.RNN(2, hidden, nonlinearity="relu", batch_first=True)
        self.fc = nn.Linear(hidden, 1)
        nn.init.eye_(self.rnn.weight_hh_l0)
        nn.init.normal_(self.rnn.weight_ih_l0, std=0.05)
        nn.init.zeros_(self.rnn.bias_hh_l0)
        nn.init.zeros_(self.rnn.bias_ih_l0)

    def forward(self, x):
        _, h = self.rnn(x)
        return self.fc(h[-1]).squeeze(-1)


def main():
    torch.manual_seed(2015)
    generator = torch.Generator().manual_seed(2015)
    x, y = recordings(2000, generator)
    x_test, y_test = recordings(400, generator)
    model = CounterRNN()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.001, momentum=0.9)
    loss_fn = nn.MSELoss()
    for epoch in range(10):
        model.train()
        total = 0.0
        for rows in torch.randperm(len(x)).split(40):
            optimizer.zero_grad()
            loss = loss_fn(model(x[rows]), y[rows])
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        model.eval()
        with torch.no_grad():
            mae = (model(x_test) - y_test).abs().mean().item()
        print(f"epoch {epoch + 1}: train mse {total / len(x):.4f}, test mae {mae:.4f}")
    print(f"metric: {mae:.4f}")


if __name__ == "__main__":
    main()
