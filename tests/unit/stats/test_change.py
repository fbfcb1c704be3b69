"""Change: published values of d_z, numbers of metafor and statpsych, hand arithmetic and laws."""

import math

import numpy as np
import pytest
from scipy import stats

from morpho.errors import DesignError
from morpho.stats.change import (
    combine_spreads,
    standardise_change,
    standardise_change_average,
    standardise_change_smcc,
    standardise_change_smcr,
    symmetrised_percent_change,
)


@pytest.mark.parametrize(
    ("mean", "sd", "printed"), [(3.3, 2.2, 1.5), (1.6, 2.1, 0.8), (3.0, 1.7, 1.8), (2.7, 2.0, 1.4)]
)
def test_hippocampal_growth_under_electroconvulsive_therapy(mean: float, sd: float, printed: float) -> None:
    # Oltedal L et al. 2018 (GEMRIC): per cent change, mean and standard deviation, and the d they print.
    assert round(standardise_change(mean, sd, 100).d, 1) == printed


def test_d_z_is_the_paired_t_test() -> None:
    rng = np.random.default_rng(1)
    change = rng.normal(0.4, 1, 18)
    test = stats.ttest_1samp(change, 0)
    result = standardise_change(change.mean(), change.std(ddof=1), 18)
    assert result.d == pytest.approx(test.statistic / math.sqrt(18), rel=1e-12)
    assert (result.d_ci_low > 0) == (test.pvalue < 0.05)
    tails = stats.nct.cdf(test.statistic, 17, [result.d_ci_high * math.sqrt(18), result.d_ci_low * math.sqrt(18)])
    assert tails == pytest.approx([0.025, 0.975], abs=1e-8)


def test_smcc_and_smcr_equal_r_metafor() -> None:
    # escalc: means 105 and 100, standard deviations 10 and 9, r = 0.8, n = 30.
    smcc = standardise_change_smcc(5, combine_spreads(10, 9, 0.8), 30)
    smcr = standardise_change_smcr(5, 10, 0.8, 30)
    assert (round(smcc.value, 4), round(smcc.se**2, 4)) == (0.8005, 0.0440)
    assert (round(smcr.value, 4), round(smcr.se**2, 4)) == (0.4869, 0.0173)


def test_smcc_is_the_small_sample_d_z() -> None:
    assert standardise_change_smcc(2.0, 3.0, 12).value == pytest.approx(standardise_change(2.0, 3.0, 12).g, rel=1e-12)


def test_d_av_equals_r_statpsych() -> None:
    # Example of statpsych's ci.stdmean.ps: means 110.4 and 102.1, unweighted standardiser.
    result = standardise_change_average(110.4 - 102.1, 15.3, 14.6, 0.75, 25)
    assert (result.value, result.se) == pytest.approx((0.5550319, 0.1609934), abs=5e-8)
    assert (result.ci_low, result.ci_high) == pytest.approx((0.2394905, 0.8705732), abs=5e-8)


def test_d_av_does_not_depend_on_the_correlation_but_d_z_does() -> None:
    d_av = [standardise_change_average(3, 10, 10, r, 40).value for r in (0.5, 0.9)]
    d_z = [standardise_change(3, combine_spreads(10, 10, r), 40).d for r in (0.5, 0.9)]
    assert d_av[0] == d_av[1]
    assert d_z[0] == pytest.approx(d_av[0])  # sqrt(2 (1 - r)) is 1 at r = 0.5
    assert d_z[1] > 2 * d_av[1]


def test_d_av_interval_covers_the_truth() -> None:
    rng = np.random.default_rng(2)
    scans = rng.multivariate_normal([0, 0.5], [[1, 0.7], [0.7, 1]], (1500, 40))
    covered = []
    for before, after in scans.transpose(0, 2, 1):
        r = np.corrcoef(before, after)[0, 1]
        result = standardise_change_average((after - before).mean(), before.std(ddof=1), after.std(ddof=1), r, 40)
        covered.append(result.ci_low < 0.5 < result.ci_high)
    assert 0.92 < np.mean(covered) < 0.97


def test_spread_of_a_change_is_that_of_the_differences() -> None:
    rng = np.random.default_rng(3)
    before = rng.normal(size=30)
    after = before + rng.normal(size=30)
    r = np.corrcoef(before, after)[0, 1]
    expected = (after - before).std(ddof=1)
    assert combine_spreads(before.std(ddof=1), after.std(ddof=1), r) == pytest.approx(expected, rel=1e-12)


def test_per_cent_change_mirrors_gain_and_loss() -> None:
    first, second = np.array([3000.0, 4100.0]), np.array([3100.0, 3900.0])
    change = symmetrised_percent_change(first, second)
    assert change == pytest.approx([100 * 100 / 3050, -100 * 200 / 4000])
    assert symmetrised_percent_change(second, first) == pytest.approx(-change)
    assert symmetrised_percent_change(7 * first, 7 * second) == pytest.approx(change)
    assert symmetrised_percent_change(first, second, [2.0, 0.5]) == pytest.approx(change / [2.0, 0.5])


@pytest.mark.parametrize(
    ("first", "second", "interval", "name"),
    [(0.0, 1.0, 1.0, "first volume"), (1.0, math.nan, 1.0, "second volume"), (1.0, 1.0, -2.0, "interval")],
)
def test_impossible_volumes_and_intervals_are_refused(first: float, second: float, interval: float, name: str) -> None:
    with pytest.raises(DesignError, match=f"positive {name}"):
        symmetrised_percent_change([first], [second], interval)


def test_a_change_without_spread_or_people_is_refused() -> None:
    with pytest.raises(DesignError, match="positive standard deviation of the change"):
        standardise_change(1.0, 0.0, 10)
    with pytest.raises(DesignError, match="at least 3 people"):
        standardise_change(1.0, 1.0, 2)
    with pytest.raises(DesignError, match=r"between -1 and 1; got 1\.2"):
        standardise_change_average(1.0, 1.0, 1.0, 1.2, 10)
