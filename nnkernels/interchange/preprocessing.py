"""The preprocessing record: how pixels become the features that weights were trained on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from nnkernels.data.pixels import MAX_PIXEL, PIXEL_SCALE, as_images
from nnkernels.errors import ConfigurationError, DataError
from nnkernels.parameters import FloatArray
from nnkernels.recipes import Recipe
from nnkernels.transforms import deskew

_NUMBERS = ("scale", "mean", "deviation")
_SWITCHES = ("deskew", "normalize_size")


@dataclass(frozen=True)
class Preprocessing:
    """How pixels from 0 to 255 become features: ``features = (pixels * scale - mean) / deviation``.

    The default is that of this package, pixels / 255. Any other affine preprocessing can be folded into the first
    layer, so :func:`load_parameters` always returns parameters for pixels / 255. Deskewing cannot be folded.

    Attributes
    ----------
    scale : float, default: 1 / 255
        The factor of the pixels, not 0.
    mean : float or tuple of float (D,), default: 0.0
        The mean that is subtracted from the scaled pixels.
    deviation : float or tuple of float (D,), default: 1.0
        The standard deviation that divides the result, not 0.
    deskew : bool, default: False
        Whether the images are deskewed first, see :func:`nnkernels.transforms.deskew`.
    normalize_size : bool, default: False
        Whether deskewing also normalises the size of the digits.

    Raises
    ------
    ConfigurationError
        If a value is not a finite number, if a scale or deviation is 0, if mean and deviation differ in length, if
        deskew or normalize_size is not a bool, or if sizes are to be normalised without deskewing.

    Examples
    --------
    PyTorch's MNIST example uses ``ToTensor`` and ``Normalize((0.1307,), (0.3081,))``:

    >>> Preprocessing(mean=0.1307, deviation=0.3081)
    Preprocessing(scale=0.00392156862745098, mean=0.1307, deviation=0.3081, deskew=False, normalize_size=False)
    """

    scale: float = PIXEL_SCALE
    mean: float | tuple[float, ...] = 0.0
    deviation: float | tuple[float, ...] = 1.0
    deskew: bool = False
    normalize_size: bool = False

    def __post_init__(self) -> None:
        for name in _SWITCHES:
            if not isinstance(getattr(self, name), bool):
                raise ConfigurationError(f"preprocessing: {name} is {getattr(self, name)!r}; expected True or False")
        if self.normalize_size and not self.deskew:
            raise ConfigurationError("preprocessing: normalize_size is a part of deskewing; set deskew to True, too")
        for name in _NUMBERS:
            value = _checked(name, getattr(self, name))
            object.__setattr__(self, name, value)
        lengths = {len(value) for value in (self.mean, self.deviation) if isinstance(value, tuple)}
        if isinstance(self.scale, tuple) or len(lengths) > 1:
            raise ConfigurationError("preprocessing: scale is one number, and mean and deviation have the same length")

    @classmethod
    def of_input_range(cls, input_range: Sequence[float]) -> Self:
        """Return the preprocessing that maps pixels from 0 to 255 linearly to a range.

        Parameters
        ----------
        input_range : sequence of two floats
            The features of a pixel of 0 and of a pixel of 255, such as ``(0, 255)`` for unscaled pixels, ``(0, 1)`` or
            ``(-1, 1)``.

        Returns
        -------
        preprocessing : Preprocessing
            The record.

        Raises
        ------
        ConfigurationError
            If the range does not consist of two different finite numbers.
        """
        try:
            low, high = (float(value) for value in input_range)
        except (TypeError, ValueError):
            raise ConfigurationError(
                f"input_range is {input_range!r}; expected two numbers, such as (0, 255)"
            ) from None
        if not np.isfinite([low, high]).all() or low == high:
            raise ConfigurationError(f"input_range is {input_range!r}; expected two different finite numbers")
        scale = PIXEL_SCALE if high - low == 1 else (high - low) / MAX_PIXEL
        return cls(scale=scale, mean=-low)

    @classmethod
    def of_recipe(cls, recipe: Recipe) -> Self:
        """Return the preprocessing of the networks that a recipe trains.

        Parameters
        ----------
        recipe : Recipe
            The recipe.

        Returns
        -------
        preprocessing : Preprocessing
            Pixels / 255, after the deskewing of the recipe.
        """
        return cls(deskew=recipe.deskew, normalize_size=recipe.normalize_size)

    @classmethod
    def from_json(cls, text: str, where: str) -> Self:
        """Return the record that :meth:`to_json` wrote.

        Parameters
        ----------
        text : str
            The JSON text.
        where : str
            The name of the file, with which each error message begins.

        Returns
        -------
        preprocessing : Preprocessing
            The record.

        Raises
        ------
        DataError
            If the text is invalid, or has a step that this version does not know.
        """
        try:
            record = json.loads(text)
            unknown = sorted(set(record) - {*_NUMBERS, *_SWITCHES})
            if not unknown:
                return cls(**record)
        except (ConfigurationError, TypeError, ValueError) as error:
            raise DataError(f"{where}: its preprocessing record is invalid ({error}); save the file again") from error
        raise DataError(
            f"{where}: its preprocessing has the step {', '.join(unknown[:10])}, which this version of nnkernels does "
            "not know; install a newer version"
        )

    def to_json(self) -> str:
        """Return the record as JSON text, the same for equal records. Steps that are not taken are left out.

        Returns
        -------
        text : str
            A JSON object in one line.
        """
        steps = {name: True for name in _SWITCHES if getattr(self, name)}
        return json.dumps({**steps, **{name: getattr(self, name) for name in _NUMBERS}})

    @property
    def is_default(self) -> bool:
        """Whether the features are pixels / 255."""
        return self == Preprocessing()

    @property
    def scaling(self) -> Preprocessing:
        """The preprocessing without deskewing, which can be folded into the first layer."""
        return replace(self, deskew=False, normalize_size=False)

    @property
    def deskewing(self) -> Preprocessing:
        """The preprocessing without :attr:`scaling`, which remains when that is folded into the first layer."""
        return Preprocessing(deskew=self.deskew, normalize_size=self.normalize_size)

    def require_no_deskewing(self, what: str) -> None:
        """Check that images are not deskewed, for a form of the network that cannot do so.

        Parameters
        ----------
        what : str
            Such a form, with which the error message begins.

        Raises
        ------
        ConfigurationError
            If images are deskewed.
        """
        if self.deskew:
            raise ConfigurationError(
                f"{what} cannot deskew images, and this network was trained on deskewed ones; save it as .safetensors "
                "or .npz, which record it. Or leave deskewing out of the preprocessing, and deskew the images yourself "
                "before they reach the network (Preprocessing.deskewed)"
            )

    def affine(self) -> tuple[FloatArray, FloatArray]:
        """Return the gain and the offset that turn pixels / 255 into the features.

        Returns
        -------
        gain, offset : ndarray of float64, shape () or (D,)
            ``features = gain * (pixels / 255) + offset``.
        """
        # 255 * (1 / 255) is 1 only up to rounding for some scales, and features of pixels / 255 must stay as they are.
        unit = 1.0 if self.scale == PIXEL_SCALE else MAX_PIXEL * self.scale
        mean, deviation = np.asarray(self.mean, np.float64), np.asarray(self.deviation, np.float64)
        return np.asarray(unit / deviation), np.asarray(-mean / deviation)

    def deskewed(self, images: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Deskew images if the record says so.

        Parameters
        ----------
        images : ndarray, shape (N, D)
            The images; uint8 if they are to be deskewed.

        Returns
        -------
        deskewed : ndarray, shape (N, D)
            The deskewed images, or `images`.

        Raises
        ------
        DataError
            If images cannot be deskewed.
        """
        return deskew(images, normalize_size=self.normalize_size) if self.deskew else images

    def features(self, pixels: npt.ArrayLike, dtype: npt.DTypeLike = np.float32) -> FloatArray:
        """Convert pixels to features, as for training such weights.

        Parameters
        ----------
        pixels : array-like, shape (N, D)
            Pixels from 0 to 255, of any dtype. With deskewing, square images of an integer dtype.
        dtype : dtype, default: float32
            The dtype of the result.

        Returns
        -------
        features : ndarray of `dtype`, shape (N, D)
            ``(pixels * scale - mean) / deviation``, computed in float64.

        Raises
        ------
        DataError
            If images cannot be deskewed.
        """
        if self.deskew:
            pixels = self.deskewed(as_images(pixels))
        features: FloatArray = (np.asarray(pixels, np.float64) * self.scale - self.mean) / self.deviation
        return features.astype(dtype)


