"""What docs/clusters.md tells people to type is what Ray and colorize take, and what it names is there."""

from __future__ import annotations

import importlib.metadata
import re
import shlex
import subprocess

from packaging.specifiers import SpecifierSet

from jobs import archive, submit
from tests.support import cluster_file
from tests.support.cluster_file import REPO

PAGE = (REPO / "docs" / "clusters.md").read_text()
BLOCKS = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
LINES = [line for block in BLOCKS for line in block.splitlines()]


def options(line: str) -> list[str]:
    return shlex.split(line.split(">")[0])


def test_the_shell_and_ray_take_each_line() -> None:
    from ray.scripts.scripts import get_auth_token, start

    for block in BLOCKS:
        subprocess.run(["bash", "-n", "-c", block], check=True)
    seen = []
    for line in LINES:
        words = options(line)
        if words[:2] == ["ray", "start"]:
            with start.make_context("start", words[2:]) as context:
                assert context.params["dashboard_host"] in ("127.0.0.1", "localhost")
                seen.append("head" if context.params["head"] else "worker")
        if words[:2] == ["ray", "get-auth-token"]:
            get_auth_token.make_context("get-auth-token", words[2:])
            seen.append("token")
        if words[:2] == ["colorize", "submit"]:
            with submit.command.make_context("submit", words[2:]) as context:
                assert context.params["job"] == "archive"
                seen.append("job")
                arguments = list(context.params["arguments"])
            with archive.command.make_context("archive", arguments) as context:
                assert context.params["output"] == "s3://archive/colored"
    assert seen == ["token", "head", "worker", "job"]
    assert LINES.count("export RAY_AUTH_MODE=token") == 3


def test_the_image_has_what_machines_in_a_cloud_get_and_a_python_in_the_range() -> None:
    [text] = re.findall(r"<<'END'\n(.*?)END\n", PAGE, re.DOTALL)
    [version] = re.findall(r"^FROM python:([\d.]+)", text, re.MULTILINE)
    assert version in SpecifierSet(importlib.metadata.metadata("colorize")["Requires-Python"])
    copied = [name for line in re.findall(r"^COPY (.*) \S+$", text, re.MULTILINE) for name in line.split()]
    mounts = cluster_file.load()["file_mounts"]
    assert set(copied) == {local for remote, local in mounts.items() if remote != "~/.ray/auth_token"}
    assert "--constraint /colorize/constraints.txt" in text
    assert not re.search(r"(?m)^(ENV|ARG) ", text)  # nothing secret is baked in


def test_what_it_points_at_is_there() -> None:
    for place in re.findall(r"\]\(([^)#:]+)\)", PAGE):
        assert (REPO / "docs" / place).exists(), place
    profiles = {kind["node_config"]["IamInstanceProfile"]["Name"] for kind in nodes()}
    assert all(f"`{profile}`" in PAGE for profile in profiles)
    assert f"ray-autoscaler-{cluster_file.load()['cluster_name']}" in PAGE


def nodes() -> list[dict[str, dict[str, dict[str, str]]]]:
    return list(cluster_file.load()["available_node_types"].values())
