"""Kernels for CUDA devices as machine code: compiled without a device, launched on one that is not there."""

import ctypes
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import triton
from cases import methods

from descend.methods import TABLE
from descend.methods.executors.cuda import compiled, driver, pokes
from descend.methods.executors.cuda.code import Code
from descend.methods.executors.cuda.compiled import Kernel, Words
from descend.methods.executors.cuda.tables import Cut
from descend.methods.executors.cuda.writing import Variant

TILE = 1024


def code(name, dtype=torch.float32, step=5):
    rule, h = TABLE[name].rule, TABLE[name].defaults
    form = rule.form(torch.empty(64, 32, device="meta")) if rule.form else None
    return Code(rule, h, step, form, (dtype,) * (2 + len(rule.keeps(h, form))))


def functions(name, variant=Variant(), **kwargs):  # noqa: B008
    made = code(name, **kwargs).launches(variant)
    return {f.name: f for x in made for f in x.functions()}


@pytest.mark.parametrize(
    ("name", "launches"), [("adamw", 1), ("lion", 1), ("schedulefreeadamw", 2), ("lamb", 3), ("prodigy", 5)]
)
def test_how_many_launches_a_step_takes(name, launches):
    assert len(functions(name)) == launches


@methods
def test_host_scalars_are_parameters(name):
    """Where all tensors have one step count nothing has to be sent to the device for a step."""
    for f in functions(name).values():
        assert "numbers" not in f.parameters and "rows" not in f.parameters


COMPILING = """
import json, sys
sys.path.insert(0, {folder!r})
import torch
from test_cuda_code import functions
from descend.methods.executors.cuda import compiled
from descend.methods.executors.cuda.writing import Variant
found = {{}}
for name, variant, dtype in {wanted}:
    for f in functions(name, variant, dtype=dtype).values():
        made = compiled.triton_kernel(f, (9, 0))
        key = "-".join([name, f.name, str(dtype)])
        found[key] = [len(f.parameters), made.about["shared"], made.asm["ptx"]]
print(json.dumps(found))
"""


def ptx(tmp_path, wanted):
    """Compile in a process where Triton does not interpret."""
    environment = {**os.environ, "TRITON_CACHE_DIR": str(tmp_path / "triton")}
    environment.pop("TRITON_INTERPRET", None)
    folder = os.path.dirname(__file__)  # noqa: PTH120
    text = COMPILING.format(folder=folder, wanted=wanted)
    done = subprocess.run([sys.executable, "-c", text], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_kernels_compile_and_move_128_bits_at_once(tmp_path):
    found = ptx(
        tmp_path,
        """[
        ("adamw", Variant(), torch.float32), ("lamb", Variant(), torch.float32),
        ("adamw", Variant(aligned=False, one_row=False, scaled=True), torch.bfloat16),
        ("prodigy", Variant(alone=False, scaled=True), torch.float64),
        ("schedulefreeadamw", Variant(), torch.float32),
    ]""",
    )
    for parameters, shared, text in found.values():
        # Two parameters more, for memory that these kernels do not ask for.
        assert len(re.findall(r"\.param \.", text)) == parameters + 2
        assert shared < 48 * 1024
        assert ".local" not in text  # nothing is spilled
    text = found["adamw-pass0_w-torch.float32"][2]
    # Two tiles of 128 bits a thread: w, g, m and v are read, and all but g written.
    assert len(re.findall(r"ld\.global\S*\.v4\.b32", text)) == 8
    assert len(re.findall(r"st\.global\S*\.v4\.b32", text)) == 6
    assert len(re.findall(r"ld\.global\S*evict_first\S*\.v4\.b32", text)) == 2
    assert "div.rn.f32" in text and "sqrt.rn.f32" in text
    for kernel in ("lamb-pass0_w", "lamb-pass1_w"):
        assert len(re.findall(r"ld\.global\S*\.v4\.b32", found[f"{kernel}-torch.float32"][2])) >= 6


def test_counting_compiles(tmp_path):
    """Where a CUDA graph is to replay a step; exp and log in double are the device's own."""
    found = ptx(
        tmp_path,
        """[
        (name, Variant(one_row=False, counted=kinds, scaled=scaled), torch.float32)
        for name, kinds, scaled in (
            ("adamw", ("", "tl.float32", "", "", ""), False),
            ("nadam", ("",) * 6, True),
            ("adopt", ("",) * 6, True),
        )
    ]""",
    )
    texts = [text for key, (_, _, text) in found.items() if "-counts-" in key]
    assert len(texts) == 3
    for text in texts:
        assert ".local" not in text and "fma.rn.f64" in text


@pytest.mark.parametrize("capability", ["sm_75", "sm_80", "sm_90"])
def test_the_kernel_that_pokes_is_one_load_and_one_store(tmp_path, capability):
    tools = Path(str(triton.__file__)).parent / "backends" / "nvidia" / "bin"
    if not (tools / "ptxas").exists():
        pytest.skip("this Triton brings no ptxas")
    (tmp_path / "poke.ptx").write_text(pokes.PTX)
    command = [tools / "ptxas", "-arch", capability, tmp_path / "poke.ptx", "-o", tmp_path / "poke.cubin"]
    subprocess.run(command, check=True)
    command = [tools / "cuobjdump", "-sass", tmp_path / "poke.cubin"]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert len(re.findall(r"STG\.E\.64", text)) == 1 and "STL" not in text
    assert len(re.findall(r"LDC\.64 R\d+, c\[0x0\]\[R\d+", text)) == 1


class FakeDriver:
    """CUDA's driver as far as it is called, which writes down what it is asked to launch."""

    def __init__(self, words, first=0):
        self.launched, self.codes = [], [first]

        def launch(function, gx, gy, gz, bx, by, bz, shared, stream, parameters, extra):
            at = ctypes.cast(parameters, ctypes.POINTER(ctypes.POINTER(ctypes.c_int64)))
            values = [at[k].contents.value for k in range(words)]
            self.launched.append((function, (gx, gy, gz), (bx, by, bz), shared, stream, values, extra))
            return self.codes.pop() if self.codes else 0

        numbers = [ctypes.c_uint] * 7
        pointers = [ctypes.c_void_p] * 3
        self.cuLaunchKernel = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, *numbers, *pointers)(launch)
        self.entered = 0

    def __getattr__(self, name):
        def called(first=None, *rest):
            if name == "cuModuleGetFunction":
                first._obj.value = 0x1234
            self.entered += name == "cuCtxSetCurrent"
            return 0

        return called


