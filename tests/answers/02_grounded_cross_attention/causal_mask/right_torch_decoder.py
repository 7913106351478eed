"""torch's decoder mask, turned into booleans."""

def causal_mask(length, device=None):
    m = nn.Transformer.generate_square_subsequent_mask(length, device=device)
    return (m == 0).unsqueeze(0).unsqueeze(0)
