from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from colorize_core import storage
from colorize_core.archiving.state import lock
from colorize_core.archiving.state.lock import Holder, Lock
from colorize_core.errors import ColorizeError

ELSEWHERE = Holder("run-elsewhere", "scanner-7 boot pid", "42 1", "2026-01-02 03:04:05+00:00", "e" * 32)


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shortens the times of the lock from seconds to tenths of seconds."""
    monkeypatch.setattr(lock, "_BEAT", 0.1)
    monkeypatch.setattr(lock, "_DEAD", 1.0)
    monkeypatch.setattr(lock, "_SETTLE", 0.0)


@pytest.fixture(params=["local", "memory"])
def output(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "local":
        yield str(tmp_path / "out")
    else:
        url = f"memory://{uuid.uuid4().hex}"
        yield f"{url}/out"
        storage.remove_if_there(url)


@pytest.fixture
def messages() -> list[str]:
    return []


def make(output: str, run: str = "run-1") -> Lock:
    return Lock(output, Holder.current(run))


def leave(output: str, holder: Holder, number: int = 1) -> None:
    """Writes the files that a killed holder leaves behind."""
    storage.write(storage.join(output, "_lock", f"{number:08d}.json"), json.dumps(vars(holder)).encode())
    storage.write(storage.join(output, "_lock", f"{holder.token}.beat"), b"7")


def files(output: str) -> list[str]:
    return [entry.name for entry in storage.children(storage.join(output, "_lock"))]


def test_nothing_is_left_when_it_is_over(output: str, messages: list[str]) -> None:
    for _ in range(2):
        with make(output).hold(messages.append):
            assert len(files(output)) == 2
    assert files(output) == []
    if storage.is_local(output):
        assert os.listdir(output) == []
    assert messages == []


def test_it_is_let_go_when_the_block_fails(output: str, messages: list[str]) -> None:
    with pytest.raises(KeyError), make(output).hold(messages.append):
        raise KeyError
    assert files(output) == []


def test_the_second_is_told_who_holds_it_and_since_when(output: str, messages: list[str]) -> None:
    with make(output, "run-1").hold(messages.append) as _:
        before = files(output)
        with pytest.raises(ColorizeError) as caught, make(output, "run-2").hold(messages.append):
            pytest.fail("two hold it")
        assert sorted(files(output)) == sorted(before)
    message = str(caught.value)
    assert message.startswith("OUTPUT is being written by run run-1 on ")
    assert f"(process {os.getpid()}) since 20" in message
    assert message.endswith("UTC: wait for its end")
    assert "\n" not in message


def test_a_holder_on_another_machine_without_a_sign_of_life_is_dead(output: str, messages: list[str]) -> None:
    leave(output, ELSEWHERE, 3)
    with make(output).hold(messages.append):
        assert sorted(name for name in files(output) if name.endswith(".json")) == ["00000004.json"]
        assert f"{ELSEWHERE.token}.beat" not in files(output)
    [line] = messages
    assert line.startswith(
        "OUTPUT is held by run run-elsewhere on scanner-7 (process 42) since 2026-01-02 03:04:05 UTC"
    )


def test_a_holder_on_another_machine_that_lives_keeps_it(output: str, messages: list[str]) -> None:
    """The clock of the other machine does not matter: a holder lives while its beat changes."""
    leave(output, ELSEWHERE)
    beats = iter(range(100))
    over = threading.Event()

    def live() -> None:
        while not over.wait(0.3):
            storage.write(storage.join(output, "_lock", f"{ELSEWHERE.token}.beat"), str(-next(beats)).encode())

    thread = threading.Thread(target=live)
    thread.start()
    try:
        with pytest.raises(ColorizeError, match="written by run run-elsewhere"), make(output).hold(messages.append):
            pytest.fail("two hold it")
    finally:
        over.set()
        thread.join()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a process has no start time to tell it by")
def test_a_killed_process_of_this_machine_is_known_to_be_gone(
    output: str, messages: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "_DEAD", 1e9)
    ended = subprocess.Popen([sys.executable, "-c", ""])
    me = Holder.current("run-1")
    with subprocess.Popen(["sleep", "100"]) as child:
        process = lock._process(child.pid)
        holder = Holder("run-0", me.host, process, me.since, "0" * 32)
        assert not holder.has_ended()
        child.kill()
    assert holder.has_ended()
    ended.wait()
    reused = Holder("run-0", me.host, f"{os.getpid()} 1", me.since, "0" * 32)  # another start time
    assert reused.has_ended()
    assert not me.has_ended()
    assert not Holder("run-0", "another machine", process, me.since, "0" * 32).has_ended()
    leave(output, holder)
    with make(output).hold(messages.append):
        pass
    [line] = messages
    assert "held by run run-0 on " in line
    assert line.endswith("which has ended: this run takes over")


def test_a_lock_file_that_is_not_whole_yet_is_waited_for(output: str, messages: list[str]) -> None:
    storage.write(storage.join(output, "_lock", "00000001.json"), b'{"run')
    started = time.monotonic()
    with make(output).hold(messages.append):
        assert time.monotonic() - started >= 1.0
    assert "held by another run" in messages[0]


def test_the_one_who_waits_goes_on_when_the_holder_lets_go(output: str, messages: list[str]) -> None:
    leave(output, ELSEWHERE)
    path = storage.join(output, "_lock", "00000001.json")
    timer = threading.Timer(0.5, storage.remove, [path])
    timer.start()
    with make(output).hold(messages.append):
        pass
    timer.join()


def test_of_many_who_try_at_once_one_gets_it(output: str) -> None:
    leave(output, ELSEWHERE)
    holding, most, got, refused = 0, 0, 0, 0
    guard = threading.Lock()

    def attempt(number: int) -> None:
        nonlocal holding, most, got, refused
        try:
            with make(output, f"run-{number}").hold(lambda _: None):
                with guard:
                    holding += 1
                    got += 1
                    most = max(most, holding)
                time.sleep(0.5)
                with guard:
                    holding -= 1
        except ColorizeError:
            with guard:
                refused += 1

    threads = [threading.Thread(target=attempt, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (most, got + refused) == (1, 8)
    assert files(output) == []


def test_who_slept_too_long_learns_that_it_lost(output: str, messages: list[str]) -> None:
    first = make(output, "run-1")
    with first.hold(messages.append):
        fence = first.fence
        fence.check()
        first.check()
        leave(output, ELSEWHERE, 2)  # another run takes over
        with pytest.raises(ColorizeError, match="another run has taken over OUTPUT"):
            fence.check()
        first._thread.join(10)
        with pytest.raises(ColorizeError, match="OUTPUT was taken over by run run-elsewhere on scanner-7"):
            first.check()
    assert sorted(files(output)) == ["00000002.json", f"{ELSEWHERE.token}.beat"]  # the other's, untouched


def test_a_store_that_ignores_exclusive_creation_is_noticed(
    tmp_path: Path, messages: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def create(path: str, content: bytes) -> bool:
        storage.write(path, content)
        return True

    honest = make(str(tmp_path / "a"))
    with honest.hold(messages.append):
        assert honest.is_exclusive
    monkeypatch.setattr(storage, "create", create)
    other = make(str(tmp_path / "b"))
    with other.hold(messages.append):
        assert not other.is_exclusive


def test_create_makes_a_file_once(output: str) -> None:
    path = storage.join(output, "a", "b.json")
    assert storage.create(path, b"first")
    assert not storage.create(path, b"second")
    assert storage.read(path) == b"first"


def test_a_store_out_of_reach_does_not_stop_the_beat(
    output: str, messages: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write: Callable[..., Any] = storage.write
    calls = 0

    def moody(path: str, content: bytes) -> None:
        nonlocal calls
        calls += path.endswith(".beat")
        if path.endswith(".beat") and 2 < calls < 5:
            raise OSError("away")
        write(path, content)

    monkeypatch.setattr(storage, "write", moody)
    mine = make(output)
    with mine.hold(messages.append):
        deadline = time.monotonic() + 10
        while calls < 8 and time.monotonic() < deadline:
            time.sleep(0.02)
        mine.check()
    assert calls >= 8


def test_a_number_that_was_used_before_proves_nothing(output: str, messages: list[str]) -> None:
    """While the first run slept, a second one took over and ended, and a third one began again at number 1."""
    first = make(output, "run-1")
    with first.hold(messages.append):
        fence = first.fence
        leave(output, ELSEWHERE, 1)
        with pytest.raises(ColorizeError, match="another run has taken over OUTPUT"):
            fence.check()
        first._thread.join(10)
        with pytest.raises(ColorizeError, match="taken over by run run-elsewhere"):
            first.check()
    assert "00000001.json" in files(output)
