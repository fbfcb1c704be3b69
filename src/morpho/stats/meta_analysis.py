"""Random-effects meta-analysis of one effect over sites or studies: pure formulas.

Takes an effect and its sampling variance per site and gives the pooled effect, how much the sites differ, and what a
further site would show. Knows no tables and no sites' names; computes no effect sizes. Fewer than two sites, and
variances that are not positive and finite, raise `DesignError` throughout.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import optimize, stats

from morpho.errors import DesignError
from morpho.stats.effects import Interval

TAU2_TOLERANCE = 1e-12  # of the last step of the REML iterations, relative to tau2 plus the smallest variance
FEWEST_SITES_TO_PREDICT = 3  # with two sites, tau2 rests on a single difference

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class PooledEffect:
    """The mean of the sites' effects, how much they differ, and where the effect of a further site would lie.

    Limits without suffix are normal (Wald); those with suffix ``_hk`` are Hartung and Knapp's, from the t distribution
    on k - 1 degrees of freedom. `tau2` is the variance of the true effects between sites; `i2` its share in per cent
    of the whole variance; `h2` = 1 / (1 - i2 / 100); `q` is Cochran's Q and `q_p` its p value. Limits of `tau2` are
    both 0 where the effects agree better than chance allows; those of prediction are NaN for fewer than three sites.
    """

    k: int
    mean: float
    se: float
    ci_low: float
    ci_high: float
    se_hk: float
    ci_low_hk: float
    ci_high_hk: float
    p_hk: float
    tau2: float
    tau2_ci_low: float
    tau2_ci_high: float
    i2: float
    h2: float
    q: float
    q_p: float
    prediction_low: float
    prediction_high: float
    prediction_low_hk: float
    prediction_high_hk: float


@dataclass(frozen=True)
class LeaveOneOut:
    """Pooled means without each site in turn, shape (sites,), and their range."""

    means: FloatArray
    lowest: float
    highest: float


def pool_effects(
    effects: npt.ArrayLike, variances: npt.ArrayLike, confidence: float = 0.95, *, truncate_hk: bool = False
) -> PooledEffect:
    """Pool the effects of several sites that may truly differ (random effects, restricted maximum likelihood).

    Parameters
    ----------
    effects : shape (sites,)
        One effect per site, all on one scale.
    variances : shape (sites,)
        Sampling variances of the effects (squared standard errors), above 0.
    confidence
        Coverage of all intervals, between 0 and 1.
    truncate_hk
        Keep the Hartung-Knapp standard error from falling below the Wald one: max(1, q) in place of q. Cautious for
        very few sites, where effects that agree by chance make the interval too short.

    Returns
    -------
    The pooled effect, see `PooledEffect`.

    Notes
    -----
    The numbers are those of R's metafor: ``rma(method="REML")`` with ``test="z"`` and ``test="knha"``, ``predict`` and
    ``confint``. Sources: tau2, Raudenbush SW, in: Cooper H et al. (eds), The handbook of research synthesis and
    meta-analysis, 2nd ed. 2009, 295-315; Hartung-Knapp, Stat Med 2001;20:1771-1782, doi:10.1002/sim.791; Q-profile
    limits of tau2, Viechtbauer W, Stat Med 2007;26:37-52, doi:10.1002/sim.2514; prediction, Higgins JPT et al.,
    J R Stat Soc A 2009;172:137-159, doi:10.1111/j.1467-985X.2008.00552.x; I2 and H2, Higgins JPT, Thompson SG, Stat
    Med 2002;21:1539-1558, doi:10.1002/sim.1186, with the estimated tau2 in place of Q. `p_hk` is NaN where all
    effects are identical and `truncate_hk` is off.

    ASSUME: sites are independent, true effects are normal around their mean, and variances are known.

    Examples
    --------
    Equal variances have a closed form: tau2 is the variance of the effects, 1, less the sampling variance, 0.25.

    >>> pooled = pool_effects([1.0, 2.0, 3.0], [0.25, 0.25, 0.25])
    >>> round(pooled.mean, 9), round(pooled.tau2, 9), round(pooled.i2, 9)
    (2.0, 0.75, 75.0)
    """
    y, v = _check_sites(effects, variances, fewest=2)
    return _describe(y, v, _estimate_tau2(y, v), confidence, truncate_hk=truncate_hk)


def pool_dersimonian_laird(
    effects: npt.ArrayLike, variances: npt.ArrayLike, confidence: float = 0.95, *, truncate_hk: bool = False
) -> PooledEffect:
    """Pool effects as `pool_effects` does, with the moment estimate of tau2 that most published tables rest on.

    Source: DerSimonian R, Laird N, Controlled Clinical Trials 1986;7:177-188, doi:10.1016/0197-2456(86)90046-2.
    """
    y, v = _check_sites(effects, variances, fewest=2)
    weights = 1 / v
    excess = _spread(y, v) - (y.size - 1)
    tau2 = max(0.0, float(excess / (weights.sum() - (weights**2).sum() / weights.sum())))
    return _describe(y, v, tau2, confidence, truncate_hk=truncate_hk)


def pool_fixed(effects: npt.ArrayLike, variances: npt.ArrayLike, confidence: float = 0.95) -> Interval:
    """Pool effects by the inverse of their variances, with a normal interval, as if the true effect were one.

    >>> pool_fixed([1.0, 4.0], [1.0, 2.0]).value  # (1 / 1 + 4 / 2) / (1 / 1 + 1 / 2)
    2.0
    """
    y, v = _check_sites(effects, variances, fewest=2)
    mean, se = _weighted_mean(y, v)
    half = float(stats.norm.ppf(0.5 + confidence / 2)) * se
    return Interval(mean, se, mean - half, mean + half)


def leave_one_out(effects: npt.ArrayLike, variances: npt.ArrayLike) -> LeaveOneOut:
    """Pool effects (REML) without each of at least three sites in turn, to see whether one site carries the result."""
    y, v = _check_sites(effects, variances, fewest=3)
    rest = [(np.delete(y, site), np.delete(v, site)) for site in range(y.size)]
    means = np.array([_weighted_mean(a, b + _estimate_tau2(a, b))[0] for a, b in rest])
    return LeaveOneOut(means, float(means.min()), float(means.max()))


def compare_to_reference(
    effect: float, variance: float, reference: float, reference_variance: float, tau2: float = 0.0
) -> tuple[float, float]:
    """Test whether an effect differs from a published one, for instance from that of a consortium.

    Parameters
    ----------
    effect, variance
        Own effect and its sampling variance (squared standard error), above 0.
    reference, reference_variance
        Published effect on the same scale, and its sampling variance; 0 to take it as exact.
    tau2
        Variance of true effects between sites of the published meta-analysis. With it, the question is whether the
        own site would stand out among those sites; without it, whether the own effect is the published mean.

    Returns
    -------
    z, and its two-sided p value.

    Raises
    ------
    DesignError
        If a number is not finite, `variance` is not positive, or one of the others is negative.

    Notes
    -----
    ASSUME: the own people are not among those of the published effect, and both estimates are normal.

    Examples
    --------
    A difference of 3 with variance 4 + 5 has z = 1.

    >>> compare_to_reference(3.0, 4.0, 0.0, 5.0)[0]
    1.0
    """
    numbers = np.array([effect, reference, variance, reference_variance, tau2])
    if not (np.isfinite(numbers).all() and variance > 0 and reference_variance >= 0 and tau2 >= 0):
        msg = (
            f"A comparison with a published effect needs finite numbers, a variance above 0, and a variance of the "
            f"reference and a tau2 of 0 or above; got effect {effect}, variance {variance}, reference {reference}, "
            f"its variance {reference_variance}, tau2 {tau2}. Correct the reference table, or leave this effect out."
        )
        raise DesignError(msg)
    z = float((effect - reference) / np.sqrt(variance + reference_variance + tau2))
    return z, 2 * float(stats.norm.sf(abs(z)))


def _check_sites(effects: npt.ArrayLike, variances: npt.ArrayLike, *, fewest: int) -> tuple[FloatArray, FloatArray]:
    """Give effects and variances as arrays, shape (sites,); refuse too few sites and unusable numbers."""
    y, v = np.asarray(effects, dtype=np.float64), np.asarray(variances, dtype=np.float64)
    if y.ndim != 1 or y.shape != v.shape or y.size < fewest:
        msg = (
            f"A meta-analysis needs an effect and a variance for each of at least {fewest} sites; got {y.size} effects "
            f"and {v.size} variances. Report the effect of the single site, or add sites."
        )
        raise DesignError(msg)
    broken = np.flatnonzero(~(np.isfinite(y) & np.isfinite(v) & (v > 0)))
    if broken.size:
        seen = ", ".join(f"site {site}: effect {y[site]}, variance {v[site]}" for site in broken)
        msg = (
            f"A meta-analysis needs finite effects and finite variances above 0; got {seen} (counted from 0). Leave "
            "out sites whose effect could not be estimated."
        )
        raise DesignError(msg)
    return y, v


def _weighted_mean(y: FloatArray, v: FloatArray) -> tuple[float, float]:
    """Mean weighted by 1 / v, and its standard error."""
    weights = 1 / v
    centre = float(np.median(y))  # taken out first: effects may be large beside their differences
    return centre + float(weights @ (y - centre) / weights.sum()), float(weights.sum() ** -0.5)


def _spread(y: FloatArray, v: FloatArray) -> float:
    """Sum of squares around the weighted mean, weighted by 1 / v: Cochran's Q."""
    return float(((y - _weighted_mean(y, v)[0]) ** 2 / v).sum())


