"""A Hamiltonian network on noisy phase-space velocities of the Henon-Heiles system.

family: mlp
metric: mean rollout error, lower
"""

import numpy as np
import torch


def true_field(z):
    x, y, px, py = np.moveaxis(z, -1, 0)
    return np.stack([px, py, -x - 2 * x * y, -y - x**2 + y**2], axis=-1)


def rk4(field, z, dt):
    k1 = field(z)
    k2 = field(z + dt / 2 * k1)
    k3 = field(z + dt / 2 * k2)
    k4 = field(z + dt * k3)
    return z + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


def trajectories(n, steps, dt, rng):
    z = rng.uniform(-0.28, 0.28, (n, 4))
    path = [z]
    for _ in range(steps):
        path.append(rk4(true_field, path[-1], dt))
    return np.stack(path, axis=1)


class HNN(torch.nn.Module):
    def __init__(self, hidden_dim=100):
        super().__init__()
        self.linear1 = torch.nn.Linear(4, hidden_dim)
        self.linear2 = torch.nn.Linear(hidden_dim, hidden_dim)
        self.linear3 = torch.nn.Linear(hidden_dim, 1, bias=False)
        for layer in (self.linear1, self.linear2, self.linear3):
            torch.nn.init.orthogonal_(layer.weight)
        j = torch.zeros(4, 4)
        j[:2, 2:], j[2:, :2] = torch.eye(2), -torch.eye(2)
        self.register_buffer("J", j)

    def energy(self, z):
        h = torch.tanh(self.linear1(z))
        return self.linear3(torch.tanh(self.linear2(h)))

    def time_derivative(self, z):
        with torch.enable_grad():
            z = z.detach().requires_grad_(True)
            (grad,) = torch.autograd.grad(self.energy(z).sum(), z, create_graph=self.training)
        return grad @ self.J.T


def main(learn_rate=2e-3, total_steps=1400, batch_size=128, print_every=200):
    torch.manual_seed(1964)
    rng = np.random.default_rng(1964)
    paths = trajectories(150, 30, 0.25, rng)
    z = torch.tensor(paths.reshape(-1, 4), dtype=torch.float32)
    dz = torch.tensor(true_field(paths).reshape(-1, 4), dtype=torch.float32)
    dz = dz + 0.01 * torch.randn_like(dz)
    test = trajectories(40, 40, 0.1, rng)
    z_test = torch.tensor(test.reshape(-1, 4), dtype=torch.float32)
    dz_test = torch.tensor(true_field(test).reshape(-1, 4), dtype=torch.float32)

    model = HNN()
    optim = torch.optim.Adam(model.parameters(), learn_rate, weight_decay=1e-5)
    sched = torch.optim.lr_scheduler.MultiStepLR(optim, [900, 1200], gamma=0.3)
    for step in range(total_steps + 1):
        model.train()
        ixs = torch.randperm(len(z))[:batch_size]
        loss = (dz[ixs] - model.time_derivative(z[ixs])).pow(2).mean()
        loss.backward()
        optim.step()
        optim.zero_grad()
        sched.step()
        if step % print_every == 0:
            model.eval()
            test_loss = (dz_test - model.time_derivative(z_test)).pow(2).mean()
            print(f"step {step}, train_loss {loss.item():.4e}, test_loss {test_loss.item():.4e}")

    model.eval()
    state = torch.tensor(test[:, 0], dtype=torch.float32)
    errors = []
    for t in range(1, test.shape[1]):
        state = rk4(model.time_derivative, state, 0.1)
        errors.append((state.numpy() - test[:, t]) ** 2)
    print(f"metric: {np.sqrt(np.mean(errors)):.5f}")


if __name__ == "__main__":
    main()
