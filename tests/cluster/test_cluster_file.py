"""cluster.yaml at work: AWS, as moto plays it, takes the machines; the lines that start Ray open what they should."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import botocore.session
import pytest

from tests.support import cluster_file

# A network of its own, in which loopback is also 10.9.0.1: the private address that a machine in a cloud has.
# `ray stop` before it is left out: it would stop all that it sees.
MACHINE = """
ip link set lo up
ip addr add 10.9.0.1/24 dev lo
ip route add default dev lo src 10.9.0.1
ray get-auth-token --generate >/dev/null
RAY_OVERRIDE_RESOURCES='{"CPU": 0}' bash -c "$HEAD"
export RAY_HEAD_IP=10.9.0.1
RAY_OVERRIDE_RESOURCES='{"CPU": 1, "GPU": 1}' bash -c "$WORKER"
ray status --address=$RAY_HEAD_IP:6379 >/dev/null
mkdir $HOME/stranger
HOME=$HOME/stranger ray get-auth-token --generate >/dev/null
! HOME=$HOME/stranger ray status --address=$RAY_HEAD_IP:6379 >/dev/null || exit 1
exec python -c "$LOOK"
"""
LOOK = """
import json, pathlib, ray, urllib.error, urllib.request

def answer(host):
    try:
        return urllib.request.urlopen(f"http://{host}:8265/api/jobs/", timeout=20).status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return None

def listening(port):
    rows = [line.split() for n in ("tcp", "tcp6") for line in pathlib.Path("/proc/net", n).read_text().splitlines()]
    return [row[1].split(":")[0] for row in rows if row[3] == "0A" and int(row[1].split(":")[1], 16) == port]

ray.init(address="10.9.0.1:6379", log_to_driver=False)
print(json.dumps({
    "nodes": sorted([node["Resources"].get("CPU", 0), node["Resources"].get("GPU", 0)] for node in ray.nodes()),
    "dashboard": listening(8265),
    "without a token": [answer("127.0.0.1"), answer("10.9.0.1")],
}))
"""


@pytest.fixture
def network() -> list[str]:
    """What runs a command with a network and process numbers of its own, all of which end with it."""
    isolated = ["unshare", "--net", "--pid", "--fork", "--mount-proc", "--kill-child"]
    tried = subprocess.run([*isolated, "ip", "link"], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"no network of one's own can be made here: {tried.stderr}")
    return isolated


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="only root can make a network of its own")
def test_the_start_lines_make_a_cluster_that_only_the_token_opens(network: list[str]) -> None:
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("RAY_AUTH", "RAY_ADDRESS", "RAY_ENABLE"))
    }
    environment |= {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "HEAD": cluster_file.start_command("head").replace("--autoscaling-config=~/ray_bootstrap_config.yaml", ""),
        "WORKER": cluster_file.start_command("worker"),
        "LOOK": LOOK,
        "RAY_AUTH_MODE": "token",
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    # The path of a socket in it may have 107 bytes, which pytest's own folders nearly take.
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as home:
        environment |= {"HOME": home, "RAY_TMPDIR": home}
        call = [*network, "bash", "-ec", MACHINE]
        ended = subprocess.run(call, env=environment, capture_output=True, text=True, timeout=900, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    found = json.loads(ended.stdout.splitlines()[-1])
    assert found == {
        "nodes": [[0, 0], [1, 1]],
        "dashboard": ["0100007F"],  # 127.0.0.1, and that alone
        "without a token": [401, None],
    }


@pytest.mark.usefixtures("s3")  # moto's server knows more of AWS than S3
def test_aws_takes_the_machines_and_opens_ssh_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ray.autoscaler._private.aws.node_provider import AWSNodeProvider
    from ray.autoscaler._private.util import prepare_config, validate_config

    monkeypatch.setenv("HOME", str(tmp_path))  # where the SSH key comes
    config = cluster_file.load()
    region = config["provider"]["region"]
    clients = {name: botocore.session.get_session().create_client(name, region_name=region) for name in ("iam", "ec2")}
    for profile in ("colorize-head", "colorize-worker"):
        clients["iam"].create_instance_profile(InstanceProfileName=profile)

    declared = {name: kind.pop("resources") for name, kind in config["available_node_types"].items()}
    config = AWSNodeProvider.fillout_available_node_types_resources(prepare_config(config))
    known = {name: kind["resources"] for name, kind in config["available_node_types"].items()}
    for name in ("cpu", "gpu"):
        assert {key: known[name][key] for key in declared[name]} == declared[name]
    validate_config(config)
    config = AWSNodeProvider.bootstrap_config(config)
    assert Path(config["auth"]["ssh_private_key"]).stat().st_mode & 0o777 == 0o600

    provider = AWSNodeProvider(config["provider"], config["cluster_name"])
    for name, kind in config["available_node_types"].items():
        [made] = provider.create_node(kind["node_config"], {"ray-user-node-type": name}, 1).values()
        assert made.instance_lifecycle == (None if name == "head" else "spot")
        assert made.iam_instance_profile["Arn"].endswith("/colorize-head" if name == "head" else "/colorize-worker")
        [group] = made.security_groups
        assert group["GroupName"] == "ray-autoscaler-colorize"
    [group] = clients["ec2"].describe_security_groups(GroupNames=["ray-autoscaler-colorize"])["SecurityGroups"]
    inside, ssh = sorted(group["IpPermissions"], key=lambda rule: len(rule["IpRanges"]))
    assert (inside["IpRanges"], [pair["GroupId"] for pair in inside["UserIdGroupPairs"]]) == ([], [group["GroupId"]])
    assert (ssh["FromPort"], ssh["ToPort"], ssh["IpProtocol"]) == (22, 22, "tcp")
