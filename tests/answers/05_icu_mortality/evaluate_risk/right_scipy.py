"""SciPy's optimiser for the slope; a dict subclass."""

from scipy.optimize import minimize


class _Result(dict):
    pass


def _slope(y, logit):
    if np.ptp(y) == 0 or np.ptp(logit) == 0:
        return np.nan
    a, b = logit[y == 1], logit[y == 0]
    if a.min() >= b.max() or b.min() >= a.max():
        return np.nan
    x = (logit - logit.mean()) / logit.std()

    def nll(beta):
        z = beta[0] + beta[1] * x
        p = 1 / (1 + np.exp(-z))
        return np.sum(np.logaddexp(0, z) - y * z), np.array([np.sum(p - y), np.sum((p - y) * x)])

    return minimize(nll, np.zeros(2), jac=True, method="BFGS", options={"gtol": 1e-6}).x[1] / logit.std()


def evaluate_risk(outcome, risk, n_boot=1000, seed=0):
    y, p = np.asarray(outcome, float), np.asarray(risk, float)
    clipped = np.minimum(np.maximum(p, 1e-6), 1 - 1e-6)
    logit = np.log(clipped / (1 - clipped))
    rng = np.random.default_rng(np.random.PCG64(seed))

    def measure(rows):
        yy, pp = y[rows], p[rows]
        one = yy.min() == yy.max()
        return [
            np.nan if one else roc_auc_score(yy, pp),
            np.nan if one else average_precision_score(yy, pp),
            ((yy - pp) ** 2).mean(),
            _slope(yy, logit[rows]),
            yy.sum() / pp.sum() if pp.any() else np.nan,
        ]

    everything = np.array([measure(np.arange(len(y)))] + [measure(rng.integers(len(y), size=len(y))) for _ in range(n_boot)])
    result = _Result()
    for name, column in zip(["auroc", "auprc", "brier", "calibration_slope", "o_e_ratio"], everything.T):
        boot = column[1:][np.isfinite(column[1:])]
        result[name] = (float(column[0]), *(np.nan if not boot.size else float(np.quantile(boot, q)) for q in (0.025, 0.975)))
    return result
