"""Whatever is given to a metric: finite numbers come back, or one clear line. Nothing that is read runs."""

from __future__ import annotations

import io
import math
import pickle
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from ganbench import metrics
from ganbench.data import files, ring
from ganbench.errors import GanbenchError
from ganbench.metrics import METRICS, evaluate
from ganbench.metrics.base import Metric, Value
from ganbench.metrics.bins import ndb
from ganbench.metrics.diversity import vendi
from ganbench.metrics.extrapolation import fid_infinity
from ganbench.metrics.kernel_distance import kid
from ganbench.metrics.manifolds import improved_precision_recall, prdc
from ganbench.metrics.memorisation import authpct, data_copying
from ganbench.metrics.nearest_neighbour import one_nearest_neighbour
from ganbench.metrics.samples import open_samples
from ganbench.metrics.similarity import ms_ssim
from ganbench.metrics.wasserstein import sliced_wasserstein, wasserstein2
from ganbench.spec import Score

fuzz = settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))

MIXTURE = ring()

DTYPES = ("<f4", "<f8", ">f4", "<f2", "g", "u1", "i8", "u2", "?", "c8", "O", "U3")
ODD = (None, 3, "x" * 300, [[1, 2], [3]], {}, {"a": 1}, object(), [[]], np.zeros(3, "M8[s]"), np.zeros((6, 3), "V4"))
FLOATS = st.one_of(
    st.floats(-1, 1, width=32),
    st.floats(width=32),
    st.sampled_from([0.0, 1.0, 255.0, math.nan, math.inf, 1e30, -3.4e38]),
)


def _readonly(array: np.ndarray) -> np.ndarray:
    array.flags.writeable = False
    return array


def _typed(array: np.ndarray, dtype: str) -> np.ndarray:
    with np.errstate(all="ignore"):
        return array.astype(dtype)


def arrays(*shapes: tuple[int, ...]) -> st.SearchStrategy[Any]:
    """Arrays of these shapes and of any other, of every type, numpy's and torch's, and what is no array at all."""
    usual = st.sampled_from(shapes)
    floats = usual.flatmap(lambda shape: hnp.arrays(np.float32, shape, elements=FLOATS))
    shape = st.one_of(usual, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5))
    some = shape.flatmap(lambda shape: hnp.arrays(np.float32, shape, elements=FLOATS))
    typed = st.tuples(some, st.sampled_from(DTYPES)).map(lambda pair: _typed(*pair))
    tensors = floats.map(torch.from_numpy)
    halves = tensors.map(lambda x: x.half().requires_grad_())
    odd = st.sampled_from([*ODD, torch.zeros(6, 3) + 1j, torch.zeros(6, 3).to_sparse()])
    return st.one_of(floats, floats.map(_readonly), tensors, halves, typed, odd)


def numbers(result: Any) -> Iterable[float]:
    """All numbers of a metric's result, whatever its form."""
    if is_dataclass(result):
        result = asdict(result)  # type: ignore[call-overload]
    if isinstance(result, Mapping):
        result = list(result.values())
    if isinstance(result, Score):
        result = [result.value]
    return [float(result)] if isinstance(result, int | float) else [each for one in result for each in numbers(one)]


def attempt(call: Callable[[], Any], *named: str) -> Any:
    """What `call` gives; None where it is refused, in one line that names what it is about."""
    try:
        return call()
    except GanbenchError as error:
        line = str(error)
    assert line.strip()
    assert "\n" not in line
    assert len(line) < 600
    assert all(name in line for name in named), line
    return None


def _never(result: Any) -> bool:
    return False


def finite_or_one_line(call: Callable[[], Any], undefined: Callable[[Any], bool] = _never) -> None:
    """Either finite numbers, or what the metric itself says is undefined, or a GanbenchError of one line."""
    result = attempt(call)
    assert result is None or all(map(math.isfinite, numbers(result))) or undefined(result), result


def _known(values: Iterable[float | None]) -> list[float]:
    """Without the standard error where there is none."""
    return [value for value in values if value is not None]


PAIRS = ((6, 3), (6, 3), (2, 3), (1, 3), (6, 2), (0, 3), (6, 0))
PAIRED: dict[str, Callable[[Any, Any], Any]] = {
    "fid": metrics.fid,
    "kid": lambda x, y: kid(x, y, 2, 4),
    "inception_score": lambda x, y: metrics.inception_score(x, 2),
    "parzen_log_likelihood": lambda x, y: metrics.parzen_log_likelihood(x, y, y),
    "prdc": lambda x, y: prdc(x, y, 2),
    "improved_precision_recall": lambda x, y: improved_precision_recall(x, y, 2),
    "one_nearest_neighbour": one_nearest_neighbour,
    "sliced_wasserstein": lambda x, y: _known(sliced_wasserstein(x, y, 4)),
    "wasserstein2": lambda x, y: _known(wasserstein2(x, y)),
    "authpct": authpct,
    "data_copying": lambda x, y: data_copying(x, y, y, 2),
    "ndb": lambda x, y: ndb(x, y, 2),
    "fid_infinity": fid_infinity,
    "vendi": lambda x, y: vendi(x),
}


