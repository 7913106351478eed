"""split twice; other parameter names; the error in words."""

def patchify(x, p):
    """Split rows, then columns."""
    if x.size(2) % p != 0 or x.size(3) % p != 0:
        raise ValueError("Image of height %d and width %d, patch size %d: no fit" % (x.size(2), x.size(3), p))
    strips = torch.cat([torch.stack(s.split(p, 3), 1) for s in x.split(p, 2)], 1)
    return strips.flatten(2)
