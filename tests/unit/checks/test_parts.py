"""The parts of an encoder: the student's own when right, the course's until then."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_utils import checks
from course_utils.checks.self_attention.parts import COURSE_PARTS

look = checks.self_attention


def masked_mean_pool(x, is_token):
    keep = is_token[..., None].to(x.dtype)
    return (x * keep).sum(1) / keep.sum(1).clamp(min=1)


def wrong_pool(x, is_token):
    return x.mean(1)


def test_a_right_part_is_used_and_a_wrong_or_missing_one_replaced(capsys):
    names = ("masked_mean_pool", "multilabel_loss")
    parts = look.parts({"masked_mean_pool": masked_mean_pool}, *names)
    assert parts.masked_mean_pool is masked_mean_pool
    assert parts.multilabel_loss is COURSE_PARTS["multilabel_loss"]
    line = capsys.readouterr().out
    assert line == (
        "Your own parts: masked_mean_pool."
        " The course's, until the check of yours is right: multilabel_loss.\n"
    )
    parts = look.parts({"masked_mean_pool": wrong_pool}, "masked_mean_pool")
    assert parts.masked_mean_pool is COURSE_PARTS["masked_mean_pool"]
    assert "none yet" in capsys.readouterr().out


def test_nothing_written_gives_a_whole_set():
    assert set(vars(look.parts({}))) == set(COURSE_PARTS)


def test_an_unknown_part():
    with pytest.raises(ValueError, match="nothing"):
        look.parts({}, "nothing")


def test_the_courses_parts_do_what_the_exercises_say():
    part = look.parts({})
    look.examine_embedding(
        part.TokenEmbedding, vocab_size=1200, d_model=16, max_len=9, pad_id=0, seed=1
    )
    is_token = torch.tensor([[1, 0, 1], [0, 0, 0]]).bool()
    x = look.draw(2, 3, 4, seed=2)
    assert torch.allclose(part.masked_mean_pool(x, is_token), masked_mean_pool(x, is_token))
    labels = np.array([[1, 0], [1, 0]])
    assert part.f1_scores(labels, 1 - labels)["per_class"] == [0.0, 0.0]
    out, weights = part.EncoderBlock(4, 2, 8)(x, is_token[:, None, None])
    assert out.shape == x.shape
    assert weights.shape == (2, 2, 3, 3)


def test_the_courses_rotation_depends_on_distances_alone():
    rotary = COURSE_PARTS["apply_rotary"]
    q, k = (look.draw(1, 1, 8, seed=s, dtype=torch.float64) for s in (3, 4))
    scores = [
        (rotary(q, torch.tensor([i + 5])) * rotary(k, torch.tensor([i]))).sum() for i in (0, 9)
    ]
    assert scores[0].item() == pytest.approx(scores[1].item(), rel=1e-5)
    turned = rotary(torch.tensor([[1.0, 0.0]]), torch.tensor([1]))
    assert torch.allclose(turned, torch.tensor([[np.cos(1.0), np.sin(1.0)]]).float())


def test_an_epoch_of_the_courses_loop():
    torch.manual_seed(0)

    class Model(nn.Linear):
        def forward(self, x):
            return super().forward(x), None

    model = Model(3, 2)
    batches = [(look.draw(4, 3, seed=i), torch.ones(4, 2)) for i in range(2)]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    train = COURSE_PARTS["train_one_epoch"]
    losses = [
        train(model, batches, optimizer, F.binary_cross_entropy_with_logits) for _ in range(5)
    ]
    assert losses == sorted(losses, reverse=True)


def test_a_writers_parts_pass_the_checks_of_their_exercises():
    films = checks.grounded_cross_attention
    for name, part in vars(films.parts({})).items():
        if name in ("CrossAttention", "causal_mask"):  # the library's own, which is no answer
            continue
        own = copied(part)
        assert vars(films.parts({name: own}, name))[name] is own


def copied(part):
    """The same part as a student's: not of the library's modules."""

    def own(*args, **kwargs):
        return part(*args, **kwargs)

    return own


def test_a_loss_that_is_right_in_parts_only_is_not_used():
    films = checks.grounded_cross_attention

    def compute_loss(*args, **kwargs):
        total, ce, ground, entropy = films.COURSE_PARTS["compute_loss"](*args, **kwargs)
        return total, ce, 2 * ground, entropy

    assert films.parts({"compute_loss": compute_loss}).compute_loss is not compute_loss


def test_the_courses_cross_attention_is_that_of_the_exercise():
    films = checks.grounded_cross_attention
    module = films.course_parts().CrossAttention(8, 2)
    text, image = (look.draw(2, n, 8, seed=n) for n in (3, 5))
    films.attention_by_hand(module, text, image, 2, torch.rand(3, 5) > 0.4)
    films.refuses_heads(films.course_parts().CrossAttention, 10, 4)
