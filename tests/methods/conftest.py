"""Triton must be told to interpret kernels before anything here imports it: some packages do."""

import interpreted  # noqa: F401
