"""What operators copy: manifests that Kubernetes and KubeRay take, and a crontab line that cron takes."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import click
import kubernetes_validate
import pytest
import yaml

from jobs import archive, prepare, submit, train

SCHEDULES = Path(submit.__file__).parent / "schedules"

# The fields that KubeRay's API has, by kind: ray-operator/apis/ray/v1 and the description of RayCronJob in Ray's
# documentation (https://docs.ray.io/en/master/cluster/kubernetes), November 2026.
CRON_JOB = {"schedule": str, "timeZone": str, "suspend": bool, "jobTemplate": dict}
RAY_JOB = {
    "activeDeadlineSeconds": int,
    "backoffLimit": int,
    "clusterSelector": dict,
    "entrypoint": str,
    "entrypointNumCpus": float,
    "entrypointNumGpus": float,
    "entrypointResources": str,
    "jobId": str,
    "metadata": dict,
    "rayClusterSpec": dict,
    "runtimeEnvYAML": str,
    "shutdownAfterJobFinishes": bool,
    "submissionMode": str,
    "submitterPodTemplate": dict,
    "suspend": bool,
    "ttlSecondsAfterFinished": int,
}
CLUSTER = {
    "authOptions": dict,
    "autoscalerOptions": dict,
    "enableInTreeAutoscaling": bool,
    "headGroupSpec": dict,
    "rayVersion": str,
    "workerGroupSpecs": list,
}
AUTH = {"mode": str, "secretName": str}
AUTOSCALER = {"idleTimeoutSeconds": int, "upscalingMode": str, "version": str}
HEAD = {"rayStartParams": dict, "template": dict, "serviceType": str}
WORKERS = HEAD | {"groupName": str, "replicas": int, "minReplicas": int, "maxReplicas": int, "numOfHosts": int}


def load(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((SCHEDULES / name).read_text())
    return loaded


def check(fields: dict[str, Any], known: dict[str, type], required: set[str]) -> None:
    assert required <= set(fields) <= set(known)
    for name, value in fields.items():
        assert type(value) is known[name], name


def check_pod(template: dict[str, Any]) -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, **template}
    kubernetes_validate.validate(pod, "1.31", strict=True)


def is_accepted(command: click.Command, arguments: list[str]) -> bool:
    """Whether the arguments are those of the command, without calling it."""
    with command.make_context("x", list(arguments)) as context:
        return bool(context.params)


def test_the_cron_job_is_one_that_kubernetes_takes() -> None:
    manifest = load("cronjob.yaml")
    kubernetes_validate.validate(manifest, "1.31", strict=True)
    assert manifest["spec"]["concurrencyPolicy"] == "Forbid"
    [container] = manifest["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    colorize, job, *arguments = container["command"]
    assert (colorize, job) == ("colorize", "submit")
    with submit.command.make_context("x", arguments) as context:
        assert (context.params["job"], context.params["name"]) == ("archive", "nightly")
        assert is_accepted(archive.command, list(context.params["arguments"]))
    broken = load("cronjob.yaml")
    broken["spec"]["concurrencyPolice"] = "Forbid"
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, "1.31", strict=True)


def check_job(job: dict[str, Any], name: str, command: click.Command) -> None:
    """A job of KubeRay's, on a cluster of its own with the tested Ray and a token."""
    check(job, RAY_JOB, {"entrypoint", "rayClusterSpec"})
    assert job["submissionMode"] in ("K8sJobMode", "HTTPMode", "InteractiveMode")
    cluster = job["rayClusterSpec"]
    check(cluster, CLUSTER, {"headGroupSpec", "authOptions", "rayVersion"})
    pinned = (Path(submit.__file__).parents[1] / "constraints.txt").read_text()
    assert f"\nray=={cluster['rayVersion']}\n" in pinned.replace(" ;", "\n")
    check(cluster["authOptions"], AUTH, {"mode"})
    assert cluster["authOptions"]["mode"] == "token"
    check(cluster["headGroupSpec"], HEAD, {"rayStartParams", "template"})
    check_pod(cluster["headGroupSpec"]["template"])
    images = [cluster["headGroupSpec"]["template"]["spec"]["containers"][0]["image"]]
    for group in cluster["workerGroupSpecs"]:
        check(group, WORKERS, {"groupName", "rayStartParams", "template", "minReplicas", "maxReplicas"})
        assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]
        check_pod(group["template"])
        images.append(group["template"]["spec"]["containers"][0]["image"])
    assert set(images) == {"colorize:latest"}
    colorize, job_name, *arguments = shlex.split(job["entrypoint"])
    assert (colorize, job_name) == ("colorize", name)
    assert is_accepted(command, arguments)


def test_the_ray_cron_job_has_the_fields_of_kuberay() -> None:
    manifest = load("raycronjob.yaml")
    assert (manifest["apiVersion"], manifest["kind"]) == ("ray.io/v1", "RayCronJob")
    assert set(manifest) == {"apiVersion", "kind", "metadata", "spec"}
    check(manifest["spec"], CRON_JOB, {"schedule", "jobTemplate"})
    check_job(manifest["spec"]["jobTemplate"], "archive", archive.command)


def gpus(group: dict[str, Any]) -> int:
    [container] = group["template"]["spec"]["containers"]
    return int(container["resources"]["limits"].get("nvidia.com/gpu", 0))


@pytest.mark.parametrize(
    ("name", "command", "groups"),
    [
        ("prepare", prepare.command, {"cpu": (0, 0)}),
        ("train", train.command, {"gpu": (2, 1)}),
        ("archive", archive.command, {"cpu": (0, 0), "gpu": (0, 1)}),
    ],
)
def test_the_ray_jobs_scale_from_none_but_for_training(
    name: str, command: click.Command, groups: dict[str, tuple[int, int]]
) -> None:
    manifest = load(f"rayjob-{name}.yaml")
    assert (manifest["apiVersion"], manifest["kind"]) == ("ray.io/v1", "RayJob")
    assert set(manifest) == {"apiVersion", "kind", "metadata", "spec"}
    job = manifest["spec"]
    check_job(job, name, command)
    assert job["shutdownAfterJobFinishes"]
    cluster = job["rayClusterSpec"]
    assert cluster["enableInTreeAutoscaling"]
    check(cluster["autoscalerOptions"], AUTOSCALER, {"idleTimeoutSeconds"})
    assert cluster["headGroupSpec"]["rayStartParams"] == {"num-cpus": "0"}
    found = {group["groupName"]: (group["minReplicas"], gpus(group)) for group in cluster["workerGroupSpecs"]}
    assert found == groups
    if name == "train":
        with command.make_context("x", shlex.split(job["entrypoint"])[2:]) as context:
            assert context.params["num_workers"] == groups["gpu"][0]  # all of them, at once
