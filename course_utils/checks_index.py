"""Which module of :mod:`course_utils.checks` belongs to which notebook (without importing any)."""

MODULES = {
    "00_start_here": "start_here",
    "01_self_attention": "self_attention",
    "02_grounded_cross_attention": "grounded_cross_attention",
    "03_multimodal_fusion_ecg": "multimodal_fusion_ecg",
    "04_clinicalbert_embeddings": "clinicalbert_embeddings",
    "05_icu_mortality": "icu_mortality",
}
