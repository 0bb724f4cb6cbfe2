"""The reference networks: their counts, shapes, gradients and initial values."""

import copy
import math
from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from descend.errors import UsageError
from descend.functions.networks import MLP, ConvNet, Line, Logistic, Standardise, Transformer
from descend.functions.perceptron import ACTIVATIONS

MAKERS = {
    "line": lambda: Line(3, 2),
    "logistic": lambda: Logistic(4, 3),
    "mlp": lambda: MLP([5, 7, 6, 2]),
    "mlp with dropout": lambda: MLP([5, 7, 2], dropout=0.5, activation="tanh"),
    "convnet": lambda: ConvNet(2, 3, 8, width=4),
    "convnet, group": lambda: ConvNet(1, 3, (9, 12), width=4, dropout=0.1, norm="group"),
    "transformer": lambda: Transformer(11, width=16, layers=2, heads=2, context=12),
}


def count(function: nn.Module) -> int:
    return sum(p.numel() for p in function.parameters())


def test_the_public_names() -> None:
    from descend.functions import networks

    assert set(networks.__all__) == {"MLP", "ConvNet", "Line", "Logistic", "Standardise", "Transformer"}
    assert all(hasattr(networks, name) and getattr(networks, name).__doc__ for name in networks.__all__)


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_one_seed_one_start(make) -> None:
    torch.manual_seed(3)
    first = make().state_dict()
    torch.manual_seed(3)
    second = make().state_dict()
    torch.manual_seed(4)
    third = make().state_dict()
    assert all(torch.equal(first[k], second[k]) for k in first)
    random = [k for k in first if first[k].is_floating_point() and first[k].ndim > 1 and first[k].any()]
    assert all(not torch.equal(first[k], third[k]) for k in random)


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_a_copy_is_equal_and_apart(make) -> None:
    function = make()
    other = copy.deepcopy(function)
    assert [n for n, _ in function.named_parameters()] == [n for n, _ in other.named_parameters()]
    with torch.no_grad():
        next(other.parameters()).add_(1)
    assert not torch.equal(next(function.parameters()), next(other.parameters()))
    # safetensors, and executors that run over flat memory, want each parameter in one piece of its own.
    assert all(p.is_contiguous() for p in function.parameters())
    assert len({p.data_ptr() for p in function.parameters()}) == len(list(function.parameters()))


def gradients_are_right(function: nn.Module, *inputs: Tensor) -> bool:
    """Compare the gradient of a random projection of the output with finite differences, in float64."""
    function.double()
    torch.manual_seed(0)
    with torch.no_grad():  # away from the start, where zeroed and tiny weights hide whole paths
        for p in function.parameters():
            p.add_(0.3 * torch.randn_like(p))
    names = [n for n, _ in function.named_parameters()]
    buffers = {n: b.clone() for n, b in function.named_buffers()}

    def output(*values: Tensor) -> Tensor:
        state = dict(zip(names, values, strict=True)) | {n: b.clone() for n, b in buffers.items()}
        result = torch.func.functional_call(function, state, inputs)
        return (result * torch.linspace(-1, 2, result.numel(), dtype=result.dtype).view_as(result)).sum()

    values = [p.detach().clone().requires_grad_() for p in function.parameters()]
    return torch.autograd.gradcheck(output, values, fast_mode=True)


class TestLine:
    def test_it_is_a_matrix_and_a_shift_that_start_at_zero(self) -> None:
        line = Line(3)
        assert count(line) == 4
        assert not line(torch.randn(5, 3)).any()
        assert line(torch.randn(5, 3)).shape == (5, 1)
        with torch.no_grad():
            line.weight.copy_(torch.tensor([[1.0, 2.0, 3.0]]))
            line.bias.fill_(4.0)
        assert line(torch.tensor([[1.0, 10.0, 100.0]])).item() == 325.0

    def test_logistic_has_a_logit_a_class(self) -> None:
        logistic = Logistic(64, 10)
        assert count(logistic) == 650
        assert F.cross_entropy(logistic(torch.randn(8, 64)), torch.arange(8)).item() == pytest.approx(
            math.log(10)
        )

    def test_gradients(self) -> None:
        assert gradients_are_right(Line(3, 2), torch.randn(4, 3, dtype=torch.float64))


