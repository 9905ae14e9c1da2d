"""Tasks in child processes: each is done once, whichever process dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from colorize_core.errors import ColorizeError, InputError
from colorize_core.runtime.local import Pool, cpus, memory


def doubling(threads: int) -> Callable[[int, int], tuple[int, int]]:
    return lambda task, deaths: (2 * task, deaths)


def dying(marks: Path, threads: int) -> Callable[[int, int], tuple[int, int]]:
    """Dies over task 5, twice."""

    def work(task: int, deaths: int) -> tuple[int, int]:
        if task == 5 and deaths < 2:
            (marks / f"{deaths}").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.01)
        return task, deaths

    return work


def failing(threads: int) -> Callable[[int, int], int]:
    def work(task: int, deaths: int) -> int:
        if task == 3:
            raise InputError("the third is wrong")
        return task

    return work


def failing_strangely(threads: int) -> Callable[[int, int], int]:
    class LocalError(Exception):
        """One that cannot be pickled."""

    def work(task: int, deaths: int) -> int:
        raise LocalError("said here")

    return work


def pid_and_threads(threads: int) -> Callable[[int, int], tuple[int, int]]:
    return lambda task, deaths: (os.getpid(), threads)


def broken(threads: int) -> Callable[[int, int], int]:
    raise InputError("cannot be opened")


def exiting(threads: int) -> Callable[[int, int], int]:
    os._exit(3)


def sleeping(marks: Path, threads: int) -> Callable[[int, int], None]:
    def work(task: int, deaths: int) -> None:
        if task:
            (marks / str(os.getpid())).touch()
            time.sleep(600)

    return work


def test_results_come_as_they_are_done_and_a_pool_serves_several_runs() -> None:
    with Pool(1, 3) as pool:
        assert sorted(pool.run(range(50), doubling)) == [(2 * task, 0) for task in range(50)]
        assert list(pool.run([], doubling)) == []
        places = set(pool.run(range(9), pid_and_threads))
        assert len(places) == 1
        [(pid, threads)] = places
        assert (threads, pid != os.getpid()) == (3, True)
        assert set(pool.run(range(9), pid_and_threads)) == places


def test_processes_start_when_there_is_work_for_them() -> None:
    with Pool(3) as pool:
        assert len({pid for pid, _ in pool.run(range(1), pid_and_threads)}) == 1
        assert len(pool._children) == 1
        assert len(list(pool.run(range(30), pid_and_threads))) == 30
        assert len(pool._children) == 3


def test_tasks_are_taken_as_they_are_needed() -> None:
    taken: list[int] = []

    def tasks() -> object:
        for number in range(100):
            taken.append(number)
            yield number

    with Pool(2) as pool:
        results = pool.run(tasks(), doubling)  # type: ignore[arg-type]
        next(results)
        assert len(taken) <= 6
        results.close()


@pytest.mark.parametrize(("processes", "threads"), [(1, 1), (1, 3), (3, 1), (2, 2)])
def test_a_task_that_kills_its_process_is_done_again_alone(tmp_path: Path, processes: int, threads: int) -> None:
    with Pool(processes, threads) as pool:
        done = dict(pool.run(range(12), partial(dying, tmp_path)))
    assert sorted(done) == list(range(12))
    assert done[5] == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "1"]
    # Those that were in the child when it died first are known to be innocent: they did not die again.
    assert all(deaths <= 1 for task, deaths in done.items() if task != 5)


def test_an_error_of_a_task_reaches_the_caller_as_it_is() -> None:
    with Pool(2) as pool, pytest.raises(InputError, match="the third is wrong"):
        list(pool.run(range(9), failing))
    with Pool(2) as pool, pytest.raises(ColorizeError, match="said here"):
        list(pool.run(range(9), failing_strangely))
    with Pool(2) as pool, pytest.raises(InputError, match="cannot be opened"):
        list(pool.run(range(9), broken))


def test_a_child_that_cannot_start_ends_the_run() -> None:
    with Pool(2) as pool, pytest.raises(ColorizeError, match="the process that does the work cannot start"):
        list(pool.run(range(9), exiting))


@pytest.mark.parametrize("how", ["closed", "left"])
def test_nothing_goes_on_after_the_caller(tmp_path: Path, how: str) -> None:
    with Pool(2) as pool:
        results = pool.run(range(9), partial(sleeping, tmp_path))
        next(results)
        while not list(tmp_path.iterdir()):
            time.sleep(0.02)
        if how == "closed":
            results.close()
            assert pool._children == []
    assert all(_ends(int(path.name)) for path in tmp_path.iterdir())


_PARENT = """
import sys
from functools import partial
from pathlib import Path
from colorize_core.runtime.local import Pool
from tests.unit.runtime.local.test_pool import sleeping
with Pool(1) as pool:
    list(pool.run(range(3), partial(sleeping, Path(sys.argv[1]))))
