"""Clinical text encoders: loading one wherever the notebook runs, looking inside, caching vectors.

Everything works alike for the hub's BERT models and for the small clinical BERT that ships with the
course (made by :mod:`course_utils.assets.make_clinical_bert`).
"""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import io
import json
import os
import sys
import threading
import uuid
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

__all__ = [
    "SHIPPED",
    "attention_of",
    "cached_embeddings",
    "embed_batch",
    "load_clinical_encoder",
    "load_masked_language_model",
    "token_labels",
    "token_states",
]

BIO_CLINICAL_BERT = "emilyalsentzer/Bio_ClinicalBERT"
SHIPPED = str(Path(__file__).parent / "assets" / "clinical_bert")
HUB_SECONDS = 2.5  # how long the hub may take to answer before the shipped model is used
_FILES = ["*.json", "*.txt", "*.safetensors"]
Embed = Callable[[list[str], Any, torch.nn.Module], torch.Tensor]


# --- loading ---------------------------------------------------------------------------------


def load_clinical_encoder(
    name: str = BIO_CLINICAL_BERT, *, revision: str | None = None, offline: bool | None = None
) -> tuple[Any, torch.nn.Module]:
    """Load a clinical encoder from the hub, its local cache or the course, and say which.

    The hub is asked once and has a few seconds to answer; if it does not, the local cache is used,
    and if that lacks the model, the small clinical BERT that ships with the course.

    Parameters
    ----------
    name
        A model of the hub (``emilyalsentzer/Bio_ClinicalBERT``, ``medicalai/ClinicalBERT``,
        ``yikuan8/Clinical-Longformer``), a folder, or ``text.SHIPPED``.
    revision
        Branch, tag or commit on the hub.
    offline
        True never touches the network, False tries it, None follows ``HF_HUB_OFFLINE``.

    Returns
    -------
    tokenizer, model
        The model has eager attention (so that it can return weights), no pooling head, is in
        evaluation mode and needs no gradient. Weights are read from safetensors only.
    """
    if os.path.isdir(name):
        tokenizer, model = _from_folder(name)
        shipped = os.path.abspath(name) == SHIPPED
        _say("the small clinical BERT that ships with the course" if shipped else name, model)
        return tokenizer, model
    if offline is None:
        offline = os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}
    reason = "working offline" if offline else _why_unreachable(name, revision)
    try:
        folder, commit = _snapshot(name, revision, local=reason is not None)
        tokenizer, model = _from_folder(folder)
    except Exception as error:  # whatever the hub or a half-filled cache throws, the course goes on
        reason = reason or f"{type(error).__name__}: {str(error).strip().splitlines()[0][:80]}"
        tokenizer, model = _from_folder(SHIPPED)
        why = f" (no {name}: {reason})"
        _say("the small clinical BERT that ships with the course" + why, model)
        return tokenizer, model
    model.config.name_or_path = name
    model.config.course_commit = commit
    _say(f"{name}, {'local cache: ' + reason if reason else 'from the hub'}", model)
    return tokenizer, model


def _say(which: str, model: torch.nn.Module) -> None:
    config = model.config
    print(
        f"Encoder: {which}; {config.vocab_size:,} pieces, {config.num_hidden_layers} layers, "
        f"width {config.hidden_size}."
    )


def _why_unreachable(name: str, revision: str | None) -> str | None:
    """None when the hub answers in time, else why not. Name lookup can hang: hence a thread."""
    answer: list[str | None] = ["the hub did not answer in time"]

    def ask() -> None:
        try:
            from huggingface_hub import HfApi

            HfApi().model_info(name, revision=revision, timeout=HUB_SECONDS)
            answer[0] = None
        except Exception as error:
            answer[0] = f"the hub cannot be used here, {type(error).__name__}"

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(HUB_SECONDS)
    return answer[0]


def _snapshot(name: str, revision: str | None, *, local: bool) -> tuple[str, str]:
    """Folder of a model in the hub's cache, downloaded before unless ``local``; and its commit."""
    from huggingface_hub import HfApi, snapshot_download

    options: dict[str, Any] = {"allow_patterns": _FILES, "local_files_only": local}
    folder = Path(snapshot_download(name, revision=revision, **options))
    if not any(folder.glob("*.safetensors")) and revision is None:
        number = 0
        if (
            not local
        ):  # older models have their safetensors in the pull request of the hub's own bot
            for change in HfApi().get_repo_discussions(name):
                if change.is_pull_request and change.author == "SFconvertbot":
                    number = change.num
                    break
        else:
            refs = folder.parent.parent / "refs" / "refs" / "pr"
            number = max((int(ref.name) for ref in refs.glob("*")), default=0)
        if number:
            weights = Path(snapshot_download(name, revision=f"refs/pr/{number}", **options))
            return str(weights), weights.name
    return str(folder), folder.name