class TestStandardise:
    def test_data_come_out_with_mean_0_and_deviation_1(self) -> None:
        x = torch.randn(1000, 3) * torch.tensor([1.0, 10.0, 0.1]) + torch.tensor([5.0, 0.0, -3.0])
        y = Standardise(x.mean(0), x.std(0))(x)
        torch.testing.assert_close(y.mean(0), torch.zeros(3), atol=1e-4, rtol=0)
        torch.testing.assert_close(y.std(0), torch.ones(3))

    def test_it_is_saved_and_not_descended_on(self) -> None:
        layer = Standardise([1, 2], [3, 4])
        assert not list(layer.parameters())
        assert {k: v.tolist() for k, v in layer.state_dict().items()} == {
            "mean": [1.0, 2.0],
            "std": [3.0, 4.0],
        }

    def test_it_keeps_its_own_numbers(self) -> None:
        mean = torch.zeros(2)
        layer = Standardise(mean, torch.ones(2))
        mean.fill_(9)
        assert layer.mean.tolist() == [0, 0]


class TestMLP:
    @pytest.mark.parametrize("sizes", [[3, 1], [64, 32, 10], [5, 7, 6, 2]])
    def test_count_and_shape(self, sizes: list[int]) -> None:
        mlp = MLP(sizes)
        assert count(mlp) == sum((a + 1) * b for a, b in pairwise(sizes))
        assert mlp(torch.randn(4, sizes[0])).shape == (4, sizes[-1])
        assert mlp(torch.randn(2, 3, sizes[0])).shape == (2, 3, sizes[-1])

    def test_layers_have_names(self) -> None:
        names = [n for n, _ in MLP((4, 3, 3, 2), dropout=0.1, activation="gelu").named_children()]
        assert names == ["linear1", "gelu1", "dropout1", "linear2", "gelu2", "dropout2", "output"]

    @pytest.mark.parametrize("activation", ACTIVATIONS)
    def test_gradients(self, activation: str) -> None:
        x = torch.randn(6, 3, dtype=torch.float64)
        assert gradients_are_right(MLP([3, 5, 4, 2], activation=activation), x)

    @pytest.mark.parametrize("activation", ACTIVATIONS)
    def test_the_gain_is_the_activations(self, activation: str) -> None:
        row = ACTIVATIONS[activation]
        z = torch.linspace(-12, 12, 200_001, dtype=torch.float64)
        density = torch.exp(-z * z / 2) / math.sqrt(2 * math.pi)
        second_moment = torch.trapezoid(row.layer()(z) ** 2 * density, z)
        assert row.gain == pytest.approx(float(second_moment) ** -0.5, rel=1e-4)

    @pytest.mark.parametrize("activation", ACTIVATIONS)
    def test_the_variance_is_kept_from_layer_to_layer(self, activation: str) -> None:
        torch.manual_seed(0)
        mlp = MLP([200] + [400] * 6 + [10], activation=activation)
        x = torch.randn(256, 200)
        with torch.no_grad():
            for name, layer in mlp.named_children():
                x = layer(x)
                if name.startswith("linear"):
                    assert 0.7 < x.var() < 1.4, name
        assert x.std() < 0.2  # outputs start near zero

    def test_dropout_belongs_to_training(self) -> None:
        mlp, x = MLP([8, 64, 4], dropout=0.5), torch.randn(16, 8)
        assert not torch.equal(mlp(x), mlp(x))
        mlp.eval()
        assert torch.equal(mlp(x), mlp(x))


def picture_parameters(channels: int, classes: int, widths: list[int], last: int) -> int:
    inputs = [channels, *widths]
    return sum(9 * a * b + 2 * b for a, b in pairwise(inputs)) + (last * widths[-1] + 1) * classes


