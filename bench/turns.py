"""How ``bench/step.py`` measures: contestants that take turns, each measurement in a process of its own."""

import ctypes
import gc
import multiprocessing
import os
import signal
import time
import warnings
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from peers import FIXED, PEERS, Peer
from tensors import Named, parameters

import descend
from descend.methods import TABLE
from descend.methods.executors.program import Program
from descend.methods.method import Method
from descend.methods.trace import Value, trace

COPY = {"cpu": 32 * 2**20, "cuda": 256 * 2**20}
"""Numbers in the two passes that measure memory, a copy and one in place: far more than a cache holds."""
PASSES = ("copy", "in place")
BLOCK = 0.02
"""Seconds that a block lasts at least; one step may last longer."""
OURS = "descend"
LATE = 1003
"""A step in which nothing rare is due: its words are counted."""
CACHES = ("DESCEND_CACHE", "TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR")


@dataclass(frozen=True)
class Setting:
    """What a run is about, the same for all contestants.

    Attributes:
        set_name: of the tensors.
        threads: of the processor.
        device: ``cpu`` or ``cuda``.
        clip: whether the gradient is shortened to a norm in each step; to one that shortens it.
        given: further hyperparameters of ours: number formats.
        captured: whether steps of ours, and of peers that can, are replays of a CUDA graph.
    """

    set_name: str
    threads: int = 1
    device: str = "cpu"
    clip: bool = False
    given: dict[str, Any] = field(default_factory=dict)
    captured: bool = False

    def parameters(self, ours: bool = True) -> Named:
        """Return the parameters; ours may be in another format than the peers'."""
        narrow = ours and "parameter_format" in self.given
        return parameters(self.set_name, self.device, torch.bfloat16 if narrow else torch.float32)

    def wait(self) -> None:
        """Wait until the device has done what it was told."""
        if self.device == "cuda":
            torch.cuda.synchronize()


NORM = 1e-3
"""The norm that gradients are clipped to: they are always longer."""


# The contestants ---------------------------------------------------------------------------------
class Clipped:
    """A peer, after torch has shortened the gradient."""

    def __init__(self, optimizer: Any, named: Named):
        self.optimizers, self.parameters = (optimizer,), [p for _, p in named]

    def step(self) -> None:
        """Shorten, and take a step."""
        torch.nn.utils.clip_grad_norm_(self.parameters, NORM, foreach=True)
        self.optimizers[0].step()


class Both:
    """Two optimizers as one: a peer's for the matrices, torch's for the rest."""

    def __init__(self, *optimizers: Any):
        self.optimizers = optimizers

    def step(self) -> None:
        """Take a step with each."""
        for optimizer in self.optimizers:
            optimizer.step()


def ours(method: str, named: Named, executor: str, setting: Setting | None = None) -> Method:
    """Return a method of ours, matrices and the rest where they belong."""
    h: dict[str, Any] = {name: v for name, v in FIXED.items() if name in TABLE[method].defaults}
    if setting is not None:
        h |= setting.given | ({"clip_norm": NORM} if setting.clip else {})
        h |= {"capturable": True} if setting.captured else {}
    if executor:
        h["executor"] = executor
    return descend.methods.optimizer(method, named, show=False, **h)


def theirs(peer: Peer, method: str, named: Named) -> Any:
    """Return a peer for the parameters that ours takes, beside torch's AdamW for the rest."""
    rest = {p for g in ours(method, named, "").param_groups if "method" in g for p in g["params"]}
    made = peer.make([(n, p) for n, p in named if p not in rest], TABLE[method].defaults)
    return Both(made, torch.optim.AdamW(list(rest), fused=True)) if rest else made


def peer_of(method: str, who: str) -> Peer:
    return next(p for p in PEERS[method] if p.name == who)


def make(method: str, who: str, named: Named, setting: Setting) -> Any:
    """Return a contestant by its name: ours, with its executor, or a peer."""
    if who.startswith(OURS):
        return ours(method, named, who.removeprefix(OURS).strip(), setting)
    peer = theirs(peer_of(method, who), method, named)
    if setting.captured:
        for group in (g for o in getattr(peer, "optimizers", (peer,)) for g in o.param_groups):
            group["capturable"] = "capturable" in group  # looked at in the first step
    return Clipped(peer, named) if setting.clip else peer


def with_graph(method: str, named: Named) -> None:
    """Give gradients that carry their graph to a method that differentiates them."""
    if hasattr(TABLE[method], "needs_graph"):
        tensors = [p for _, p in named]
        loss = torch.stack([(p * p).sum() for p in tensors]).sum()
        for p, g in zip(tensors, torch.autograd.grad(loss, tensors, create_graph=True), strict=True):
            p.grad = g


def without_graph(named: Named) -> None:
    for _, p in named:
        p.grad = p.grad.detach() if p.grad is not None else None


