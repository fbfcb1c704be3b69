"""How unusual a scan is in all metrics together, and how bad its image is in one number.

Takes robust z of the metrics of comparable scans; gives one number per scan, again in robust z.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.covariance import ledoit_wolf

from morpho.quality_metrics import METRIC_FLAGS
from morpho.stats.robust import robust_z

FloatArray = npt.NDArray[np.float64]

WINSORISED = 4.0  # robust z beyond which a value has no more say in the covariance, or in the index
FARTHEST = 10.0  # robust z beyond which a value does not move its scan farther away
# What tells of motion and noise in the signal itself; neither anatomy nor what a site's coil and protocol make.
IMAGE_METRICS = (
    "contrast_to_noise", "white_matter_snr", "noise_white_percent", "noise_air_percent", "ghost_percent",
    "air_artefact_percent", "blur_fwhm_mm", "edge_width_mm",
)  # fmt: skip


def measure_distance(z: pd.DataFrame) -> pd.Series[float]:
    """Measure how far each scan is from the middle of its cohort in all metrics together.

    Parameters
    ----------
    z
        Robust z of the metrics (columns) of comparable scans (rows); missing is NaN.

    Returns
    -------
    Robust z of the logarithm of the Mahalanobis distance of each scan, with the index of `z`.

    Notes
    -----
    Defined for fewer scans than metrics: the covariance is that of winsorised z, shrunk towards a sphere (Ledoit O,
    Wolf M, Journal of Multivariate Analysis 2004;88:365-411), the centre is the median of each metric, and the
    distances are judged by their own median and MAD, not by a chi-square distribution, which they do not follow.
    ASSUME: the metrics of most scans scatter around one centre; a missing value is in the middle.
    """
    varying = z.loc[:, z.notna().any() & (z.abs().max() > 0)].fillna(0.0)
    if varying.shape[1] == 0 or len(varying) < 2:
        return pd.Series(0.0, index=z.index)
    covariance, _ = ledoit_wolf(varying.clip(-WINSORISED, WINSORISED).to_numpy(), assume_centered=True)
    far = varying.clip(-FARTHEST, FARTHEST).to_numpy()
    squares = np.einsum("np,pq,nq->n", far, np.linalg.pinv(covariance, hermitian=True), far)
    smallest = np.finfo(float).tiny
    return pd.Series(robust_z(np.log(np.maximum(squares, smallest)) / 2), index=z.index)


def index_quality(z: pd.DataFrame) -> pd.Series[float]:
    """Put the quality of each image into one number, higher is worse.

    Parameters
    ----------
    z
        As for `measure_distance`.

    Returns
    -------
    Robust z of the mean of the winsorised z of `IMAGE_METRICS`, their bad direction up; with the index of `z`.

    Notes
    -----
    ASSUME: all of them weigh the same, as motion spoils all of them. Volumes, asymmetries and alignment take no part,
    so that a difference in anatomy between groups is none in quality.
    """
    known = [metric for metric in IMAGE_METRICS if metric in z and z[metric].notna().any()]
    if not known:
        return pd.Series(np.nan, index=z.index)
    signs = np.array([1.0 if METRIC_FLAGS[metric][1] else -1.0 for metric in known])
    signed = z[known].clip(-WINSORISED, WINSORISED) * signs
    return pd.Series(robust_z(signed.mean(axis=1).to_numpy()), index=z.index)