@fuzz
@given(arrays(*PAIRS), arrays(*PAIRS))
@pytest.mark.parametrize("name", list(PAIRED))
@pytest.mark.filterwarnings("ignore:.*invalid escape sequence")  # in POT's own source
def test_metrics_of_anything(name: str, x: Any, y: Any) -> None:
    says_so: dict[str, Any] = {"data_copying": math.isnan}  # no cell has enough samples
    finite_or_one_line(lambda: PAIRED[name](x, y), says_so.get(name, _never))


PICTURES = ((3, 1, 12, 12), (3, 12, 12), (3, 12, 12, 3), (0, 12, 12), (3, 4, 4))


@fuzz
@given(arrays(*PICTURES), arrays(*PICTURES))
def test_ms_ssim_of_anything(x: Any, y: Any) -> None:
    finite_or_one_line(lambda: ms_ssim(x, y).tolist())


@fuzz
@given(arrays((6, 2), (1, 2), (0, 2), (6, 3)))
def test_mode_coverage_of_anything(x: Any) -> None:
    finite_or_one_line(lambda: metrics.mode_coverage(x, MIXTURE), undefined=lambda found: found.modes == 0)


def _flagged(scores: tuple[Score, ...]) -> bool:
    return all(math.isfinite(score.value) or score.flags for score in scores)


@fuzz
@given(arrays((6, 2), (2, 2), (1, 2), (0, 2), (6, 3)), st.integers(1, 6))
def test_points_of_any_kind(points: Any, n: int) -> None:
    finite_or_one_line(lambda: evaluate(points, "ring", "mode-coverage,fd-identity", n=n), undefined=_flagged)


IMAGES = ((6, 8, 8), (6, 8, 8, 1), (6, 1, 8, 8), (6, 3, 8, 8), (1, 8, 8), (0, 8, 8), (6, 8, 0))


@fuzz
@given(arrays(*IMAGES), st.integers(1, 6), st.sampled_from(["round", "truncate", "stylegan"]))
def test_images_of_any_kind(grey, images: Any, n: int, quantise: str) -> None:
    def call() -> Any:
        return evaluate(images, grey, "parzen,fd-pixels", n=n, quantise=quantise)

    finite_or_one_line(call, undefined=_flagged)


@pytest.mark.parametrize("value", [0, 1, 255, 0.0, 1.0])
def test_constant_images_are_scored_with_a_flag(grey, value: float) -> None:
    images = np.full((6, 8, 8), value, np.uint8 if isinstance(value, int) else np.float32)
    (found,) = evaluate(images, grey, "fd-pixels", n=6)
    assert math.isfinite(found.value)
    assert any("collapsed" in flag for flag in found.flags)


def test_no_number_is_without_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """A metric that overflows, as one of a user's own may."""

    class Overflowing:
        def __init__(self, context: Any) -> None:
            pass

        def update(self, view: Any) -> None:
            pass

        def result(self) -> dict[str, Value]:
            return {"mine": Value(math.nan), "told": Value(math.nan, flags=("my reason",)), "good": Value(1.0)}

    better = {"mine": "lower", "told": "lower", "good": "lower"}
    card = Metric("own", better, "", "", "", ("points",), 5, 1, Overflowing)
    monkeypatch.setitem(METRICS._cards, "own", card)
    found = evaluate(ring().sample(5), "ring", "own")
    assert [score.flags for score in found] == [
        ("not finite: the features are too large, or too much alike",),
        ("my reason",),
        (),
    ]


VALUES = np.random.default_rng(0).integers(0, 256, (40, 8, 8), dtype=np.uint8)


def _saved(suffix: str) -> bytes:
    """A good file, uncompressed or compressed, as bytes."""
    file = io.BytesIO()
    if suffix == ".npy":
        np.save(file, VALUES)
    elif suffix == ".npz":
        np.savez_compressed(file, samples=VALUES)
    else:
        torch.save({"samples": torch.from_numpy(VALUES)}, file)
    return file.getvalue()


GOOD = {suffix: _saved(suffix) for suffix in (".npy", ".npz", ".pt")}
suffixes = pytest.mark.parametrize("suffix", list(GOOD))


def _read(path: Path, dataset: Any) -> np.ndarray | None:
    """The samples in a file, or None where it is refused, in one line that names it."""

    def whole() -> np.ndarray:
        samples = open_samples(path, dataset)
        return torch.cat(list(samples(samples.count))).numpy()

    return attempt(whole, path.name)


@suffixes
@fuzz
@given(content=st.binary(max_size=200))
@example(content=b"")
@example(content=b"\x93NUMPY\x01\x00\xff\xff")
@example(content=b"PK\x03\x04")
@example(content=b"PK\x05\x06" + bytes(18))
def test_random_bytes_are_refused(suffix: str, content: bytes, grey, tmp_path: Path) -> None:
    path = tmp_path / f"x{suffix}"
    for start in (b"", GOOD[suffix][: len(content)]):
        path.write_bytes(start + content)
        assert _read(path, grey) is None


