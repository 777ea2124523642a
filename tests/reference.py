"""The network in float64 scalar loops over plain lists: slow, simple, and independent of nnkernels.

Parameters are a tuple of lists (W1, b1, W2, b2): W1 is D lists of H numbers, W2 is H lists of C.
"""

import math

import numpy as np

NAN = float("nan")


def forward(params, X):
    """Return (Z1, A1, logits, probs), each a list of N rows."""
    W1, b1, W2, b2 = params
    Z1, A1, logits, probs = [], [], [], []
    for x in X:
        z = []
        for h in range(len(b1)):
            total = b1[h]
            for d in range(len(x)):
                total += x[d] * W1[d][h]
            z.append(total)
        a = [value if value > 0 else 0.0 for value in z]
        row = []
        for c in range(len(b2)):
            total = b2[c]
            for h in range(len(a)):
                total += a[h] * W2[h][c]
            row.append(total)
        Z1.append(z)
        A1.append(a)
        logits.append(row)
        probs.append(softmax(row))
    return Z1, A1, logits, probs


def probabilities(params, features, hidden=lambda z: np.maximum(z, 0)):
    """Return the probabilities (N, C) of features (N, D) in float64 by NumPy, quick enough for whole data sets."""
    W1, b1, W2, b2 = (np.asarray(array, np.float64) for array in params)
    logits = hidden(np.asarray(features, np.float64) @ W1 + b1) @ W2 + b2
    scores = np.exp(logits - logits.max(axis=1, keepdims=True))
    return scores / scores.sum(axis=1, keepdims=True)


def softmax(row):
    """Return exp(logit) / sum(exp(logits)), or only NaN where that is not defined."""
    if not _has_softmax(row):
        return [NAN] * len(row)
    top = max(row)
    exponentials = [math.exp(value - top) for value in row]
    total = math.fsum(exponentials)
    return [value / total for value in exponentials]


def loss(logits, y):
    """Return the mean of log(sum(exp(logits))) - logit of the true class."""
    if not logits:
        return NAN
    losses = []
    for row, label in zip(logits, y, strict=True):
        if _has_softmax(row):
            top = max(row)
            log_sum = math.log(math.fsum([math.exp(value - top) for value in row]))
            losses.append(log_sum - (row[label] - top))
        else:
            losses.append(NAN)
    return sum(losses) / len(losses)


def backward(params, X, y, label_smoothing=0.0):
    """Return the gradients (dW1, db1, dW2, db2) of the mean loss, by which smoothed labels are compared."""
    W1, b1, W2, b2 = params
    D, H, C, N = len(W1), len(b1), len(b2), len(X)
    dW1 = [[0.0] * H for _ in range(D)]
    db1 = [0.0] * H
    dW2 = [[0.0] * C for _ in range(H)]
    db2 = [0.0] * C
    Z1, A1, _logits, probs = forward(params, X)
    for n in range(N):
        targets = [(1 - label_smoothing) * (c == y[n]) + label_smoothing / C for c in range(C)]
        dlogits = [(probs[n][c] - targets[c]) / N for c in range(C)]
        for c in range(C):
            db2[c] += dlogits[c]
        for h in range(H):
            upstream = 0.0
            for c in range(C):
                dW2[h][c] += A1[n][h] * dlogits[c]
                upstream += dlogits[c] * W2[h][c]
            if Z1[n][h] > 0:
                db1[h] += upstream
                for d in range(D):
                    dW1[d][h] += X[n][d] * upstream
    return dW1, db1, dW2, db2


def step(rule, w, g, memory, t, learning_rate):
    """Return a weight after a step, and the two state variables of the rule, which are zero before the first step.

    The rules are elementwise, so `w` may be any of the parameters. ``t`` counts the steps from 1.
    """
    m, v = memory
    w = w - learning_rate * rule.weight_decay * w
    if rule.name == "sgd":
        return w - learning_rate * g, memory
    if rule.name == "momentum":
        velocity = rule.momentum * m - learning_rate * g
        return w + velocity, (velocity, v)
    m = rule.beta_1 * m + (1 - rule.beta_1) * g
    v = rule.beta_2 * v + (1 - rule.beta_2) * g * g
    alpha = learning_rate * math.sqrt(1 - rule.beta_2**t) / (1 - rule.beta_1**t)
    return w - alpha * m / (math.sqrt(v) + rule.epsilon), (m, v)


def train(params, X, y, batch_size, learning_rates, rule, label_smoothing=0.0):
    """Train for one epoch on ``X`` in its order, and return the parameters."""
    flat, rebuild = _flatten(params)
    memories = [(0.0, 0.0)] * len(flat)
    for t, learning_rate in enumerate(learning_rates, start=1):
        rows = slice((t - 1) * batch_size, t * batch_size)
        grads, _ = _flatten(backward(rebuild(flat), X[rows], y[rows], label_smoothing))
        for i, g in enumerate(grads):
            flat[i], memories[i] = step(rule, flat[i], g, memories[i], t, learning_rate)
    return rebuild(flat)


def _flatten(params):
    # Return all numbers in one list, and a function that restores the parameters from such a list.
    W1, b1, W2, b2 = params
    D, H, C = len(W1), len(b1), len(b2)
    flat = [w for row in W1 for w in row] + list(b1) + [w for row in W2 for w in row] + list(b2)

    def rebuild(numbers):
        start_b1, start_W2, start_b2 = D * H, D * H + H, D * H + H + H * C
        return (
            [numbers[d * H : (d + 1) * H] for d in range(D)],
            numbers[start_b1:start_W2],
            [numbers[start_W2 + h * C : start_W2 + (h + 1) * C] for h in range(H)],
            numbers[start_b2:],
        )

    return flat, rebuild


def _has_softmax(row):
    if any(math.isnan(value) or value == math.inf for value in row):
        return False
    return any(value != -math.inf for value in row)
