"""Mistake: undefined resamples count as 0
Message: for that measure alone
"""

import warnings


def evaluate_risk(outcome, risk, n_boot=1000, seed=0):
    y, p = np.array(outcome, dtype=int), np.array(risk, dtype=float)

    def slope(y, p):
        x = np.clip(p, 1e-6, 1 - 1e-6)
        x = np.log(x) - np.log1p(-x)
        if len(set(y)) < 2 or x.max() - x.min() < 1e-12:
            return float("nan")
        if x[y == 1].min() >= x[y == 0].max() or x[y == 1].max() <= x[y == 0].min():
            return float("nan")
        return float(LogisticRegression(C=np.inf, tol=1e-8, max_iter=2000).fit(x[:, None], y).coef_[0, 0])

    def all_five(y, p):
        two = len(set(y)) == 2
        return {
            "auroc": roc_auc_score(y, p) if two else float("nan"),
            "auprc": average_precision_score(y, p) if two else float("nan"),
            "brier": brier_score_loss(y, p) if two else float(np.mean((y - p) ** 2)),
            "calibration_slope": slope(y, p),
            "o_e_ratio": y.sum() / p.sum() if p.sum() > 0 else float("nan"),
        }

    rng = np.random.RandomState(seed)
    estimate = all_five(y, p)
    draws = pd.DataFrame([all_five(y[i], p[i]) for i in (rng.choice(len(y), len(y)) for _ in range(n_boot))]).fillna(0)
    low, high = draws.quantile(0.025), draws.quantile(0.975)
    return {k: (float(v), float(low[k]), float(high[k])) for k, v in estimate.items()}
