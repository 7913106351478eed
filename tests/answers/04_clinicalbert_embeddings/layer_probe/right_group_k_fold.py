"""Five folds by group, cross_val_score."""


def layer_probe(features_by_layer, labels, groups, seed=0):
    from sklearn.model_selection import cross_val_score

    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))
    rows = []
    for layer, features in enumerate(features_by_layer):
        scores = cross_val_score(classifier, np.asarray(features), labels, groups=groups, cv=GroupKFold(5))
        rows.append([layer, scores.mean()])
    return pd.DataFrame(rows, columns=["layer", "accuracy"]).astype({"layer": int})
