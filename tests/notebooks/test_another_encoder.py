"""Notebook 04 with another encoder: random weights of full size in the layout of the hub's cache.

It takes some ten CPU minutes, so it runs only where ``COURSE_FULL_SIZE=1`` asks for it.
"""

import os
import string
from pathlib import Path

import pytest
import torch
from transformers import BertConfig, BertModel, BertTokenizer

from classroom.authoring.build import execute
from classroom.authoring.source import read_source

ROOT = Path(__file__).resolve().parents[2]
NAME = "04_clinicalbert_embeddings"
SIZES = {
    "tiny": {"hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4},
    "full": {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12},
}


def hub_folder(home: Path, size: str) -> None:
    """A BERT that spells nearly every word, in lower case, where the hub keeps Bio_ClinicalBERT."""
    repository = home / "hub" / "models--emilyalsentzer--Bio_ClinicalBERT"
    commit = "a" * 40
    snapshot = repository / "snapshots" / commit
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    letters = [*string.ascii_lowercase, *string.digits, *string.punctuation]
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{c}" for c in letters)]
    words = ["the", "patient", "no", "de", "##nies", "co", "##ugh"]
    vocab = {piece: number for number, piece in enumerate(dict.fromkeys([*pieces, *words]))}
    BertTokenizer(vocab=vocab, do_lower_case=True).save_pretrained(snapshot)
    width = SIZES[size]["hidden_size"]
    entries = len(vocab) if size == "tiny" else 28_996
    config = BertConfig(vocab_size=entries, intermediate_size=4 * width, **SIZES[size])
    torch.manual_seed(0)
    BertModel(config).save_pretrained(snapshot)


@pytest.mark.skipif(os.environ.get("COURSE_FULL_SIZE") != "1", reason="COURSE_FULL_SIZE=1 asks")
@pytest.mark.parametrize("size", SIZES)
def test_every_cell_runs_with_an_encoder_of_the_hub(size, tmp_path, monkeypatch):
    hub_folder(tmp_path, size)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    notebook = read_source(ROOT, NAME).notebook
    execute(notebook, NAME, folder=ROOT / "solutions" / NAME)
    printed = "".join(
        output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", [])
    )
    assert f"width {SIZES[size]['hidden_size']}" in printed
