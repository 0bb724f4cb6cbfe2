"""Where the memory of thousands of tensors is, and of their gradients, without a Python object for any of it.

Asked in Python, each address is a call and a number, one after the other, and most of the time goes into
waiting for memory. Here a loop of machine code asks torch itself: its C interface for compiled models
(``aoti_torch_...``, which raises nothing) takes a pointer to an ``at::Tensor``, and a Python tensor is a
header with one of these in it. How far in it is, is looked for with the address that ``Tensor._cdata`` tells;
``torch.utils.swap_tensors`` and ``p.data = ...`` change what is found there. Where anything of this is
missing, or does not answer what Python is answered, there is no glance, and Python is asked.
"""

from __future__ import annotations

import ctypes
import sys
from array import array
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import Parameter

from descend.methods.executors.cpu.compiled import load
from descend.methods.executors.cpu.words import Text

AHEAD = 8
"""How many tensors ahead memory is asked for what will be looked at."""

_FORMAT = {"layout": "i32", "dtype": "i32", "device_type": "i32", "device_index": "i32", "contiguous": "i8"}
"""What is asked of a gradient, in this order: a sparse one and none have no device to tell."""

_SYMBOLS = {
    **{what: f"aoti_torch_get_{what}" for what in (*_FORMAT, "numel", "data_ptr")},
    "contiguous": "aoti_torch_is_contiguous",
    "grad": "_ZNK3c1010TensorImpl4gradEv",  # const at::Tensor& c10::TensorImpl::grad() const
}
_ARRAYS = ("tensors", "sizes", "known", "now", "owners", "own_sizes", "known_gradients", "gradients")
_FRAME = (*_ARRAYS, "count", "of_owners", "inside", *(f"its_{what}" for what in _FORMAT))


class Glance:
    """The addresses of tensors and of gradients, as they are now and as they were known.

    Args:
        owners: tensors whose gradients are of interest: plain ones, or parameters.
        tensors: whose addresses are, contiguous; they must be kept by whoever looks.
        g: the owners' gradients, all of one format; later ones must be of the same.

    Attributes:
        gradients: their addresses when :meth:`look` was called last.
        pointers: the tensors'.
    """

    def __init__(self, owners: Sequence[Tensor], tensors: Sequence[Tensor], g: Sequence[Tensor]):
        n, count = len(owners), len(tensors)
        self.gradients, self.pointers = np.zeros(n, np.int64), np.zeros(count, np.int64)
        self._known = np.full(n, -1, np.int64), np.full(count, -1, np.int64)
        found = {
            "tensors": np.array([*map(id, tensors), *[id(tensors[-1])] * AHEAD]),
            "sizes": np.array(list(map(Tensor.numel, tensors))),
            "known": self._known[1],
            "now": self.pointers,
            "owners": np.array([*map(id, owners), *[id(owners[-1])] * AHEAD]),
            "own_sizes": np.array(list(map(Tensor.numel, owners))),
            "known_gradients": self._known[0],
            "gradients": self.gradients,
        }
        functions, self._look, inside = _torch()
        own = [_told(functions[what], kind, g[0], inside) for what, kind in _FORMAT.items()]
        words = [*(int(found[name].ctypes.data) for name in _ARRAYS), count, n, inside, *own]
        self._frame, self._kept = array("q", [*words, *map(_address, functions.values())]), found
        self._at = self._frame.buffer_info()[0]

    def look(self, g: Sequence[Tensor] | None = None) -> bool | None:
        """See where everything is, and return whether any of it is elsewhere than known.

        Args:
            g: the gradients, which it finds by itself.

        Returns:
            ``None`` where a gradient is missing or of another format, or a tensor of another size or order.
        """
        found = self._look(self._at)
        return None if found < 0 else found != 0

    def moved(self) -> bool:
        """Return whether any tensor, beside the gradients, is elsewhere than known."""
        return not np.array_equal(self.pointers, self._known[1])

    def know(self) -> None:
        """Take for known where everything is."""
        self._known[0][:], self._known[1][:] = self.gradients, self.pointers


def glance(owners: Sequence[Tensor], tensors: Sequence[Tensor], g: Sequence[Tensor]) -> Glance | None:
    """Return what tells where many tensors are; ``None`` where Python has to be asked.

    Args:
        owners: plain tensors or parameters.
        tensors: whose addresses are of interest, contiguous.
        g: the owners' gradients, all of one format.
    """
    if not works() or any(p.grad is not x for p, x in zip(owners, g, strict=True)):
        return None
    return Glance(owners, tensors, g)


