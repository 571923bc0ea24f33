from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganbench.canonical import canonical, digest
from ganbench.errors import SpecError
from ganbench.spec import IMPORTED, Range, RunSpec, Score, SweepSpec

RUN = {"variant": "ns", "dataset": "ring", "network": "mlp", "seed": 3, "steps": 100}
SCALARS = st.one_of(
    st.booleans(), st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=8)
)


@given(st.dictionaries(st.text(min_size=1, max_size=6), SCALARS, max_size=6), st.randoms())
def test_ids_do_not_depend_on_order_or_number_format(settings: dict, random) -> None:
    shuffled = list(settings.items())
    random.shuffle(shuffled)
    other = {
        key: float(value) if type(value) is int else value  # 10 and 10.0 are one value
        for key, value in shuffled
    }
    assert RunSpec(**RUN, settings=settings).id == RunSpec(**RUN, settings=other).id


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_canonical_numbers_survive_json(value: float) -> None:
    assert float(canonical(value)) == value


def test_a_group_leaves_out_the_seed_and_the_imported_file_alone() -> None:
    versions = {"dataset": 1, "variant": 2}
    base = RunSpec(**RUN, versions=versions)
    shared = {key: value for key, value in RUN.items() if key != "seed"}
    assert base.group == digest({**shared, "settings": {}, "versions": versions})  # as stores have it
    files = [
        RunSpec(**{**RUN, "seed": seed}, versions={**versions, IMPORTED: text}) for seed, text in ((3, "a"), (4, "b"))
    ]
    assert {each.group for each in files} == {base.group}
    assert len({base.id, *(each.id for each in files)}) == 3
    assert RunSpec(**RUN, versions={**versions, "variant": 3}).group != base.group


def test_ids_tell_every_field_apart() -> None:
    base = RunSpec(**RUN, settings={"lr": 0.1})
    others = [
        RunSpec(**{**RUN, key: value}, settings={"lr": 0.1})
        for key, value in [("variant", "wgan"), ("dataset", "grid"), ("network", "x"), ("seed", 4), ("steps", 101)]
    ]
    others += [RunSpec(**RUN, settings={"lr": 0.2}), RunSpec(**RUN, settings={"lr": 0.1}, versions={"network": 2})]
    assert len({spec.id for spec in [base, *others]}) == 8
    assert len(base.id) == 12
    assert {base.group == spec.group for spec in others[3:4]} == {True}  # only the seed differs


def test_an_id_is_pinned() -> None:
    """Stored results are found under ids: they may not move between releases."""
    assert RunSpec(**RUN, settings={"lr": 0.001, "n_dis": 5.0, "norm": "none", "on": True}).id == "87a626d95303"


def test_a_copy_has_an_id_of_its_own() -> None:
    """Ids are kept once they were asked for, and a copy must not keep another run's."""
    first = RunSpec(variant="ns", dataset="ring", network="mlp", seed=0, steps=10, settings={"lr": 0.5})
    kept = first.id, first.group, first.text
    for update in ({"seed": 1}, {"steps": 11}, {"settings": {"lr": 0.25}}):
        made = RunSpec(**(first.model_dump() | update))
        copied = first.model_copy(update=update)
        assert (copied.id, copied.group, copied.text) == (made.id, made.group, made.text)
        assert copied == made
    assert (first.id, first.group, first.text) == kept
    assert RunSpec.model_validate_json(first.text) == first
    assert set(first.model_dump()) == set(RunSpec.model_fields)
    assert repr(first) == repr(first.model_copy())


