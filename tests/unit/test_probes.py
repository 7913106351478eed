"""Interventions do what they say, and leave the model as it was."""

import pytest
import torch

from course_utils import layers, probes


@pytest.fixture
def block():
    torch.manual_seed(0)
    return layers.EncoderBlock(12, 3, 8).eval()


@pytest.fixture
def x():
    return torch.randn(2, 5, 12, generator=torch.Generator().manual_seed(1))


def test_a_silent_head_sends_nothing_and_comes_back(block, x):
    before = block(x)[0]
    attention = block.attention
    with probes.knock_out(attention, 1):
        silent = block(x)[0]
    assert not torch.allclose(before, silent)
    assert torch.equal(block(x)[0], before)
    with probes.knock_out(attention, 0, 1, 2):
        everything = attention(x)[0]
    assert torch.allclose(everything, attention.output.bias.expand_as(everything))
    with torch.no_grad():  # a head whose part of the output map is zero cannot matter
        attention.output.weight[:, 4:8] = 0.0
    with probes.knock_out(attention, 1):
        silent = block(x)[0]
    assert torch.allclose(silent, block(x)[0])


def test_a_head_that_is_not_there(block, x):
    with pytest.raises(ValueError, match=r"0\.\.2"), probes.knock_out(block.attention, 3):
        block(x)


def test_hooks_go_also_after_an_error(block, x):
    before = block(x)[0]
    with pytest.raises(RuntimeError), probes.knock_out(block.attention, 0):
        raise RuntimeError
    assert torch.equal(block(x)[0], before)


def test_value_weighted_attention_is_the_length_of_what_is_sent(block, x):
    attention = block.attention
    _, weights = attention(x, need_weights=True)
    found = probes.value_weighted(attention, x, weights)
    assert found.shape == weights.shape
    head, t, s = 2, 3, 1
    value = attention.value(x)[0, s, 8:12]
    sent = weights[0, head, t, s] * (attention.output.weight[:, 8:12] @ value)
    assert found[0, head, t, s].item() == pytest.approx(sent.norm().item(), rel=1e-5)


def test_patching_everything_gives_the_other_answer(block, x):
    other = x.flip(1)
    with probes.record(block) as seen:
        want = block(other)[0]
    (stored,) = seen
    with probes.patch(block, stored, range(5)):
        assert torch.equal(block(x)[0], want)
    with probes.patch(block, stored, [2]):
        part = block(x)[0]
    assert torch.equal(part[:, 2], want[:, 2])
    assert torch.equal(part[:, 3], block(x)[0][:, 3])
    with pytest.raises(ValueError, match="stored has shape"), probes.patch(block, stored[:1], [0]):
        block(x)
