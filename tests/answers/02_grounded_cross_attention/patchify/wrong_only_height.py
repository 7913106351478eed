"""Mistake: only the height is tested.
Message: ValueError
"""

def patchify(images, patch_size):
    H, W = images.shape[-2:]
    if H % patch_size:
        raise ValueError(f"H={H}, W={W}, patch_size={patch_size}")
    return F.unfold(images, patch_size, stride=patch_size).mT
