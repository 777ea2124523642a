"""The catalogue of classic mistakes in a backward pass: name, what it does, and the line that is right.

In the texts, ``{N}`` and ``{C}`` stand for the sizes, ``{dlogits}`` for the formula of dlogits, ``{slope}`` for the
activation's derivative and ``{forms}`` for the last lines of the arrays where the mistake shows.
"""

from __future__ import annotations

from typing import NamedTuple


class Mistake(NamedTuple):
    """A mistake that can be recognised.

    Attributes
    ----------
    name : str
        Short and stable; one name may stand for the same slip at several places.
    explanation, right : str
        Templates; see the module's docstring.
    """

    name: str
    explanation: str
    right: str


DLOGITS = "dlogits = {dlogits}"
DZ1 = "dZ1 = (dlogits @ W2.T) * {slope}"

# In dlogits, from where they reach all four arrays, or as a factor of some.

WRONG_SIGN = Mistake(
    "wrong sign",
    "Minus the right values. The gradient points to where the loss grows; the minus of gradient descent belongs to the "
    "update alone.",
    DLOGITS,
)
MISSING_1_N = Mistake(
    "missing 1/N",
    "Your values are {N} times the right ones, and the batch has N = {N} images. The loss is the mean over the batch, "
    "so its gradient is divided by N = len(X) too, once.",
    DLOGITS,
)
DIVIDED_TWICE = Mistake(
    "1/N twice",
    "Your values are 1/{N} of the right ones, and the batch has N = {N} images. It is divided by N twice: once in "
    "dlogits is enough, and every sum over the images that follows stays a sum (not a mean).",
    DLOGITS,
)
DIVIDED_BY_CLASSES = Mistake(
    "mean over the classes too",
    "Your values are 1/{C} of the right ones, and there are C = {C} classes. The loss is the mean over the images, not "
    "over images and classes: divide by N = len(X), not by the number of entries.",
    DLOGITS,
)
DOUBLED = Mistake(
    "factor 2",
    "Your values are twice the right ones. A factor 2 comes with the square of a squared error; this loss has none.",
    DLOGITS,
)
HALVED = Mistake("factor 1/2", "Your values are half of the right ones. This loss has no factor 1/2.", DLOGITS)
JACOBIAN_TWICE = Mistake(
    "softmax Jacobian twice",
    "probs - onehot(y) is already the derivative through softmax and cross-entropy together. Multiplying it by "
    "the softmax Jacobian, diag(p) - p p^T, counts softmax a second time.",
    DLOGITS,
)
JACOBIAN_DIAGONAL_TWICE = Mistake(
    "softmax Jacobian twice",
    "probs - onehot(y) is already the derivative through softmax and cross-entropy together. Multiplying it by "
    "probs * (1 - probs), the diagonal of the softmax Jacobian, counts softmax a second time.",
    DLOGITS,
)
JACOBIAN_MISSING = Mistake(
    "softmax Jacobian left out",
    "-onehot(y) / probs is the derivative of cross-entropy in the probabilities. It has yet to go through softmax: "
    "a larger logit of one class also makes the other probabilities smaller.",
    DLOGITS,
)
NO_ONEHOT = Mistake(
    "one-hot labels left out",
    "dlogits is made of the probabilities alone: 1 has to be taken from the probability of the true class.",
    "dlogits[np.arange(N), y] -= 1, before the division by N",
)
ONEHOT_EVERYWHERE = Mistake(
    "one-hot in every row",
    "1 was taken from all images in each column that occurs in y: dlogits[:, y] means whole columns. Row n wants 1 "
    "taken from its own column y[n] only.",
    "dlogits[np.arange(N), y] -= 1, before the division by N",
)
LABELS_NOT_ONEHOT = Mistake(
    "labels not one-hot",
    "The number of the class itself was subtracted, as in probs - y[:, np.newaxis]. A label is a position: it has to "
    "become a row with 1 at that position and 0 elsewhere.",
    DLOGITS,
)
LOGITS_FOR_PROBS = Mistake(
    "logits instead of probs",
    "dlogits was made of the logits, before softmax, where the probabilities belong.",
    DLOGITS,
)

# Between the output and the hidden layer: in dW1 and db1.

