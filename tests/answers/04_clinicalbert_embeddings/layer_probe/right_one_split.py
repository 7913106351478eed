"""A single split by group, written by hand."""


def layer_probe(features_by_layer, labels, groups, seed=0):
    labels, groups = np.asarray(labels), np.asarray(groups)
    names = np.unique(groups)
    held_out = np.random.default_rng(seed).permutation(names)[: max(1, len(names) // 3)]
    test = np.isin(groups, held_out)
    accuracies = []
    for features in features_by_layer:
        features = torch.as_tensor(np.asarray(features)).numpy()
        scaler = StandardScaler().fit(features[~test])
        probe = LogisticRegression(max_iter=500).fit(scaler.transform(features[~test]), labels[~test])
        accuracies.append(probe.score(scaler.transform(features[test]), labels[test]))
    return pd.DataFrame({"layer": np.arange(len(accuracies)), "accuracy": accuracies})
