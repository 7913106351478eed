"""sklearn.utils.resample, Mann-Whitney, nanpercentile, penalty by C.
"""

import warnings

from scipy.stats import mannwhitneyu
from sklearn.utils import resample


def evaluate_risk(outcome, risk, n_boot=1000, seed=0):
    y = np.array([int(v) for v in outcome])
    p = np.array([float(v) for v in risk])

    def five(y, p):
        n1 = int(y.sum())
        n0 = len(y) - n1
        out = [np.nan, np.nan, float(((p - y) ** 2).mean()), np.nan, n1 / p.sum() if p.max() > 0 else np.nan]
        if n0 and n1:
            out[0] = mannwhitneyu(p[y == 1], p[y == 0]).statistic / (n0 * n1)
            out[1] = average_precision_score(y, p)
            x = logit(p.clip(1e-6, 1 - 1e-6)).reshape(-1, 1)
            apart = x[y == 1].min() >= x[y == 0].max() or x[y == 1].max() <= x[y == 0].min()
            if not apart and np.ptp(x) > 0:
                out[3] = LogisticRegression(C=1e12, solver="newton-cholesky", tol=1e-8).fit(x, y).coef_.item()
        return out

    state = np.random.RandomState(seed)
    rows = np.arange(len(y))
    boot = []
    for _ in range(n_boot):
        i = resample(rows, random_state=state)
        boot.append(five(y[i], p[i]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        low, high = np.nanpercentile(np.array(boot), (2.5, 97.5), axis=0)
    names = ("auroc", "auprc", "brier", "calibration_slope", "o_e_ratio")
    return {k: (float(a), float(b), float(c)) for k, a, b, c in zip(names, five(y, p), low, high)}
