"""Samples from arrays and files: every form gives the same scores, and every fault one line."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from ganbench.data import files, find, real_samples, ring
from ganbench.errors import DataError, SampleError, SpecError, UnknownNameError
from ganbench.metrics import evaluate, fid, reading
from ganbench.metrics.base import METRICS
from ganbench.metrics.choice import resolve
from ganbench.metrics.engine import score
from ganbench.metrics.real import real_scores
from ganbench.metrics.samples import open_samples, resolved
from ganbench.spec import Scoring


def _images(n: int = 40) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, 8, 8), dtype=np.uint8)


def _opened(source: Any, dataset: Any, n: int = 40) -> torch.Tensor:
    return torch.cat(list(open_samples(source, dataset)(n)))


@pytest.mark.parametrize(
    "form",
    [
        lambda x: x,
        lambda x: x[..., None],
        lambda x: x[:, None],
        lambda x: torch.from_numpy(x),
        lambda x: (x / 255).astype(np.float32),
        lambda x: x[:, None] / 255,
    ],
    ids=["NHW", "NHWC", "NCHW", "tensor", "float32", "float64"],
)
def test_arrays_of_every_form_are_the_same_images(grey, form: Callable[[Any], Any]) -> None:
    assert torch.equal(_opened(form(_images()), grey), torch.from_numpy(_images())[:, None])


def test_floats_are_rounded_not_cut_off(grey) -> None:
    found = _opened(np.full((2, 8, 8), 0.999), grey, 2)
    assert int(found.min()) == 255


@pytest.mark.parametrize(
    ("quantise", "values", "levels"),
    [
        ("round", [0, 0.5, 0.999, 1, 1 + 1e-7], [0, 128, 255, 255, 255]),
        ("truncate", [0, 0.5, 0.999, 1, -1e-7], [0, 127, 254, 255, 0]),
        ("stylegan", [-1, 0, 0.999, 1, 1.5], [0, 128, 255, 255, 255]),
        ("stylegan", [-1.5, -0.5, 0.5, 0.004, 0.0], [0, 64, 191, 128, 128]),
    ],
)
@pytest.mark.parametrize("kind", [np.float32, np.float64, torch.float32])
def test_floats_become_bytes_in_the_way_asked_for(
    grey, quantise: str, values: list[float], levels: list[int], kind: Any
) -> None:
    images = np.tile(np.array(values)[:, None, None], (1, 8, 8))
    given = torch.tensor(images, dtype=kind) if isinstance(kind, torch.dtype) else images.astype(kind)
    samples = open_samples(given, grey, quantise)
    (found,) = samples(5)
    assert found[:, 0, 0, 0].tolist() == levels
    assert samples.protocol == {"quantisation": quantise}


def test_bytes_stay_bytes_whatever_the_quantisation(grey) -> None:
    samples = open_samples(_images(), grey, "stylegan")
    assert samples.protocol == {"quantisation": "uint8"}
    assert torch.equal(torch.cat(list(samples(40))), torch.from_numpy(_images())[:, None])


def test_wrong_ranges_say_what_there_is(grey) -> None:
    with pytest.raises(SampleError, match=r"in \[0, 1\], got -1 to 1: .* the quantisation stylegan"):
        open_samples(np.tile(np.array([-1.0, 1.0])[:, None, None], (1, 8, 8)), grey)
    with pytest.raises(SampleError, match=r"in \[-1, 1\], got 0 to 255"):
        open_samples(_images().astype(np.float32), grey, "stylegan")
    with pytest.raises(UnknownNameError, match="did you mean 'round'"):
        open_samples(_images(), grey, "rond")


def test_the_quantisation_is_part_of_the_protocol(grey) -> None:
    protocols = [
        evaluate(images, grey, "fd-pixels", n=40, quantise="truncate")[0].protocol["quantisation"]
        for images in (_images(), _images() / 255)
    ]
    assert protocols == ["uint8", "truncate"]
    assert "quantisation" not in evaluate(ring().sample(50), "ring", "kl", n=50)[0].protocol


def _npz(path: Path) -> Path:
    np.savez(path / "x.npz", _images())
    return path / "x.npz"


def _npy(path: Path) -> Path:
    np.save(path / "x.npy", _images())
    return path / "x.npy"


def _pt(path: Path) -> Path:
    torch.save(torch.from_numpy(_images()), path / "x.pt")
    return path / "x.pt"


def _folder(path: Path) -> Path:
    for index, image in enumerate(_images()):
        Image.fromarray(image).save(path / f"{index:03}.png")
    return path


@pytest.fixture
def by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders are read in the order of their files' names."""
    monkeypatch.setattr(reading, "_shuffled", list)


