"""What a learner does with the network: train it, look at it, ask it, and compare it with a framework."""
