"""A run keeps to the threads it is given, in PyTorch and in NumPy alike."""

from __future__ import annotations

import subprocess
import sys


def test_a_run_limits_both_libraries() -> None:
    """In a process of its own: the limit is the process's."""
    code = (
        "import numpy, torch\n"
        "from threadpoolctl import threadpool_info\n"
        "from ganbench.sweeps.work import _limit_threads\n"
        "_limit_threads(1)\n"
        "blas = [each['num_threads'] for each in threadpool_info() if each['user_api'] == 'blas']\n"
        "assert blas and set(blas) == {1}, blas\n"
        "assert torch.get_num_threads() == 1\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