def replays(optimizer: Any) -> Callable[[], None]:
    """Return a step of an optimizer as the replay of a CUDA graph, after some steps to warm up."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(11):  # RAdam's equations are others in the first ones
            optimizer.step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        optimizer.step()
    return graph.replay


# What runs in a process of its own ----------------------------------------------------------------
def contestant(method: str, who: str, setting: Setting) -> Generator[Any, int, None]:
    """Take the first step and tell its seconds and what it keeps; then n steps whenever asked for."""
    torch.set_num_threads(setting.threads)
    if not who.startswith(OURS):
        import_module(peer_of(method, who).package)
    named = setting.parameters(who.startswith(OURS))
    with_graph(method, named)
    gc.disable()
    setting.wait()
    start = time.perf_counter()
    optimizer = make(method, who, named, setting)
    optimizer.step()
    setting.wait()
    seconds = time.perf_counter() - start
    if hasattr(TABLE[method], "needs_graph"):
        without_graph(named)
    n = yield {"first": seconds, "bytes": state_of(optimizer, named)}
    groups = [g for o in getattr(optimizer, "optimizers", (optimizer,)) for g in o.param_groups]
    can = who.startswith(OURS) or all(g.get("capturable") for g in groups)
    step = replays(optimizer) if setting.captured and can else optimizer.step
    while True:
        start = time.perf_counter()
        for _ in range(n):
            step()
        setting.wait()
        n = yield (time.perf_counter() - start) / n


def memory(setting: Setting) -> Generator[Any, int, None]:
    """Copy, and pass over memory in place, whenever asked for; tell the seconds of each."""
    torch.set_num_threads(setting.threads)
    source = torch.ones(COPY[setting.device], device=setting.device)
    target = torch.empty_like(source)
    todo = {"copy": lambda: target.copy_(source), "in place": target.neg_}
    yield None
    while True:
        found = {}
        for name, run in todo.items():
            setting.wait()
            start = time.perf_counter()
            run()
            setting.wait()
            found[name] = time.perf_counter() - start
        yield found


def state_of(optimizer: Any, named: Named) -> float:
    """Return the bytes that an optimizer keeps, a parameter."""
    kept = sum(_bytes(o.state) for o in getattr(optimizer, "optimizers", (optimizer,)))
    return kept / sum(p.numel() for _, p in named)


def _bytes(value: Any) -> int:
    if isinstance(value, torch.Tensor):
        return value.numel() * value.element_size()
    if isinstance(value, dict):
        return sum(_bytes(v) for v in value.values())
    if isinstance(value, list | tuple):
        return sum(_bytes(v) for v in value)
    return _bytes(vars(value)) if hasattr(value, "__dict__") else 0  # GaLore's projector


def said(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:150]}"


def period_of(method: str) -> int:
    """Return every how many steps a method does its rare work, as far as a block can hold them."""
    rare = [1]
    for name, value in TABLE[method].defaults.items():
        if (
            isinstance(value, int)
            and value <= 20
            and any(x in name for x in ("frequency", "every", "interval"))
        ):
            rare.append(value)
    return max(rare)


def words(method: str, named: Named) -> int:
    """Return how many numbers a step reads and writes at the least, from its equations, in float32."""
    opt = ours(method, named, "")
    count = 0
    for group in opt.param_groups:
        rule, h = opt._rule(group), opt._hyperparameters(group)
        touched: dict[str | None, list[str]] = {}
        for p in group["params"]:
            form = rule.form(p) if rule.form else None
            if form not in touched:
                touched[form] = list(_touched(trace(rule, h, LATE, form)))
            like = torch.empty_like(p, device="meta")
            sizes = {"w": p.numel(), "g": p.numel()}
            sizes |= {n: k.fresh(like, h).numel() for n, k in rule.keeps(h, form).items() if k.kind != "all"}
            count += sum(sizes.get(name, 0) for name in touched[form])
    return count


def _touched(graph: Any) -> Iterator[str]:
    """Name what is read, and what is written."""
    outputs: dict[str, Value] = graph.outputs
    inputs = {v.name for node in graph.nodes() for v in node.args if v.op == "input"}
    yield from inputs | {v.name for n, v in outputs.items() if v.op == "input" and v.name != n}
    yield from (n for n, v in outputs.items() if not (v.op == "input" and v.name == n))


def import_of_the_compiler() -> Generator[float, int, None]:
    """Tell the seconds of what the first step of one of torch's optimizers imports."""
    start = time.perf_counter()
    import_module("torch._dynamo")
    yield time.perf_counter() - start


def compiling(method: str, named: Named) -> float:
    """Return the seconds for writing a method's equations down and making programs of them."""
    opt = ours(method, named, "")
    start = time.perf_counter()
    for group in opt.param_groups:
        rule, h = opt._rule(group), opt._hyperparameters(group)
        for form in {rule.form(p) if rule.form else None for p in group["params"]}:
            Program(trace(rule, h, LATE, form))
    return time.perf_counter() - start


