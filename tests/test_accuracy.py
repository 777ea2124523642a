"""The accuracy benchmark: its statistics, its stages, and that a continued run does only what is missing."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from nnkernels.accuracy import design as designs
from nnkernels.accuracy import paired_epochs, run, summary
from nnkernels.accuracy.design import FIRST_SEED, FIT, KERAS, OURS, Design, further_stage, stages, standard_design
from nnkernels.accuracy.equivalence import MARGIN, planned_seeds, verdict
from nnkernels.accuracy.paired_epochs import SCENARIO, speed_up, time_epochs
from nnkernels.accuracy.record import RECORD, AccuracyRun, read_accuracy_run, read_record
from nnkernels.accuracy.run import run_accuracy
from nnkernels.accuracy.summary import AccuracySummary, paired_errors, summarise_accuracy
from nnkernels.augmentation import Augmentation
from nnkernels.data import Dataset
from nnkernels.errors import ConfigurationError, Interruption, MissingDependencyError, ResultsError
from nnkernels.evaluation import evaluate
from nnkernels.interchange import load_network
from nnkernels.measure.asv_driver.workspace import Workspace
from nnkernels.measure.timing.interleaved_run import InterleavedRun
from nnkernels.recipes import Optimizer, Recipe
from nnkernels.report import accuracy as report
from nnkernels.report.accuracy_runs import find_accuracy_run, is_accuracy_run, published_accuracy
from nnkernels.report.runs import pin_accuracy, published_ids
from nnkernels.statistics import Estimate, student
from nnkernels.sweep import worker
from nnkernels.sweep.results import SweepFolder