@suffixes
@fuzz
@given(data=st.data())
def test_a_truncated_file_is_refused(suffix: str, data: st.DataObject, grey, tmp_path: Path) -> None:
    path = tmp_path / f"x{suffix}"
    path.write_bytes(GOOD[suffix][: data.draw(st.integers(0, len(GOOD[suffix]) - 1))])
    assert _read(path, grey) is None


@suffixes
@fuzz
@given(data=st.data())
def test_a_file_with_changed_bytes_is_read_or_refused(suffix: str, data: st.DataObject, grey, tmp_path: Path) -> None:
    content = bytearray(GOOD[suffix])
    for position in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=4)):
        content[position] = data.draw(st.integers(0, 255))
    path = tmp_path / f"x{suffix}"
    path.write_bytes(content)
    found = _read(path, grey)
    assert found is None or found.dtype == np.uint8


def test_names_in_an_archive_are_told_in_part(grey, tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", **{name * 400: VALUES for name in "ab"})
    assert _read(tmp_path / "x.npz", grey) is None
    assert attempt(lambda: files.inspect(tmp_path / "x.npz"), "x.npz") is None


def test_the_good_files_are_read(grey, tmp_path: Path) -> None:
    for suffix, content in GOOD.items():
        (tmp_path / f"x{suffix}").write_bytes(content)
        assert np.array_equal(_read(tmp_path / f"x{suffix}", grey), VALUES[:, None])
        (tmp_path / f"a{suffix}").write_bytes(GOOD[".npz" if suffix == ".npy" else ".npy"])
    assert np.array_equal(_read(tmp_path / "a.npy", grey), VALUES[:, None])  # the content counts, not the name
    assert np.array_equal(_read(tmp_path / "a.npz", grey), VALUES[:, None])


@fuzz
@given(data=st.data())
def test_a_damaged_archive_is_no_data_set(data: st.DataObject, tmp_path: Path) -> None:
    content = bytearray(GOOD[data.draw(st.sampled_from([".npz", ".npz", ".npy"]))])
    for position in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=4)):
        content[position] = data.draw(st.integers(0, 255))
    path = tmp_path / "x.npz"
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    files._npz.cache_clear()
    found = attempt(lambda: files.inspect(path), path.name)
    assert found is None or (len(found[0]), found[2]) == (3, 0)


class Marker:
    """Unpickling it leaves a file: proof that something ran."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return Path.touch, (self.path,)


def _object_array(marker: Marker) -> np.ndarray:
    array = np.empty(1, object)
    array[0] = marker
    return array


def _zipped(marker: Marker) -> bytes:
    file = io.BytesIO()
    np.savez(file, samples=_object_array(marker))
    return file.getvalue()


def _npy(marker: Marker) -> bytes:
    file = io.BytesIO()
    np.save(file, _object_array(marker), allow_pickle=True)
    return file.getvalue()


def _pt(marker: Marker, zipped: bool) -> bytes:
    file = io.BytesIO()
    torch.save({"samples": marker}, file, _use_new_zipfile_serialization=zipped)
    return file.getvalue()


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".pt"])
@pytest.mark.parametrize(
    "content",
    [_npy, _zipped, lambda m: _pt(m, True), lambda m: _pt(m, False), pickle.dumps],
    ids=["npy", "npz", "pt", "old pt", "pickle"],
)
def test_no_pickle_runs(content: Callable[[Marker], bytes], suffix: str, grey, tmp_path: Path) -> None:
    path, marker = tmp_path / f"x{suffix}", tmp_path / "ran"
    path.write_bytes(content(Marker(marker)))
    assert _read(path, grey) is None
    assert not marker.exists()
    pickle.loads(pickle.dumps(Marker(marker)))  # the marker works: it would have told
    assert marker.exists()


def _encoded(form: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(VALUES[0]).resize((64, 64)).save(file, form)
    return file.getvalue()


@pytest.mark.parametrize("form", ["PNG", "JPEG", "BMP", "WEBP"])
@fuzz
@given(data=st.data())
def test_a_truncated_image_is_whole_or_refused(form: str, data: st.DataObject, tmp_path: Path) -> None:
    content, path = _encoded(form), tmp_path / f"x.{form.lower()}"
    path.write_bytes(content)
    whole = files.read_image(path)
    path.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    found = attempt(lambda: files.read_image(path), path.name)
    assert found is None or np.array_equal(found, whole)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "BMP", "WEBP"])
@fuzz
@given(data=st.data())
def test_an_image_with_changed_bytes_is_read_or_refused(form: str, data: st.DataObject, tmp_path: Path) -> None:
    content, path = bytearray(_encoded(form)), tmp_path / f"x.{form.lower()}"
    for position in data.draw(st.lists(st.integers(0, min(200, len(content) - 1)), min_size=1, max_size=4)):
        content[position] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    found = attempt(lambda: files.read_image(path), path.name)
    assert found is None or found.ndim == 3
