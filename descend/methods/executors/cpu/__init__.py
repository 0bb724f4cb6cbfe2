"""The fused executor on CPUs: machine code by LLVM, run on torch's own threads."""
