"""statistics.harmonic_mean of precision and recall."""

import statistics


def f1_scores(labels, predictions):
    def score(pairs):
        hits = sum(1 for a, b in pairs if a and b)
        if hits == 0:
            return 0.0
        precision = hits / sum(1 for _, b in pairs if b)
        recall = hits / sum(1 for a, _ in pairs if a)
        return statistics.harmonic_mean([precision, recall])

    rows = [list(zip(map(float, a), map(float, b))) for a, b in zip(labels, predictions)]
    columns = list(zip(*rows))
    each = tuple(score(column) for column in columns)
    everything = [pair for row in rows for pair in row]
    return {"micro": score(everything), "macro": statistics.fmean(each), "per_class": each}