def test_a_launch_hands_over_its_words(monkeypatch):
    fake = FakeDriver(5)
    monkeypatch.setattr(driver, "_library", lambda: fake)
    run = driver.function(0, b"code", "pass0_w", 128, 32)
    words = Words(["n", "table"], 2)
    launch = Kernel(["table", "n", "h1"], run).bind(words)
    words["n"], words["table"] = 7, 2**40
    words.numbers[:] = (0.5, -3.25)
    launch(99, 0x77)
    bits = ctypes.c_int64.from_buffer(ctypes.c_double(-3.25)).value
    words["n"] = 8  # what is launched next has other words
    launch(3, 0)
    values = [2**40, 7, bits, 0, 0]
    assert fake.launched[0] == (0x1234, (99, 1, 1), (128, 1, 1), 32, 0x77, values, None)
    assert fake.launched[1][1] == (3, 1, 1) and fake.launched[1][5][1] == 8


def test_a_thread_that_is_new_to_the_device_enters_its_context(monkeypatch):
    fake = FakeDriver(3, first=driver.NO_CONTEXT)
    monkeypatch.setattr(driver, "_library", lambda: fake)
    run = driver.function(0, b"code", "pass0_w", 128, 0)
    before = fake.entered
    Kernel(["n"], run).bind(Words(["n"], 0))(1, 0)
    assert fake.entered == before + 1 and len(fake.launched) == 2


def test_an_error_of_the_driver_is_told(monkeypatch):
    fake = FakeDriver(3, first=700)
    monkeypatch.setattr(driver, "_library", lambda: fake)
    run = driver.function(0, b"code", "pass0_w", 128, 0)
    with pytest.raises(RuntimeError, match="launch pass0_w"):
        Kernel(["n"], run).bind(Words(["n"], 0))(1, 0)


def test_machine_code_is_kept_without_triton(tmp_path, monkeypatch):
    """What was compiled once is found again by a process that never imports Triton."""
    monkeypatch.setenv("DESCEND_CACHE", str(tmp_path))
    made = list(functions("adamw").values())
    monkeypatch.setattr(compiled, "machine_code", lambda f, capability: b"{}\n" + f.text.encode())
    first = compiled.compiled(made, (9, 0))
    monkeypatch.setattr(compiled, "machine_code", lambda f, capability: pytest.fail("compiled again"))
    assert compiled.compiled(made, (9, 0)) == first
    assert len([x for x in tmp_path.rglob("*") if x.is_file()]) == len(made)


def test_pieces_cover_every_element_once():
    sizes = [0, 1, TILE, TILE + 1, 3 * TILE - 1]
    cut = Cut(sizes, 1, torch.device("cpu"))
    covered = [0] * len(sizes)
    for piece in cut.tensors["pieces"].tolist():
        tensor, tile = piece & 0xFFFFFFFF, piece >> 32
        covered[tensor] += max(0, min(TILE, sizes[tensor] - tile * TILE))
    assert covered == sizes
    assert cut.tensors["starts"].tolist() == [0, 1, 2, 3, 5, 8]
