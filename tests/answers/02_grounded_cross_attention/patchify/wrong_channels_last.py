"""Mistake: inside a patch the channel comes last.
Message: channel
"""

def patchify(images, patch_size):
    B, C, H, W = images.shape
    if H % patch_size or W % patch_size:
        raise ValueError(f"cannot cut H={H}, W={W} into patches of patch_size={patch_size}")
    g = images.reshape(B, C, H // patch_size, patch_size, W // patch_size, patch_size)
    return g.permute(0, 2, 4, 3, 5, 1).reshape(B, -1, C * patch_size**2)
