"""The fused executor on CUDA devices: kernels by Triton, one launch a stage for all tensors."""