def test_true_is_not_one() -> None:
    assert RunSpec(**RUN, settings={"a": True}).id != RunSpec(**RUN, settings={"a": 1}).id


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"steps": -1}, "steps: input should be greater than or equal to 1 (got -1)"),
        ({"steps": "many"}, "steps: input should be a valid integer"),
        ({"seeds": 0}, "seeds: a sweep needs at least one seed, got 0"),
        ({"seeds": [-1]}, "seeds: seeds are 0 or more, got -1"),
        ({"stpes": 3}, "stpes: no such field, did you mean 'steps'?"),
        ({"variants": []}, "variants: tuple should have at least 1 item"),
        ({"set": {"lr": {"low": 2, "high": 1}}}, "low must be below high"),
        (
            {"set": {"lr": {"low": 0, "high": 1, "log": True}}, "sampler": "random", "trials": 1},
            "needs low > 0",
        ),
        ({"set": {"lr": {"low": 0, "high": 1}}}, "lr is a range, which the grid sampler cannot walk"),
        ({"trials": 3}, "trials is for the random sampler"),
        ({"sampler": "random"}, "the random sampler needs trials"),
        ({"sampler": "tpe"}, "the tpe sampler needs trials"),
        ({"space": "own"}, "space 'own' has ranges, which the grid sampler cannot walk"),
        ({"batch": 0}, "batch: input should be greater than or equal to 1 (got 0)"),
        ({"top": 1}, "top and search_seeds go together"),
        ({"search_seeds": 2}, "top and search_seeds go together"),
        ({"search_seeds": 0, "top": 1}, "a sweep needs at least one seed, got 0"),
        ({"budget": {"d_step": 9}}, "budget: unknown budget 'd_step': did you mean 'd_steps'?"),
        ({"budget": {"d_steps": 0}}, "a budget is at least 1, got d_steps = 0"),
        ({"budget": {"seconds": 60}}, "seconds are no budget: how far a run gets in them depends on the machine"),
        ({"budget": {}}, "a budget is one of d_steps, g_steps, images, got 0 of them"),
        ({"budget": {"d_steps": 1, "images": 1}}, "a budget is one of d_steps, g_steps, images, got 2 of them"),
        ({"budget": {"d_steps": 9}, "steps": 9}, "steps and budget both say how long a run is"),
        ({"sampler": "gird"}, "sampler: unknown sampler 'gird': did you mean 'grid'?"),
    ],
)
def test_bad_sweeps_are_one_clear_line(fields: dict, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        SweepSpec.parse({"variants": ["ns"], "datasets": ["ring"], **fields})
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_seeds_by_count_or_by_name() -> None:
    assert SweepSpec.parse({"variants": ["ns"], "datasets": ["ring"], "seeds": 3}).seeds == (0, 1, 2)
    assert SweepSpec.parse({"variants": ["ns"], "datasets": ["ring"], "seeds": [7, 7, 2]}).seeds == (7, 2)


def test_toml_with_overrides(tmp_path: Path) -> None:
    path = tmp_path / "sweep.toml"
    path.write_text('variants = ["ns"]\ndatasets = ["ring"]\nsteps = 10\n[set]\nlr = [1e-3, 1e-4]\nwidth = 64\n')
    spec = SweepSpec.from_toml(path, {"steps": 20, "set": {"width": 32}})
    assert (spec.steps, spec.set["lr"], spec.set["width"]) == (20, [1e-3, 1e-4], 32)


def test_a_length_that_is_given_wins_over_the_files(tmp_path: Path) -> None:
    path = tmp_path / "sweep.toml"
    path.write_text('variants = ["ns"]\ndatasets = ["ring"]\nsteps = 10\n')
    spec = SweepSpec.from_toml(path, {"budget": {"d_steps": 50}})
    assert (spec.steps, spec.budget) == (None, {"d_steps": 50})
    path.write_text('variants = ["ns"]\ndatasets = ["ring"]\n[budget]\nimages = 10\n')
    spec = SweepSpec.from_toml(path, {"steps": 20})
    assert (spec.steps, spec.budget) == (20, None)


def test_what_searches() -> None:
    def searches(**fields) -> bool:
        return SweepSpec.parse({"variants": ["ns"], "datasets": ["ring"], **fields}).searches

    assert not searches(set={"lr": 1e-3, "width": [8]})
    assert searches(set={"lr": [1e-3, 1e-4]})
    assert searches(sampler="random", trials=2, set={"lr": {"low": 0.1, "high": 1.0}})


def test_malformed_toml_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text('variants = ["ns"]\nsteps = = 3\n')
    with pytest.raises(SpecError, match=r"bad.toml is not valid TOML: .*line 2"):
        SweepSpec.from_toml(path)
    with pytest.raises(SpecError, match="cannot read"):
        SweepSpec.from_toml(tmp_path / "none.toml")


def test_protocol_text_is_sorted_and_plain() -> None:
    score = Score(metric="kl", version=1, value=math.nan, protocol={"split": "test", "n_generated": 2500.0})
    assert score.protocol_text == "n_generated=2500 split=test"


def test_ranges_are_read_from_toml_tables() -> None:
    spec = SweepSpec.parse(
        {
            "variants": ["ns"],
            "datasets": ["ring"],
            "sampler": "random",
            "trials": 2,
            "set": {"lr": {"low": 1e-5, "high": 1e-2, "log": True}},
        }
    )
    assert spec.set["lr"] == Range(low=1e-5, high=1e-2, log=True)
