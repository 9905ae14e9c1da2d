"""cluster.yaml: that Ray takes it, what it installs, and what it opens; tests/cluster has what needs a server."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import jsonschema
import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from tests.support import cluster_file
from tests.support.cluster_file import FILE, REPO

CLOUDS = ("aws", "gcp")
PYTHON = {"24.04": "3.12"}  # of Ubuntu's releases


@pytest.mark.parametrize("cloud", CLOUDS)
def test_ray_loads_it(cloud: str) -> None:
    from ray.autoscaler._private.util import prepare_config, validate_config

    config = prepare_config(cluster_file.load(cloud))
    validate_config(config)
    assert config["provider"]["type"] == cloud
    kinds = config["available_node_types"]
    assert {name: (kind["min_workers"], kind["max_workers"]) for name, kind in kinds.items()} == {
        "head": (0, 0),
        "cpu": (0, 16),
        "gpu": (0, 8),
    }
    assert kinds["head"]["resources"] == {"CPU": 0}
    assert 0 < config["idle_timeout_minutes"] <= 15
    broken = prepare_config(cluster_file.load(cloud) | {"idle_timeout": 5})
    with pytest.raises(jsonschema.ValidationError, match="idle_timeout"):
        validate_config(broken)


@pytest.mark.parametrize(("cloud", "other"), [("aws", "gcp"), ("gcp", "aws")])
def test_nothing_of_the_other_cloud_is_left(cloud: str, other: str) -> None:
    only = {
        "aws": {"InstanceType", "ImageId", "IamInstanceProfile", "MetadataOptions", "boto3"},
        "gcp": {"machineType", "sourceImage", "serviceAccounts", "gcsfs", "google-api-python-client"},
    }
    config = repr(cluster_file.load(cloud))
    assert all(word in config for word in only[cloud])
    assert not any(word in config for word in only[other])


@pytest.mark.parametrize("cloud", CLOUDS)
def test_workers_are_spot_machines_with_a_role_of_their_own(cloud: str) -> None:
    for name, kind in cluster_file.load(cloud)["available_node_types"].items():
        node = kind["node_config"]
        spot = node.get("InstanceMarketOptions") == {"MarketType": "spot"} if cloud == "aws" else "scheduling" in node
        assert spot == (name != "head")
        if cloud == "aws":
            assert node["IamInstanceProfile"]["Name"] == ("colorize-head" if name == "head" else "colorize-worker")
            assert node["MetadataOptions"]["HttpTokens"] == "required"
        assert "KeyName" not in node


def test_ray_takes_the_lines_that_start_it_and_the_dashboard_is_on_loopback() -> None:
    from ray.scripts.scripts import start

    for kind in ("head", "worker"):
        before, _, options = cluster_file.start_command(kind).partition("ray start ")
        exported = shlex.split(before.split(";")[0])
        assert exported == ["export", "RAY_AUTH_MODE=token", *(["RAY_JOB_STOP_WAIT_TIME_S=60"] * (kind == "head"))]
        given = shlex.split(options.replace("$RAY_HEAD_IP", "10.0.0.1"))
        with start.make_context("start", list(given)) as context:
            assert context.params["head"] == (kind == "head")
            assert context.params["dashboard_host"] in ("127.0.0.1", "localhost")
            assert not context.params["ray_debugger_external"]
    assert "0.0.0.0" not in FILE.read_text()  # noqa: S104 - as in the lines that Ray would take without these


@pytest.mark.parametrize("cloud", CLOUDS)
def test_all_machines_have_one_python_in_the_range_and_tested_versions(cloud: str) -> None:
    config = cluster_file.load(cloud)
    images = re.findall(r"ubuntu[/-](?:server/)?(\d\d\.?\d\d)", repr(config["available_node_types"]))
    assert len(images) == 3
    [release] = {re.sub(r"^(\d\d)\.?", r"\1.", image) for image in images}
    assert PYTHON[release] in SpecifierSet(importlib.metadata.metadata("colorize")["Requires-Python"])

    environment = {"python_full_version": f"{PYTHON[release]}.0", "python_version": PYTHON[release]}
    lines = (REPO / "constraints.txt").read_text().splitlines()
    rows = [Requirement(line) for line in lines if not line.startswith("#")]
    pins = {row.name: row.specifier for row in rows if row.marker is None or row.marker.evaluate(environment)}
    for line in importlib.metadata.requires("colorize") or ():
        wanted = Requirement(line)
        if wanted.marker:  # of an extra
            continue
        [pin] = pins[wanted.name.lower()]
        assert pin.operator == "=="
        assert pin.version in wanted.specifier, line
    installs = [line for line in config["setup_commands"] + config["head_setup_commands"] if "pip install" in line]
    assert len(installs) == (3 if cloud == "gcp" else 2)
    assert all("--constraint ~/colorize/constraints.txt" in line for line in installs)


def copied(home: Path) -> None:
    """What `ray up` copies to a machine, but for the token."""
    for remote, local in cluster_file.load()["file_mounts"].items():
        if remote == "~/.ray/auth_token":
            continue
        to, source = home / remote.removeprefix("~/"), REPO / local
        to.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, to, ignore=shutil.ignore_patterns(*cluster_file.load()["rsync_exclude"]))
        else:
            shutil.copy(source, to)


def test_of_what_is_copied_the_whole_package_is_made(tmp_path: Path) -> None:
    copied(tmp_path)
    call = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index", "--quiet"]
    subprocess.run([*call, "--wheel-dir", tmp_path / "made", tmp_path / "colorize"], check=True)
    [wheel] = (tmp_path / "made").iterdir()
    packed = set(zipfile.ZipFile(wheel).namelist())
    for room in ("colorize_core", "jobs"):
        files = {path.relative_to(REPO) for path in (REPO / room).rglob("*") if path.is_file()}
        needed = {str(path) for path in files if not {"__pycache__", "schedules"} & set(path.parts)}
        assert needed <= packed


def test_the_shell_takes_each_line(tmp_path: Path) -> None:
    config = cluster_file.load()
    lines = [line for key in config if key.endswith("_commands") for line in config[key]]
    assert len(lines) == 11
    for line in lines:
        subprocess.run(["bash", "-n", "-c", line], check=True)

    # Those that change the home folder alone are run. In place of pip stands what tells its arguments.
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text("x")
    (tmp_path / "venv" / "bin").mkdir(parents=True)
    (tmp_path / "venv" / "bin" / "pip").write_text('#!/bin/sh\nprintf "%s\\n" "$@" >>~/arguments\n')
    (tmp_path / "venv" / "bin" / "pip").chmod(0o755)
    environment = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    for line in config["setup_commands"] + config["head_setup_commands"]:
        if not line.startswith(("sudo ", "python3 -m venv ")):
            subprocess.run(["bash", "-c", line], env=environment, check=True)
    assert (tmp_path / ".ray" / "auth_token").stat().st_mode & 0o777 == 0o600
    given = (tmp_path / "arguments").read_text().split()
    constraint = ["install", "--quiet", "--constraint", f"{tmp_path}/colorize/constraints.txt"]
    assert given[:5] == [*constraint, f"{tmp_path}/colorize"]
    assert given[5] in ("tensorflow", "tensorflow[and-cuda]")
    assert given[6:] == [*constraint, "boto3"]
    shown = subprocess.run(
        ["bash", "-c", "source ~/.bashrc; echo $PATH $RAY_AUTH_MODE"], env=environment, capture_output=True, text=True
    )
    assert shown.stdout == f"{tmp_path}/venv/bin:{os.environ['PATH']} token\n"


def test_it_holds_no_secret_and_names_where_the_token_lies() -> None:
    config = cluster_file.load()
    assert ("~/.ray/auth_token", "~/.ray/auth_token") in config["file_mounts"].items()
    assert set(config["auth"]) == {"ssh_user"}  # Ray makes a key, whose path is enough for it
    text = cluster_file.text_for("aws")
    assert "RAY_AUTH_TOKEN" not in text
    assert not re.search(r"AKIA|BEGIN [A-Z ]*PRIVATE|(?i:secret|password|access_?key)", text)
    assert not re.search(r"(?<![\w/-])[0-9A-Za-z+]{32,}(?![\w/-])", text)
