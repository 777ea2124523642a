"""The fused kernels: memory layouts of parameters and images, layers, update rules, training and prediction."""
