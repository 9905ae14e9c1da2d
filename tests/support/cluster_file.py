"""cluster.yaml as it is, for AWS, and as the command in its comments changes it for Google Cloud."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import yaml

REPO = Path(__file__).parents[2]
FILE = REPO / "cluster.yaml"


def text_for(cloud: str) -> str:
    if cloud == "aws":
        return FILE.read_text()
    [line] = re.findall(r"^#   (sed .*) >gcp\.yaml$", FILE.read_text(), re.MULTILINE)
    changed = subprocess.run(["bash", "-c", line], cwd=REPO, capture_output=True, text=True, check=True)
    return changed.stdout


def load(cloud: str = "aws") -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(text_for(cloud))
    return loaded


def start_command(kind: str) -> str:
    """Returns the command that starts Ray on the ``head`` or on a ``worker``."""
    [line] = [line for line in load()[f"{kind}_start_ray_commands"] if "ray start" in line]
    return str(line)
