"""Figures drawn with matplotlib, one subject per file. Each function takes arrays or tables and returns one figure."""

from nnkernels.plots.claim import claim_table_figure
from nnkernels.plots.class_errors import class_errors
from nnkernels.plots.comparison import horizontal_comparison
from nnkernels.plots.confusion import confusion_matrix
from nnkernels.plots.contact_sheet import contact_sheet
from nnkernels.plots.digits import digit_reading, sample_predictions
from nnkernels.plots.hidden import hidden_units
from nnkernels.plots.learning import training_curves
from nnkernels.plots.mistakes import disagreements, mistakes
from nnkernels.plots.reliability import reliability_diagram
from nnkernels.plots.saving import save_figure
from nnkernels.plots.shared_mistakes import shared_mistakes
from nnkernels.plots.steps import step_times
from nnkernels.plots.sweeps import accuracy_by_width, sweep_curves
from nnkernels.plots.trajectories import comparison_curves, parameter_drift

__all__ = [
    "accuracy_by_width",
    "claim_table_figure",
    "class_errors",
    "comparison_curves",
    "confusion_matrix",
    "contact_sheet",
    "digit_reading",
    "disagreements",
    "hidden_units",
    "horizontal_comparison",
    "mistakes",
    "parameter_drift",
    "reliability_diagram",
    "sample_predictions",
    "save_figure",
    "shared_mistakes",
    "step_times",
    "sweep_curves",
    "training_curves",
]