@contextlib.contextmanager
def _quiet_transformers() -> Iterator[None]:
    """Keep loading reports and bars of transformers off the screen."""
    from transformers.utils import logging

    level = logging.get_verbosity()
    bars = logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def _from_folder(folder: str) -> tuple[Any, torch.nn.Module]:
    from transformers import AutoConfig, AutoModel, AutoTokenizer

    with _quiet_transformers():
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
        options: dict[str, Any] = {}
        kind: Any = AutoModel._model_mapping[type(config)]
        if "add_pooling_layer" in inspect.signature(kind.__init__).parameters:
            options["add_pooling_layer"] = False
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        model = AutoModel.from_pretrained(
            folder,
            attn_implementation="eager",
            use_safetensors=True,
            local_files_only=True,
            **options,
        )
    return tokenizer, model.eval().requires_grad_(False)


def load_masked_language_model(folder: str = SHIPPED) -> tuple[Any, torch.nn.Module]:
    """Load a model with the head that fills in masked words; its logits are ``(B, T, V)``."""
    from transformers import AutoModelForMaskedLM, AutoTokenizer

    with _quiet_transformers():
        model = AutoModelForMaskedLM.from_pretrained(
            folder, use_safetensors=True, local_files_only=True
        )
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    return tokenizer, model.eval().requires_grad_(False)


# --- looking inside --------------------------------------------------------------------------


def token_labels(text: str, tokenizer: Any) -> list[str]:
    """Pieces of ``text`` from ``[CLS]`` to ``[SEP]``, as words for the axes of a picture."""
    return tokenizer.convert_ids_to_tokens(tokenizer(text)["input_ids"])


def token_states(text: str, tokenizer: Any, model: torch.nn.Module) -> torch.Tensor:
    """Hidden states of one text at every layer, the embedding layer's output first.

    Shapes
    ------
    Output ``(layers + 1, T, D)``; ``T`` as in :func:`token_labels`

    Raises
    ------
    ValueError
        If the text has more pieces than the model has positions.
    """
    return torch.cat(_run(text, tokenizer, model, "hidden_states"))


def attention_of(text: str, tokenizer: Any, model: torch.nn.Module) -> torch.Tensor:
    """Attention weights of one text in every layer and head.

    Shapes
    ------
    Output ``(layers, H, T, T)``; rows are queries, ``T`` as in :func:`token_labels`

    Raises
    ------
    ValueError
        If the text has more pieces than the model has positions.
    """
    return torch.cat(_run(text, tokenizer, model, "attentions"))


def _run(text: str, tokenizer: Any, model: torch.nn.Module, what: str) -> tuple[torch.Tensor, ...]:
    limit = model.config.max_position_embeddings
    batch = tokenizer(text, return_tensors="pt", truncation=False, verbose=False)
    pieces = batch["input_ids"].shape[1]
    if pieces > limit:  # cut silently, a word after the end would have no state
        raise ValueError(
            f"text has {pieces} pieces with [CLS] and [SEP], the model takes {limit}: "
            f"give a shorter passage (it begins {text[:40]!r})"
        )
    device = next(model.parameters()).device
    with torch.no_grad(), _evaluating(model):
        output = model(**batch.to(device), **{f"output_{what}": True})
    return tuple(tensor.cpu() for tensor in output[what])


@contextlib.contextmanager
def _evaluating(model: torch.nn.Module) -> Iterator[None]:
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)


# --- vectors of many texts, kept on disk ---------------------------------------------------------


def embed_batch(
    texts: list[str], tokenizer: Any, model: torch.nn.Module, max_length: int | None = None
) -> torch.Tensor:
    """Embed one batch: the mean of the last layer over a text's own pieces.

    ``[CLS]`` and ``[SEP]`` are left out; a text without pieces gives zeros.

    Shapes
    ------
    Output ``(len(texts), D)``, on the CPU
    """
    batch = tokenizer(
        texts,
        padding=True,
        truncation=True,
        max_length=max_length or model.config.max_position_embeddings,
        return_special_tokens_mask=True,
        return_tensors="pt",
    )
    special = batch.pop("special_tokens_mask")
    device = next(model.parameters()).device
    with torch.no_grad(), _evaluating(model):
        states = model(**batch.to(device)).last_hidden_state.cpu()  # (B, T, D)
    own = (special == 0).to(states.dtype)
    return torch.einsum("btd,bt->bd", states, own / own.sum(1, keepdim=True).clamp(min=1))


