"""Mistake: reads the channels from the wrong axis.
Message: patches
"""

def patchify(images, patch_size):
    B, C, H, W = images.shape
    if H % patch_size or W % patch_size:
        raise ValueError(f"cannot cut H={H}, W={W} into patches of patch_size={patch_size}")
    g = images.reshape(B, H // patch_size, patch_size, W // patch_size, patch_size, C)
    return g.permute(0, 1, 3, 5, 2, 4).reshape(B, -1, C * patch_size**2)
