"""Mistake: resamples of half the rows
Message: 95 % interval
"""

def evaluate_risk(outcome: Sequence, risk: Sequence, n_boot: int = 1000, seed: int = 0) -> dict[str, tuple]:
    """AUROC, AUPRC, Brier score and calibration slope with 95 % bootstrap intervals.  (N,), (N,) -> dict."""
    outcome, risk = np.asarray(outcome).astype(int), np.asarray(risk, dtype=float)

    def auroc(y: np.ndarray, p: np.ndarray) -> float:
        n, n_ones = len(y), y.sum()
        above = rankdata(p)[y == 1].sum() - n_ones * (n_ones + 1) / 2  # pairs in the right order
        return above / (n_ones * (n - n_ones)) if 0 < n_ones < n else np.nan

    def auprc(y: np.ndarray, p: np.ndarray) -> float:
        return average_precision_score(y, p) if 0 < y.sum() < len(y) else np.nan

    def slope(y: np.ndarray, p: np.ndarray) -> float:
        x = logit(np.clip(p, 1e-6, 1 - 1e-6))
        ones, zeros = x[y == 1], x[y == 0]
        if not len(ones) or not len(zeros) or np.ptp(x) < 1e-12:
            return np.nan
        if ones.min() >= zeros.max() or ones.max() <= zeros.min():
            return np.nan
        fit = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-8)
        return fit.fit(zscore(x)[:, None], y).coef_[0, 0] / x.std()

    measures = {"auroc": auroc, "auprc": auprc, "brier": lambda y, p: np.mean((p - y) ** 2), "calibration_slope": slope}
    measures["o_e_ratio"] = lambda y, p: y.sum() / p.sum() if p.sum() > 0 else np.nan
    draws = np.random.default_rng(seed).integers(0, len(outcome), (n_boot, len(outcome) // 2))
    result = {}
    for name, measure in measures.items():
        values = np.array([measure(outcome[row], risk[row]) for row in draws])
        values = values[~np.isnan(values)]
        interval = np.percentile(values, [2.5, 97.5]) if len(values) else (np.nan, np.nan)
        result[name] = tuple(float(v) for v in (measure(outcome, risk), *interval))
    return result
