"""JAX on sparse images: each image is a list of its nonzero pixels, which saves four fifths of the arithmetic."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nnkernels.contenders._jax import EXTRA, PACKAGES, JaxContender
from nnkernels.contenders._jax_functions import features, import_jax
from nnkernels.contenders._protocol import Entry

CHUNK = 32  # pixels of each image per iteration; from 16 to 88, times are within 5 % of each other


def contenders() -> dict[str, Entry]:
    """Return the contender of this file.

    Returns
    -------
    entries : dict of str to Entry
        The entry by name.
    """
    return {"jax-sparse": Entry(JaxSparse, "JAX, images as lists of their nonzero pixels", PACKAGES, EXTRA)}


class NonzeroLists(NamedTuple):
    """Images as lists of their nonzero pixels, zero-padded to one length L, which is a multiple of ``CHUNK``.

    Attributes
    ----------
    positions : ndarray of uint16 or uint32, shape (N, L)
        Indices of the nonzero pixels.
    values : ndarray, shape (N, L)
        Their values, in the dtype of the images.
    lengths : ndarray of int32, shape (N,)
        The number of nonzero pixels of each image.
    """

    positions: Any
    values: Any
    lengths: Any


def nonzero_lists(X: npt.NDArray[Any]) -> NonzeroLists:
    """Convert images to lists of their nonzero pixels.

    Parameters
    ----------
    X : ndarray, shape (N, D)
        Pixels or features.

    Returns
    -------
    lists : NonzeroLists
        The lists of all images.
    """
    rows, columns = np.nonzero(X)
    lengths = np.bincount(rows, minlength=len(X))
    places = np.arange(len(rows)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    length = -(-max(1, int(lengths.max(initial=0))) // CHUNK) * CHUNK
    positions = np.zeros((len(X), length), np.uint16 if X.shape[1] <= 2**16 else np.uint32)
    values = np.zeros((len(X), length), X.dtype)
    positions[rows, places] = columns
    values[rows, places] = X[rows, columns]
    return NonzeroLists(positions, values, lengths.astype(np.int32))


def _fetch(images: NonzeroLists, rows: Any) -> NonzeroLists:
    return NonzeroLists(
        images.positions[rows].astype(np.int32),
        features(images.values[rows]),
        images.lengths[rows],
    )


def _product(W1: Any, batch: NonzeroLists) -> Any:
    return _sparse_product()(W1, batch)


@cache
def _sparse_product() -> Any:
    """Return the product of a batch of lists with W1, together with its gradient with respect to W1.

    Both loop over the lists in chunks, up to the length of the longest list in the batch. JAX cannot differentiate a
    loop whose length depends on data, so the gradient is defined explicitly.

    Returns
    -------
    product : callable
        ``product(W1, batch)``, of shape (N, H).
    """
    jax = import_jax()
    jnp = jax.numpy

    def accumulate_chunks(batch: NonzeroLists, add: Any, total: Any) -> Any:
        def one(number: Any, total: Any) -> Any:
            positions, values = (
                jax.lax.dynamic_slice_in_dim(array, number * CHUNK, CHUNK, axis=1)
                for array in (batch.positions, batch.values)
            )
            return add(total, positions, values)

        return jax.lax.fori_loop(0, (jnp.max(batch.lengths) + CHUNK - 1) // CHUNK, one, total)

    @jax.custom_vjp  # type: ignore[untyped-decorator]
    def product(W1: Any, batch: NonzeroLists) -> Any:
        def gather(total: Any, positions: Any, values: Any) -> Any:
            return total + jnp.einsum("nk,nkh->nh", values, W1.at[positions].get(mode="promise_in_bounds"))

        return accumulate_chunks(batch, gather, jnp.zeros((len(batch.lengths), W1.shape[1]), W1.dtype))

    def forward(W1: Any, batch: NonzeroLists) -> Any:
        return product(W1, batch), (W1, batch)

    def backward(residuals: Any, dZ1: Any) -> Any:
        W1, batch = residuals

        def scatter(total: Any, positions: Any, values: Any) -> Any:
            return total.at[positions].add(values[:, :, np.newaxis] * dZ1[:, np.newaxis, :], mode="promise_in_bounds")

        return accumulate_chunks(batch, scatter, jnp.zeros_like(W1)), None

    product.defvjp(forward, backward)
    return product


class JaxSparse(JaxContender):
    """A contender that multiplies only nonzero pixels in the first layer.

    The layer gathers the rows of W1 at an image's nonzero pixels, and scatters the gradient into these rows.

    It needs a fifth of the multiplications, but it is slower: an epoch took four times as long as with ``jax-scan`` on
    one thread, and two to five times as long on two. The dense matrix product that it avoids is fast, while gathering
    and scattering rows of 20 numbers is slow. Alternatives were even slower: a single length for all lists (351 pixels
    at most, 150 on average), ``segment_sum``, and ``jax.experimental.sparse.BCOO``. Predictions use dense images,
    because building the lists would take longer than the prediction.
    """

    fetch = staticmethod(_fetch)
    product = staticmethod(_product)

    def convert(self, X: npt.NDArray[Any]) -> Any:
        """Build the lists, and copy them to the device.

        Parameters
        ----------
        X : ndarray of uint8, float32 or float64, shape (N, D)
            Pixels or features.

        Returns
        -------
        images : NonzeroLists
            The lists on the device.
        """
        return NonzeroLists(*map(self.jax.numpy.asarray, nonzero_lists(X)))
