def info_nce(image_emb, text_emb, temperature=0.07):
    """Double precision inside, torch's loss module, the result in the dtype that came."""
    a = image_emb.double() / image_emb.double().norm(dim=1, keepdim=True)
    b = text_emb.double() / text_emb.double().norm(dim=1, keepdim=True)
    logits = torch.einsum("nd,md->nm", a, b).div(temperature)
    rows = nn.CrossEntropyLoss()(logits, torch.arange(logits.shape[0]))
    columns = nn.CrossEntropyLoss()(logits.t(), torch.arange(logits.shape[0]))
    kind = image_emb.dtype
    return (0.5 * rows + 0.5 * columns).to(kind), rows.to(kind), columns.to(kind)