def facts(method: str, setting: Setting) -> Generator[dict[str, float], int, None]:
    """Tell what follows from the equations alone."""
    torch.set_num_threads(setting.threads)
    named = parameters(setting.set_name)
    compiling(method, named)  # what Python imports and caches the first time is not the point
    again = sum(p.numel() for _, p in named) if setting.clip else 0  # a norm reads all gradients before
    yield {"words": words(method, named) + again, "compile": compiling(method, named)}


def name_of_the_device() -> Generator[str, int, None]:
    """Tell which GPU this is; asked in a process of its own, for one that knows it cannot fork any more."""
    yield f"{torch.cuda.get_device_name()}, CUDA {torch.version.cuda}"


# Processes ---------------------------------------------------------------------------------------
class Failed(Exception):
    """What was asked for could not be done; the message says why."""


class Worker:
    """A generator in a forked process: what it yields is sent here, what is sent there it is given.

    Args:
        caches: the folder for whatever is compiled.
        limit: seconds that an answer may take.
        function: the generator function.
        *args: its arguments.
    """

    def __init__(self, caches: Path, limit: float, function: Callable[..., Any], *args: Any):
        self.limit = limit
        self.here, there = multiprocessing.Pipe()
        run = partial(_work, there, caches, function, args)
        self.process = multiprocessing.get_context("fork").Process(target=run)
        self.process.start()
        there.close()

    def answer(self) -> Any:
        """Return the next answer.

        Raises:
            Failed: where there is none.
        """
        try:
            if not self.here.poll(self.limit):
                raise Failed(f"not done after {self.limit:g} s")
            found = self.here.recv()
        except EOFError:
            self.process.join()
            raise Failed(f"the process died ({self.process.exitcode})") from None
        if isinstance(found, Failed):
            raise found
        return found

    def ask(self, what: Any) -> Any:
        """Send something, and return the answer."""
        try:
            self.here.send(what)
        except OSError:
            raise Failed("the process died") from None
        return self.answer()

    def end(self) -> None:
        """End it, and all that it started."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)  # type: ignore[arg-type]
        self.process.kill()
        self.process.join()
        self.here.close()


def _work(pipe: Any, caches: Path, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
    os.setsid()  # with what it starts in turn, it can be ended as one
    with suppress(
        OSError, AttributeError
    ):  # on Linux: end when the one who asks has ended (PR_SET_PDEATHSIG)
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    os.environ.update({name: str(caches) for name in CACHES})
    warnings.simplefilter("ignore")
    try:
        generator = function(*args)
        pipe.send(next(generator))
        while True:
            pipe.send(generator.send(pipe.recv()))
    except (EOFError, StopIteration, BrokenPipeError):
        return
    except Exception as error:
        pipe.send(Failed(said(error)))


def alone(caches: Path, limit: float, function: Callable[..., Any], *args: Any) -> Any:
    """Return a generator's first answer, from a process of its own.

    Raises:
        Failed: where there is none.
    """
    worker = Worker(caches, limit, function, *args)
    try:
        return worker.answer()
    finally:
        worker.end()


def take_turns(
    workers: dict[str, Worker], passes: Worker, period: int, seconds: float, longest: float
) -> tuple[dict[str, list[float]], dict[str, list[float]], dict[str, str]]:
    """Let contestants take turns in blocks of steps, back and forth.

    Args:
        workers: :func:`contestant` of each.
        passes: :func:`memory`.
        period: steps in which rare work comes round once.
        seconds: for all rounds together; there are two at least, if they fit into ``longest``.
        longest: seconds that a round may take; blocks are shortened to it.

    Returns:
        Each one's seconds a step, round by round; those of the passes over memory; why some had to leave.
    """
    left: dict[str, str] = {}
    steps: dict[str, int] = {}
    expected = 0.0
    for who, worker in workers.items():
        try:
            once = worker.ask(1)
            once = worker.ask(1) if once < 1 else once
        except Failed as error:
            left[who] = str(error)
            continue
        steps[who] = -(-max(1, int(BLOCK / once)) // period) * period
        expected += steps[who] * once
    if expected > longest:
        steps = {who: max(1, int(n * longest / expected)) for who, n in steps.items()}
    found: dict[str, list[float]] = {who: [] for who in steps}
    speeds: dict[str, list[float]] = {name: [] for name in PASSES}
    start, rounds = time.perf_counter(), 0
    while rounds < 300 and found:
        elapsed = time.perf_counter() - start
        if elapsed > (seconds if rounds >= 2 else longest / 2 if rounds else longest):
            break
        for name, one in passes.ask(1).items():
            speeds[name].append(one)
        for who in list(found)[:: 1 if rounds % 2 else -1]:
            try:
                found[who].append(workers[who].ask(steps[who]))
            except Failed as error:
                left[who] = str(error)
                del found[who]
        rounds += 1
    return found, speeds, left
