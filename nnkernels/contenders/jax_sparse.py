"""JAX on sparse images: each a list of its nonzero pixels, so that four fifths of the arithmetic fall away."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nnkernels.contenders._jax import EXTRA, PACKAGES, JaxContender, features, import_jax
from nnkernels.contenders._protocol import Entry

CHUNK = 32  # pixels of each image at a time; 16 to 88 are within 5 % of each other


def contenders() -> dict[str, Entry]:
    """Return this file's contender."""
    return {"jax-sparse": Entry(JaxSparse, "JAX, each image a list of its nonzero pixels", PACKAGES, EXTRA)}


class Lists(NamedTuple):
    """Images as lists of their nonzero pixels, all filled up to one length, a multiple of ``CHUNK``.

    Attributes
    ----------
    positions : ndarray of uint16 or uint32, shape (N, L)
        Where in the image; 0 where the list is filled up.
    values : ndarray, shape (N, L)
        In the dtype of the images; 0 where the list is filled up.
    lengths : ndarray of int32, shape (N,)
        Nonzero pixels of each image.
    """

    positions: Any
    values: Any
    lengths: Any


def nonzero_lists(X: npt.NDArray[Any]) -> Lists:
    """Return images (N, D) as lists of their nonzero pixels."""
    rows, columns = np.nonzero(X)
    lengths = np.bincount(rows, minlength=len(X))
    places = np.arange(len(rows)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    length = -(-max(1, int(lengths.max(initial=0))) // CHUNK) * CHUNK
    positions = np.zeros((len(X), length), np.uint16 if X.shape[1] <= 2**16 else np.uint32)
    values = np.zeros((len(X), length), X.dtype)
    positions[rows, places] = columns
    values[rows, places] = X[rows, columns]
    return Lists(positions, values, lengths.astype(np.int32))


def _fetch(images: Lists, rows: Any) -> Lists:
    return Lists(
        images.positions[rows].astype(np.int32),
        features(images.values[rows]),
        images.lengths[rows],
    )


def _product(W1: Any, batch: Lists) -> Any:
    return _sparse_product()(W1, batch)


@cache
def _sparse_product() -> Any:
    """Return the product of a batch of lists and W1, with its gradient in W1.

    Both go through the lists in chunks, as many as the longest image of the batch asks for: JAX cannot derive such a
    loop's gradient by itself.
    """
    jax = import_jax()
    jnp = jax.numpy

    def each_chunk(batch: Lists, add: Any, total: Any) -> Any:
        def one(number: Any, total: Any) -> Any:
            positions, values = (
                jax.lax.dynamic_slice_in_dim(array, number * CHUNK, CHUNK, axis=1)
                for array in (batch.positions, batch.values)
            )
            return add(total, positions, values)

        return jax.lax.fori_loop(0, (jnp.max(batch.lengths) + CHUNK - 1) // CHUNK, one, total)

    @jax.custom_vjp  # type: ignore[untyped-decorator]
    def product(W1: Any, batch: Lists) -> Any:
        def gather(total: Any, positions: Any, values: Any) -> Any:
            return total + jnp.einsum("nk,nkh->nh", values, W1.at[positions].get(mode="promise_in_bounds"))

        return each_chunk(batch, gather, jnp.zeros((len(batch.lengths), W1.shape[1]), W1.dtype))

    def forward(W1: Any, batch: Lists) -> Any:
        return product(W1, batch), (W1, batch)

    def backward(kept: Any, dZ1: Any) -> Any:
        W1, batch = kept

        def scatter(total: Any, positions: Any, values: Any) -> Any:
            return total.at[positions].add(values[:, :, np.newaxis] * dZ1[:, np.newaxis, :], mode="promise_in_bounds")

        return each_chunk(batch, scatter, jnp.zeros_like(W1)), None

    product.defvjp(forward, backward)
    return product


class JaxSparse(JaxContender):
    """The first layer gathers the rows of W1 that an image's pixels meet; its gradient is scattered into them.

    It is the same mathematics with a fifth of the multiplications, and it loses: an epoch was seen to take four times
    as long as jax-scan's on one thread, two to five times on two. The matrix product that is spared was the fast
    part, and gathering and scattering rows of 20 numbers is slow. One length for all lists (351 pixels at most, 150
    on average), ``segment_sum`` and ``jax.experimental.sparse.BCOO`` are slower still. Predictions are dense: making
    lists of the images would take longer than they do.
    """

    fetch = staticmethod(_fetch)
    product = staticmethod(_product)

    def convert(self, X: npt.NDArray[Any]) -> Any:
        """Make the lists, and put them on the device."""
        return Lists(*map(self.jax.numpy.asarray, nonzero_lists(X)))
