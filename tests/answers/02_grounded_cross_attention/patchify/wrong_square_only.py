"""Mistake: assumes that images are square.
Message: RuntimeError
"""

def patchify(images, patch_size):
    B, C, H, W = images.shape
    if H % patch_size or W % patch_size:
        raise ValueError(f"cannot cut H={H}, W={W} into patches of patch_size={patch_size}")
    n = H // patch_size
    g = images.reshape(B, C, n, patch_size, n, patch_size)
    return g.permute(0, 2, 4, 1, 3, 5).reshape(B, n * n, C * patch_size**2)