@cache
def works() -> bool:
    """Whether all that is needed is there, and answers for some tensors what Python is answered."""
    if not getattr(sys, "_is_gil_enabled", lambda: True)():
        return False
    try:
        return all(map(_tried, (torch.float32, torch.bfloat16, torch.float64)))
    except (AttributeError, LookupError, OSError, TypeError, RuntimeError):
        return False


def _tried(dtype: torch.dtype) -> bool:
    """Look at some tensors before and after they were moved, and compare with what Python is told."""
    owners: list[Tensor] = [Parameter(torch.ones(n, dtype=dtype)) for n in (1, 3, 70)]
    owners.append(torch.ones(6, dtype=dtype)[2:])
    for p in owners:
        p.grad = torch.ones_like(p)
    seen = Glance(owners, owners, [x for p in owners if (x := p.grad) is not None])

    def right() -> bool:
        pointers = [p.data_ptr() for p in owners]
        gradients = [0 if p.grad is None else p.grad.data_ptr() for p in owners]
        return seen.pointers.tolist() == pointers and seen.gradients.tolist() == gradients

    found = [seen.look() is True and right()]
    seen.know()
    found.append(seen.look() is False and right())
    owners[2].data = torch.ones(70, dtype=dtype)
    found.append(seen.look() is True and right() and seen.moved())
    seen.know()
    owners[3].grad = torch.ones(4, dtype=dtype)
    found.append(seen.look() is True and right() and not seen.moved())
    owners[1].grad = None
    found.append(seen.look() is None)
    return all(found)


@cache
def _torch() -> tuple[dict[str, Any], Callable[[int], int], int]:
    """Return torch's functions, the loop, and where in a Python tensor the ``at::Tensor`` is.

    Raises:
        AttributeError: where torch has no such function (on Windows it is called otherwise).
        LookupError: where a tensor has nothing like it.
    """
    library = ctypes.CDLL(torch._C.__file__)
    functions = {name: getattr(library, symbol) for name, symbol in _SYMBOLS.items()}
    x = torch.empty(1)
    places = range(0, Tensor.__basicsize__, 8)
    at = [i for i in places if ctypes.c_int64.from_address(id(x) + i).value == x._cdata]
    if len(at) != 1:
        raise LookupError("at::Tensor")
    code = load(_text())("look")
    # It must hold Python's lock, or somebody could change what it reads.
    look = ctypes.PYFUNCTYPE(ctypes.c_int64, ctypes.c_void_p)(code.address)
    look.code = code  # type: ignore[attr-defined]
    return functions, look, at[0]


def _told(function: Any, kind: str, x: Tensor, inside: int) -> int:
    """Return what torch tells of a tensor."""
    told = {"i32": ctypes.c_int32, "i8": ctypes.c_int8}[kind]()
    if function(ctypes.c_void_p(id(x) + inside), ctypes.byref(told)):
        raise LookupError(str(function))
    return told.value


def _address(function: Any) -> int:
    return ctypes.cast(function, ctypes.c_void_p).value or 0


# The loop ------------------------------------------------------------------------------------------
def _text() -> str:
    """Write the loop: over tensors, then over owners; it returns whether anything moved, or −1."""
    text = Text()
    text.do("%out = alloca i64")
    for name in ("i", "moved"):
        text.do(f"%{name} = alloca i64")
        text.do(f"store i64 0, ptr %{name}")
    words = {name: text.word("", i) for i, name in enumerate(_FRAME)}
    for name in _ARRAYS:
        words[name] = text.new(f"inttoptr i64 {words[name]} to ptr")
    calls = {
        name: text.new(f"inttoptr i64 {text.word('', len(_FRAME) + i)} to ptr")
        for i, name in enumerate(_SYMBOLS)
    }
    loop = _Loop(text, words, calls)
    loop.begin("tensors", "count")
    tensor = loop.handle("tensors")
    loop.expect(loop.ask("contiguous", "i8", tensor), "1")
    size = text.word("", loop.i, words["sizes"])
    loop.expect(loop.ask("numel", "i64", tensor), size)
    loop.has_memory(loop.see(tensor, "now", "known"), size)
    loop.end("tensors", "owners")
    loop.begin("owners", "of_owners")
    own = text.new(f"load ptr, ptr {loop.handle('owners')}")
    g = text.new(f"call ptr {calls['grad']}(ptr {own})")
    for what, kind in _FORMAT.items():
        loop.expect(loop.ask(what, kind, g), words[f"its_{what}"])
    size = text.word("", loop.i, words["own_sizes"])
    loop.expect(loop.ask("numel", "i64", g), size)
    loop.has_memory(loop.see(g, "gradients", "known_gradients"), size)
    loop.end("owners", "done")
    text.label("done")
    elsewhere = text.new(f"icmp ne i64 {text.new('load i64, ptr %moved')}, 0")
    text.do(f"ret i64 {text.new(f'zext i1 {elsewhere} to i64')}")
    text.label("refused")
    text.do("ret i64 -1")
    return "\n".join(
        ["declare void @llvm.prefetch.p0(ptr, i32, i32, i32)", "define i64 @look(ptr %f) {", *text.lines, "}"]
    )


