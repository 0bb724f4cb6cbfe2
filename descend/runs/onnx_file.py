"""A run's function as an ONNX file, for programs without PyTorch.

Everything that is arithmetic is in the graph: gaps are filled, numbers standardised, pixels scaled, and the
outputs are probabilities, amounts or boxes as ``descend predict`` gives them. What is not arithmetic (the
names of classes, columns and levels) is in the file's metadata, as JSON.
"""

import json
import logging
import warnings
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from descend.descent.files import write_file
from descend.errors import MissingExtra, RunError
from descend.functions.detections import DetectionReader
from descend.functions.detector import edges
from descend.functions.masks import MaskReader
from descend.functions.pictures import PictureReader
from descend.functions.samples import SAMPLES, SampleReader
from descend.functions.tables import TableReader
from descend.functions.text import TextReader
from descend.runs.run import Run
from descend.runs.table_graph import table_graph

ROWS = 3
"""Examples that the graph is traced with; any number can be asked for."""


@dataclass(frozen=True)
class Graph:
    """What is exported.

    Attributes:
        function: inputs → outputs.
        inputs: examples of the inputs, by name.
        outputs: the outputs' names.
        sizes: by an input's name, its dimensions of any size beside the first; by default none.
        says: metadata.
    """

    function: nn.Module
    inputs: dict[str, Tensor]
    outputs: list[str]
    sizes: dict[str, dict[int, Any]] = field(default_factory=dict)
    says: dict[str, Any] = field(default_factory=dict)


class Then(nn.Module):
    """A function, and what is made of its output."""

    def __init__(self, function: nn.Module, end: Callable[[Tensor], Any]):
        super().__init__()
        self.function, self.end = function, end

    def forward(self, *inputs: Tensor) -> Any:
        """Return the end of the function's output."""
        return self.end(self.function(*inputs))


def _chances(logits: Tensor) -> Tensor:
    return logits.softmax(1)


def _picture(reader: PictureReader, model: nn.Module) -> Graph:
    form = reader.form
    pictures = torch.zeros(ROWS, form.height, form.width, form.channels, dtype=torch.uint8)
    says = {"classes": reader.classes}
    return Graph(Then(model, _chances), {"pictures": pictures}, ["probabilities"], says=says)


def _boxes(reader: DetectionReader, model: nn.Module) -> Graph:
    """One probability a class and one box a place; the surest of neighbours are for the caller to choose."""
    form = reader.form
    pictures = torch.zeros(ROWS, form.height, form.width, form.channels, dtype=torch.uint8)

    def end(output: Tensor) -> tuple[Tensor, Tensor]:
        return output[:, :-4].sigmoid(), edges(output)

    says = {"classes": reader.classes, "calibration": reader.calibration}
    return Graph(Then(model, end), {"pictures": pictures}, ["scores", "boxes"], says=says)


def _masks(reader: MaskReader, model: nn.Module) -> Graph:
    pictures = torch.zeros(ROWS, 64, 96, reader.depth.channels, dtype=torch.uint8)
    sides = {side: 16 * torch.export.Dim(f"{side}_sixteenths", min=1) for side in ("height", "width")}
    sizes = {"pictures": {1: sides["height"], 2: sides["width"]}}
    says = {"classes": ["", *reader.classes]}
    return Graph(Then(model, _chances), {"pictures": pictures}, ["probabilities"], sizes, says)


def _text(reader: TextReader, model: nn.Module) -> Graph:
    tokens = torch.zeros(ROWS, min(8, reader.context), dtype=torch.long)
    length = torch.export.Dim("length", min=1, max=reader.context)
    says = {"tokens": reader.tokens.to_json(), "context": reader.context}
    return Graph(
        Then(model, lambda logits: logits), {"tokens": tokens}, ["logits"], {"tokens": {1: length}}, says
    )


def _sample(reader: SampleReader, model: nn.Module) -> Graph:
    rows = torch.zeros(ROWS, len(reader.mean))
    if SAMPLES[reader.name].classes:
        says = {"classes": [str(name) for name in SAMPLES[reader.name].classes]}
        return Graph(Then(model, _chances), {"rows": rows}, ["probabilities"], says=says)
    mean, std = reader.target
    return Graph(Then(model, lambda output: output.squeeze(1) * std + mean), {"rows": rows}, ["amounts"])


