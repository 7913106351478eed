"""Mistake: train_test_split without groups.
Message: split by `groups`
"""


def layer_probe(features_by_layer, labels, groups, seed=0):
    from sklearn.model_selection import train_test_split

    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))
    rows = []
    for layer, features in enumerate(features_by_layer):
        a, b, c, d = train_test_split(np.asarray(features), labels, test_size=0.25, random_state=seed)
        rows.append({"layer": layer, "accuracy": classifier.fit(a, c).score(b, d)})
    return pd.DataFrame(rows)
