"""Mistake: features are returned at once, without an object
Message: transform
"""

def fit_preprocessor(train_static, train_events):
    numbers = train_static.select_dtypes("number")
    return StandardScaler().fit_transform(numbers), StandardScaler().fit_transform(train_events[["minutes_since_admission"]])
