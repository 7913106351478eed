"""Mistake: casts to float32.
Message: dtype
"""

def patchify(images, patch_size):
    B, C, H, W = images.shape
    if H % patch_size or W % patch_size:
        raise ValueError(f"cannot cut H={H}, W={W} into patches of patch_size={patch_size}")
    return F.unfold(images.float(), patch_size, stride=patch_size).mT
