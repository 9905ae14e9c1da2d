from __future__ import annotations

import csv
import io
import math

import numpy as np
import pytest
from scipy import stats

from colorize_core.evaluation import table
from colorize_core.evaluation.image_rows import MeasuredImage
from colorize_core.evaluation.table import Interval, MetricColumns, bootstrap


def test_intervals_are_those_of_scipy() -> None:
    values = np.random.default_rng(0).gamma(2, 3, (400, 3))
    for i, interval in enumerate(bootstrap(values)):
        reference = stats.bootstrap((values[:, i],), np.mean, n_resamples=4000, method="percentile", rng=5)
        width = reference.confidence_interval.high - reference.confidence_interval.low
        assert interval.mean == pytest.approx(values[:, i].mean())
        assert interval.low == pytest.approx(reference.confidence_interval.low, abs=0.1 * width)
        assert interval.high == pytest.approx(reference.confidence_interval.high, abs=0.1 * width)


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    rng = np.random.default_rng(1)
    samples = rng.exponential(1, (100, 300))  # 300 samples of 100, each of mean 1
    held = [interval.low <= 1 <= interval.high for interval in bootstrap(samples)]
    assert 0.9 <= np.mean(held) <= 0.98


def test_columns_are_resampled_alike() -> None:
    values = np.random.default_rng(2).normal(0, 50, 200)
    [difference] = bootstrap(((values + 1) - values)[:, None])
    assert (difference.low, difference.high) == pytest.approx((1, 1))


def test_missing_values_are_left_out_of_their_mean_alone() -> None:
    nan = math.nan
    some, none, whole = bootstrap(np.array([[1, nan, 5], [nan, nan, 5], [3, nan, 5]]))
    assert some.mean == 2
    assert 1 <= some.low < some.high <= 3
    assert math.isnan(none.mean)
    assert whole == Interval(5, 5, 5)


def test_one_image_has_an_interval_of_no_width() -> None:
    assert bootstrap(np.array([[7.0]])) == [Interval(7, 7, 7)]


def test_metrics_come_in_the_order_of_ids_without_pictures() -> None:
    def row(identity: str, psnr: float) -> MeasuredImage:
        return MeasuredImage(identity, "test", 4, 3, 9.5, {"full/gray copy/psnr": psnr}, {"gray": b"x"}, {})

    collected = MetricColumns()
    collected.add([row("c", 3.0), row("a", 1.0)])
    collected.add([row("b", 2.0)])
    columns = collected.sorted_by_id()
    assert {name: values.tolist() for name, values in columns.items()} == {
        "id": ["a", "b", "c"],
        "split": ["test"] * 3,
        "width": [4] * 3,
        "height": [3] * 3,
        "truth/colorfulness": [9.5] * 3,
        "full/gray copy/psnr": [1, 2, 3],
    }


def test_csv_has_a_row_per_image_and_nothing_where_there_is_no_value() -> None:
    columns = {
        "id": np.array(['one, "two"', "line\nbreak"], object),
        "width": np.array([3, 4]),
        "full/gray copy/psnr": np.array([1 / 3, math.nan]),
    }
    rows = list(csv.reader(io.StringIO(table.write_csv(columns).decode(), newline="")))
    assert rows == [["id", "width", "full/gray copy/psnr"], ['one, "two"', "3", "0.3333333"], ["line\nbreak", "4", ""]]


def test_who_beats_whom() -> None:
    gains = {
        "better": Interval(1, 0.5, 1.5),
        "lucky": Interval(1, -0.5, 2.5),
        "equal": Interval(0, 0, 0),
        "worse": Interval(-1, -2, 0.1),
    }
    assert table.not_beaten(gains) == ["equal", "worse"]
    assert table.unproven(gains) == ["lucky"]
