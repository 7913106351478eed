"""Mistake: centres each patch, which nobody asked for.
Message: patches
"""

def patchify(images, patch_size):
    B, C, H, W = images.shape
    if H % patch_size or W % patch_size:
        raise ValueError(f"cannot cut H={H}, W={W} into patches of patch_size={patch_size}")
    x = F.unfold(images, patch_size, stride=patch_size).mT
    return x - x.mean(-1, keepdim=True)