class TestConvNet:
    @pytest.mark.parametrize(
        ("channels", "size", "widths", "last"),
        [
            (1, 4, [8, 16, 32], 4 * 4),
            (1, 8, [8, 16, 32], 4 * 4),
            (3, 16, [8, 16, 32], 4 * 4),
            (1, 28, [8, 16, 32], 3 * 3),
            (3, 32, [8, 16, 32], 4 * 4),
            (3, (28, 60), [8, 16, 32], 3 * 7),
            (3, 41, [8, 16, 32], 5 * 5),
            (3, 64, [8, 16, 32], 4 * 4),
            (3, 128, [8, 16, 32, 32], 4 * 4),
        ],
    )
    def test_count_and_shape(self, channels: int, size, widths: list[int], last: int) -> None:
        net = ConvNet(channels, 5, size, width=8)
        assert count(net) == picture_parameters(channels, 5, widths, last)
        height, width = size if isinstance(size, tuple) else (size, size)
        assert net(torch.randn(2, channels, height, width)).shape == (2, 5)

    @pytest.mark.parametrize("norm", ["batch", "group"])
    def test_gradients(self, norm: str) -> None:
        x = torch.randn(3, 2, 6, 6, dtype=torch.float64)
        assert gradients_are_right(ConvNet(2, 3, 6, width=2, norm=norm), x)

    def test_the_memory_layout_of_the_input_changes_nothing(self) -> None:
        net, x = ConvNet(3, 4, 12, width=4).double().eval(), torch.randn(5, 3, 12, 12, dtype=torch.float64)
        torch.testing.assert_close(net(x), net(x.contiguous(memory_format=torch.channels_last)))
        torch.testing.assert_close(net(x), nn.Sequential(*net)(x))

    def test_with_group_normalisation_an_example_is_on_its_own(self) -> None:
        net, x = (
            ConvNet(1, 4, 8, width=8, norm="group").double(),
            torch.randn(6, 1, 8, 8, dtype=torch.float64),
        )
        torch.testing.assert_close(net(x)[:2], net(x[:2]))
        assert not list(net.buffers())

    def test_it_starts_from_even_chances(self) -> None:
        torch.manual_seed(0)
        loss = F.cross_entropy(ConvNet(1, 10, 28)(torch.randn(64, 1, 28, 28)), torch.randint(10, (64,)))
        assert loss.item() == pytest.approx(math.log(10), abs=0.05)


