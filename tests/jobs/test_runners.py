"""Both runners leave the same; and neither imports TensorFlow, nor does any process that they start."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from colorize_core.archiving import runners
from colorize_core.archiving.runners import is_local
from colorize_core.archiving.state import ledger
from colorize_core.datasets.splits import SplitRule
from colorize_core.errors import DEADLY
from colorize_core.runtime.runner import RunnerName
from jobs.cli import group
from jobs.exits import DONE, TOO_MANY_FAILED, status_of
from tests.support.archive_job import archive, results
from tests.support.plans import listed, plan_of

_TIMES = {"run_id", "seconds", "finished_at", "pictures"}


@pytest.fixture
def scans(archive_dir: Path) -> Path:
    """Photographs of several sizes and kinds; copies, one in color, and one that cannot be read."""
    for number in range(40):
        gray = Image.open(archive_dir / "astronaut.png").crop((0, number, 300 + number % 3, 200))
        gray.save(archive_dir / f"crop-{number:02d}.png")
    shutil.copy(archive_dir / "astronaut.png", archive_dir / "copy.png")
    Image.fromarray(np.full((90, 120, 3), (200, 30, 30), np.uint8)).save(archive_dir / "red.png")
    (archive_dir / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    return archive_dir


def rows_of(out: Path) -> dict[str, dict[str, object]]:
    rows = ledger.latest(str(out))
    return {source: {k: v for k, v in vars(row).items() if k not in _TIMES} for source, row in rows.items()}


@pytest.mark.usefixtures("ray_here")
@pytest.mark.parametrize(
    "options",
    [
        ("--dedupe",),
        ("--format=jpeg", "--quality=70", "--recolor"),
        ("--format=tiff", "--limit=30", "--max-failed=1"),
    ],
)
def test_both_leave_the_same_ledger_and_the_same_bytes(scans: Path, tmp_path: Path, options: tuple[str, ...]) -> None:
    ends = {name: archive(scans, tmp_path / name, "--runner", name, *options) for name in ("local", "ray")}
    assert ends["local"] == ends["ray"]
    assert results(tmp_path / "local") == results(tmp_path / "ray")
    assert rows_of(tmp_path / "local") == rows_of(tmp_path / "ray")
    assert len(results(tmp_path / "local")) >= 29


@pytest.mark.usefixtures("ray_here")
def test_both_leave_the_same_rows_in_shards(scans: Path, tmp_path: Path) -> None:
    tables = []
    for name in ("local", "ray"):
        assert archive(scans, tmp_path / name, "--runner", name, "--format=parquet") == TOO_MANY_FAILED
        shards = [pq.read_table(tmp_path / name / shard) for shard in sorted(results(tmp_path / name))]
        rows = {row["source"]: row for shard in shards for row in shard.to_pylist()}
        tables.append({source: {k: v for k, v in row.items() if k not in _TIMES} for source, row in rows.items()})
    assert tables[0] == tables[1]


@pytest.mark.usefixtures("ray_here")
def test_both_measure_the_same(color_dir: Path, tmp_path: Path) -> None:
    found = []
    for name in ("local", "ray"):
        call = ["evaluate", "default", f"folder:{color_dir}", str(tmp_path / name), "--runner", name]
        assert status_of(group, call) == DONE
        facts = json.loads((tmp_path / name / "metrics.json").read_text())
        found.append((facts["splits"], (tmp_path / name / "metrics.csv").read_bytes()))
    assert found[0] == found[1]


_CRASHING = """
import os
from colorize_core.images import decode
whole = decode.read_rgb
def read_rgb(content):
    if len(content) == {size}:
        os.kill(os.getpid(), 9)
    return whole(content)
