"""Make the weights of the finished note reader.

    python -m course_utils.assets.make_note_reader       # under a minute on one thread

trains on synthetic notes, prints the scores on fresh ones and writes
``course_utils/assets/note_reader.safetensors`` in half precision.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from sklearn.metrics import f1_score
from torch import Tensor, nn

from course_utils import metrics, training
from course_utils.data.notes import ClinicalNotes, make_clinical_notes
from course_utils.note_reader import WEIGHTS, NoteReader

EPOCHS, BATCH_SIZE = 6, 32


def scores(reader: nn.Module, notes: ClinicalNotes) -> dict[str, float]:
    """Micro-F1, and accuracy by what the notes say of a problem group."""
    tokens = torch.from_numpy(notes.token_ids)
    longest = notes.lengths
    logits = training.predict(reader, lambda m, i: m(tokens[i, : longest[i].max()]), longest)
    predictions = (logits > 0).numpy()
    found = metrics.assertion_accuracy(predictions, notes.labels, notes.mentioned)
    return {"micro": float(f1_score(notes.labels, predictions, average="micro")), **found}


def main() -> None:
    """Train, measure, write."""
    torch.manual_seed(0)
    notes = make_clinical_notes(10_000, random_state=1, max_statements=2, remarks=0.3)
    tokens, labels = torch.from_numpy(notes.token_ids), torch.from_numpy(notes.labels).float()
    reader = NoteReader(len(notes.vocabulary))

    def batches(epoch: int) -> list[tuple[Tensor, Tensor]]:
        generator = torch.Generator().manual_seed(epoch)
        index = training.bucketed_batches(notes.lengths, BATCH_SIZE, generator=generator)
        return [(tokens[i, : notes.lengths[i].max()], labels[i]) for i in index]

    def step_loss(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        return F.binary_cross_entropy_with_logits(model(batch[0]), batch[1])

    training.fit(reader, batches, step_loss, epochs=EPOCHS, lr=4e-3, warmup=0.15, label="reader")
    weights = {name: tensor.half().contiguous() for name, tensor in reader.state_dict().items()}
    save_file(weights, Path(__file__).with_name(WEIGHTS))
    print(scores(reader.eval(), make_clinical_notes(2000, random_state=2, max_statements=2)))


if __name__ == "__main__":
    main()