def _estimate_tau2(y: FloatArray, v: FloatArray) -> float:
    """Maximise the restricted likelihood by Fisher scoring, kept between two limits that always close in."""
    # Beyond var(y) + max(v) the score is negative whatever the data, so every maximum lies inside the grid.
    grid = (np.var(y, ddof=1) + v.max()) * np.array([0.0, *np.geomspace(1e-6, 1, 25)])
    best = int(np.argmax([_restricted_likelihood(y, v + tau2) for tau2 in grid]))  # may have several local maxima
    tau2, low, high = (float(grid[i]) for i in (best, max(best - 1, 0), min(best + 1, grid.size - 1)))
    while True:
        step = _scoring_step(y, v + tau2)
        low, high = (tau2, high) if step > 0 else (low, tau2)
        enough = TAU2_TOLERANCE * (tau2 + float(v.min()))
        if abs(step) <= enough or high - low <= enough:
            return tau2
        tau2 = tau2 + step if low < tau2 + step < high else (low + high) / 2


def _restricted_likelihood(y: FloatArray, v: FloatArray) -> float:
    """Logarithm of the restricted likelihood of total variances `v`, but for a constant."""
    return -float(np.log(v).sum() + np.log((1 / v).sum()) + _spread(y, v)) / 2


def _scoring_step(y: FloatArray, v: FloatArray) -> float:
    """Score of the restricted likelihood over its expected information, at total variances `v`."""
    weights = 1 / v
    projection = -np.outer(weights, weights) / weights.sum()
    np.fill_diagonal(projection, 0.0)
    np.fill_diagonal(projection, -projection.sum(axis=1))  # its rows add up to 0; so no digits cancel
    residual = projection @ (y - np.median(y))
    return float((residual @ residual - np.trace(projection)) / (projection**2).sum())


