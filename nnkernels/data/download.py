"""The download of ``mnist.npz``, the file that ``keras.datasets.mnist`` uses, with pooch."""

from __future__ import annotations

import logging
import tempfile
import textwrap
from pathlib import Path

from nnkernels.data.dataset import Dataset
from nnkernels.data.npz import read_npz
from nnkernels.errors import DataError

URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"
SHA256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"
CONNECT_SECONDS = 4.0
READ_SECONDS = 20.0


def download_mnist() -> Dataset:
    """Download ``mnist.npz`` (11 MB), verify its SHA-256 and decode it.

    Returns
    -------
    dataset : Dataset
        The whole of MNIST.

    Raises
    ------
    DataError
        If there is no network, the server does not respond in time, or the file is not the expected one.
    """
    import pooch
    import requests

    pooch.get_logger().setLevel(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        try:
            path = pooch.retrieve(
                URL,
                known_hash=f"sha256:{SHA256}",
                path=folder,
                fname="mnist.npz",
                downloader=pooch.HTTPDownloader(timeout=(CONNECT_SECONDS, READ_SECONDS)),
            )
        except (requests.RequestException, OSError, ValueError) as error:
            reason = textwrap.shorten(f"{type(error).__name__}: {error}", 160, placeholder=" ...")
            raise DataError(f"MNIST cannot be downloaded from {URL} ({reason})") from error
        return read_npz(Path(path))
