"""The fused executor on CUDA devices: kernels by Triton, one launch for all tensors."""
