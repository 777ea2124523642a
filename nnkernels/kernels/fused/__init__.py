"""What the fused kernels are made of: layouts of parameters and images, layers, update rules, whole stretches."""