class TestTransformer:
    @pytest.mark.parametrize(("width", "layers", "heads"), [(16, 1, 1), (24, 3, 2), (128, 4, 4)])
    def test_count_and_shape(self, width: int, layers: int, heads: int) -> None:
        net = Transformer(65, width, layers, heads, context=20)
        assert count(net) == 65 * width + layers * (12 * width**2 + 2 * width) + width
        for length in (1, 7, 20):
            assert net(torch.zeros(2, length, dtype=torch.long)).shape == (2, length, 65)

    def test_gradients(self) -> None:
        net = Transformer(5, width=8, layers=2, heads=2, context=6)
        assert gradients_are_right(net, torch.randint(5, (2, 6)))

    @torch.no_grad()
    def test_a_token_changes_nothing_before_it(self) -> None:
        torch.manual_seed(0)
        net = Transformer(11, width=16, layers=3, heads=2, context=12).double()
        for p in net.parameters():
            p.add_(0.3 * torch.randn_like(p))
        tokens = torch.randint(11, (3, 12))
        before = net(tokens)
        for t in range(12):
            changed = tokens.clone()
            changed[:, t] = (changed[:, t] + 1) % 11
            after = net(changed)
            torch.testing.assert_close(after[:, :t], before[:, :t], rtol=0, atol=1e-12)
            assert (after[:, t:] - before[:, t:]).abs().amax((0, 2)).min() > 1e-4  # and everything from it on

    @torch.no_grad()
    def test_it_tells_the_order_of_the_tokens_before(self) -> None:
        torch.manual_seed(0)
        net = Transformer(11, width=16, layers=1, heads=2, context=12).double()
        for p in net.parameters():
            p.add_(0.3 * torch.randn_like(p))
        one, other = net(torch.tensor([[1, 2, 3]])), net(torch.tensor([[2, 1, 3]]))
        assert (one[:, -1] - other[:, -1]).abs().max() > 1e-4

    def test_each_block_starts_as_the_identity(self) -> None:
        net, x = Transformer(7, 16, 2, 2, 8), torch.randn(2, 8, 16)
        for block in net.blocks:
            assert torch.equal(block(x, net.cos, net.sin), x)

    def test_what_follows_from_the_sizes_is_not_saved(self) -> None:
        net = Transformer(7, 16, 2, 2, 8)
        assert set(net.state_dict()) == {name for name, _ in net.named_parameters()}

    def test_it_starts_near_even_chances(self) -> None:
        torch.manual_seed(0)
        tokens = torch.randint(65, (4, 65))
        loss = F.cross_entropy(Transformer(65)(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten())
        assert loss.item() == pytest.approx(
            math.log(65), abs=0.3
        )  # each token is a little likelier to come again

    def test_dropout_belongs_to_training(self) -> None:
        net, tokens = Transformer(7, 16, 2, 2, 8, dropout=0.5), torch.randint(7, (2, 8))
        with torch.no_grad():
            for p in net.parameters():
                p.add_(0.1)
        assert not torch.equal(net(tokens), net(tokens))
        net.eval()
        assert torch.equal(net(tokens), net(tokens))

    def test_it_learns_to_look_back(self) -> None:
        """Every second half repeats the first one: only attention can know it."""
        torch.manual_seed(0)
        net = Transformer(6, width=32, layers=1, heads=2, context=8)
        optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
        for _ in range(80):
            half = torch.randint(6, (32, 4))
            tokens = torch.cat([half, half], 1)
            loss = F.cross_entropy(net(tokens)[:, 3:-1].flatten(0, 1), tokens[:, 4:].flatten())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        assert loss < 0.05  # chance: log 6 = 1.79


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: Line(0), "inputs as a whole number ≥ 1; came 0"),
        (lambda: Line(2, -1), "outputs"),
        (lambda: Logistic(3, 1), "classes as a whole number ≥ 2"),
        (lambda: Standardise([0.0], [0.0]), "positive standard deviations"),
        (lambda: Standardise([0.0], [-1.0]), "positive standard deviations"),
        (lambda: Standardise(float("nan"), 1.0), "finite means"),
        (lambda: MLP([3]), "at least two sizes"),
        (lambda: MLP("34"), "at least two sizes"),
        (lambda: MLP(5), "at least two sizes"),
        (lambda: MLP([3, 0, 1]), r"sizes\[1\] as a whole number"),
        (lambda: MLP([3, 2.5, 1]), "came 2.5"),
        (lambda: MLP([3, 1], dropout=1.0), r"dropout as a share in \[0, 1\)"),
        (lambda: MLP([3, 1], dropout="half"), "dropout"),
        (lambda: MLP([3, 1], activation="rely"), "did you mean relu"),
        (lambda: ConvNet(0, 10, 28), "channels"),
        (lambda: ConvNet(1, 10, 3), "size as a whole number ≥ 4; came 3"),
        (lambda: ConvNet(1, 10, (28, 2)), "came 2"),
        (lambda: ConvNet(1, 10, (28, 28, 3)), r"\(height, width\)"),
        (lambda: ConvNet(1, 10, 28, width=0), "width"),
        (lambda: ConvNet(1, 10, 28, norm="layer"), "normalisation"),
        (lambda: Transformer(0), "vocabulary"),
        (lambda: Transformer(65, width=130, heads=4), "130"),
        (lambda: Transformer(65, width=12, heads=4), "even"),
        (lambda: Transformer(65, layers=0), "layers"),
        (lambda: Transformer(65, context=0), "context"),
        (lambda: Transformer(65, dropout=-0.1), "dropout"),
        (lambda: Transformer(65, context=8)(torch.zeros(1, 9, dtype=torch.long)), "at most 8 tokens; came 9"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(call, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        call()
