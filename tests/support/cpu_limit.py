"""Run code in a child process. The kernel kills the process if it uses too much CPU time.

Tests use this module to check that a parser takes linear time. The input of such a test is so long
that a parser would need hours if it took quadratic time. The CPU limit is about a thousand times
what a linear-time parser needs, so the test also passes on slow machines. Waiting for other
processes does not count as CPU time, so the test also passes on busy machines.
"""

from __future__ import annotations

import os
import traceback
import warnings
from collections.abc import Callable

import pytest

CPU_SECONDS = 120

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no os.fork")


def completes_within_cpu_limit(work: Callable[[], object]) -> bool:
    """Run `work` in a forked child process. Return whether `work` finished within the CPU limit.

    Raises:
        AssertionError: `work` raised an exception; the child has printed its traceback.
    """
    with warnings.catch_warnings():
        # os.fork warns if the process has threads.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        _run_and_exit(work)
    _, status = os.waitpid(child, 0)
    assert not (os.WIFEXITED(status) and os.WEXITSTATUS(status)), "the work raised an exception"
    return os.WIFEXITED(status)


def _run_and_exit(work: Callable[[], object]) -> None:
    import resource  # imported here because `resource` exists only on Unix

    exit_code = 1
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # prevent a core dump
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
        work()
        exit_code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(exit_code)
