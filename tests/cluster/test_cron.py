"""The crontab that README shows, under a real cron daemon."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from colorize_core.archiving.state import ledger
from jobs import submit
from tests.support.ray_cluster import Cluster

CRONTAB = Path(submit.__file__).parent / "schedules" / "crontab"

# The daemon sees a table and a place for its lock of its own; the machine's tables are hidden from it.
PRIVATE = """
mount --bind {empty} /etc/cron.d && mount --bind /dev/null /etc/crontab
mount --bind {tables} /var/spool/cron/crontabs && mount -t tmpfs tmpfs /run
exec cron -f
"""


@pytest.mark.skipif(not shutil.which("cron"), reason="no cron daemon here: apt-get install cron")
@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="only root can run a cron daemon of its own")
def test_cron_runs_the_job_and_the_second_run_does_nothing(cluster: Cluster, archive_dir: Path, tmp_path: Path) -> None:
    out, log, tables, empty = tmp_path / "out", tmp_path / "log", tmp_path / "tables", tmp_path / "empty"
    tables.mkdir(mode=0o1730)
    empty.mkdir()
    text = CRONTAB.read_text()
    settings = {
        "COLORIZE": str(Path(sys.executable).parent / "colorize"),
        "RAY_API_SERVER_ADDRESS": cluster.address,
        "RAY_AUTH_TOKEN": cluster.environment["RAY_AUTH_TOKEN"],
        "LOG": str(log),
    }
    for name, value in settings.items():
        text, found = re.subn(rf"(?m)^{name}=.*$", f"{name}={value}", text)
        text = text if found else f"{name}={value}\n{text}"
    text = text.replace("15 2 * * *", "* * * * *").replace("--every 1d", "--every 1m")
    text = text.replace("/data/scans", str(archive_dir)).replace("/data/colored", str(out))
    (tables / "root").write_text(text)
    (tables / "root").chmod(0o600)
    script = PRIVATE.format(empty=empty, tables=tables)
    words = tmp_path / "words"
    with words.open("w") as file:
        daemon = subprocess.Popen(["unshare", "--mount", "sh", "-ec", script], stderr=file)
    try:
        deadline = time.monotonic() + 600
        while time.monotonic() < deadline and len(ended := runs(out)) < 2:
            if daemon.poll() is not None:
                pytest.skip(f"no cron daemon of one's own can be run here: {words.read_text()}")
            time.sleep(1)
    finally:
        daemon.terminate()
        daemon.wait(timeout=20)
    first, second = ended[:2]
    printed = log.read_text()
    assert '"ok": 3' in first, printed
    assert '"planned": 0' in second, printed
    assert len(ledger.latest(str(out))) == 3
    assert "colorized" in printed


def runs(out: Path) -> list[str]:
    """The run files of runs that have ended, oldest first."""
    files = sorted((out / "_runs").iterdir()) if (out / "_runs").is_dir() else []
    return [text for text in (path.read_text() for path in files) if '"status": "done"' in text]
