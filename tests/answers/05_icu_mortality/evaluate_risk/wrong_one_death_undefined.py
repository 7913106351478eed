"""Mistake: With a single death AUPRC is said not to exist.
Message: one stay of a class is enough
"""


def evaluate_risk(
    outcome: Sequence, risk: Sequence, n_boot: int = 1000, seed: int = 0
) -> dict[str, tuple]:
    """AUROC, AUPRC, Brier score and calibration slope with 95 % bootstrap intervals.  (N,), (N,) -> dict."""
    outcome, risk = np.asarray(outcome).astype(int), np.asarray(risk, dtype=float)

    def auroc(y: np.ndarray, p: np.ndarray) -> float:
        n, n_ones = len(y), y.sum()
        right = rankdata(p)[y == 1].sum() - n_ones * (n_ones + 1) / 2  # pairs in the right order
        return right / (n_ones * (n - n_ones)) if 0 < n_ones < n else np.nan

    def auprc(y: np.ndarray, p: np.ndarray) -> float:
        return average_precision_score(y, p) if 1 < y.sum() < len(y) else np.nan

    def slope(y: np.ndarray, p: np.ndarray) -> float:
        x = logit(np.clip(p, 1e-6, 1 - 1e-6))
        ones, zeros = x[y == 1], x[y == 0]
        if not len(ones) or not len(zeros):
            return np.nan
        if ones.min() >= zeros.max() or ones.max() <= zeros.min():  # constant or separable
            return np.nan
        fit = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-8)
        return fit.fit(zscore(x)[:, None], y).coef_[0, 0] / x.std()

    measures = {
        "auroc": auroc,
        "auprc": auprc,
        "brier": lambda y, p: np.mean((p - y) ** 2),
        "calibration_slope": slope,
        "o_e_ratio": lambda y, p: y.sum() / p.sum() if p.sum() > 0 else np.nan,
    }
    draws = np.random.default_rng(seed).integers(0, len(outcome), (n_boot, len(outcome)))
    result = {}
    for name, f in measures.items():
        values = [v for v in (f(outcome[row], risk[row]) for row in draws) if not np.isnan(v)]
        interval = np.percentile(values, [2.5, 97.5]) if values else (np.nan, np.nan)
        result[name] = tuple(float(v) for v in (f(outcome, risk), *interval))
    return result
