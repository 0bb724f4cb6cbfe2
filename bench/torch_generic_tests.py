"""PyTorch's own generic optimizer tests, run on every method of descend.

``test/test_optim.py`` of pytorch/pytorch is driven by a table of optimizers that ships with torch; here our
methods stand in it (``tests/methods/optimizer_infos.py``). Take the file from the repository, at the tag of
the installed torch::

    python bench/torch_generic_tests.py PATH_TO/test_optim.py [METHOD ...]

Prints, for each method, how many tests passed, failed and do not apply, and why.
"""

import argparse
import importlib.util
import sys
import types
import unittest
import warnings
from collections import defaultdict
from contextlib import nullcontext
from pathlib import Path
from unittest.mock import patch

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "methods"))


class Found(unittest.TestResult):
    """Collects what became of each test, by its method."""

    def __init__(self, names: list[str]):
        super().__init__()
        self.names = sorted(names, key=len, reverse=True)
        self.passed: dict[str, list[str]] = defaultdict(list)
        self.failed: dict[str, list[tuple[str, str]]] = defaultdict(list)
        self.left_out: dict[str, list[tuple[str, str]]] = defaultdict(list)

    def whose(self, test: unittest.TestCase) -> str:
        """Return the method of a test."""
        name = test.id().rpartition(".")[2]
        return next((n for n in self.names if f"_{n}_cpu" in name), "?")

    def addSuccess(self, test: unittest.TestCase) -> None:  # noqa: D102
        self.passed[self.whose(test)].append(test.id().rpartition(".")[2])

    def addFailure(self, test, err) -> None:  # noqa: D102
        self.failed[self.whose(test)].append(
            (test.id().rpartition(".")[2], f"{getattr(err[0], '__name__', '')}: {err[1]}")
        )

    addError = addFailure

    def addSkip(self, test, reason) -> None:  # noqa: D102
        self.left_out[self.whose(test)].append((test.id().rpartition(".")[2], reason))


def load(path: Path) -> types.ModuleType:
    """Import the file; the schedulers' and averaging tests that it also gathers are left out."""
    for name, classes in {
        "optim": [],
        "optim.test_lrscheduler": ["TestLRScheduler"],
        "optim.test_optim": ["TestDifferentiableOptimizer"],
        "optim.test_swa_utils": ["TestSWAUtils"],
    }.items():
        module = sys.modules.setdefault(name, types.ModuleType(name))
        for cls in classes:
            setattr(module, cls, type(cls, (), {}))
    spec = importlib.util.spec_from_file_location("test_optim", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["test_optim"] = module
    spec.loader.exec_module(module)
    return module


_backward = torch.Tensor.backward


def with_graph(loss: torch.Tensor, *args, **kwargs) -> None:
    """Go backward as a method asks for it that differentiates the gradient."""
    _backward(loss, *args, **{**kwargs, "create_graph": True})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("path", type=Path)
    parser.add_argument("names", nargs="*", help="methods; all by default")
    given = parser.parse_args()
    from cases import CASES  # type: ignore[import-not-found]
    from optimizer_infos import infos  # type: ignore[import-not-found]
    from torch.testing._internal import common_optimizers

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    found = [x for x in infos() if not given.names or x.name.lower() in given.names]
    result, count = Found([x.name for x in found]), 0
    for graph in (False, True):
        common_optimizers.optim_db[:] = [x for x in found if CASES[x.name.lower()].graph == graph]
        module = load(given.path)
        tests = unittest.defaultTestLoader.loadTestsFromTestCase(module.TestOptimRenewedCPU)
        count += tests.countTestCases()
        with patch("torch.Tensor.backward", with_graph) if graph else nullcontext():
            tests.run(result)
    print(f"torch {torch.__version__}, {count} tests of {given.path.name}")
    for name in sorted(x.name for x in found):
        counts = [len(group[name]) for group in (result.passed, result.failed, result.left_out)]
        print(f"{name:20} passed {counts[0]:3}  failed {counts[1]:3}  not applicable {counts[2]:3}")
        for test, why in result.failed[name]:
            print(f"    FAILED {test}: {' '.join(why.split())[:300]}")
        for reason in dict.fromkeys(reason for _, reason in result.left_out[name]):
            which = [test.partition(f"_{name}_cpu")[0] for test, r in result.left_out[name] if r == reason]
            print(f"    {', '.join(dict.fromkeys(which))}: {reason}")
    total = [sum(map(len, group.values())) for group in (result.passed, result.failed, result.left_out)]
    print("in all: passed {}, failed {}, not applicable {}".format(*total))
    sys.exit(bool(total[1]))


if __name__ == "__main__":
    main()
