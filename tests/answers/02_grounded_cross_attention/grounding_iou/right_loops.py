"""Sets and loops."""

def grounding_iou(weights, masks, keep=0.9):
    scores = []
    for b in range(weights.shape[0]):
        for t in range(weights.shape[1]):
            truth = {i for i, m in enumerate(masks[b, t].tolist()) if m > 0}
            if not truth:
                continue
            row = weights[b, t].tolist()
            goal, got, chosen = keep * sum(row), 0.0, set()
            for i in sorted(range(len(row)), key=row.__getitem__, reverse=True):
                if row[i] <= 0 or got >= goal - 1e-6:
                    break
                chosen.add(i)
                got += row[i]
            scores.append(len(truth & chosen) / len(truth | chosen))
    return sum(scores) / len(scores) if scores else math.nan
