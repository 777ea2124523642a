"""The learning commands: train, predict, compare, gradcheck."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nnkernels.cli.data_options import DEFAULT_DATA, DataRequest, takes_data
from nnkernels.cli.shared import INTERRUPTED, app, err, new_folder, note, numbers, out, show_error, split_names

if TYPE_CHECKING:
    from nnkernels.data import Dataset

PANEL = "Learn"

KernelsOption = Annotated[
    Path | None,
    typer.Option(
        "--kernels", metavar="FILE.py", help="File with your own kernels, such as an edited numpy_kernels.py."
    ),
]
RecipeOption = Annotated[
    str | None,
    typer.Option(
        "--recipe",
        help="Training recipe: gradient-descent, sgd, momentum, adam, plain-best, augmented-best or best (default: "
        "adam).",
    ),
]
EpochsOption = Annotated[
    int | None, typer.Option(help="Number of passes over the training images (default: set by the recipe).")
]
HiddenOption = Annotated[int | None, typer.Option(help="Number of hidden units (default: 20).")]
SeedOption = Annotated[
    int | None, typer.Option(help="Seed of the initial weights and of the order of the images (default: 0).")
]
BatchOption = Annotated[int | None, typer.Option(help="Number of images per step (default: set by the recipe).")]
RateOption = Annotated[float | None, typer.Option(help="Initial learning rate (default: set by the recipe).")]
OutOption = Annotated[
    Path | None, typer.Option("--out", metavar="DIR", help="Output folder (default: a new folder in trained/).")
]


@app.command(rich_help_panel=PANEL)
@takes_data()
def train(
    recipe: RecipeOption = None,
    backend: Annotated[
        str | None, typer.Option(help="Backend that trains; `nnkernels list` shows all of them (default: numba).")
    ] = None,
    epochs: EpochsOption = None,
    hidden: HiddenOption = None,
    batch_size: BatchOption = None,
    learning_rate: RateOption = None,
    seed: SeedOption = None,
    folder: OutOption = None,
    resume: Annotated[bool, typer.Option("--resume", help="Resume the interrupted training run in --out.")] = False,
    kernels: KernelsOption = None,
    data: DataRequest = DEFAULT_DATA,
) -> None:
    """Train the network, show every epoch, and write weights, training steps, metrics, mistakes and figures."""
    from nnkernels.errors import ConfigurationError
    from nnkernels.learn import training_job
    from nnkernels.learn.terminal import metrics_table, training_progress
    from nnkernels.learn.training_report import write_report
    from nnkernels.learn.training_request import DEFAULT_RECIPE, TrainingRequest

    request = TrainingRequest(recipe, backend, kernels, epochs, hidden, batch_size, learning_rate, seed)
    if resume and folder is None:
        raise ConfigurationError("--resume needs --out DIR, the folder of the training run to resume")
    folder = folder or new_folder(recipe or DEFAULT_RECIPE)
    dataset = data.load()
    with training_progress(err) as show:
        trained = training_job.run(request, dataset, folder, resume, lambda history: show(history.recipe.name, history))
    with err.status("evaluating the test images, drawing figures"):
        metrics = write_report(trained, dataset, folder)
    if trained.kernels.mark:
        note(f"{trained.kernels.mark}, so the results are not comparable with those of the suite")
    if metrics["diverged"]:
        note("training diverged, so its weights were not saved; try a smaller --learning-rate")
    out.print(metrics_table(metrics))
    out.print(f"weights, training steps, metrics, mistakes and figures  {folder}", highlight=False, soft_wrap=True)
    if not trained.finished:
        note(f"stopped after epoch {trained.history.epochs_done}; resume with: nnkernels train --resume --out {folder}")
        raise typer.Exit(INTERRUPTED)


@app.command(rich_help_panel=PANEL)
def predict(
    images: Annotated[
        list[Path],
        typer.Argument(
            metavar="IMAGE...",
            help="PNG or JPEG files with one digit each, folders of such files, or - for the standard input.",
        ),
    ],
    weights: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Weights of nnkernels or of another program, in a format of nnkernels/interchange/README.md "
            "(default: a network that is trained once and cached). They must be for pixels / 255, from 0 (background) "
            "to 1 (ink), unless the file or the options below say what the pixels must be.",
        ),
    ] = None,
    input_range: Annotated[
        str | None,
        typer.Option(
            "--input-range",
            metavar="LOW,HIGH",
            help="What the weights take for a pixel of 0 and of 255, such as 0,255 or -1,1 (default: stated by the "
            "file, otherwise 0,1).",
        ),
    ] = None,
    mean: Annotated[
        float | None,
        typer.Option(
            help="Mean that was subtracted from pixels / 255 for training, such as 0.1307 in PyTorch's example."
        ),
    ] = None,
    deviation: Annotated[
        float | None,
        typer.Option(help="Standard deviation that then divided them, such as 0.3081."),
    ] = None,
    deskew: Annotated[
        bool | None,
        typer.Option("--deskew", help="The weights were trained on deskewed images (default: as stated by the file)."),
    ] = None,
    normalize_size: Annotated[
        bool | None,
        typer.Option(
            "--normalize-size",
            help="With --deskew: the size of the digits was normalised as well (default: as stated by the file).",
        ),
    ] = None,
    activation: Annotated[
        str | None,
        typer.Option(help="Activation of the hidden layer, relu, for files that do not state it."),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Folder for one figure per image, with the pixels the network sees."),
    ] = None,
) -> None:
    """Predict the digit in each picture, and print the probabilities. The exit status is 1 if one cannot be read."""
    from nnkernels.errors import ConfigurationError
    from nnkernels.interchange import Preprocessing, load_network
    from nnkernels.learn import pictures
    from nnkernels.learn.terminal import predictions_table

    files = pictures.find_pictures(images)
    preprocessing = None
    if normalize_size and not deskew:
        raise ConfigurationError("--normalize-size is a part of deskewing; add --deskew")
    if weights:
        params, preprocessing = load_network(
            weights,
            activation=activation,
            input_range=None if input_range is None else numbers(input_range, "--input-range"),
            preprocessing=None
            if mean is deviation is deskew is normalize_size is None
            else Preprocessing(
                mean=mean or 0.0,
                deviation=1.0 if deviation is None else deviation,
                deskew=bool(deskew),
                normalize_size=bool(normalize_size),
            ),
        )
    elif (input_range, mean, deviation, deskew, normalize_size, activation) != (None,) * 6:
        raise ConfigurationError(
            "--input-range, --mean, --deviation, --deskew, --normalize-size and --activation describe the file of "
            "--weights"
        )
    else:
        with err.status("loading the cached network, or training it once"):
            params = pictures.default_network()
    predictions, unread = pictures.predict_pictures(files, params, preprocessing)
    if predictions:
        out.print(predictions_table(predictions))
    if folder:
        for path in pictures.draw_predictions(predictions, folder):
            out.print(f"figure  {path}", highlight=False, soft_wrap=True, markup=False)
    for picture in unread:
        show_error(picture.reason)
    if unread:
        raise typer.Exit(1)


@app.command(rich_help_panel=PANEL)
@takes_data()
def compare(
    contenders: Annotated[
        str,
        typer.Option(
            "--contenders",
            metavar="A,B",
            help="Contenders to compare (default: numba,keras-fit, or numba,keras-graph with --claim).",
        ),
    ] = "",
    recipe: RecipeOption = None,
    epochs: EpochsOption = None,
    hidden: HiddenOption = None,
    batch_size: BatchOption = None,
    learning_rate: RateOption = None,
    seed: SeedOption = None,
    folder: OutOption = None,
    claim: Annotated[
        bool,
        typer.Option(
            "--claim",
            help="Measure what width, recipe and framework each contribute to the accuracy instead. Takes half an "
            "hour. Resumes an interrupted run in --out (default: claim).",
        ),
    ] = False,
    seeds: Annotated[int, typer.Option(help="Number of seeds per combination (only with --claim).")] = 10,
    data: DataRequest = DEFAULT_DATA,
) -> None:
    """Train two or more contenders from the same weights on the same batches, and show where they differ."""
    from nnkernels.errors import ConfigurationError
    from nnkernels.learn import comparison_job
    from nnkernels.learn.terminal import comparison_table, training_progress
    from nnkernels.learn.training_request import TrainingRequest

    # keras-graph trains the same model faster, which saves an hour in the 40 training runs with Keras.
    names = split_names(contenders) or ["numba", "keras-graph" if claim else "keras-fit"]
    dataset = data.load()
    if claim:
        if (recipe, epochs, hidden, batch_size, learning_rate, seed) != (None,) * 6:
            raise ConfigurationError(
                "--claim uses fixed recipes, widths and seeds; it only takes --contenders, --seeds, --out and --data"
            )
        _claim(names, dataset, folder or Path("claim"), seeds)
        return
    request = TrainingRequest(recipe, None, None, epochs, hidden, batch_size, learning_rate, seed)
    folder = folder or new_folder("compare")
    with training_progress(err) as show:
        report = comparison_job.run(names, request, dataset, folder, show)
    out.print(comparison_table(report))
    out.print(report.sentence(), highlight=False)
    out.print(f"metrics and figures  {folder}", highlight=False, soft_wrap=True)


@app.command(rich_help_panel=PANEL)
def gradcheck(
    kernels: KernelsOption = None,
    backend: Annotated[
        str | None, typer.Option(help="Backend to check (default: numpy, unless --kernels is given).")
    ] = None,
) -> None:
    """Check a backward pass against numerical gradients, and name the mistake if they differ."""
    from nnkernels.grading import gradcheck as check
    from nnkernels.learn.training_request import load_kernels

    used = load_kernels(backend or (None if kernels else "numpy"), kernels)
    report = check(used.backend)
    out.print(str(report), highlight=False, markup=False, soft_wrap=True)
    raise typer.Exit(0 if report.passed else 1)


def _claim(names: list[str], dataset: Dataset, folder: Path, seeds: int) -> None:
    from nnkernels.errors import ConfigurationError
    from nnkernels.learn import claim_report
    from nnkernels.learn.terminal import claim_table, counting_progress

    if len(names) != 2:
        raise ConfigurationError(
            "--claim compares two contenders, one from scratch and one on a framework, such as numba,keras-graph; "
            f"given: {', '.join(names)}"
        )
    with counting_progress(err, "training") as show:
        report = claim_report.run(names[0], names[1], dataset, folder, seeds, show)
    out.print(claim_table(report.cells))
    out.print(report.decomposition.sentence(), highlight=False)
    out.print(f"metrics and figure  {folder}", highlight=False, soft_wrap=True)