"""


def test_a_parent_that_is_killed_takes_its_child_along(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", _PARENT, tmp_path], cwd=Path(__file__).parents[4]) as parent:
        while not list(tmp_path.iterdir()):
            assert parent.poll() is None
            time.sleep(0.02)
        parent.kill()
    [pid] = (int(path.name) for path in tmp_path.iterdir())
    assert _ends(pid)


def _ends(pid: int) -> bool:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.05)
    return False


def test_the_largest_process_is_ended_before_the_last_memory_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_shares_left", lambda: iter([left]))
    monkeypatch.setattr(memory, "_share_held", lambda pid: held[pid])
    left = 0.5
    call = [sys.executable, "-c", "import time; time.sleep(600)"]
    with subprocess.Popen(call) as small, subprocess.Popen(call) as large:
        held = {small.pid: 0.05, large.pid: 0.06}
        guard = memory.MemoryGuard(lambda: [small.pid, large.pid])
        guard.start()
        left = 0.03
        time.sleep(0.5)
        assert (small.poll(), large.poll()) == (None, None)  # the memory is with other programs
        held[large.pid] = 0.6
        large.wait(timeout=60)
        guard.stop()
        assert small.poll() is None
        small.kill()
    assert large.returncode == -signal.SIGKILL


def test_a_process_holds_a_share_of_the_memory() -> None:
    assert 0 <= memory._share_held(os.getpid()) < 1
    assert memory._share_held(2**22 + 1) == 0


class Two(Exception):  # noqa: N818
    """It can be pickled, but not read again."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


def leaving(threads: int) -> Callable[[int, int], int]:
    def work(task: int, deaths: int) -> int:
        if task == 1:
            raise SystemExit(3)
        raise Two(1, 2)

    return work


def cut_off(threads: int) -> Callable[[int, int], bytes]:
    """Dies while it sends a large result."""

    def work(task: int, deaths: int) -> bytes:
        if task == 1 and not deaths:
            threading.Timer(0.05, lambda: os.kill(os.getpid(), signal.SIGKILL)).start()
        return bytes(64 << 20)

    return work


@pytest.mark.timeout(120)
def test_a_task_that_leaves_is_answered() -> None:
    with Pool() as pool, pytest.raises(ColorizeError, match="SystemExit"):
        list(pool.run([1], leaving))
    with Pool() as pool, pytest.raises(ColorizeError, match="1 and 2"):
        list(pool.run([2], leaving))


def test_a_child_that_dies_while_it_answers_is_replaced() -> None:
    with Pool() as pool:
        assert [len(result) for result in pool.run(range(3), cut_off)] == [64 << 20] * 3


def test_it_works_without_standard_streams() -> None:
    code = (
        "import os; [os.close(number) for number in (0, 1, 2)]\n"
        "from colorize_core.runtime.local import Pool; from tests.unit.runtime.local.test_pool import doubling\n"
        "with Pool(2) as pool: os._exit(len(list(pool.run(range(7), doubling))))"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[4], check=False, timeout=120)
    assert ended.returncode == 7


@pytest.mark.skipif(not Path("/proc/meminfo").exists(), reason="needs Linux' /proc to see how much memory is left")
def test_what_is_left_is_a_share() -> None:
    shares = list(memory._shares_left())
    assert shares
    assert all(0 < share <= 1 for share in shares)


def test_there_is_a_cpu() -> None:
    assert 1 <= cpus() <= (os.cpu_count() or 1)