def test_a_folder_is_shuffled_and_always_alike(grey, tmp_path: Path) -> None:
    """Sorted by class, as folders are, the first n would be one class, and pairs of neighbours alike."""
    first, again = (_opened(_folder(tmp_path), grey) for _ in range(2))
    assert torch.equal(first, again)
    images = torch.from_numpy(_images())[:, None]
    assert not torch.equal(first, images)
    assert sorted(map(str, first.flatten(1).tolist())) == sorted(map(str, images.flatten(1).tolist()))


@pytest.mark.usefixtures("by_name")
@pytest.mark.parametrize("write", [_npz, _npy, _pt, _folder])
def test_files_of_every_kind_are_the_same_images(grey, write: Callable[[Path], Path], tmp_path: Path) -> None:
    assert torch.equal(_opened(write(tmp_path), grey), torch.from_numpy(_images())[:, None])


def test_colour_comes_channels_first(colour) -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), dtype=np.uint8)
    assert torch.equal(_opened(images, colour, 5), torch.from_numpy(images).permute(0, 3, 1, 2))


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.full((9, 8, 8), 1.5), "1.5"),
        (np.full((9, 8, 8), -1.0), "-1"),
        (np.full((9, 8, 8), np.nan), "not finite"),
        (np.zeros((9, 8, 8), np.int64), "int64"),
        (np.zeros((0, 8, 8), np.uint8), "no samples|0"),
        (np.zeros((9, 9, 9), np.uint8), r"9x9 with 1 channel, those of noise are 8x8 .* resize them to 8x8 first"),
        (np.zeros((9, 3, 8, 8), np.uint8), r"8x8 with 3 channels, .* make them grey first"),
        (np.array(["a", "b"]), "U1"),
    ],
    ids=["above", "below", "nan", "integers", "empty", "size", "channels", "text"],
)
def test_bad_arrays_are_one_line(grey, samples: np.ndarray, message: str) -> None:
    with pytest.raises(SampleError, match=message) as caught:
        evaluate(samples, grey, "parzen", n=9)
    assert "\n" not in str(caught.value)


def _pickled(path: Path) -> None:
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)


def _unsafe(path: Path) -> None:
    path.write_bytes(pickle.dumps({"samples": Path("x")}, protocol=2))


def _broken(path: Path) -> None:
    path.write_bytes(b"not what the name says")


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("x.npy", _pickled),
        ("x.pt", _unsafe),
        ("x.pt", _broken),
        ("x.npz", _broken),
        ("x.npy", _broken),
        ("x.csv", _broken),
    ],
)
def test_bad_files_are_one_line_that_names_them(grey, tmp_path: Path, name: str, write: Callable[[Path], None]) -> None:
    write(tmp_path / name)
    with pytest.raises(SampleError, match=name) as caught:
        open_samples(tmp_path / name, grey)
    assert "\n" not in str(caught.value)


def test_arrays_of_unusual_names_and_kinds(grey, tmp_path: Path) -> None:
    np.savez(tmp_path / "one.npz", mine=_images())
    assert len(_opened(tmp_path / "one.npz", grey)) == 40
    np.savez(tmp_path / "two.npz", mine=_images(), yours=_images())
    with pytest.raises(SampleError, match=r"two.npz: it holds mine, yours, and none of samples, arr_0"):
        open_samples(tmp_path / "two.npz", grey)
    torch.save([1, 2], tmp_path / "list.pt")
    with pytest.raises(SampleError, match=r"list.pt: it holds a list, not a tensor"):
        open_samples(tmp_path / "list.pt", grey)
    points = ring().sample(30).numpy().astype(">f8")
    points.flags.writeable = False
    assert torch.equal(_opened(points, find("ring"), 30), ring().sample(30))


def test_a_npy_file_stays_on_the_disk(grey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "CHUNK_BYTES", 10 * 64)
    samples = open_samples(_npy(tmp_path), grey)
    chunks = list(samples(25))
    assert [len(chunk) for chunk in chunks] == [10, 10, 5]
    assert torch.equal(torch.cat(chunks), torch.from_numpy(_images())[:25, None])


@pytest.mark.usefixtures("by_name")
def test_a_folder_is_read_as_it_is_used(grey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "CHUNK", 5)
    read: list[Path] = []

    def counted(file: Path, whole: Callable[[Path], Any] = files.read_image) -> Any:
        read.append(file)
        return whole(file)

    monkeypatch.setattr(files, "read_image", counted)
    chunks = open_samples(_folder(tmp_path), grey)(40)
    assert len(read) == 1  # the size of the first
    assert torch.equal(next(chunks), torch.from_numpy(_images())[:5, None])
    assert len(set(read)) <= 10  # this chunk, and the next one ahead of its time
    assert torch.equal(torch.cat(list(chunks)), torch.from_numpy(_images())[5:, None])
    read.clear()
    assert len(torch.cat(list(open_samples(tmp_path, grey)(7)))) == 7
    assert len(set(read)) == 7


