"""`ganbench export`: what TensorBoard's and W&B's own readers find."""

from __future__ import annotations

import importlib.util
import json
import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from small_sweeps import small_sweep
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from ganbench.cli.export import command
from ganbench.errors import GanbenchError
from ganbench.spec import IMPORTED, RunRecord, RunSpec, Score, Status
from ganbench.store import Store
from ganbench.sweeps.sweep import Surroundings, run_sweep

FOREIGN = RunRecord(
    spec=RunSpec(
        variant="theirs", dataset="path/to images", network="unknown", seed=3, steps=1000,
        versions={"dataset": "0123", IMPORTED: "4567"},
    ),
    status=Status.COMPLETED,
    step=1000,
    scores=tuple(
        Score(metric="fid", version=0, value=value, stderr=0.5, protocol={"source": source})
        for source, value in (("studiogan", 9.0), ("torch-fidelity", 10.0))
    ),
)  # fmt: skip
LOST = RunRecord(spec=FOREIGN.spec.model_copy(update={"seed": 4}), status=Status.FAILED, error="ValueError: no", step=0)


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of the real data, a trained run, one whose checkpoint is lost, an imported one and a failed one."""
    path = tmp_path_factory.mktemp("swept") / "s.db"
    with Store(path) as store:
        run_sweep(small_sweep(seeds=2), store, Surroundings("cpu", "inline"))
        (store.folder(trained(path, seed=1).spec.id) / "checkpoint.safetensors").write_bytes(b"damaged")
        store.finish(FOREIGN)
        store.finish(LOST)
    return path


def trained(path: Path, seed: int) -> RunRecord:
    with Store.open_existing(path) as store:
        return next(each for each in store.records() if (each.spec.variant, each.spec.seed) == ("ns", seed))


def export(store: Path, *arguments: str | Path) -> Result:
    return CliRunner().invoke(command, [*map(str, arguments), "--store", str(store)])


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    found = EventAccumulator(str(folder))
    found.Reload()
    return {tag: [(each.step, each.value) for each in found.Scalars(tag)] for tag in found.Tags()["scalars"]}


def test_tensorboard_reads_curves_and_scores_of_every_run(swept: Path, tmp_path: Path) -> None:
    for _ in range(2):  # exported again, nothing doubles
        done = export(swept, "tensorboard", tmp_path)
        assert (done.exit_code, done.stdout) == (0, "")
        assert done.stderr == f"written: 5 runs to {tmp_path}\n"
    folders = {folder.name.rpartition("-")[2]: folder for folder in tmp_path.iterdir()}
    assert len(folders) == 5
    assert all(len(list(folder.iterdir())) == 1 for folder in folders.values())
    record = trained(swept, seed=0)
    found = scalars(folders[record.spec.id])
    assert [step for step, _ in found["loss/D"]] == list(range(1, 21))
    assert found["scores/modes"] == [(20, next(each.value for each in record.scores if each.metric == "modes"))]
    assert "loss/D" not in scalars(folders[trained(swept, seed=1).spec.id])
    foreign = folders[FOREIGN.spec.id]
    assert foreign.name == f"theirs-path_to_images-unknown-seed3-{FOREIGN.spec.id}"
    assert scalars(foreign) == {
        "scores/fid (source=studiogan)": [(1000, 9.0)], "scores/fid (source=torch-fidelity)": [(1000, 10.0)]
    }  # fmt: skip
    assert scalars(folders[LOST.spec.id]) == {}


def test_tensorboard_shows_the_settings(swept: Path, tmp_path: Path) -> None:
    record = trained(swept, seed=0)
    export(swept, "tensorboard", tmp_path, record.spec.id)
    (folder,) = tmp_path.iterdir()
    found = EventAccumulator(str(folder))
    found.Reload()
    (text,) = found.Tensors("about/text_summary")
    about = text.tensor_proto.string_val[0].decode()
    assert about.startswith("ns on ring, network mlp, seed 0\n")
    for key, value in {"status": "completed", **record.spec.settings}.items():
        assert f"\n| {key} | {value} |" in about


def test_curves_are_those_of_the_checkpoint(swept: Path, tmp_path: Path) -> None:
    """As a sweep with --tensorboard leaves them, when it still has its arrays at hand."""
    with Store(tmp_path / "s.db") as store:
        run_sweep(small_sweep(seeds=1), store, Surroundings("cpu", "inline", events=True))
        run_id = trained(tmp_path / "s.db", seed=0).spec.id
        expected = scalars(store.folder(run_id) / "events")
    done = export(tmp_path / "s.db", "tensorboard", tmp_path / "out", run_id[:8], run_id)
    assert done.stderr == f"written: 1 run to {tmp_path / 'out'}\n"
    (folder,) = (tmp_path / "out").iterdir()
    assert scalars(folder) == expected


def wandb_records(path: Path) -> Iterator[Any]:
    """The records of an offline run, by W&B's own message types: a log of blocks of 32 KiB, as LevelDB has it."""
    from wandb.proto import wandb_internal_pb2

    content, at, body = path.read_bytes(), 7, b""
    assert content[:4] == b":W&B"
    while at + 7 <= len(content):
        room = 2**15 - at % 2**15
        if room < 7:
            at += room
            continue
        _, length, kind = struct.unpack("<IHB", content[at : at + 7])
        body += content[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # a whole one, or the last part
            yield wandb_internal_pb2.Record.FromString(body)
            body = b""


def offline(path: Path) -> dict[str, Any]:
    """What W&B would upload: the run, its config, history, summary and exit code."""
    found: dict[str, Any] = {"config": {}, "history": {}, "summary": {}}
    for record in wandb_records(path):
        kind = record.WhichOneof("record_type")
        if kind == "run":
            found["run"] = record.run
            found["config"] |= {item.key: json.loads(item.value_json) for item in record.run.config.update}
        elif kind == "history":
            point = {"/".join(item.nested_key) or item.key: json.loads(item.value_json) for item in record.history.item}
            found["history"][point["_step"]] = point
        elif kind == "summary":
            named = {item.key or "/".join(item.nested_key): item.value_json for item in record.summary.update}
            found["summary"] |= {name: json.loads(value) for name, value in named.items()}
        elif kind == "exit":
            found["exit"] = record.exit.exit_code
    return found


@pytest.fixture(scope="module")
def exported(swept: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The offline runs of the store by id, written twice by a process of its own, and against W&B's variables."""
    folder = tmp_path_factory.mktemp("runs")
    hostile = {"WANDB_MODE": "online", "WANDB_PROJECT": "another", "WANDB_RUN_ID": "x", "WANDB_DIR": str(folder / "no")}
    arguments = ["export", "wandb", str(folder / "new"), "--store", str(swept), "--project", "gans"]
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-m", "ganbench", *arguments], env=os.environ | hostile | {"HOME": str(folder)},
            cwd=folder, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stdout) == (0, "")
        assert done.stderr == f"written: 5 runs to {folder / 'new'}\n"
    files = list(folder.rglob("*.wandb"))
    assert all(file.is_relative_to(folder / "new" / "wandb") for file in files)
    assert len(files) == 5
    return {file.stem.removeprefix("run-"): file for file in files}


def test_wandb_has_settings_curves_and_scores(swept: Path, exported: dict[str, Path]) -> None:
    record = trained(swept, seed=0)
    found = offline(exported[record.spec.id])
    run, config = found["run"], found["config"]
    assert (run.run_id, run.project, run.display_name) == (record.spec.id, "gans", "ns on ring, network mlp, seed 0")
    assert run.run_group == f"ns {record.spec.group}" == offline(exported[trained(swept, 1).spec.id])["run"].run_group
    assert sorted(run.tags) == ["mlp", "ns", "ring"]
    assert record.spec.settings.items() <= config.items()
    assert (config["variant"], config["seed"], config["steps"]) == ("ns", 0, 20)
    assert config["versions"] == record.spec.versions
    with Store.open_existing(swept) as store:
        from safetensors import safe_open

        with safe_open(store.folder(record.spec.id) / "checkpoint.safetensors", framework="numpy") as file:
            curves = file.get_tensor("curves")
    assert list(found["history"]) == list(range(1, 21))
    drawn = [found["history"][step]["loss/D"] for step in range(1, 21)]
    np.testing.assert_allclose(drawn, curves[:, 1], rtol=1e-6)
    scores = {f"scores/{each.metric}": each.value for each in record.scores if np.isfinite(each.value)}
    assert scores
    assert scores.items() <= found["summary"].items()
    assert (found["summary"]["status"], found["exit"]) == ("completed", 0)


def test_wandb_has_runs_without_curves_too(exported: dict[str, Path]) -> None:
    found = offline(exported[FOREIGN.spec.id])
    assert found["history"] == {}
    assert found["summary"]["scores/fid (source=studiogan)"] == 9.0
    assert found["summary"]["stderr/fid (source=torch-fidelity)"] == 0.5
    assert (found["config"]["dataset"], found["run"].display_name[:24]) == (
        "path/to images",
        "theirs on path/to images",
    )
    lost = offline(exported[LOST.spec.id])
    assert (lost["summary"]["error"], lost["exit"]) == ("ValueError: no", 1)


@pytest.mark.parametrize("tool", ["tensorboard", "wandb"])
def test_without_the_package_the_way_to_it_is_told(
    tool: str, swept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    done = export(swept, tool, tmp_path / "out")
    assert isinstance(done.exception, GanbenchError)
    assert f"pip install 'ganbench[{tool}]'" in str(done.exception)
    assert not (tmp_path / "out").exists()


def test_a_folder_named_wandb_is_no_package(swept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: ModuleSpec(name, None, is_package=True))
    with pytest.raises(GanbenchError, match="need the package wandb"):
        CliRunner().invoke(command, ["wandb", str(tmp_path), "--store", str(swept)], catch_exceptions=False)


def test_help_has_examples() -> None:
    assert "tensorboard --logdir events" in CliRunner().invoke(command, ["--help"]).output


def test_bad_usage_is_one_line(swept: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for arguments, part in (
        (["tensorboard", tmp_path / "out", "zzz"], "unknown run 'zzz'"),
        (["tensorboard", tmp_path / "file"], "is a file"),
        (["tensorboard", tmp_path / "file" / "inside"], "cannot write"),
        (["tensorboard", tmp_path / "out", "--project", "x"], "--project is for wandb"),
        (["csv", tmp_path / "out"], "is not one of"),
    ):
        done = export(swept, *arguments)
        assert done.exit_code != 0
        assert part in done.stderr + str(done.exception)
    assert not (tmp_path / "out").exists()
    done = export(tmp_path / "none.db", "tensorboard", tmp_path / "out")
    assert isinstance(done.exception, GanbenchError)
    assert not (tmp_path / "none.db").exists()