def cached_embeddings(
    texts: Sequence[str],
    tokenizer: Any,
    model: torch.nn.Module,
    *,
    folder: str | os.PathLike[str],
    embed: Embed | None = None,
    pooling: str = "mean of pieces",
    max_length: int | None = None,
    batch_size: int = 32,
    show_progress: bool = True,
) -> torch.Tensor:
    """Embed texts, computing only what is not yet on disk.

    Each different text is an entry of its own, written whole or not at all after its batch:
    processes may share the folder, and a killed run loses only the batch that it was at. A damaged
    entry is computed again, with a warning. Texts of similar length share a batch.

    Parameters
    ----------
    folder
        Where the entries live; made when missing.
    embed
        ``embed(texts, tokenizer, model) -> (len(texts), D)``; :func:`embed_batch` by default.
    pooling, max_length
        What ``embed`` does, in words and pieces: together with the text, the model's name, its
        revision and its weights they are the key of an entry.
    batch_size
        How many texts ``embed`` gets at once.

    Shapes
    ------
    Output ``(len(texts), D)``, in the order given, on the CPU

    Raises
    ------
    ValueError
        If ``embed`` does not return one row for each text.
    """
    settings: Any = model.config
    length: int = max_length or settings.max_position_embeddings
    function = embed or (lambda some, tok, net: embed_batch(some, tok, net, length))
    store = Path(folder)
    identity = [_identity(tokenizer, model), pooling, length]
    keys = [_key(text, identity) for text in texts]
    rows: dict[str, np.ndarray] = {}
    missing: dict[str, str] = {}
    for key, text in zip(keys, texts, strict=True):
        if key not in rows and key not in missing:
            row = _read(_place(store, key))
            if row is None:
                missing[key] = text
            else:
                rows[key] = row
    todo = sorted(missing, key=lambda key: len(missing[key]))
    batches = [todo[i : i + batch_size] for i in range(0, len(todo), batch_size)]
    bar = tqdm(desc="embedding texts", total=len(todo), file=sys.stdout, ascii=True, ncols=88,
               mininterval=1.0, disable=not (show_progress and todo))  # fmt: skip
    with bar:
        for batch in reversed(batches):  # longest first: the bar's estimate errs on the safe side
            vectors = function([missing[key] for key in batch], tokenizer, model).detach().cpu()
            if vectors.dim() != 2 or len(vectors) != len(batch):
                raise ValueError(f"embed must return ({len(batch)}, D), got {tuple(vectors.shape)}")
            for key, vector in zip(batch, vectors.numpy(), strict=True):
                rows[key] = vector
                _write(_place(store, key), vector)
            bar.update(len(batch))
    if not keys:
        return torch.zeros(0, settings.hidden_size, dtype=next(model.parameters()).dtype)
    return torch.from_numpy(np.stack([rows[key] for key in keys]))


def _identity(tokenizer: Any, model: torch.nn.Module) -> list[Any]:
    """Name, revision and a digest of the weights and of the vocabulary."""
    digest = hashlib.blake2b(digest_size=16)
    for name, value in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    digest.update(json.dumps(sorted(tokenizer.get_vocab().items())).encode())
    config = model.config
    return [str(config.name_or_path), getattr(config, "course_commit", None), digest.hexdigest()]


def _key(text: str, identity: list[Any]) -> str:
    return hashlib.sha256(json.dumps([1, text, *identity]).encode()).hexdigest()


def _place(store: Path, key: str) -> Path:
    return store / key[0] / f"{key}.npy"


def _read(file: Path) -> np.ndarray | None:
    """A stored vector, or None when there is none or it is damaged."""
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        return None
    body = content[16:]
    if hashlib.blake2b(body, digest_size=16).digest() != content[:16]:
        warnings.warn(f"cache entry {file} is damaged and is computed again", stacklevel=3)
        return None
    return np.load(io.BytesIO(body), allow_pickle=False)


def _write(file: Path, vector: np.ndarray) -> None:
    """Write beside, then rename: readers see the old entry, the new one or none, never half."""
    buffer = io.BytesIO()
    np.save(buffer, vector, allow_pickle=False)
    body = buffer.getvalue()
    content = hashlib.blake2b(body, digest_size=16).digest() + body
    beside = file.with_name(f"{uuid.uuid4().hex}.part")
    try:
        beside.write_bytes(content)
    except FileNotFoundError:  # the first entry of its folder
        file.parent.mkdir(parents=True, exist_ok=True)
        beside.write_bytes(content)
    try:
        os.replace(beside, file)
    except PermissionError:  # Windows, while another process reads the same entry
        beside.unlink(missing_ok=True)
