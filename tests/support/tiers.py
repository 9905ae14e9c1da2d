"""Two tiers of tests: ``make test`` runs the first, ``make test-all`` the second.

The first tier runs every command once, a real cluster, a real training, S3 and a killed run, within ten minutes on two
cores. A test is in the second tier if its id begins with an entry of ``THOROUGH`` and with no entry of ``FIRST``.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest

THOROUGH = (
    "tests/cluster/",
    "tests/jobs/test_archive.py::test_an_interrupted_run_goes_on_where_it_ended[15-local]",
    "tests/jobs/test_archive.py::test_an_interrupted_run_goes_on_where_it_ended[2-ray]",
    "tests/jobs/test_archive_faults.py",
    "tests/jobs/test_evaluate.py::test_frechet_distances",
    "tests/jobs/test_export.py::test_savedmodel",
    "tests/jobs/test_memory.py",
    "tests/jobs/test_prepare.py::test_a_killed_run",
    "tests/jobs/test_prepare.py::test_train_takes_its_very_pixels",
    "tests/jobs/test_readme.py::test_other_trainings",
    "tests/jobs/test_runners.py::test_a_photograph_that_kills_processes_is_left_out_of_a_report[ray]",
    "tests/jobs/test_runners.py::test_no_process_imports",
    "tests/jobs/test_s3.py::test_prepare",
    "tests/jobs/test_s3.py::test_a_training",
    "tests/jobs/test_train.py",
    "tests/jobs/test_train_faults.py",
    "tests/jobs/test_tune.py",
    "tests/jobs/test_two_heads.py",
    "tests/unit/models/test_encoders.py",
    "tests/unit/models/test_models.py::test_overfits",
    "tests/unit/networks/test_export.py",
    "tests/unit/storage/test_storage_faults.py::test_a_network_that_fails_changes_nothing",
    "tests/unit/training/test_learner.py",
)
FIRST = (
    "tests/cluster/test_connected.py",
    "tests/cluster/test_submit.py::test_the_code_and_the_bundle_of_the_caller_are_run",
    "tests/jobs/test_archive_faults.py::test_whoever_is_killed_each_photograph_is_done_once[local-driver]",
    "tests/jobs/test_runners.py::test_no_process_imports_what_it_does_not_need[archive scans out --runner local",
    "tests/jobs/test_runners.py::test_no_process_imports_what_it_does_not_need[image",
    "tests/jobs/test_train.py::test_folder_to_bundle_to_colors",
    "tests/unit/models/test_models.py::test_overfits_eight_photographs_with_a_gradient_to_every_weight[unet, plain]",
    "tests/unit/networks/test_export.py::test_every_kind_of_model[dense-onnx]",
    "tests/unit/networks/test_export.py::test_a_wrong_output_is_refused",
)


def is_thorough(name: str) -> bool:
    """Returns True if a test is in the second tier."""
    return name.startswith(THOROUGH) and not name.startswith(FIRST)


def mark(items: Sequence[pytest.Item]) -> None:
    """Marks the tests of the second tier as ``thorough``."""
    for item in items:
        if is_thorough(item.nodeid):
            item.add_marker(pytest.mark.thorough)
