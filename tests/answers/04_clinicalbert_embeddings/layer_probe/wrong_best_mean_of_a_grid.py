"""
Mistake: `best_score_` of a search: the best penalty by the very groups that are held out.
Message: chosen by its held-out accuracy
"""


def layer_probe(features_by_layer, labels, groups, seed=0):
    from sklearn.model_selection import GridSearchCV, GroupKFold

    rows = []
    for layer, features in enumerate(features_by_layer):
        probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
        settings = {"logisticregression__C": [0.01, 0.1, 1.0, 10.0, 100.0]}
        search = GridSearchCV(probe, settings, cv=GroupKFold(5))
        search.fit(np.asarray(features), labels, groups=groups)
        rows.append({"layer": layer, "accuracy": float(search.best_score_)})
    return pd.DataFrame(rows)
