"""Throughput of cached embeddings on texts of mixed lengths, with the encoder that ships."""

from __future__ import annotations

import statistics
import tempfile
import time

import torch

from course_utils import text
from course_utils.data.corpus import make_clinical_corpus


def measure() -> dict[str, float]:
    """Texts per CPU second, as ratios to embedding one text at a time."""
    torch.set_num_threads(1)
    tokenizer, model = text.load_clinical_encoder(text.SHIPPED)
    notes = list(make_clinical_corpus(192, random_state=0).texts)
    notes = [note[: 12 + 12 * (i % 16)] for i, note in enumerate(notes)]  # two words to a paragraph

    def plain(batch_size: int) -> float:
        ordered = sorted(notes, key=len)
        began = time.process_time()
        for i in range(0, len(ordered), batch_size):
            text.embed_batch(ordered[i : i + batch_size], tokenizer, model)
        return time.process_time() - began

    def cached(folder: str, batch_size: int) -> float:
        began = time.process_time()
        text.cached_embeddings(
            notes, tokenizer, model, folder=folder, batch_size=batch_size, show_progress=False
        )
        return time.process_time() - began

    runs = []
    for _ in range(11):
        with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as many:
            plainly = [plain(1), plain(16), plain(32)]
            runs.append([*plainly, cached(one, 1), cached(many, 32), cached(many, 32)])
    alone, sixteen, together, alone_kept, together_kept, read = (
        statistics.median(times) for times in zip(*runs, strict=True)
    )
    return {
        "embedding, 16 at a time (less padding) / one at a time": alone / sixteen,
        "embedding, 32 at a time / one at a time": alone / together,
        "embedding and keeping, 32 at a time / one at a time": alone_kept / together_kept,
        "reading what was kept / embedding one at a time": alone / read,
        "embedding, texts a CPU second, 32 at a time": len(notes) / together,
    }
