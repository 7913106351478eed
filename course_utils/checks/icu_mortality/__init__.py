"""Checks of notebook 05: from events in SQL to explanations that can be scored."""

from course_utils.checks.icu_mortality.exercises import (
    EVENT_UNION_SQL,
    NOTEBOOK,
    AttentionPooling,
    attention_rollout,
    batch_matches,
    causal_by_time_mask,
    collate_stays,
    deletion_curve,
    evaluate_risk,
    explain_stay,
    features,
    find_leaks,
    fit_preprocessor,
    loss_edges,
    loss_kinds,
    loss_of_two,
    recency_weighted_loss,
    summary,
)
