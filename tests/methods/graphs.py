"""A CUDA graph; and one on the CPU: what is captured does not run, and runs in every replay.

On the CPU kernels are recorded with the words that they were given, as CUDA takes them by value; torch's
operations with the very tensors that they were called on. An operation that gives new tensors is run once for
their shapes (their numbers are filled with rubbish, which a replay has to replace), one that writes into
others is not.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import torch
from interpreted import REAL, without_waiting
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from descend.methods import capturing
from descend.methods.executors.cuda import compiled, pokes, tables


class Recorder(TorchDispatchMode):
    """Records torch's operations."""

    def __init__(self, tape):
        super().__init__()
        self.tape = tape

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        written = [a for a in func._schema.arguments if a.alias_info is not None and a.alias_info.is_write]
        if written:
            self.tape.append(lambda: func(*args, **kwargs))
            names = [a.name for a in func._schema.arguments]
            given = {**dict(zip(names, args, strict=False)), **kwargs}
            found = tuple(given[a.name] for a in written)
            return (found if len(found) > 1 else found[0]) if func._schema.returns else None
        out = func(*args, **kwargs)
        views = any(r.alias_info is not None for r in func._schema.returns)
        if views:
            return out
        mine = [x for x in tree_leaves(out) if isinstance(x, torch.Tensor)]

        def replay():
            fresh = [x for x in tree_leaves(func(*args, **kwargs)) if isinstance(x, torch.Tensor)]
            for x, y in zip(mine, fresh, strict=True):
                x.copy_(y)

        for x in mine:
            x.fill_(7)
        self.tape.append(replay)
        return out


def never(*_):
    raise AssertionError("a copy from the host's memory while a graph is captured")


class Recorded:
    """What was recorded, on the CPU."""

    def __init__(self):
        self.tape = []
        self.launches = self.pokes = 0

    @contextmanager
    def captured(self):
        """Record, and run nothing."""

        def bind(kernel, words):
            def launch(programs, stream):
                given = [words[x] for x in kernel.parameters]
                self.launches += 1
                self.tape.append(lambda: kernel._function[(programs,)](*given))

            return launch

        launch_of = pokes.launcher

        def launcher(device):
            def launch(given, stream):
                given = given.copy()
                self.pokes += 1
                self.tape.append(lambda: launch_of(device)(given, stream))

            return launch

        with (
            mock.patch.object(pokes, "launcher", launcher),
            mock.patch.object(compiled.Interpreted, "bind", bind),
            mock.patch.object(tables, "upload", never),
            mock.patch.object(capturing, "capturing", lambda: True),
            without_waiting(),
            Recorder(self.tape),
        ):
            yield

    def replay(self):
        """Run everything."""
        with torch.no_grad():
            for one in self.tape:
                one()


class OnDevice:
    """Torch's graph, with what was launched counted."""

    def __init__(self):
        self.graph = torch.cuda.CUDAGraph()
        self.launches = self.pokes = 0

    @contextmanager
    def captured(self) -> Iterator[None]:
        """Record, and run nothing."""
        bind, launcher = compiled.Kernel.bind, pokes.launcher

        def counted_bind(kernel, words):
            self.launches += 1
            return bind(kernel, words)

        def counted_launcher(device):
            self.pokes += 1
            return launcher(device)

        with (
            mock.patch.object(pokes, "launcher", counted_launcher),
            mock.patch.object(compiled.Kernel, "bind", counted_bind),
            torch.cuda.graph(self.graph),
        ):
            yield

    def replay(self) -> None:
        """Run everything."""
        self.graph.replay()


Graph = OnDevice if REAL else Recorded