@pytest.mark.usefixtures("by_name")
@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda p: p.write_bytes(p.read_bytes()[:60]), r"cannot read image .*031\.png"),
        (lambda p: p.write_bytes(b"no image"), r"cannot read image .*031\.png: it is damaged, or not an image"),
        (lambda p: Image.new("L", (9, 8)).save(p), r"031\.png is 9x8 with 1 channel, the others are 8x8"),
        (lambda p: Image.new("RGB", (8, 8)).save(p), r"031\.png is 8x8 with 3 channels, the others are 8x8 with 1"),
        (lambda p: p.unlink() or p.symlink_to("gone"), r"cannot read image .*031\.png: No such file"),
    ],
    ids=["truncated", "text", "size", "mode", "dangling"],
)
def test_a_bad_file_is_named_also_when_it_comes_late(
    grey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[Path], Any], message: str
) -> None:
    monkeypatch.setattr(files, "CHUNK", 5)
    spoil(_folder(tmp_path) / "031.png")
    chunks = open_samples(tmp_path, grey)(40)
    assert len([next(chunks) for _ in range(6)]) == 6
    with pytest.raises(DataError, match=message) as caught:
        next(chunks)
    assert "\n" not in str(caught.value)
    assert len(torch.cat(list(open_samples(tmp_path, grey)(31)))) == 31  # those before it are good