class _Loop:
    """What the two loops have in common."""

    def __init__(self, text: Text, words: dict[str, str], calls: dict[str, str]):
        self.text, self.words, self.calls, self.i = text, words, calls, ""
        self.blocks = 0

    def begin(self, name: str, count: str) -> None:
        """Begin a loop over so many elements."""
        text = self.text
        text.do("store i64 0, ptr %i")
        text.do(f"br label %{name}")
        text.label(name)
        self.i = text.new("load i64, ptr %i")
        more = text.new(f"icmp slt i64 {self.i}, {self.words[count]}")
        text.do(f"br i1 {more}, label %{name}_each, label %{name}_done")
        text.label(f"{name}_each")

    def end(self, name: str, after: str) -> None:
        """End it."""
        text = self.text
        text.do(f"store i64 {text.new(f'add i64 {self.i}, 1')}, ptr %i")
        text.do(f"br label %{name}")
        text.label(f"{name}_done")
        if after == "done":
            text.do("br label %done")

    def handle(self, of: str) -> str:
        """Return the address of the ``at::Tensor`` in a Python tensor."""
        text, base = self.text, self.words[of]

        def at(i: str) -> str:
            inside = text.new(f"add i64 {text.word('', i, base)}, {self.words['inside']}")
            return text.new(f"inttoptr i64 {inside} to ptr")

        # Memory is asked for a tensor's inside ahead, and for what leads there twice as far ahead.
        first, later = (text.new(f"add i64 {self.i}, {AHEAD // k}") for k in (2, 1))
        inside = text.new(f"load ptr, ptr {at(first)}")
        lines = [text.new(f"getelementptr i8, ptr {inside}, i64 {64 * k}") for k in range(4)]
        for line in (*lines, at(later)):
            text.do(f"call void @llvm.prefetch.p0(ptr {line}, i32 0, i32 3, i32 1)")
        return at(self.i)

    def ask(self, what: str, kind: str, tensor: str) -> str:
        """Ask torch; where it cannot tell, all is refused."""
        text = self.text
        failed = text.new(f"call i32 {self.calls[what]}(ptr {tensor}, ptr %out)")
        self.only_if(text.new(f"icmp eq i32 {failed}, 0"))
        told = text.new(f"load {kind}, ptr %out")
        return told if kind == "i64" else text.new(f"sext {kind} {told} to i64")

    def see(self, tensor: str, now: str, known: str) -> str:
        """Write down where a tensor is, and whether it is known to be there."""
        text = self.text
        address = self.ask("data_ptr", "i64", tensor)
        text.do(f"store i64 {address}, ptr {text.row(self.words[now], self.i, 1, 'i64')}")
        differs = text.new(f"xor i64 {address}, {text.word('', self.i, self.words[known])}")
        moved = text.new(f"or i64 {differs}, {text.new('load i64, ptr %moved')}")
        text.do(f"store i64 {moved}, ptr %moved")
        return address

    def expect(self, told: str, expected: str) -> None:
        """Refuse what is otherwise."""
        self.only_if(self.text.new(f"icmp eq i64 {told}, {expected}"))

    def has_memory(self, address: str, size: str) -> None:
        """Refuse a tensor that has elements, and nowhere to have them."""
        there, empty = (self.text.new(f"icmp {x}, 0") for x in (f"ne i64 {address}", f"eq i64 {size}"))
        self.only_if(self.text.new(f"or i1 {there}, {empty}"))

    def only_if(self, truth: str) -> None:
        """Go on only if this is true."""
        self.blocks += 1
        self.text.do(f"br i1 {truth}, label %go_{self.blocks}, label %refused")
        self.text.label(f"go_{self.blocks}")
