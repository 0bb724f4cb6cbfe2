"""A denoising autoencoder fills in answers that people leave out of a questionnaire, trained in two runs.

cause: training-in-eval-mode
begins: 101
family: autoencoder
metric: mean squared error, lower
repair:
    - model.eval()
    - return model, optimizer, checkpoint["epoch"]
    + model.train()
    + return model, optimizer, checkpoint["epoch"]
"""

import io

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

QUESTIONS = 24


class Imputer(nn.Module):
    """Answers are hidden at random; the network gives all of them back."""

    def __init__(self, hide=0.4):
        super().__init__()
        self.hide = nn.Dropout(hide)
        self.encode = nn.Sequential(nn.Linear(QUESTIONS, 64), nn.GELU(), nn.Linear(64, 32), nn.GELU())
        self.decode = nn.Sequential(nn.Linear(32, 64), nn.GELU(), nn.Linear(64, QUESTIONS))

    def forward(self, answers):
        return self.decode(self.encode(self.hide(answers)))


def questionnaires(n, generator, opinions=4):
    loads = torch.randn(opinions, QUESTIONS, generator=torch.Generator().manual_seed(0)) / opinions**0.5
    people = torch.randn(n, opinions, generator=generator)
    answers = torch.tanh(people @ loads) + 0.2 * torch.randn(n, QUESTIONS, generator=generator)
    return answers / 0.6


def create():
    model = Imputer()
    return model, torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=1e-3)


def save(model, optimizer, epoch):
    file = io.BytesIO()
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch}, file)
    return file.getvalue()


def resume(data):
    checkpoint = torch.load(io.BytesIO(data))
    model, optimizer = create()
    model.load_state_dict(checkpoint["model"])
    optimizer.load_state_dict(checkpoint["optimizer"])
    model.eval()
    return model, optimizer, checkpoint["epoch"]


def train(model, optimizer, loader, epochs):
    for epoch in epochs:
        total = 0.0
        for (answers,) in loader:
            loss = (model(answers) - answers).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        print(f"epoch {epoch + 1}: {total / len(loader):.4f}")


@torch.no_grad()
def filled_error(model, answers, generator):
    model.eval()
    known = torch.rand(answers.shape, generator=generator) > 0.4
    error = (model(answers * known / 0.6) - answers).square()
    return error[~known].mean().item()


if __name__ == "__main__":
    torch.manual_seed(17)
    generator = torch.Generator().manual_seed(17)
    loader = DataLoader(TensorDataset(questionnaires(3000, generator)), batch_size=60, shuffle=True)
    held = questionnaires(1000, generator)
    model, optimizer = create()
    train(model, optimizer, loader, range(2))
    stored = save(model, optimizer, 2)

    model, optimizer, epoch = resume(stored)
    train(model, optimizer, loader, range(epoch, 16))
    print(f"metric: {filled_error(model, held, generator):.4f}")