W2_NOT_TRANSPOSED = Mistake(
    "missing transpose",
    "The way back through a layer uses its matrix transposed: dlogits is (N, C), W2 is (H, C), and (N, C) @ (C, H) "
    "gives the (N, H) of the hidden layer. Here it was W2 itself, which only a square matrix allows.",
    "dA1 = dlogits @ W2.T",
)
W2_LEFT_OUT = Mistake(
    "W2 left out",
    "dlogits was taken for the gradient of the hidden layer; on its way there it has to pass the weights between the "
    "two.",
    "dA1 = dlogits @ W2.T",
)
NO_MASK = Mistake(
    "no ReLU mask",
    "The gradient went through ReLU as though every unit were open. Where Z1 <= 0 the unit was shut, its output does "
    "not depend on Z1, and so no gradient passes. (A mask such as A1 >= 0 is always true and has the same effect.)",
    DZ1,
)
NO_SLOPE = Mistake(
    "no derivative of the activation",
    "The gradient of A1 was used for that of Z1: the derivative of the hidden layer's activation function is missing.",
    DZ1,
)
MASK_INVERTED = Mistake(
    "ReLU mask inverted",
    "The gradient passes where the unit was shut (Z1 <= 0) and is stopped where it was open: just the other way round.",
    DZ1,
)
MASK_OF_GRADIENT = Mistake(
    "ReLU mask of the gradient",
    "ReLU was applied to the gradient itself: its negative entries were set to zero. The mask asks whether the unit "
    "was open, and so looks at Z1 (or at A1), whatever sign the gradient has.",
    DZ1,
)
TIMES_A1 = Mistake(
    "multiplied by A1",
    "The gradient was multiplied by the activation A1, where its derivative belongs.",
    DZ1,
)
TIMES_Z1 = Mistake(
    "multiplied by Z1",
    "The gradient was multiplied by Z1, where the derivative of the activation belongs.",
    DZ1,
)
MASK_WITHOUT_RELU = Mistake(
    "ReLU mask, but no ReLU",
    "backward multiplies by ReLU's derivative (Z1 > 0), but the activation function in forward is another one. Whoever "
    "changes one has to change the other.",
    DZ1,
)
SLOPE_OF_TANH = Mistake(
    "derivative of tanh, but no tanh",
    "backward multiplies by tanh's derivative 1 - A1**2, but the activation function in forward is another one.",
    DZ1,
)
SLOPE_OF_SIGMOID = Mistake(
    "derivative of the sigmoid, but no sigmoid",
    "backward multiplies by the sigmoid's derivative A1 * (1 - A1), but the activation function in forward is another "
    "one.",
    DZ1,
)
SLOPE_AT_A1 = Mistake(
    "derivative at A1 instead of Z1",
    "The activation's derivative was taken at A1, as though the function had not been applied yet. Either take f'(Z1), "
    "or write the derivative in terms of A1, but not f'(A1).",
    DZ1,
)
SLOPE_FORM_OF_Z1 = Mistake(
    "Z1 instead of A1 in the derivative",
    "The form of the derivative that takes the activation's output was given its input Z1.",
    DZ1,
)

# In the last product or sum of one array.

A1_NOT_TRANSPOSED = Mistake(
    "missing transpose",
    "dW2 has to sum over the images: (H, N) @ (N, C) gives the (H, C) of W2. Here it was A1 itself, (N, H), which only "
    "equal sizes allow.",
    "dW2 = A1.T @ dlogits",
)
X_NOT_TRANSPOSED = Mistake(
    "missing transpose",
    "dW1 has to sum over the images: (D, N) @ (N, H) gives the (D, H) of W1. Here it was X itself, (N, D), which only "
    "equal sizes allow.",
    "dW1 = X.T @ dZ1",
)
RESULT_TRANSPOSED = Mistake(
    "result transposed",
    "The values are right, but rows and columns are exchanged. A gradient has the shape of its parameter, with "
    "the input of the layer first.",
    "{forms}",
)
Z1_FOR_A1 = Mistake(
    "Z1 instead of A1",
    "dW2 was made of Z1, before the activation function. What is multiplied by W2 in forward is A1.",
    "dW2 = A1.T @ dlogits",
)
NOT_SUMMED = Mistake(
    "bias not summed",
    "There is still one row an image. One bias serves all images, so its gradient is the sum over them.",
    "{forms}",
)
WRONG_AXIS = Mistake(
    "bias summed over the wrong axis",
    "The sum was taken over the units, which leaves a number an image. The sum goes over the images, axis 0, and "
    "leaves a number a unit.",
    "{forms}",
)
SUMMED_OVER_ALL = Mistake(
    "bias summed over everything",
    "This is the sum over images and units, as of np.sum without an axis. Every unit has a bias of its own, and so "
    "a gradient of its own.",
    "{forms}",
)
KEPT_DIMENSION = Mistake(
    "bias with an axis too many",
    "The values are right, but in the shape of a matrix with one row or one column. A gradient has the shape "
    "of its parameter, (H,) or (C,): leave out keepdims=True.",
    "{forms}",
)
IMAGES_NOT_SUMMED = Mistake(
    "images not summed",
    "There is still one matrix an image. The same weights serve all images, so their gradient is the sum over them.",
    "{forms}",
)
LAST_IMAGE_ONLY = Mistake(
    "last image only",
    "This is what the last image of the batch gives alone. In a loop over the images the gradient is added up, with "
    "+= and not with =.",
    "",
)
FIRST_IMAGE_ONLY = Mistake(
    "first image only",
    "This is what the first image of the batch gives alone. Does a loop over the images return too early?",
    "",
)
ALL_ZERO = Mistake("all zero", "Zero in every entry. Is the array made, but never filled?", "")
