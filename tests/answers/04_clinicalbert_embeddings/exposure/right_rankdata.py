"""SciPy's ranks, the highest for ties."""


def exposure(losses, secret):
    from scipy.stats import rankdata

    values = torch.as_tensor(losses).detach().to(torch.float64).numpy()
    if np.isnan(values).any():
        raise ValueError("nan")
    return float(np.log2(values.size) - np.log2(rankdata(values, method="max")[secret]))
