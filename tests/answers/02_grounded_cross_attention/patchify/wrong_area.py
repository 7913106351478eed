"""Mistake: the area is tested, not the sides.
Message: ValueError
"""

def patchify(images, patch_size):
    H, W = images.shape[-2:]
    if (H * W) % patch_size**2:
        raise ValueError(f"H={H}, W={W}, patch_size={patch_size}")
    return F.unfold(images, patch_size, stride=patch_size).mT