def test_folders_that_cannot_be_samples(grey, colour, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no images in .*: files must end in \.png"):
        open_samples(tmp_path, grey)
    with pytest.raises(SampleError, match="is a folder of images, ring holds points"):
        open_samples(_folder(tmp_path), find("ring"))
    with pytest.raises(SampleError, match=r"8x8 with 1 channel, .* 3 channels: give them three channels first"):
        open_samples(tmp_path, colour)
    (tmp_path / "039.png").unlink()
    with pytest.raises(DataError, match=r"40 samples are needed, .* has 39"):
        open_samples(tmp_path, grey)(40)


def test_a_missing_file_is_named(grey, tmp_path: Path) -> None:
    with pytest.raises(SampleError, match=r"absent\.npy"):
        open_samples(tmp_path / "absent.npy", grey)


def test_points_are_scored_under_the_samples_given(grey) -> None:
    points = ring().sample(400, seed=0)
    with pytest.raises(SampleError, match=r"2,500 samples.*400"):
        evaluate(points, "ring")
    scores = evaluate(points.numpy().astype(np.float64), "ring", "modes,kl", n=400)
    assert [each.metric for each in scores] == ["modes", "kl"]
    assert {each.protocol["n_generated"] for each in scores} == {400}
    assert scores[0].value == 8


def test_more_samples_than_there_are_is_an_error() -> None:
    with pytest.raises(SampleError, match="400"):
        evaluate(ring().sample(400), find("ring"), n=401)


def _pixels(images: np.ndarray) -> np.ndarray:
    return images.reshape(len(images), -1) / 255


def test_a_second_folder_is_held_against_in_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(METRICS._cards, "fd", replace(METRICS.get("fd"), n_real=5))
    other = np.random.default_rng(1).integers(0, 200, (30, 8, 8), dtype=np.uint8)
    (tmp_path / "a").mkdir()
    np.savez(tmp_path / "b.npz", images=other)
    (found,) = evaluate(_folder(tmp_path / "a"), tmp_path / "b.npz", "fd-pixels", n=40)
    assert found.protocol["split"] == "all"
    assert found.protocol["n_real"] == 30
    assert found.value == pytest.approx(fid(_pixels(other), _pixels(_images())), rel=1e-6)
    (turned,) = evaluate(tmp_path / "b.npz", str(tmp_path / "a"), "fd-pixels", n=30)
    assert turned.value == pytest.approx(found.value, rel=1e-6)
    (part,) = evaluate(tmp_path / "a", tmp_path / "b.npz", "fd-pixels", n=40, split="test")
    assert part.protocol["n_real"] == 3


def test_data_with_a_test_set_are_held_against_it(tmp_path: Path) -> None:
    np.savez(tmp_path / "both.npz", x_train=_images(), x_test=_images()[:15])
    (found,) = evaluate(_images(), tmp_path / "both.npz", "fd-pixels", n=40)
    assert (found.protocol["split"], found.protocol["n_real"]) == ("test", 15)
    (all_of_it,) = evaluate(_images(), tmp_path / "both.npz", "fd-pixels", n=40, split="all")
    assert all_of_it.protocol["n_real"] == 55


def test_all_is_of_paths_alone(grey) -> None:
    with pytest.raises(UnknownNameError, match="unknown split of mnist 'all': choose from test, train"):
        evaluate(_images(), "mnist", "parzen", split="all")
    with pytest.raises(UnknownNameError, match="unknown split of ring 'al'"):
        resolve(find("ring"), Scoring(split="al"))


def test_a_cards_name_stands_for_its_scores() -> None:
    card = find("ring")
    found = resolve(card, Scoring(metrics=("jsd", "mode-coverage", "kid", "fd")))
    assert found.metrics == ("jsd", "modes", "high_quality", "kl", "kid", "fd-identity")
    assert resolve(card, found) == found
    assert len(evaluate(ring().sample(60), "ring", ["mode-coverage"], n=60)) == 4


def test_a_weights_file_is_for_the_network_that_has_weights(grey, stand_in, weights: Path) -> None:
    scoring = Scoring.parse({"metrics": ["fd-pixels", "fd-efficientnet-lite0"], "weights": weights, "samples": 20})
    found = score(open_samples(_images(), grey), grey, scoring)
    assert ["weights" in each.protocol for each in found] == [False, True]
    with pytest.raises(SpecError, match=r"weights are given \(.*weights\.txt\), which no metric here uses"):
        resolve(grey, scoring.model_copy(update={"metrics": ("fd-pixels",)}))
    with pytest.raises(UnknownNameError, match="unknown dtype 'flaot32': did you mean 'float32'"):
        resolve(grey, Scoring(dtype="flaot32"))


def test_real_data_come_from_where_the_metric_does_not_look(grey, stand_in, weights: Path) -> None:
    names = ("fd-pixels", "parzen", "fd-efficientnet-lite0")
    asked = {"metrics": names, "samples": 50, "weights": {"efficientnet-lite0": weights}}
    found = real_scores(grey, resolve(grey, Scoring.parse(asked)))
    assert list(found) == list(names)
    assert {(each.protocol["real"], each.protocol["n_generated"]) for each in found.values()} == {("train", 50)}
    images = torch.cat(list(real_samples(grey, 50, seed=0)))
    direct = evaluate(images, grey, names, n=50, weights={"efficientnet-lite0": weights})
    assert [each.value for each in direct] == [found[name].value for name in names]
    trained = real_scores(grey, resolve(grey, Scoring(metrics=names[:1], samples=50, split="train")))
    assert trained["fd-pixels"].protocol["real"] == "test"


def test_real_data_of_metrics_that_take_different_numbers(grey, stand_in, weights: Path, monkeypatch: Any) -> None:
    """Each group is scored alone: what the others were given must not be in its way."""
    monkeypatch.setitem(METRICS._cards, "parzen", replace(METRICS.get("parzen"), samples=110))
    asked = {"metrics": ["parzen", "fd"], "weights": {"efficientnet-lite0": weights}, "resize": "none"}
    found = real_scores(grey, resolve(grey, Scoring.parse(asked)))
    assert {name: each.protocol["n_generated"] for name, each in found.items()} == {
        "parzen": 110,
        "fd-efficientnet-lite0": 300,
    }


def test_real_data_are_as_many_as_there_are(grey) -> None:
    scoring = resolve(grey, Scoring(metrics=("fd-pixels", "parzen", "kid"), features="pixels"))
    found = real_scores(grey, scoring)
    assert {name: each.protocol["n_generated"] for name, each in found.items()} == {"fd-pixels": 300, "parzen": 300}
    assert METRICS.get("kid").minimum > 300  # which is why it has none


def test_real_points_are_fresh_and_all_of_a_path_leaves_none(tmp_path: Path) -> None:
    card = find("ring")
    scoring = resolve(card, Scoring(metrics=("kl", "fd"), samples=300))
    found = real_scores(card, scoring)
    assert {each.protocol["real"] for each in found.values()} == {"fresh"}
    assert found["fd-identity"].value > 1e-9  # against other points than themselves
    path = find(str(_npz(tmp_path)))
    assert real_scores(path, resolved(path, Scoring(metrics=("fd-pixels",), samples=20))) == {}


def test_progress_is_told(grey, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    evaluate(_images(), grey, "fd-pixels", n=40, progress=lambda *event: told.append(event))
    assert ("samples", 40, 40) in told
    assert ("real noise, pixels", 200, 200) in told
    assert ("computing fd", 0, 1) in told
    real_scores(grey, resolve(grey, Scoring(metrics=("fd-pixels",), samples=30)), progress=lambda *e: told.append(e))
    assert ("real samples", 30, 30) in told
