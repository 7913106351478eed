"""Several shuffled splits, scaling by hand."""


def layer_probe(features_by_layer, labels, groups, seed=0):
    classifier = LogisticRegression(C=0.1, max_iter=1000)
    y = np.asarray(labels)
    result = []
    for layer in range(len(features_by_layer)):
        X = np.asarray(features_by_layer[layer], dtype=np.float64)
        hits = []
        for a, b in GroupShuffleSplit(4, test_size=0.3, random_state=seed).split(X, y, groups):
            mean, spread = X[a].mean(0), X[a].std(0)
            spread[spread == 0] = 1
            classifier.fit((X[a] - mean) / spread, y[a])
            hits.append(np.mean(classifier.predict((X[b] - mean) / spread) == y[b]))
        result.append(dict(layer=layer, accuracy=sum(hits) / len(hits)))
    return pd.DataFrame.from_records(result)
