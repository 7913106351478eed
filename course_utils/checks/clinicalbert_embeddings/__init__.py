"""Checks of notebook 04: tokens, embeddings, pooling, probing and search with an encoder."""

from course_utils.checks.clinicalbert_embeddings.embeddings import (
    compare_embeddings,
    embedding_mistakes,
    first_layer,
    no_ready_made_embeddings,
    pooling_mistakes,
)
from course_utils.checks.clinicalbert_embeddings.encoding import (
    TEXTS,
    compare_texts,
    compare_word,
    one_by_one,
)
from course_utils.checks.clinicalbert_embeddings.exercises import (
    NOTEBOOK,
    embed_texts,
    input_embeddings,
    layer_probe,
    mean_pool,
    nearest_notes,
    search_vocabulary,
    summary,
    tokenization_table,
    word_vector,
)
from course_utils.checks.clinicalbert_embeddings.exposing import compare_exposure, exposure
from course_utils.checks.clinicalbert_embeddings.masking import (
    assert_dice,
    assert_fates,
    assert_independent,
    assert_share,
    assert_uniform,
    mask_tokens,
    masked_pair,
)
from course_utils.checks.clinicalbert_embeddings.models import (
    LONG,
    Recorder,
    assert_restored,
    left_alone,
    shipped_model,
    small_model,
    tokenizer,
)
from course_utils.checks.clinicalbert_embeddings.outcomes import (
    as_tensor,
    error_of,
    table,
    whole_numbers,
)
from course_utils.checks.clinicalbert_embeddings.probing import (
    assert_averaged,
    assert_guesswork,
    assert_unseen,
    group_trap,
    probe_table,
)
from course_utils.checks.clinicalbert_embeddings.search import compare_nearest
from course_utils.checks.clinicalbert_embeddings.tokens import token_table, vocabulary_rows