def _table(reader: TableReader, model: nn.Module) -> Graph:
    function, inputs, says = table_graph(reader, model, ROWS)
    amounts = "classes" not in says
    sizes = {"words": {1: torch.export.Dim("words", min=2)}} if "words" in inputs else {}
    return Graph(function, inputs, ["amounts" if amounts else "probabilities"], sizes, says)


KINDS: dict[type, Callable[[Any, nn.Module], Graph]] = {
    TableReader: _table,
    SampleReader: _sample,
    PictureReader: _picture,
    TextReader: _text,
    DetectionReader: _boxes,
    MaskReader: _masks,
}
"""What of a run is exported, by its reader."""


def write_onnx(run: Run, out: Path | None = None) -> Path:
    """Write a run's function, with its best parameters.

    Args:
        run: the run; one of a table, a sample, pictures, a text, boxes or masks.
        out: the file; by default ``function.onnx`` in the run's folder.

    Returns:
        The file. Its inputs, of any number of examples, and outputs:

        ======== ========================================================== ============================
        table    ``numbers`` float64 (n, columns), NaN where missing, dates  ``probabilities`` (n,
                 as seconds since 1970 UTC; ``levels`` int64 (n, columns),  classes) or ``amounts`` (n,),
                 a level's place in the metadata's list, 0 where unknown;   float64
                 ``words`` int32, see :func:`descend.functions.words.bags`
        sample   ``rows`` float32 (n, inputs)                               the same, float32
        pictures ``pictures`` uint8 (n, height, width, channels)            ``probabilities``
        boxes    ``pictures``                                               ``scores`` (n, classes, h, w),
                                                                            ``boxes`` (n, h, w, 4): left,
                                                                            top, right, bottom in pixels
        masks    ``pictures``, of sides that 16 divides                     ``probabilities`` (n, classes,
                                                                            height, width)
        text     ``tokens`` int64 (n, length)                               ``logits`` (n, length, tokens)
        ======== ========================================================== ============================

    Raises:
        RunError: where the run is of another kind, cannot be rebuilt, or the file not be written.
        MissingExtra: where the packages for ONNX are not installed.
    """
    reader: Any = run.reader
    make = KINDS.get(type(reader))
    if make is None:
        came = "one without a reader" if reader is None else f"one of {reader.kind}"
        kinds = ", ".join(kind.kind for kind in KINDS)
        raise RunError(
            f"a run of a kind that is exported to ONNX ({kinds}) at {run.folder}",
            came,
            "its parameters are in parameters.safetensors, which needs no export",
        )
    try:
        import onnxscript  # noqa: F401  # what torch.onnx writes with
    except ImportError:
        raise MissingExtra("onnxscript", "onnx", "exporting to ONNX") from None
    graph = make(reader, run.model.cpu())
    out = run.folder / "function.onnx" if out is None else Path(out).expanduser()
    model, kind = _traced(graph), reader.kind
    for key, value in {"name": run.name, "kind": kind, **graph.says}.items():
        model.metadata_props[f"descend.{key}"] = json.dumps(value)
    import onnx_ir

    raw = onnx_ir.to_proto(model).SerializeToString()
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_file(out, raw)
    except OSError as error:
        raise RunError(
            f"to write {error.filename or out}", f"“{error.strerror}”", "choose another place with --out"
        ) from None
    return out


def _traced(graph: Graph) -> Any:
    """Return torch's own translation of the graph, for any number of examples."""
    rows = torch.export.Dim("rows")
    sizes = tuple({0: rows, **graph.sizes.get(name, {})} for name in graph.inputs)
    talk = logging.getLogger("torch.onnx._internal.exporter._registration")
    level = talk.level
    talk.setLevel(logging.ERROR)  # that torchvision is not installed is nothing to be warned of
    with warnings.catch_warnings(), redirect_stdout(StringIO()), torch.no_grad():
        warnings.simplefilter("ignore")  # of the exporter's own making
        program = torch.onnx.export(
            graph.function.eval(),
            tuple(graph.inputs.values()),
            input_names=list(graph.inputs),
            output_names=graph.outputs,
            dynamic_shapes=(sizes,),  # of *inputs, which is one argument
            dynamo=True,
            verbose=False,
        )
    talk.setLevel(level)
    assert program is not None
    return program.model
