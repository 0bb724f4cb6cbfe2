"""IDX files: read as written, and refused where they are not whole."""

import gzip
import struct
from pathlib import Path

import pytest
import torch

from descend.errors import DataError
from descend.functions.idx import find_idx, is_idx, read_idx, read_images, read_pair


def idx(values: torch.Tensor, kind: int = 8) -> bytes:
    head = struct.pack(f">BBBB{values.ndim}I", 0, 0, kind, values.ndim, *values.shape)
    return head + bytes(values.flatten().tolist())


PICTURES = torch.arange(6 * 3 * 4, dtype=torch.uint8).view(6, 3, 4)
LABELS = torch.tensor([0, 1, 2, 0, 1, 2], dtype=torch.uint8)


@pytest.mark.parametrize("packed", [False, True])
def test_a_file_comes_back_as_it_was_written(packed, tmp_path):
    path = tmp_path / "x-images-idx3-ubyte"
    path.write_bytes(gzip.compress(idx(PICTURES), mtime=0) if packed else idx(PICTURES))
    assert torch.equal(read_idx(path), PICTURES)
    assert torch.equal(read_images(path), PICTURES[..., None])


def test_pictures_and_labels(tmp_path):
    (tmp_path / "i").write_bytes(idx(PICTURES))
    (tmp_path / "l").write_bytes(idx(LABELS))
    x, y = read_pair(tmp_path / "i", tmp_path / "l")
    assert x.shape == (6, 3, 4, 1) and x.dtype == torch.uint8
    assert y.tolist() == LABELS.tolist() and y.dtype == torch.int64
    with pytest.raises(DataError, match="as many labels"):
        (tmp_path / "l").write_bytes(idx(LABELS[:5]))
        read_pair(tmp_path / "i", tmp_path / "l")
    with pytest.raises(DataError, match="not of labels"):
        read_pair(tmp_path / "l", tmp_path / "i")
    with pytest.raises(DataError, match="one label each"):
        read_pair(tmp_path / "i", tmp_path / "i")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "an empty file"),
        (b"PK\x03\x04 a zip", "50 4b 03 04"),
        (idx(PICTURES)[:-1], "72 bytes .* came 71"),
        (idx(PICTURES) + b"\0", "72 bytes .* came 73"),
        (idx(PICTURES)[:9], "cut short"),
        (idx(PICTURES, kind=13), "type 0d"),
        (idx(PICTURES[:0]), "at least one example"),
        (gzip.compress(idx(PICTURES), mtime=0)[:-9], "cut short or damaged"),
        (gzip.compress(idx(PICTURES), mtime=0)[:20] + b"\xff" * 30, "cut short or damaged"),
    ],
)
def test_files_that_are_not_whole(content, said, tmp_path):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(DataError, match=said):
        read_idx(tmp_path / "file")


def test_a_damaged_check_sum_and_a_missing_file(tmp_path):
    packed = bytearray(gzip.compress(idx(PICTURES), mtime=0))
    packed[-6] ^= 0xFF
    (tmp_path / "file").write_bytes(packed)
    with pytest.raises(DataError, match="crc"):
        read_idx(tmp_path / "file")
    with pytest.raises(DataError, match="no such file"):
        read_idx(tmp_path / "none")


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).write_bytes(b"")


def test_the_usual_names_are_found(tmp_path):
    assert find_idx(tmp_path) is None
    touch(tmp_path, "LICENSE", "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz")
    found = find_idx(tmp_path)
    assert found is not None and found.test_images is None and len(found.paths) == 2
    touch(tmp_path, "t10k-images.idx3-ubyte", "t10k-labels.idx1-ubyte", "train-images-idx3-ubyte")
    found = find_idx(tmp_path)
    assert found is not None and found.test_images is not None
    assert found.train_images.name == "train-images-idx3-ubyte"  # the unpacked twin
    assert is_idx(found.test_images) and is_idx(found.train_labels) and not is_idx(tmp_path / "LICENSE")


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["train-images-idx3-ubyte"], "labels beside train-images-idx3-ubyte"),
        (["t10k-labels-idx1-ubyte"], "images beside t10k-labels-idx1-ubyte"),
        (["t10k-labels-idx1-ubyte", "t10k-images-idx3-ubyte"], "a test set alone"),
        (["emnist-letters-train-images-idx3-ubyte", "train-labels-idx1-ubyte"], "one data set"),
    ],
)
def test_files_that_do_not_belong_together(names, said, tmp_path):
    touch(tmp_path, *names)
    with pytest.raises(DataError, match=said):
        find_idx(tmp_path)
