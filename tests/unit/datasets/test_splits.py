from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from colorize_core.datasets.splits import SplitRule, place_of

IDS = [f"album/{i:05d}.jpg" for i in range(20_000)]


@pytest.mark.parametrize(
    ("identity", "split"),
    [
        ("album/00000.jpg", "train"),
        ("album/00013.jpg", "test"),
        ("album/00018.jpg", "val"),
        ("été/12.png", "test"),
        ("été/21.png", "val"),
        ("\udce92.png", "test"),  # a file name that is no UTF-8
        ("\udce949.png", "val"),
        ("", "train"),
    ],
)
def test_a_split_never_changes(identity: str, split: str) -> None:
    """If the hash changed, prepared data sets would have test images of earlier ones in training."""
    assert SplitRule(0.05, 0.05).of(identity) == split


@pytest.mark.parametrize(("val", "test"), [(0.05, 0.05), (0.2, 0.1), (0.05, 0.0), (0.0, 0.3)])
def test_fractions(val: float, test: float) -> None:
    counts = Counter(SplitRule(val, test).of(identity) for identity in IDS)
    for split, fraction in {"val": val, "test": test, "train": 1 - val - test}.items():
        # Four standard deviations of a binomial distribution.
        assert counts[split] / len(IDS) == pytest.approx(
            fraction, abs=4 * (fraction * (1 - fraction) / len(IDS)) ** 0.5
        )


@pytest.mark.parametrize(("val", "test", "split"), [(0, 0, "train"), (1, 0, "val"), (0, 1, "test"), (1, 1, "test")])
def test_extremes(val: float, test: float, split: str) -> None:
    assert {SplitRule(val, test).of(identity) for identity in IDS[:500]} == {split}


def test_a_larger_fraction_only_adds() -> None:
    for identity in IDS[:5000]:
        if SplitRule(0.05, 0.05).of(identity) == "test":
            assert SplitRule(0.05, 0.2).of(identity) == "test"
        if SplitRule(0.05, 0.0).of(identity) == "val":
            assert SplitRule(0.3, 0.0).of(identity) == "val"


def test_another_seed_deals_anew() -> None:
    places = np.array([[place_of(identity, seed) for identity in IDS[:2000]] for seed in (0, 1, 2)])
    assert np.abs(np.corrcoef(places) - np.eye(3)).max() < 0.1


def test_an_official_split_holds_but_for_validation() -> None:
    rule = SplitRule(val=0.05, test=0.5)
    assert {rule.of_official(identity, "test") for identity in IDS[:500]} == {"test"}
    counts = Counter(rule.of_official(identity, "train") for identity in IDS)
    assert counts["test"] == 0
    assert counts["val"] / len(IDS) == pytest.approx(0.05, abs=0.007)
