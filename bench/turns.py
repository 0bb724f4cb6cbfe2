"""How ``bench/step.py`` measures: contestants that take turns, each measurement in a process of its own."""

import gc
import multiprocessing
import os
import signal
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
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

COPY = 32 * 2**20
"""Numbers in the two passes that measure memory, a copy and one in place: far more than a cache holds."""
PASSES = ("copy", "in place")
BLOCK = 0.02
"""Seconds that a block lasts at least; one step may last longer."""
OURS = "descend"
LATE = 1003
"""A step in which nothing rare is due: its words are counted."""
CACHES = ("DESCEND_CACHE", "TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR")


# The contestants ---------------------------------------------------------------------------------
class Both:
    """Two optimizers as one: a peer's for the matrices, torch's for the rest."""

    def __init__(self, *optimizers: Any):
        self.optimizers = optimizers

    def step(self) -> None:
        """Take a step with each."""
        for optimizer in self.optimizers:
            optimizer.step()


def ours(method: str, named: Named, executor: str) -> Method:
    """Return a method of ours, matrices and the rest where they belong."""
    h: dict[str, Any] = {name: v for name, v in FIXED.items() if name in TABLE[method].defaults}
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


def make(method: str, who: str, named: Named) -> Any:
    """Return a contestant by its name: ours, with its executor, or a peer."""
    if who.startswith(OURS):
        return ours(method, named, who.removeprefix(OURS).strip())
    return theirs(peer_of(method, who), method, named)


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


# What is measured, each in a process of its own ---------------------------------------------------
def first_step(method: str, who: str, set_name: str, threads: int) -> dict[str, float]:
    """Return the seconds of the first step, and the bytes it keeps."""
    torch.set_num_threads(threads)
    if not who.startswith(OURS):
        import_module(peer_of(method, who).package)
    named = parameters(set_name)
    with_graph(method, named)
    start = time.perf_counter()
    optimizer = make(method, who, named)
    optimizer.step()
    return {"first": time.perf_counter() - start, "bytes": state_of(optimizer, named)}


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


def rounds(
    method: str, whos: list[str], set_name: str, threads: int, seconds: float
) -> tuple[dict[str, list[float]], dict[str, str]]:
    """Let contestants take turns.

    Returns:
        Each one's seconds a step, round by round, and those of the passes; and why some had to leave.
    """
    torch.set_num_threads(threads)
    todo: dict[str, Callable[[], Any]] = {}
    steps: dict[str, int] = {}
    left: dict[str, str] = {}
    shared = None
    for who in whos:
        named = parameters(set_name, shared)
        with_graph(method, named)
        try:
            optimizer = make(method, who, named)
            optimizer.step()
            if hasattr(TABLE[method], "needs_graph"):
                without_graph(named)
            steps[who] = _block(optimizer.step, _period(method))
        except Exception as error:
            left[who] = said(error)
            continue
        todo[who] = optimizer.step
        if sum(p.numel() for _, p in named) > 50e6:  # gradients of their own would take too much memory
            shared = [p.grad for _, p in named if p.grad is not None]
    source, target = torch.ones(COPY), torch.empty(COPY)
    todo |= {"copy": lambda: target.copy_(source), "in place": target.neg_}
    steps |= {name: _block(todo[name], 1) for name in PASSES}
    found: dict[str, list[float]] = {who: [] for who in todo}
    gc.disable()
    end = time.perf_counter() + seconds
    while len(found["copy"]) < 2 or (time.perf_counter() < end and len(found["copy"]) < 300):
        for who in list(found)[:: 1 if len(found["copy"]) % 2 else -1]:
            run, n = todo[who], steps[who]
            try:
                start = time.perf_counter()
                for _ in range(n):
                    run()
                found[who].append((time.perf_counter() - start) / n)
            except Exception as error:
                left[who] = said(error)
                del found[who]
    return found, left


def said(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:150]}"


def _block(run: Callable[[], Any], period: int) -> int:
    """Return how many steps make a block: as many as last long enough, and a whole number of periods."""
    run()
    start = time.perf_counter()
    run()
    least = max(1, int(BLOCK / (time.perf_counter() - start)))
    return -(-least // period) * period


def _period(method: str) -> int:
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
    """Return how many numbers a step reads and writes at the least, from its equations."""
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


def import_of_the_compiler() -> float:
    """Return the seconds of what the first step of one of torch's optimizers imports."""
    start = time.perf_counter()
    import_module("torch._dynamo")
    return time.perf_counter() - start


def compiling(method: str, named: Named) -> float:
    """Return the seconds for writing a method's equations down and making programs of them."""
    opt = ours(method, named, "")
    start = time.perf_counter()
    for group in opt.param_groups:
        rule, h = opt._rule(group), opt._hyperparameters(group)
        for form in {rule.form(p) if rule.form else None for p in group["params"]}:
            Program(trace(rule, h, LATE, form))
    return time.perf_counter() - start


def facts(method: str, set_name: str, threads: int) -> dict[str, float]:
    """Return what follows from the equations alone."""
    torch.set_num_threads(threads)
    named = parameters(set_name)
    compiling(method, named)  # what Python imports and caches the first time is not the point
    return {"words": words(method, named), "compile": compiling(method, named)}


# Processes ---------------------------------------------------------------------------------------
def alone(caches: Path, limit: float, function: Callable[..., Any], *args: Any) -> Any:
    """Call a function in a forked process; return its result, or ``{"error": ...}``."""
    receiver, sender = multiprocessing.Pipe(duplex=False)

    def child() -> None:
        os.setsid()  # with what it starts in turn, it can be ended as one
        nowhere = os.open(os.devnull, os.O_RDWR)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        os.environ.update({name: str(caches) for name in CACHES})
        warnings.simplefilter("ignore")
        try:
            sender.send(function(*args))
        except Exception as error:
            sender.send({"error": said(error)})

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    sender.close()
    try:
        found = receiver.recv() if receiver.poll(limit) else {"error": f"not done after {limit:g} s"}
    except EOFError:
        process.join()
        found = {"error": f"the process died ({process.exitcode})"}
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.join()
    receiver.close()
    return found
