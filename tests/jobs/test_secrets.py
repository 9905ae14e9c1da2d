"""A URL with a key in it is refused before anything is written or sent, whichever argument of a job it is."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from jobs.exits import USAGE, status_of

HIDDEN = "h1dden"
URLS = (f"s3://AKIAKEY:{HIDDEN}@bucket/x", f"https://host/x.h5?token={HIDDEN}", f"https://ada:{HIDDEN}@host/x.yaml")


@pytest.mark.parametrize(
    "call",
    [
        "archive URL out",
        "archive scans URL",
        "archive scans out --model URL",
        "archive scans out --model=URL --log-json",
        "demo out --input URL",
        "evaluate URL default folder:scans out",
        "evaluate default folder:URL out",
        "evaluate default folder:scans URL",
        "evaluate default folder:scans out --fid-weights URL",
        "export URL out.onnx",
        "export default URL",
        "prepare folder URL out",
        "prepare cifar10 scans URL",
        "submit archive -- URL out",
        "submit archive --address=URL -- scans out",
        "train URL folder:scans out",
        "train unet-lab folder:URL out",
        "train unet-lab URL out",
        "train unet-lab folder:scans URL",
        "train unet-lab folder:scans out --set model.start=URL",
        "train unet-lab folder:scans out --set model.encoder=VGG16 --set model.encoder_weights=URL",
        "tune unet-lab folder:scans out --space URL",
    ],
)
def test_it_is_refused_and_not_repeated(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    job, *arguments = call.split()
    command = importlib.import_module(f"jobs.{job}").command
    for url in URLS:
        assert status_of(command, [argument.replace("URL", url) for argument in arguments]) == USAGE
        printed = capsys.readouterr()
        assert printed.out == ""
        [line] = printed.err.splitlines()
        assert "holds a key, password or signature" in line
        assert HIDDEN not in line
    assert list(tmp_path.iterdir()) == []
