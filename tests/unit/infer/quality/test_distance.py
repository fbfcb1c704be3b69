"""The distance in all metrics and the index of quality: what moves them, and what must not."""

import numpy as np
import pandas as pd
import pytest

from morpho.infer.quality.distance import IMAGE_METRICS, index_quality, measure_distance
from morpho.quality_metrics import METRIC_FLAGS, METRICS
from morpho.stats.robust import robust_z


def draw(n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Draw correlated normal metrics: six common causes and noise."""
    causes = rng.standard_normal((n, 6)) @ rng.standard_normal((6, len(METRICS)))
    values = causes + 1.5 * rng.standard_normal((n, len(METRICS)))
    return pd.DataFrame(values, index=[f"s{number}" for number in range(n)], columns=list(METRICS))


def standardise(values: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(robust_z(values.to_numpy()), values.index, values.columns)


@pytest.mark.parametrize("n", [12, 24, 100])
def test_a_scan_that_is_odd_in_several_metrics_is_far(n: int, rng: np.random.Generator) -> None:
    """Fewer scans than metrics, too; five metrics are off by four standard deviations each."""
    found = []
    for _ in range(10):
        values = draw(n, rng)
        values.iloc[0, :5] += 4 * values.iloc[:, :5].std().to_numpy() * np.array([1, -1, 1, -1, 1])
        found.append(measure_distance(standardise(values))["s0"])
    assert np.median(found) > {12: 1.5, 24: 3, 100: 5}[n]


def test_ordinary_scans_are_hardly_ever_far(rng: np.random.Generator) -> None:
    """At the default limit of 4, less than one scan in 200 of normal data."""
    share = [(measure_distance(standardise(draw(24, rng))) > 4).mean() for _ in range(60)]
    assert np.mean(share) < 0.005


def test_a_broken_pattern_is_far_where_each_metric_is_ordinary(rng: np.random.Generator) -> None:
    """Two metrics that go together in 80 scans, and against each other in one."""
    common = rng.standard_normal(80)
    z = pd.DataFrame({"a": common, "b": common + 0.1 * rng.standard_normal(80)})
    z.loc[0] = [1.8, -1.8]
    distance = measure_distance(z)
    assert distance.idxmax() == 0
    assert distance[0] > distance.drop(0).max() + 0.3


def test_the_order_and_the_signs_of_metrics_do_not_matter(rng: np.random.Generator) -> None:
    z = standardise(draw(30, rng))
    distance = measure_distance(z)
    turned = (z * np.where(np.arange(z.shape[1]) % 2, -1, 1))[z.columns[::-1]]
    pd.testing.assert_series_equal(distance, measure_distance(turned), rtol=1e-6)


def test_metrics_that_are_the_same_for_all_or_missing_say_nothing(rng: np.random.Generator) -> None:
    z = standardise(draw(30, rng))
    pd.testing.assert_series_equal(measure_distance(z), measure_distance(z.assign(same=0.0, unknown=np.nan)))
    assert measure_distance(z * 0).eq(0).all()
    gaps = z.mask(rng.random(z.shape) < 0.1)
    assert measure_distance(gaps).notna().all()


def test_the_index_rises_with_every_kind_of_bad_image_and_never_with_anatomy(rng: np.random.Generator) -> None:
    z = standardise(draw(40, rng))
    base = index_quality(z)
    for metric in METRICS:
        worse = z.copy()
        worse.loc["s3", metric] += 2.0 if METRIC_FLAGS.get(metric, ("", ""))[1] else -2.0
        change = index_quality(worse)["s3"] - base["s3"]
        assert (change > 0.01) == (metric in IMAGE_METRICS), metric
    assert all(bool(METRIC_FLAGS[metric][0]) != bool(METRIC_FLAGS[metric][1]) for metric in IMAGE_METRICS)


def test_the_index_of_extracted_brains_goes_without_air(rng: np.random.Generator) -> None:
    z = standardise(draw(20, rng)).assign(noise_air_percent=np.nan, ghost_percent=np.nan, air_artefact_percent=np.nan)
    assert index_quality(z).notna().all()
    assert index_quality(z[["tiv_ml"]]).isna().all()
