"""The layers against torch's and Hugging Face's own, by copied weights, and by properties."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_utils.layers import (
    AttentionPooling,
    DecoderBlock,
    EncoderBlock,
    MultiHeadAttention,
    PatchEmbedding,
    SinusoidalPositionalEncoding,
    causal_mask,
    padding_mask,
)

B, T, S, D, H = 3, 5, 7, 12, 4


def rand(*shape, dtype=torch.float32, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def ours_and_torch(kdim=None, vdim=None, bias=True, dtype=torch.float64):
    """Our layer and nn.MultiheadAttention with the same weights (and biases that are not zero)."""
    ours = MultiHeadAttention(D, H, kdim=kdim, vdim=vdim, bias=bias).to(dtype)
    theirs = nn.MultiheadAttention(D, H, kdim=kdim, vdim=vdim, bias=bias, batch_first=True).to(
        dtype
    )
    with torch.no_grad():
        for parameter in ours.parameters():
            parameter.copy_(torch.randn_like(parameter) / 3)
        weights = [ours.query.weight, ours.key.weight, ours.value.weight]
        if theirs.in_proj_weight is not None:
            theirs.in_proj_weight.copy_(torch.cat(weights))
        else:
            theirs.q_proj_weight.copy_(weights[0])
            theirs.k_proj_weight.copy_(weights[1])
            theirs.v_proj_weight.copy_(weights[2])
        theirs.out_proj.weight.copy_(ours.output.weight)
        if bias:
            theirs.in_proj_bias.copy_(torch.cat([ours.query.bias, ours.key.bias, ours.value.bias]))
            theirs.out_proj.bias.copy_(ours.output.bias)
    return ours, theirs


@pytest.mark.parametrize("need_weights", [False, True])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_self_attention_equals_torch(need_weights, bias, masked):
    ours, theirs = ours_and_torch(bias=bias)
    x = rand(B, T, D, dtype=torch.float64)
    mask = torch.ones(T, T, dtype=torch.bool).tril() if masked else None
    out, weights = ours(x, attn_mask=mask, need_weights=need_weights)
    want, want_weights = theirs(
        x, x, x, attn_mask=~mask if masked else None, average_attn_weights=False
    )
    torch.testing.assert_close(out, want)
    if need_weights:
        torch.testing.assert_close(weights, want_weights)
    else:
        assert weights is None


@pytest.mark.parametrize(("kdim", "vdim"), [(None, None), (6, None), (6, 10), (None, 10)])
@pytest.mark.parametrize("need_weights", [False, True])
def test_cross_attention_equals_torch(kdim, vdim, need_weights):
    ours, theirs = ours_and_torch(kdim, vdim)
    query = rand(B, T, D, dtype=torch.float64)
    key = rand(B, S, kdim or D, dtype=torch.float64, seed=1)
    value = rand(B, S, vdim or D, dtype=torch.float64, seed=2)
    is_token = torch.ones(B, S, dtype=torch.bool)
    is_token[0, 4:] = False
    out, weights = ours(
        query, key, value, attn_mask=is_token[:, None, None], need_weights=need_weights
    )
    want, want_weights = theirs(
        query, key, value, key_padding_mask=~is_token, average_attn_weights=False
    )
    torch.testing.assert_close(out, want)
    if need_weights:
        torch.testing.assert_close(weights, want_weights)


def test_equals_bert_self_attention():
    from transformers import BertConfig
    from transformers.models.bert.modeling_bert import BertSelfAttention

    config = BertConfig(hidden_size=D, num_attention_heads=H, attn_implementation="eager")
    theirs = BertSelfAttention(config).eval()
    ours = MultiHeadAttention(D, H)
    ours.query.load_state_dict(theirs.query.state_dict())
    ours.key.load_state_dict(theirs.key.state_dict())
    ours.value.load_state_dict(theirs.value.state_dict())
    nn.init.eye_(ours.output.weight)
    x = rand(B, T, D)
    out, weights = ours(x, need_weights=True)
    want = theirs(x)
    torch.testing.assert_close(out, want[0])
    torch.testing.assert_close(weights, want[1])


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_block_equals_torch_encoder_layer(norm):
    ours = EncoderBlock(D, H, 20, norm=norm).double().eval()
    theirs = nn.TransformerEncoderLayer(
        D, H, 20, dropout=0.0, activation="gelu", batch_first=True, norm_first=norm == "pre"
    ).double()
    attention = ours.attention
    with torch.no_grad():
        for parameter in ours.parameters():
            parameter.add_(torch.randn_like(parameter) / 5)
        maps = (attention.query, attention.key, attention.value)
        theirs.self_attn.in_proj_weight.copy_(torch.cat([m.weight for m in maps]))
        theirs.self_attn.in_proj_bias.copy_(torch.cat([m.bias for m in maps]))
        theirs.self_attn.out_proj.load_state_dict(attention.output.state_dict())
        theirs.linear1.load_state_dict(ours.feed_forward[0].state_dict())
        theirs.linear2.load_state_dict(ours.feed_forward[3].state_dict())
        theirs.norm1.load_state_dict(ours.norm1.state_dict())
        theirs.norm2.load_state_dict(ours.norm2.state_dict())
    x = rand(B, T, D, dtype=torch.float64)
    torch.testing.assert_close(ours(x)[0], theirs(x))


@pytest.mark.parametrize("need_weights", [False, True])
def test_gradients(need_weights):
    layer = MultiHeadAttention(4, 2).double()
    mask = torch.tensor([[True, True, False], [False, False, False]])
    query = rand(1, 2, 4, dtype=torch.float64).requires_grad_()
    key = rand(1, 3, 4, dtype=torch.float64, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda q, k: layer(q, k, attn_mask=mask, need_weights=need_weights)[0], (query, key)
    )


def test_paths_agree_also_in_their_gradients():
    layer = MultiHeadAttention(D, H).double()
    x = rand(B, T, D, dtype=torch.float64)
    mask = torch.rand(B, 1, T, T, generator=torch.Generator().manual_seed(3)) > 0.5
    mask[0, 0, 1] = False
    gradients = []
    for need_weights in (False, True):
        layer.zero_grad()
        out, _ = layer(x, attn_mask=mask, need_weights=need_weights)
        out.square().sum().backward()
        gradients.append([out.detach()] + [p.grad.clone() for p in layer.parameters()])
    for fast, slow in zip(*gradients, strict=True):
        torch.testing.assert_close(fast, slow)


@pytest.mark.parametrize("need_weights", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_fully_masked_rows(need_weights, dtype):
    layer = MultiHeadAttention(D, H).to(dtype)
    nn.init.normal_(layer.output.bias)
    x = rand(B, T, D).to(dtype).requires_grad_()
    mask = torch.ones(B, 1, T, T, dtype=torch.bool)
    mask[1] = False
    out, weights = layer(x, attn_mask=mask, need_weights=need_weights)
    torch.testing.assert_close(out[1], layer.output.bias.expand(T, D))
    if need_weights:
        assert (weights[1] == 0).all()
    out.float().sum().backward()
    assert torch.isfinite(x.grad).all()


def test_causal_invariance():
    layer = MultiHeadAttention(D, H)
    x = rand(B, T, D)
    changed = x.clone()
    changed[:, 3:] += 1
    for need_weights in (False, True):
        a, _ = layer(x, is_causal=True, need_weights=need_weights)
        b, _ = layer(changed, is_causal=True, need_weights=need_weights)
        torch.testing.assert_close(a[:, :3], b[:, :3])
        assert not torch.allclose(a[:, 3:], b[:, 3:])
        c, _ = layer(x, attn_mask=causal_mask(T), need_weights=need_weights)
        torch.testing.assert_close(a, c)
        is_token = torch.arange(T) < 4
        d, _ = layer(x, attn_mask=is_token[None, None, None], is_causal=True)
        e, _ = layer(x, attn_mask=is_token[None, None, None] & causal_mask(T))
        torch.testing.assert_close(d, e)


def test_weights_are_before_dropout_and_dropout_acts_in_training_only():
    layer = MultiHeadAttention(D, H, dropout=0.5)
    x = rand(B, T, D)
    torch.manual_seed(0)
    out, weights = layer(x, need_weights=True)
    torch.testing.assert_close(weights.sum(-1), torch.ones(B, H, T))
    assert not torch.allclose(out, layer.eval()(x)[0])
    torch.testing.assert_close(layer(x)[0], layer(x, need_weights=True)[0])


def test_nothing_is_stored():
    layer = MultiHeadAttention(D, H)
    before = set(vars(layer))
    layer(rand(B, T, D), need_weights=True)
    assert set(vars(layer)) == before


@pytest.mark.parametrize("need_weights", [False, True])
def test_empty_batch_and_empty_sequence(need_weights):
    layer = MultiHeadAttention(D, H)
    assert layer(rand(0, T, D), need_weights=need_weights)[0].shape == (0, T, D)
    out, _ = layer(rand(B, T, D), rand(B, 0, D), need_weights=need_weights)
    torch.testing.assert_close(out, layer.output.bias.expand(B, T, D))


def test_bfloat16_is_near_single_precision():
    layer = MultiHeadAttention(D, H)
    x = rand(B, T, D)
    want, _ = layer(x)
    out, weights = layer.bfloat16()(x.bfloat16(), need_weights=True)
    assert out.dtype == weights.dtype == torch.bfloat16
    torch.testing.assert_close(out.float(), want, rtol=0.1, atol=0.05)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_cuda_equals_cpu():
    layer = MultiHeadAttention(D, H)
    x = rand(B, T, D)
    want, want_weights = layer(x, is_causal=True, need_weights=True)
    out, weights = layer.cuda()(x.cuda(), is_causal=True, need_weights=True)
    torch.testing.assert_close(out.cpu(), want, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(weights.cpu(), want_weights, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("width", [1, 2, 7, 64])
def test_positions_by_their_formula(width):
    code = SinusoidalPositionalEncoding(width, max_len=4)(torch.zeros(1, 9, width))[0]
    for p in range(9):
        for i in range(width):
            angle = p / 10_000 ** ((i - i % 2) / width)
            want = math.cos(angle) if i % 2 else math.sin(angle)
            assert code[p, i].item() == pytest.approx(want, abs=1e-6)


def test_patches_in_order_and_linear():
    layer = PatchEmbedding(8, 4, 2, 5)
    images = rand(3, 2, 8, 8)
    want = F.unfold(images, 4, stride=4).transpose(1, 2) @ layer.projection.weight.flatten(1).T
    torch.testing.assert_close(layer(images), want + layer.projection.bias)
    assert layer.num_patches == 4


def test_pooling_ignores_padding_and_order():
    layer = AttentionPooling(D, H, num_queries=2)
    x = rand(B, S, D)
    is_token = torch.arange(S) < torch.tensor([[7], [4], [0]])
    pooled, weights = layer(x, attn_mask=is_token[:, None, None], need_weights=True)
    assert pooled.shape == (B, 2, D)
    assert weights.shape == (B, H, 2, S)
    order = torch.randperm(S, generator=torch.Generator().manual_seed(1))
    again, _ = layer(x[:, order], attn_mask=is_token[:, order][:, None, None])
    torch.testing.assert_close(pooled, again)
    noisy = torch.where(is_token[..., None], x, torch.full_like(x, 9.0))
    torch.testing.assert_close(pooled, layer(noisy, attn_mask=is_token[:, None, None])[0])


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_decoder_block_is_causal_and_reads_its_memory(norm):
    block = DecoderBlock(D, H, norm=norm).eval()
    x, memory = rand(B, T, D), rand(B, S, D, seed=1)
    out, weights = block(x, memory, need_weights=True)
    assert out.shape == (B, T, D)
    torch.testing.assert_close(weights.sum(-1), torch.ones(B, H, T))
    changed = x.clone()
    changed[:, -1] = rand(B, D, seed=2)
    torch.testing.assert_close(block(changed, memory)[0][:, :-1], out[:, :-1])
    assert not torch.allclose(block(x, memory + 1)[0], out)
    leaking, _ = block(changed, memory, is_causal=False)
    assert not torch.allclose(leaking[:, :-1], block(x, memory, is_causal=False)[0][:, :-1])


def test_masks():
    tokens = torch.tensor([[5, 3, 0], [0, 0, 0]])
    assert padding_mask(tokens).tolist() == [[[[True, True, False]]], [[[False] * 3]]]
    assert padding_mask(tokens, pad_id=5)[0, 0, 0].tolist() == [False, True, True]
    mask = causal_mask(3)
    assert mask.shape == (1, 1, 3, 3)
    assert mask[0, 0].tolist() == [[True, False, False], [True, True, False], [True] * 3]
    assert causal_mask(0).shape == (1, 1, 0, 0)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: MultiHeadAttention(30, 4), "d_model=30 is not divisible by num_heads=4"),
        (lambda: MultiHeadAttention(8, 0), "num_heads=0"),
        (lambda: MultiHeadAttention(8, 2, dropout=1.0), "dropout"),
        (lambda: EncoderBlock(8, 2, norm="middle"), "'middle'"),
        (lambda: EncoderBlock(8, 2, 0), "d_ff"),
        (lambda: AttentionPooling(8, 2, 0), "num_queries"),
        (lambda: PatchEmbedding(10, 4, 1, 8), "image_size=10"),
        (lambda: SinusoidalPositionalEncoding(0), "d_model=0"),
        (lambda: causal_mask(-1), "-1"),
        (lambda: padding_mask(torch.zeros(2, 3)), "float32"),
        (lambda: padding_mask(torch.zeros(2, dtype=torch.long)), "(2,)"),
        (lambda: MultiHeadAttention(D, H)(rand(B, T, D + 1)), "(3, 5, 13)"),
        (lambda: MultiHeadAttention(D, H)(rand(T, D)), "(5, 12)"),
        (lambda: MultiHeadAttention(D, H)(torch.ones(B, T, D, dtype=torch.long)), "int64"),
        (lambda: MultiHeadAttention(D, H)(rand(B, T, D), rand(2, S, D)), "(2, 7, 12)"),
        (lambda: MultiHeadAttention(D, H)(rand(B, T, D), rand(B, S, D), rand(B, T, D)), "length"),
        (
            lambda: MultiHeadAttention(D, H)(rand(B, T, D), attn_mask=torch.ones(T, T)),
            "attn_mask must be boolean",
        ),
        (
            lambda: MultiHeadAttention(D, H)(
                rand(B, T, D), attn_mask=torch.ones(T, T + 1, dtype=torch.bool)
            ),
            "(3, 4, 5, 5)",
        ),
        (lambda: PatchEmbedding(8, 4, 1, 8)(rand(B, 3, 8, 8)), "(3, 3, 8, 8)"),
    ],
)
def test_bad_input_is_named(make, words):
    with pytest.raises(ValueError) as error:  # noqa: PT011
        make()
    assert words in str(error.value)
