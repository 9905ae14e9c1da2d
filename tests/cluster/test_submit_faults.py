"""Jobs that are submitted and watched while connections, clusters and code are not as they should be."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import pytest

import jobs
from colorize_core.errors import ColorizeError
from colorize_core.submission import Submission, server, submit
from colorize_core.submission.dialog import STOP, Answer
from colorize_core.submission.following import Ended, Event, Noticed, follow
from colorize_core.submission.names import fresh_id
from jobs.exits import FAILED, INTERRUPTED
from tests.support import dropping_proxy
from tests.support.processes import hear_signals
from tests.support.ray_cluster import Cluster
from tests.support.terminals import CTRL_C, at_a_terminal

LINES = 500


class Recorder:
    """The user: everything is written down; when asked, stops the job."""

    def __init__(self) -> None:
        self.text = ""
        self.said: list[str] = []

    def show(self, text: str) -> None:
        self.text += text

    def say(self, line: str) -> None:
        self.said.append(line)

    def ask(self, identity: str) -> Answer:
        return STOP


@pytest.fixture
def in_cluster(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """Its token in this process, which may have another one, or none, from tests before."""
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN"):
        monkeypatch.setenv(name, cluster.environment[name])
    monkeypatch.setenv("RAY_API_SERVER_ADDRESS", "http://127.0.0.1:9")  # the address that is given counts
    _read_token_again()
    yield cluster
    monkeypatch.undo()
    _read_token_again()


def _read_token_again() -> None:
    from ray._raylet import AuthenticationTokenLoader, Config

    Config.initialize("")
    AuthenticationTokenLoader.instance().reset_cache()


@pytest.mark.filterwarnings("ignore:ssl=None is deprecated:DeprecationWarning")  # how Ray opens web sockets
def test_no_line_is_lost_or_doubled_when_connections_drop(in_cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_ANSWER_SECONDS", 3.0)
    shell = f"for i in $(seq {LINES}); do echo line $i; sleep 0.05; done; printf 'the end'; exit 3"
    dialog = Recorder()
    drops = 0
    ended = threading.Event()

    def streams(proxy: dropping_proxy.DroppingProxy) -> int:
        return sum("/logs/tail" in request for request in proxy.requests)

    def disturb(proxy: dropping_proxy.DroppingProxy) -> None:
        nonlocal drops
        while not ended.is_set():
            opened = streams(proxy)
            while streams(proxy) == opened and not ended.wait(0.1):
                pass
            before = len(dialog.text)
            while len(dialog.text) == before and not ended.wait(0.1):
                pass  # what comes now comes by the stream that was opened
            drops += not ended.is_set()
            proxy.is_down = drops == 2  # as while a dashboard starts again
            proxy.is_mute = drops == 3
            if not proxy.is_mute:
                proxy.drop()
            if proxy.is_down or proxy.is_mute:
                ended.wait(4)
            proxy.is_down = proxy.is_mute = False

    with dropping_proxy.before(in_cluster.address) as proxy:
        threading.Thread(target=disturb, args=(proxy,), daemon=True).start()
        identity = fresh_id("lines", datetime.now(timezone.utc))
        status = submit(Submission(identity, shell), proxy.address, dialog)
        ended.set()
        assert status == 3
        assert re.findall(r"line (\d+)\n", dialog.text) == [str(i) for i in range(1, LINES + 1)]
        assert dialog.text.endswith("\nthe end")
        assert drops >= 4
    told = [line for line in dialog.said if not line.endswith("does not answer: trying again")]  # as often as it was so
    assert told[0] == f"{identity} is submitted"
    assert any("does not answer: trying again" in line for line in dialog.said)


def test_what_is_sent_is_sent_once_and_another_version_of_ray_is_said(
    in_cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray

    monkeypatch.setattr(ray, "__version__", "2.999.0")
    dialogs = [Recorder(), Recorder()]
    with dropping_proxy.before(in_cluster.address) as proxy:
        for dialog in dialogs:
            job = Submission(fresh_id("sent", datetime.now(timezone.utc)), "true", [Path(jobs.__path__[0])])
            assert submit(job, proxy.address, dialog, wait=False) == 0
        assert sum(request.startswith("PUT /api/packages/gcs/") for request in proxy.requests) == 1
    for dialog in dialogs:
        assert re.fullmatch(r".* has Ray \S+, this machine 2\.999\.0: install the same version", dialog.said[0])


def test_interrupted_it_asks_at_a_terminal_and_else_leaves_the_job_running(
    in_cluster: Cluster, archive_dir: Path, tmp_path: Path
) -> None:
    for i in range(3000):  # more than are colorized while this is tested
        os.link(archive_dir / "astronaut.png", archive_dir / f"{i}.png")
    call = [sys.executable, "-m", "jobs.submit", "archive", "--name", "long", "--every", "9999d"]
    call += ["--address", in_cluster.address, str(archive_dir), str(tmp_path / "out"), "--max-failed", "1"]
    with at_a_terminal(call, in_cluster.environment) as terminal:
        terminal.wait_for("is submitted")
        terminal.wait_for("Running entrypoint")
        for number in (signal.SIGTERM, signal.SIGINT):
            other = subprocess.Popen(
                call,
                env=in_cluster.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                preexec_fn=hear_signals,
            )
            with other:
                assert other.stdout is not None
                came = ""
                while "Running entrypoint" not in came:
                    came += other.stdout.readline()
                other.send_signal(number)
                rest, _ = other.communicate(timeout=900)
            assert other.returncode == INTERRUPTED
            assert re.search(
                r"^colorize-long-\d{8}T000000Z goes on; to see its log, run: ray job logs --address ",
                rest,
                re.MULTILINE,
            )
            assert re.search(r"^to stop it, run: ray job stop --address http\S+ colorize-long-", rest, re.MULTILINE)
        terminal.press(CTRL_C)
        terminal.wait_for("leave it running, or watch it again? [s/l/w] ")
        terminal.press("what\n")
        terminal.wait_for("[s/l/w] ")
        terminal.press("w\n")
        terminal.wait_for("watching colorize-long-")
        terminal.press(CTRL_C)
        terminal.wait_for("[s/l/w] ")
        terminal.press("stop\n")
        terminal.wait_for("is being stopped")
        assert terminal.end() == INTERRUPTED
    assert "goes on; to see its log" not in terminal.text
    again = subprocess.run(call, env=in_cluster.environment, capture_output=True, text=True, timeout=900, check=False)
    assert again.returncode == INTERRUPTED  # the job's own end: it was stopped
    assert "was submitted before" in again.stderr


def test_a_second_ctrl_c_leaves_the_job_running(in_cluster: Cluster, tmp_path: Path) -> None:
    call = [sys.executable, "-m", "jobs.submit", "archive", "--address", in_cluster.address]
    with at_a_terminal([*call, "/nowhere", str(tmp_path / "out")], in_cluster.environment) as terminal:
        terminal.wait_for("is submitted")
        terminal.press(CTRL_C)
        terminal.wait_for("[s/l/w] ")
        terminal.press(CTRL_C)
        terminal.wait_for("goes on")
        assert terminal.end() == INTERRUPTED


@pytest.mark.filterwarnings("ignore:ssl=None is deprecated:DeprecationWarning")
def test_ends_that_are_no_exit_are_told(in_cluster: Cluster, tmp_path: Path) -> None:
    dialog = Recorder()
    now = datetime.now(timezone.utc)
    assert submit(Submission(fresh_id("killed", now), "kill -9 $$"), in_cluster.address, dialog) == 128 + signal.SIGKILL

    jobs_there = server.JobServer(in_cluster.address, dialog.say)
    (tmp_path / "cargo.zip").write_bytes(b"no zip file")
    identity = fresh_id("broken", now)
    assert jobs_there.submit("true", identity, tmp_path / "cargo.zip")
    events: list[Event] = []
    follow(jobs_there, identity, events.append)
    assert events[-1] == Ended(FAILED)
    [line] = [event.line for event in events if isinstance(event, Noticed)]
    assert line.startswith(f"{identity} failed: ")
    assert len(line) < 1000

    with pytest.raises(ColorizeError, match="does not know the job; if its head node was restarted, submit"):
        jobs_there.details("nobody")
