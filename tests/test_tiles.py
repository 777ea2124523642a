"""Images and weights in blocks of 4 x 4 pixels, vectors of sixteen lanes, and the choice of the path of training."""

import numba
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from nnkernels.contenders import create
from nnkernels.data import LabelledImages
from nnkernels.kernels.fused import entries, path_timing, paths
from nnkernels.kernels.fused.nonzero import NonzeroImages
from nnkernels.kernels.fused.tile_images import BLOCK_PIXELS, TileImages, grid_of, pack_tiles, unpack_tiles
from nnkernels.kernels.fused.tile_layout import TileLayout
from nnkernels.kernels.simd import copy_sixteen, load, store, tile_totals, zero_tile
from nnkernels.parameters import Parameters, initial_parameters
from nnkernels.recipes import Optimizer, Recipe

instruction_set = pytest.mark.instruction_set
BYTES = st.sampled_from([0, 0, 0, 0, 0, 1, 255])
IMAGES = st.tuples(st.integers(0, 4), st.integers(1, 1024)).flatmap(
    lambda shape: hnp.arrays(np.uint8, shape, elements=BYTES)
)


def blocks_of(image):
    """Return the blocks of an image, with zeros where an incomplete block has no pixels, by a loop over its pixels."""
    side = round(len(image) ** 0.5)
    width = side if side * side == len(image) and side <= 32 else 4
    columns = -(-width // 4)
    rows = -(-len(image) // (4 * width))
    blocks = np.zeros((rows * columns, 16), np.uint8)
    for index, value in enumerate(image):
        row, column = divmod(index, width)
        blocks[row // 4 * columns + column // 4, row % 4 * 4 + column % 4] = value
    return blocks


@instruction_set
@given(X=IMAGES)
@example(X=np.full((3, 784), 255, np.uint8))
@example(X=np.zeros((2, 784), np.uint8))
@example(X=np.eye(40, 1024, dtype=np.uint8))
@example(X=np.eye(40, 961, k=921, dtype=np.uint8))
def test_records_contain_mask_and_inked_blocks(X):
    images = pack_tiles(X)
    for image, start in zip(X, images.starts.astype(int) * 16, strict=True):
        blocks = blocks_of(image)
        inked = blocks.any(axis=1)
        mask = int(images.records[start : start + 8].view(np.uint64)[0])
        assert mask == sum(1 << block for block in np.flatnonzero(inked).tolist())
        packed = images.records[start + 16 :][: 16 * inked.sum()]
        np.testing.assert_array_equal(packed.reshape(-1, 16), blocks[inked])
    np.testing.assert_array_equal(unpack_tiles(images), X)


@given(inputs=st.integers(1, 1024), hidden=st.integers(1, 130), classes=st.integers(1, 17))
@example(inputs=784, hidden=20, classes=10)
def test_layout_gives_each_weight_a_place_of_its_own(inputs, hidden, classes):
    layout = TileLayout(inputs, hidden, classes)
    numbers = iter(range(1, 10**6))
    shapes = Parameters((inputs, hidden), (hidden,), (hidden, classes), (classes,))
    params = Parameters(*(np.array([next(numbers) for _ in range(np.prod(s))], np.float32).reshape(s) for s in shapes))
    memory = layout.view(np.zeros(layout.ends[-1], np.float32))
    layout.pack(params, memory)
    assert np.count_nonzero(memory.flat) == sum(array.size for array in params)
    found = Parameters(*(np.empty(shape, np.float32) for shape in shapes))
    layout.unpack(memory, found)
    for array, expected in zip(found, params, strict=True):
        np.testing.assert_array_equal(array, expected)
    # Sixteen weights of a block and hidden unit are neighbours, in the order of the block's pixels.
    block, units = grid_of(inputs).blocks - 1, layout.panel_units
    first_pixel = block * BLOCK_PIXELS if grid_of(inputs).width == 4 else None
    if first_pixel is not None and hidden <= units:
        row = memory.W1.reshape(layout.rows, units, BLOCK_PIXELS)[block, 0]
        assert row[0] == params.W1[first_pixel, 0]


def test_layout_of_wide_hidden_layers_pads_least():
    panels = {1: 1, 20: 1, 24: 1, 25: 2, 40: 3, 64: 4, 128: 8, 512: 32}
    assert {hidden: TileLayout(784, hidden, 10).panels for hidden in panels} == panels
    assert TileLayout(784, 20, 10).panel_units == 20
    assert TileLayout(784, 128, 10).panel_units == 16


@instruction_set
@pytest.mark.parametrize("units", [4, 12, 16, 20, 24])
def test_totals_of_tiles(units):
    @numba.njit
    def totals(tile, out):
        store(out, 0, tile_totals(load(tile, 0, zero_tile(units))))

    tile = np.random.default_rng(units).integers(-100, 100, 16 * units).astype(np.float32)  # exact sums
    out = np.full(-(-units // 8) * 8, 7, np.float32)
    totals(tile, out)
    np.testing.assert_array_equal(out[:units], tile.reshape(units, 16).sum(axis=1))
    assert not out[units:].any()


@numba.njit
def copy(target, at_target, source, at_source):
    copy_sixteen(target, at_target, source, at_source)


@instruction_set
def test_sixteen_bytes_are_copied_and_nothing_else_changes():
    source, target = np.arange(100, 140, dtype=np.uint8), np.zeros(40, np.uint8)
    copy(target, 5, source, 3)
    np.testing.assert_array_equal(target, [*[0] * 5, *range(103, 119), *[0] * 19])


def digits():
    return np.random.default_rng(0).integers(0, 2, (8, 784), np.uint8) * np.uint8(200)


@pytest.mark.parametrize(
    ("setting", "features", "cpu", "expected"),
    [
        (None, {"avx512f"}, "znver4", TileImages),
        (None, {"avx2"}, "znver4", NonzeroImages),
        (None, set(), "znver3", NonzeroImages),
        ("lists", {"avx512f"}, "znver4", NonzeroImages),
        ("tiles", set(), "generic", TileImages),
        ("lists, tiles", {"avx512f"}, "znver4", TileImages),
        ("lists,tiles", {"avx2"}, "haswell", NonzeroImages),
    ],
)
def test_path_follows_setting_then_features_then_measured_cpus(setting, features, cpu, expected, monkeypatch):
    monkeypatch.delenv(paths.SETTING, raising=False)
    if setting is not None:
        monkeypatch.setenv(paths.SETTING, setting)
    monkeypatch.setattr(paths, "compiled_features", lambda: frozenset(features))
    monkeypatch.setattr(paths, "compiled_cpu", lambda: cpu)
    X = np.minimum(digits(), np.eye(8, 784, dtype=np.uint8) * 255)
    assert isinstance(entries.pack_images(X), expected)


def test_unmeasured_cpu_with_avx512_is_timed_once(monkeypatch):
    monkeypatch.delenv(paths.SETTING, raising=False)
    monkeypatch.setattr(paths, "compiled_features", lambda: frozenset({"avx512f"}))
    monkeypatch.setattr(paths, "compiled_cpu", lambda: "a new one")
    timings = []
    monkeypatch.setattr(path_timing, "faster_path", lambda: timings.append(1) or paths.TILES)
    paths._timed_path.cache_clear()
    assert [paths.training_path() for _ in range(3)] == [paths.TILES] * 3
    paths._timed_path.cache_clear()
    assert timings == [1]


def test_timing_trains_by_both_paths_and_returns_the_faster(monkeypatch):
    trained, clock = [], iter(np.cumsum([0, 5, 0, 1] * path_timing.TURNS).tolist())

    def train_inplace(params, state, images, *_arguments):
        trained.append(type(images))

    monkeypatch.setattr(path_timing.entries, "train_inplace", train_inplace)
    monkeypatch.setattr(path_timing.time, "perf_counter", lambda: next(clock))
    assert path_timing.faster_path() == paths.TILES
    assert trained == [NonzeroImages, TileImages] * path_timing.TURNS


def test_timed_images_have_as_much_ink_as_digits(small_digits):
    found, expected = path_timing.synthetic_digits(), small_digits.X_train
    assert np.count_nonzero(found, axis=1).mean() == pytest.approx(np.count_nonzero(expected, axis=1).mean(), rel=0.1)
    sizes = [pack_tiles(X).records.size / len(X) for X in (found, expected)]
    assert sizes[0] == pytest.approx(sizes[1], rel=0.1)


def test_images_of_more_than_64_blocks_and_float_features_take_no_tiles(monkeypatch):
    monkeypatch.setenv(paths.SETTING, paths.TILES)
    for X in (np.eye(4, 1025, dtype=np.uint8), np.eye(4, 784, dtype=np.float32)):
        assert isinstance(entries.pack_images(X), NonzeroImages)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_both_paths_train_the_same_network(optimizer, small_digits, monkeypatch):
    data = LabelledImages(small_digits.X_train[:96], small_digits.y_train[:96])
    recipe = Recipe("test", batch_size=32).with_changes(optimizer=Optimizer(optimizer))
    found = []
    for path in (paths.LISTS, paths.TILES):
        monkeypatch.setenv(paths.SETTING, path)
        contender = create("fused")
        contender.prepare(initial_parameters(3), data, recipe)
        contender.advance(np.arange(96), np.full(3, 0.01, np.float32))
        found.append(contender.parameters())
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=2e-6)
        assert not np.array_equal(one, initial_parameters(3).W1)