decode.read_rgb = read_rgb
"""


@pytest.mark.parametrize("runner", ["local", "ray"])
def test_a_photograph_that_kills_processes_is_left_out_of_a_report(
    color_dir: Path, tmp_path: Path, runner: str
) -> None:
    colors, site = tmp_path / "colors", tmp_path / "site"
    shutil.copytree(color_dir, colors)
    site.mkdir()
    deadly = next(path for path in sorted(colors.iterdir()) if SplitRule().of(path.name) == "test")
    deadly.write_bytes(deadly.read_bytes() + b"\0" * 12345)
    (site / "sitecustomize.py").write_text(_CRASHING.format(size=deadly.stat().st_size))
    repo = str(Path(__file__).parents[2])
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    environment["PYTHONPATH"] = os.pathsep.join([str(site), repo])
    call = [sys.executable, "-m", "jobs.evaluate", "default", f"folder:{colors}", str(tmp_path / "r")]
    ended = subprocess.run(
        [*call, "--runner", runner], env=environment, capture_output=True, text=True, check=False, timeout=600
    )
    assert ended.returncode == DONE, ended.stdout + ended.stderr
    judged = json.loads((tmp_path / "r" / "metrics.json").read_text())["splits"]["test"]
    assert judged["left_out"] == [f"{deadly.name}: internal: {DEADLY}"]
    assert judged["images"] > 0


@pytest.mark.parametrize(
    ("name", "photographs", "address", "expected"),
    [
        ("auto", 3, "", "local"),
        ("auto", 4, "", "ray"),
        ("auto", 3, "10.0.0.1:6379", "ray"),
        ("ray", 3, "", "ray"),
        ("local", 4, "10.0.0.1:6379", "local"),
    ],
)
def test_auto_is_local_for_small_plans_without_a_cluster(
    name: RunnerName, photographs: int, address: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runners, "LOCAL_PHOTOGRAPHS", 3)
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setenv("RAY_ADDRESS", address)
    planned = plan_of(listed(*(f"{number}.png" for number in range(photographs))))
    assert is_local(name, planned) == (expected == "local")


_BLOCKING = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names}:
            with open({log!r}, "a") as file:
                file.write(name + " in " + " ".join(sys.argv) + "\\n")
            raise ImportError(name + " is blocked here")
sys.meta_path.insert(0, Blocked())
"""


@pytest.mark.parametrize(
    ("command", "blocked"),
    [
        ("archive scans out --runner local --max-failed 1", ("tensorflow", "keras", "ray")),
        ("archive scans out --runner ray --max-failed 1", ("tensorflow", "keras")),
        ("evaluate default folder:colors out --runner local", ("tensorflow", "keras", "ray")),
        ("evaluate default folder:colors out --runner ray", ("tensorflow", "keras")),
        ("image scans/astronaut.png", ("tensorflow", "keras", "ray")),
        ("export default out.onnx", ("tensorflow", "keras", "ray")),
        ("demo out", ("tensorflow", "keras", "ray")),
    ],
)
def test_no_process_imports_what_it_does_not_need(
    command: str, blocked: tuple[str, ...], scans: Path, color_dir: Path, tmp_path: Path
) -> None:
    (tmp_path / "site").mkdir()
    log = tmp_path / "imports"
    code = _BLOCKING.format(names=set(blocked), log=str(log))
    (tmp_path / "site" / "sitecustomize.py").write_text(code)
    (tmp_path / "colors").symlink_to(color_dir)
    repo = str(Path(__file__).parents[2])
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    environment["PYTHONPATH"] = os.pathsep.join([str(tmp_path / "site"), repo])
    job, *arguments = command.split()
    ended = subprocess.run(
        [sys.executable, "-m", f"jobs.{job}", *arguments],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert ended.returncode == DONE, ended.stdout + ended.stderr
    assert not log.exists(), log.read_text()


def test_the_python_api_imports_neither() -> None:
    code = (
        "import sys; from colorize_core import Colorizer, load_bundle; import numpy as np\n"
        "Colorizer(load_bundle('default')).colorize(np.zeros((40, 60), np.uint8))\n"
        "sys.exit(' '.join({'tensorflow', 'keras', 'ray'} & set(sys.modules)) or 0)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
