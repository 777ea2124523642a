"""The network itself: it answers to what is drawn in the page; its training, and the digits it misclassifies."""

from __future__ import annotations

from collections import Counter
from typing import Any

from nnkernels.errors import ResultsError
from nnkernels.report.dashboard.assets import registration
from nnkernels.report.dashboard.collection import Collection
from nnkernels.report.dashboard.mistakes import Mistakes, probability_text
from nnkernels.report.dashboard.network import RecordedNetwork, encode, encode_step, read_network
from nnkernels.report.dashboard.section import Section
from nnkernels.report.dashboard.still_units import still_units
from nnkernels.transforms.ink import EDGE_THRESHOLD
from nnkernels.transforms.photo import DIGIT_SIZE, IMAGE_SIZE, MIN_STROKE_WIDTH

FOLDER = "network"
WEIGHTS, STEPS, MISTAKES = (f"{FOLDER}/{name}" for name in ("weights", "steps", "mistakes"))
# Larger weights are in a file beside the page.
INLINE_BYTES = 100_000
# Pixels of the canvas: its side, the width of the pen (about as thick as in MNIST), and a step of an arrow key.
SIDE, PEN, STEP = 280, 24, 7
PAUSE = 900  # milliseconds a step when the training is played
DIGITS_AT_ONCE = 40
# The strokes of the digit that is there at first, a 3.
EXAMPLE = (
    ((82, 76), (100, 58), (128, 48), (160, 50), (184, 66), (188, 92), (172, 116), (146, 130), (124, 134)),
    ((124, 134), (158, 138), (186, 156), (196, 184), (184, 212), (156, 230), (122, 232), (92, 220), (78, 202)),
)
INVITATION = "Draw a digit, and the network answers while you draw."
SEEN = (
    f"What the network sees: {IMAGE_SIZE} x {IMAGE_SIZE} pixels, the digit {DIGIT_SIZE} pixels long and centred by its "
    "mass, as in MNIST."
)
HIDDEN = (
    "Each picture shows the weights from the {inputs} pixels to one unit: ink on orange raises the unit, ink on blue "
    "lowers it. The bar is its activation, relative to the most active unit."
)


def build(collection: Collection) -> Section:
    """Build the section.

    Parameters
    ----------
    collection : Collection
        The recorded runs; the network is that of ``results/figures/train`` in the same checkout.

    Returns
    -------
    section : Section
        The final parameters are in the page, the earlier steps and the misclassified digits in files beside it. What
        is not recorded is named, with the command that records it.
    """
    try:
        network = read_network(collection.root)
    except ResultsError as error:
        return Section("network", "Network", {"network": None, "missing": [str(error)]})
    shape, mistakes = network.shape, network.mistakes
    steps = network.step_texts()
    values = {
        "network": network,
        "shape": shape,
        "introduction": _introduction(network),
        "side": SIDE,
        "seen": SEEN,
        "hidden_sentence": HIDDEN.format(inputs=shape["inputs"]),
        "steps": steps,
        "picture": still_units(network.parameters.W1, steps[-1].limit),
        "mistakes_sentence": _mistakes_sentence(mistakes) if mistakes else "",
        "gallery": _filters(mistakes) if mistakes else None,
        "missing": network.missing,
    }
    payload, files = _payload(network)
    return Section("network", "Network", values, payload=payload, files=files)


def _payload(network: RecordedNetwork) -> tuple[dict[str, Any], dict[str, str | bytes]]:
    """Return the data in the page and the files beside it."""
    texts, mistakes = network.step_texts(), network.mistakes
    weights = encode(network.parameters)
    payload: dict[str, Any] = {
        "shape": network.shape,
        "classes": network.class_names,
        "image": [IMAGE_SIZE, IMAGE_SIZE],
        "limit": texts[-1].limit,
        "invitation": INVITATION,
        "pause": PAUSE,
        "drawing": {
            "pen": PEN,
            "step": STEP,
            "example": EXAMPLE,
            "imageSize": IMAGE_SIZE,
            "digitSize": DIGIT_SIZE,
            "minStrokeWidth": MIN_STROKE_WIDTH,
            "edge": EDGE_THRESHOLD,
        },
    }
    files: dict[str, str | bytes] = {}
    if len(weights) <= INLINE_BYTES:
        payload["weights"] = weights
    else:
        payload["file"] = WEIGHTS
        files[f"{WEIGHTS}.js"] = registration(WEIGHTS, weights)
    if network.steps:
        payload |= {
            "stepsFile": STEPS,
            "steps": [
                {"label": one.label, "text": one.sentence, "scale": one.scale, "limit": one.limit} for one in texts
            ],
        }
        files[f"{STEPS}.js"] = registration(STEPS, [encode_step(step) for step in network.steps])
    if mistakes and mistakes.digits:
        payload["gallery"] = {"file": MISTAKES, "page": DIGITS_AT_ONCE}
        files[f"{MISTAKES}.js"] = registration(MISTAKES, _digits(mistakes))
    return payload, files


def _digits(mistakes: Mistakes) -> dict[str, Any]:
    names = mistakes.class_names
    return {
        "sprite": mistakes.sprite_uri,
        "columns": mistakes.columns,
        "digits": [
            {
                "true": one.true,
                "predicted": one.predicted,
                "probability": probability_text(one.predicted_probability),
                "text": (
                    f"Test image {one.index} is {names[one.true]} ({probability_text(one.true_probability)}), "
                    f"read as {names[one.predicted]} ({probability_text(one.predicted_probability)})"
                ),
            }
            for one in mistakes.digits
        ],
    }


def _introduction(network: RecordedNetwork) -> str:
    inputs, hidden, classes = network.shape.values()
    count = sum(array.size for array in network.parameters)
    return (
        f"This is the trained network itself: {inputs} pixels, {hidden} hidden units, {classes} outputs, and {count:,} "
        f"parameters ({network.final_error}). It runs in this page; nothing that you draw leaves it."
    )


def _mistakes_sentence(mistakes: Mistakes) -> str:
    if not mistakes.digits:
        return f"It misclassifies none of {mistakes.test_images:,} test images."
    recorded = len(mistakes.digits)
    which = "all of them are here" if recorded == mistakes.total else f"{recorded:,} of them are here"
    sentence = f"The network misclassifies {mistakes.total:,} of {mistakes.test_images:,} test images; {which}."
    if frequent := mistakes.most_frequent():
        (true, predicted), count = frequent
        names = mistakes.class_names
        sentence += f" Most often it takes {names[true]} for {names[predicted]}: {count} times."
    return f"{sentence} The arrow leads from what an image is to what the network reads, with its probability."


def _filters(mistakes: Mistakes) -> list[tuple[str, str, list[tuple[int, str]]]]:
    """Return the name, the label and the options of each filter."""
    if not mistakes.digits:
        return []
    filters = []
    for name, label in (("true", "It is"), ("predicted", "It is read as")):
        counts = Counter(getattr(one, name) for one in mistakes.digits)
        names = mistakes.class_names
        options = [(place, f"{names[place]} ({count})") for place, count in sorted(counts.items())]
        filters.append((name, label, options))
    return filters
