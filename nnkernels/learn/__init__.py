"""Training of the network, inspection of what it has learnt, prediction of pictures, and comparison with frameworks."""
