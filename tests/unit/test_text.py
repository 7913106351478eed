"""Encoders and cached embeddings: the hub's real path without a network, and a shared cache."""

import json
import multiprocessing
import socket
import time
import warnings

import pytest
import torch
from safetensors.torch import save_file

from course_utils import text

transformers = pytest.importorskip("transformers")
COMMIT = "d5892b39a4adaed74b92212a44081509db72f87b"


@pytest.fixture(scope="module")
def shipped():
    return text.load_clinical_encoder(text.SHIPPED)


def put_in_cache(cache, name, config, tokenizer, *, weights="model.safetensors"):
    """Save a model with random weights as the hub's cache holds it; return it."""
    kind = transformers.AutoModel._model_mapping[type(config)]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = kind(config)
    repository = cache / f"models--{name.replace('/', '--')}"
    snapshot = repository / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT)
    config.save_pretrained(snapshot)
    vocab = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    (snapshot / "vocab.txt").write_text("\n".join(token for token, _ in vocab) + "\n")
    if weights.endswith(".safetensors"):
        save_file(model.state_dict(), snapshot / weights, metadata={"format": "pt"})
    else:
        torch.save(model.state_dict(), snapshot / weights)
    return model


@pytest.fixture
def cache(tmp_path, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")  # nobody listens there
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    (tmp_path / "hub").mkdir()
    return tmp_path / "hub"


def test_full_size_model_from_the_local_cache(cache, shipped, capsys):
    config = transformers.BertConfig(vocab_size=28_996, num_hidden_layers=2)  # else full size
    saved = put_in_cache(cache, text.BIO_CLINICAL_BERT, config, shipped[0])
    tokenizer, model = text.load_clinical_encoder(offline=True)
    assert "Bio_ClinicalBERT" in capsys.readouterr().out
    assert type(model).__name__ == "BertModel"
    assert model.pooler is None
    assert not model.training
    assert not any(p.requires_grad for p in model.parameters())
    assert model.embeddings.word_embeddings.weight.shape == (28_996, 768)
    for name, value in model.state_dict().items():
        assert torch.equal(value, saved.state_dict()[name]), name
    batch = tokenizer("Patient denies cough.", return_tensors="pt")
    weights = model(**batch, output_attentions=True).attentions
    assert len(weights) == 2
    torch.testing.assert_close(weights[0].sum(-1), torch.ones(weights[0].shape[:-1]))


def test_other_architectures_by_name(cache, shipped):
    small = {"vocab_size": len(shipped[0]), "max_position_embeddings": 64}
    distil = transformers.DistilBertConfig(dim=32, n_layers=1, n_heads=2, hidden_dim=64, **small)
    put_in_cache(cache, "medicalai/ClinicalBERT", distil, shipped[0])
    tokenizer, model = text.load_clinical_encoder("medicalai/ClinicalBERT", offline=True)
    assert type(model).__name__ == "DistilBertModel"
    assert text.embed_batch(["No fever."], tokenizer, model).shape == (1, 32)


@pytest.mark.parametrize("weights", ["pytorch_model.bin"])
def test_pickled_weights_are_not_loaded(cache, shipped, capsys, weights):
    config = transformers.BertConfig(
        vocab_size=len(shipped[0]), hidden_size=16, num_hidden_layers=1, num_attention_heads=2
    )
    put_in_cache(cache, text.BIO_CLINICAL_BERT, config, shipped[0], weights=weights)
    _, model = text.load_clinical_encoder(offline=True)
    assert "ships with the course" in capsys.readouterr().out
    assert model.config.hidden_size == 128


def test_no_network_falls_back_at_once(cache, capsys):
    began = time.perf_counter()
    _, model = text.load_clinical_encoder()
    assert time.perf_counter() - began < text.HUB_SECONDS + 4
    said = capsys.readouterr()
    assert "ships with the course" in said.out
    assert len(said.out.splitlines()) == 1
    assert said.err == ""
    assert model.config.hidden_size == 128


def test_a_hub_that_never_answers_costs_seconds(cache, monkeypatch, capsys):
    from huggingface_hub import constants

    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setattr(text, "HUB_SECONDS", 0.5)
        began = time.perf_counter()
        text.load_clinical_encoder()
        assert time.perf_counter() - began < 5
    said = capsys.readouterr().out
    assert "ships with the course" in said
    assert "in time" in said or "Timeout" in said


def test_offline_variable_is_respected(cache, monkeypatch, capsys):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(text, "_why_unreachable", lambda *_: pytest.fail("asked the hub"))
    text.load_clinical_encoder()
    assert "working offline" in capsys.readouterr().out


def test_shipped_model_is_small_and_does_not_truncate(shipped):
    from pathlib import Path

    tokenizer, model = shipped
    assert (Path(text.SHIPPED) / "model.safetensors").stat().st_size < 5_000_000
    assert (Path(text.SHIPPED) / "README.md").is_file()
    assert len(tokenizer("fever " * 600)["input_ids"]) == 602
    assert tokenizer.tokenize("Patient") != tokenizer.tokenize("patient")
    assert tokenizer.unk_token not in tokenizer.tokenize("".join(map(chr, range(33, 127))))
    assert not model.training
    assert len(tokenizer) == model.config.vocab_size


def test_views(shipped):
    tokenizer, model = shipped
    sentence = "Patient denies cough."
    labels = text.token_labels(sentence, tokenizer)
    assert labels[0] == "[CLS]"
    assert labels[-1] == "[SEP]"
    layers = model.config.num_hidden_layers
    assert text.token_states(sentence, *shipped).shape == (layers + 1, len(labels), 128)
    weights = text.attention_of(sentence, *shipped)
    assert weights.shape == (layers, 4, len(labels), len(labels))
    torch.testing.assert_close(weights.sum(-1), torch.ones(weights.shape[:-1]))


def test_a_text_longer_than_the_model_is_refused_not_cut(shipped):
    sentence = "The patient was seen by the cardiology service. " * 20
    for look in (text.token_states, text.attention_of):
        with pytest.raises(ValueError, match=r"text has \d+ pieces .* the model takes 128"):
            look(sentence, *shipped)


# --- cached embeddings -----------------------------------------------------------------------

NOTES = ["No fever.", "", "cough", "Patient denies chest pain, however fever persists."] * 2


class Counting:
    """An embedding function that remembers what it was asked for."""

    def __init__(self, fail_at=None):
        self.batches = []
        self.fail_at = fail_at

    def __call__(self, texts, tokenizer, model):
        if len(self.batches) == self.fail_at:
            raise KeyboardInterrupt
        self.batches.append(list(texts))
        return torch.tensor([[float(len(t)), float(sum(map(ord, t)))] for t in texts])


def entries(folder):
    return sorted(folder.glob("*/*.npy"))


def test_order_duplicates_and_second_run(shipped, tmp_path):
    first, second = Counting(), Counting()
    got = text.cached_embeddings(NOTES, *shipped, folder=tmp_path, embed=first, batch_size=2)
    torch.testing.assert_close(got, Counting()(NOTES, None, None))
    assert sorted(t for batch in first.batches for t in batch) == sorted(set(NOTES))
    assert max(map(len, first.batches)) <= 2
    again = text.cached_embeddings(NOTES, *shipped, folder=tmp_path, embed=second)
    assert torch.equal(got, again)
    assert second.batches == []
    assert len(entries(tmp_path)) == 4


def test_default_embedding_does_not_depend_on_the_batch(shipped, tmp_path):
    one = text.cached_embeddings(NOTES, *shipped, folder=tmp_path / "a", batch_size=1)
    many = text.cached_embeddings(NOTES, *shipped, folder=tmp_path / "b", batch_size=8)
    torch.testing.assert_close(one, many, rtol=1e-4, atol=1e-5)
    assert one.shape == (8, 128)
    assert (one[1] == 0).all()
    empty = text.cached_embeddings([], *shipped, folder=tmp_path)
    assert empty.shape == (0, 128)


def test_key_holds_model_revision_pooling_and_length(shipped, tmp_path):
    tokenizer, model = shipped
    other = transformers.BertModel(transformers.BertConfig(
        vocab_size=len(tokenizer), hidden_size=16, num_hidden_layers=1, num_attention_heads=2
    ), add_pooling_layer=False)  # fmt: skip
    other.config.name_or_path = model.config.name_or_path
    fresh = transformers.BertModel(other.config, add_pooling_layer=False)
    revised = fresh.__class__(fresh.config, add_pooling_layer=False)
    revised.load_state_dict(fresh.state_dict())
    revised.config = transformers.BertConfig(**{**fresh.config.to_dict(), "course_commit": "abc"})
    runs = [(model, {}), (other, {}), (fresh, {}), (revised, {}),
            (model, {"pooling": "cls"}), (model, {"max_length": 8})]  # fmt: skip
    for count, (net, options) in enumerate(runs, start=1):
        embed = Counting()
        text.cached_embeddings(["a"], tokenizer, net, folder=tmp_path, embed=embed, **options)
        assert embed.batches == [["a"]]
        assert len(entries(tmp_path)) == count


def test_damaged_entries_are_computed_again(shipped, tmp_path):
    def run():
        return text.cached_embeddings(["a", "bb", "ccc"], *shipped, folder=tmp_path, embed=count)

    count = Counting()
    want = run()
    files = entries(tmp_path)
    files[0].write_bytes(b"")
    files[1].write_bytes(files[1].read_bytes()[:-3])
    flipped = bytearray(files[2].read_bytes())
    flipped[-1] ^= 1
    files[2].write_bytes(bytes(flipped))
    with pytest.warns(UserWarning, match="damaged"):
        assert torch.equal(run(), want)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert torch.equal(run(), want)
    assert len(count.batches) == 2


def test_killed_run_keeps_what_was_written(shipped, tmp_path):
    notes = [str(i) * (i + 1) for i in range(6)]
    with pytest.raises(KeyboardInterrupt):
        text.cached_embeddings(
            notes, *shipped, folder=tmp_path, embed=Counting(fail_at=2), batch_size=2
        )
    assert len(entries(tmp_path)) == 4
    rest = Counting()
    text.cached_embeddings(notes, *shipped, folder=tmp_path, embed=rest, batch_size=2)
    assert len(rest.batches) == 1


def test_embed_must_return_a_row_for_each_text(shipped, tmp_path):
    with pytest.raises(ValueError, match=r"embed must return \(2, D\), got \(1, 3\)"):
        text.cached_embeddings(
            ["a", "b"], *shipped, folder=tmp_path, embed=lambda *_: torch.ones(1, 3)
        )


class _Words:
    """Enough of a tokenizer and a model for a process that only shares the cache."""

    config = type("Config", (), {"max_position_embeddings": 8, "name_or_path": "x"})

    def get_vocab(self):
        return {}

    def state_dict(self):
        return {}


def _share(folder, queue):
    for _ in range(5):
        texts = [f"note {i}" for i in range(40)]
        got = text.cached_embeddings(texts, _Words(), _Words(), folder=folder, embed=Counting(),
                                     batch_size=4, show_progress=False)  # fmt: skip
        for file in folder.glob("*/*.npy"):
            file.unlink(missing_ok=True)  # another process may be reading it
    queue.put(json.dumps(got.tolist()))


def test_processes_share_the_folder(tmp_path):
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    workers = [context.Process(target=_share, args=(tmp_path, queue)) for _ in range(3)]
    for worker in workers:
        worker.start()
    results = {queue.get(timeout=60) for _ in workers}
    for worker in workers:
        worker.join(timeout=60)
        assert worker.exitcode == 0
    assert len(results) == 1