def _describe(y: FloatArray, v: FloatArray, tau2: float, confidence: float, *, truncate_hk: bool) -> PooledEffect:
    """Everything that follows once tau2 is known."""
    df = y.size - 1
    q = _spread(y, v)
    mean, se = _weighted_mean(y, v + tau2)
    ratio = _spread(y, v + tau2) / df
    se_hk = se * float(np.sqrt(max(1.0, ratio) if truncate_hk else ratio))
    z, t = float(stats.norm.ppf(0.5 + confidence / 2)), float(stats.t.ppf(0.5 + confidence / 2, df))
    unknown = 0.0 if y.size >= FEWEST_SITES_TO_PREDICT else np.nan
    ahead, ahead_hk = (float(np.sqrt(error**2 + tau2)) + unknown for error in (se, se_hk))
    typical = df * (1 / v).sum() / ((1 / v).sum() ** 2 - (1 / v**2).sum())  # sampling variance of a typical site
    tau2_ci_low, tau2_ci_high = _profile_tau2(y, v, confidence)
    return PooledEffect(
        k=y.size,
        mean=mean,
        se=se,
        ci_low=mean - z * se,
        ci_high=mean + z * se,
        se_hk=se_hk,
        ci_low_hk=mean - t * se_hk,
        ci_high_hk=mean + t * se_hk,
        p_hk=2 * float(stats.t.sf(abs(mean) / se_hk, df)) if se_hk > 0 else np.nan,
        tau2=tau2,
        tau2_ci_low=tau2_ci_low,
        tau2_ci_high=tau2_ci_high,
        i2=100 * float(tau2 / (tau2 + typical)),
        h2=1 + float(tau2 / typical),
        q=q,
        q_p=float(stats.chi2.sf(q, df)),
        prediction_low=mean - z * ahead,
        prediction_high=mean + z * ahead,
        prediction_low_hk=mean - t * ahead_hk,
        prediction_high_hk=mean + t * ahead_hk,
    )


def _profile_tau2(y: FloatArray, v: FloatArray, confidence: float) -> tuple[float, float]:
    """Find the tau2 at which Q would be just too high or just too low; 0 where even tau2 = 0 makes Q too low."""

    def solve(probability: float) -> float:
        critical = float(stats.chi2.ppf(probability, y.size - 1))
        if _spread(y, v) <= critical:
            return 0.0
        beyond = 1.001 * float(((y - y.mean()) ** 2).sum()) / critical  # Q(tau2) is below this sum of squares / tau2
        return optimize.brentq(lambda tau2: _spread(y, v + tau2) - critical, 0.0, beyond, xtol=1e-15 * beyond)

    return solve(0.5 + confidence / 2), solve(0.5 - confidence / 2)
