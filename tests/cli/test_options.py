from __future__ import annotations

from pathlib import Path

import pytest
from click import Command, Context

from ganbench import cli
from ganbench.cli import options
from ganbench.errors import SpecError
from ganbench.spec import Scoring, SweepSpec


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("lr=1e-3", 1e-3),
        ("n=3", 3),
        ("on=true", True),
        ("norm=spectral", "spectral"),
        ("lr=1e-4,1e-3", [1e-4, 1e-3]),
        ("norm=none,batch", ["none", "batch"]),
        ("lr=1e-5..1e-2", {"low": 1e-5, "high": 1e-2, "log": False}),
        ("lr=log:1e-5..1e-2", {"low": 1e-5, "high": 1e-2, "log": True}),
        ("n=1..5", {"low": 1, "high": 5, "log": False}),
    ],
)
def test_values_are_read(text: str, value: object) -> None:
    key, found = options.assignments((text,)).popitem()
    assert key == text.partition("=")[0]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize("text", ["lr", "=3", "lr="])
def test_what_is_no_assignment(text: str) -> None:
    with pytest.raises(SpecError, match="--set takes KEY=VALUE"):
        options.assignments((text,))


def test_seeds_are_a_count_or_a_list() -> None:
    assert options.seeds("5") == 5
    assert options.seeds("0,3,7") == [0, 3, 7]
    with pytest.raises(SpecError):
        options.seeds("1.5")


def test_weights_are_files_by_network(tmp_path: Path) -> None:
    assert options.weights(()) == {}
    assert options.weights(("a.pth",)) == {"": "a.pth"}
    assert options.weights(("inception=a.pth", "vgg16=b=c.pth")) == {"inception": "a.pth", "vgg16": "b=c.pth"}
    odd = tmp_path / "lr=1.pth"
    odd.touch()
    assert options.weights((str(odd),)) == {"": str(odd)}
    for texts in (("a.pth", "b.pth"), ("inception=",), ("x=a", "x=b")):
        with pytest.raises(SpecError, match=r"--weights takes \[NAME=\]FILE, each network once"):
            options.weights(texts)


def test_scoring_holds_what_was_given_alone() -> None:
    nothing = dict.fromkeys(options.SCORING) | {"weights": (), "steps": 3}
    assert options.scoring(nothing) == {}
    assert nothing == {"steps": 3}
    given = dict.fromkeys(options.SCORING) | {"weights": ("w.pth",), "metrics": "fd, kid", "dtype": "tf32"}
    assert options.scoring(given) == {"weights": {"": "w.pth"}, "metrics": ["fd", "kid"], "dtype": "tf32"}


def test_every_field_of_a_scoring_is_an_option() -> None:
    assert {*options.SCORING, "looks"} == set(Scoring.model_fields)


def test_looks_are_an_option_of_what_trains() -> None:
    assert [name for name, command in COMMANDS.items() if _has(command, "--looks")] == ["sweep", "run"]
    given = dict.fromkeys(options.SCORING) | {"weights": (), "looks": 4}
    assert options.scoring(given) == {"looks": 4}
    assert given == {}


COMMANDS = {name: cli.ganbench.get_command(Context(cli.ganbench), name) for name in cli.COMMANDS}


def _has(command: Command, option: str) -> bool:
    return any(option in parameter.opts for parameter in command.params)


@pytest.mark.parametrize(
    ("text", "weights"),
    [
        ('weights = "w.pth"', {"": Path("w.pth")}),
        ('weights = {inception = "w.pth", vgg16 = "v.pth"}', {"inception": Path("w.pth"), "vgg16": Path("v.pth")}),
        ("samples = 5", {}),
    ],
)
def test_a_sweeps_file_says_how_to_score(tmp_path: Path, text: str, weights: dict[str, Path]) -> None:
    path = tmp_path / "s.toml"
    path.write_text(f'variants = ["ns"]\ndatasets = ["ring"]\n[scoring]\nsplit = "valid"\n{text}\n')
    found = SweepSpec.from_toml(path, {"scoring": {"dtype": "tf32"}}).scoring
    assert (found.weights, found.split, found.dtype) == (weights, "valid", "tf32")


def test_budgets_are_a_unit_and_an_amount() -> None:
    assert options.budget(None) is None
    assert options.budget("d_steps=15625") == options.budget("d_steps = 15,625") == {"d_steps": 15625}
    for text in ("d_steps", "d_steps=", "d_steps=1e4", "15625"):
        with pytest.raises(SpecError, match="--budget takes UNIT=N, as in d_steps=15625"):
            options.budget(text)


def test_a_search_holds_the_fields_of_a_sweep() -> None:
    nothing = dict.fromkeys((*options.SEARCH, "search_seeds", "budget"))
    assert set(options.search(nothing).values()) == {None}
    found = options.search(nothing | {"sampler": "tpe", "search_seeds": "0,3", "budget": "images=9"})
    assert (found["sampler"], found["search_seeds"], found["budget"]) == ("tpe", [0, 3], {"images": 9})
    assert options.search(found | {"search_seeds": None, "budget": None}).keys() <= SweepSpec.model_fields.keys()
    with pytest.raises(SpecError, match="--search-seeds is a count"):
        options.search(nothing | {"search_seeds": "x"})
