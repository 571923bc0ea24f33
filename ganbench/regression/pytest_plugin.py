"""`pytest --ganbench baselines/`: each comparison of a baseline as a test.

A baseline's runs are trained once, when its first test is run. Modules of ganbench are imported where they are used:
pytest loads this one whenever ganbench is installed.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from ganbench.regression.judge import Verdict


def pytest_addoption(parser: pytest.Parser) -> None:
    """--ganbench and --ganbench-data-root."""
    group = parser.getgroup("ganbench", "metrics under regression")
    group.addoption("--ganbench", action="store_true", help="Collect ganbench's baselines (*.toml) as tests.")
    group.addoption("--ganbench-data-root", type=Path, help="The folder that holds image data.")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """A baseline among what pytest was pointed at."""
    if file_path.suffix != ".toml" or not parent.config.getoption("ganbench"):
        return None
    from ganbench.regression.baseline import is_baseline

    return BaselineFile.from_parent(parent, path=file_path) if is_baseline(file_path) else None


class BaselineFile(pytest.File):
    """A baseline: a test for each distribution that is recorded, and one for what is not."""

    def collect(self) -> Iterable[pytest.Item]:
        """What is recorded needs no training to be known."""
        from ganbench.errors import GanbenchError
        from ganbench.regression.baseline import load
        from ganbench.regression.recorded import read

        try:
            recorded = read(load(self.path).recorded)
        except GanbenchError as error:
            raise self.CollectError(str(error)) from None
        for place, each in enumerate(recorded):
            yield Comparison.from_parent(self, name=each.name, verdicts=slice(place, place + 1))
        yield Comparison.from_parent(self, name="nothing else is measured", verdicts=slice(len(recorded), None))

    @cached_property
    def verdicts(self) -> tuple[Verdict, ...]:
        """Of the recorded distributions in their order, then of what is not recorded."""
        from ganbench.regression.baseline import load
        from ganbench.regression.check import check
        from ganbench.sweeps.sweep import Surroundings

        root = self.config.getoption("ganbench_data_root")
        return check(load(self.path), Surroundings(executor="inline", root=root, pictures=False)).verdicts


class Comparison(pytest.Item):
    """That what some of a baseline's verdicts are of is as it was."""

    def __init__(self, *, verdicts: slice, **others: Any) -> None:
        super().__init__(**others)
        self._verdicts = verdicts

    def runtest(self) -> None:
        """Fails where a verdict says so."""
        baseline = self.parent
        assert isinstance(baseline, BaselineFile)
        for verdict in baseline.verdicts[self._verdicts]:
            if not verdict.passed:
                raise _FellShort(verdict)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """One line, without a traceback: what matters is in it."""
        from ganbench.errors import GanbenchError

        if isinstance(excinfo.value, _FellShort | GanbenchError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, None, str]:
        """Where it is from."""
        return self.path, None, self.name


class _FellShort(Exception):  # noqa: N818 - a verdict, not an error of ours
    def __init__(self, verdict: Verdict) -> None:
        super().__init__(f"{verdict.name}: {verdict.finding}: {verdict.said}")