def stated_preprocessing(
    input_range: Sequence[float] | None, preprocessing: Preprocessing | None
) -> Preprocessing | None:
    """Return the preprocessing that two optional arguments state.

    Parameters
    ----------
    input_range : sequence of two floats or None
        See :meth:`Preprocessing.of_input_range`.
    preprocessing : Preprocessing or None
        The record itself.

    Returns
    -------
    preprocessing : Preprocessing or None
        None if neither is given.

    Raises
    ------
    ConfigurationError
        If both are given, or if the range is invalid.
    """
    if input_range is None:
        return preprocessing
    if preprocessing is not None:
        raise ConfigurationError("input_range and preprocessing both state the features of the model; pass one of them")
    return Preprocessing.of_input_range(input_range)


def _checked(name: str, value: Any) -> float | tuple[float, ...]:
    try:
        array = np.asarray(value, np.float64)
    except (TypeError, ValueError):
        array = np.array(np.nan)
    if array.ndim > 1 or not array.size or not np.isfinite(array).all():
        raise ConfigurationError(f"preprocessing: {name} is {str(value)[:80]}; expected finite numbers")
    if name != "mean" and not array.all():
        raise ConfigurationError(f"preprocessing: {name} has a zero; expected numbers other than 0")
    return tuple(array.tolist()) if array.ndim else float(array)
