"""Mistake: the image is reshaped, not cut.
Message: square
"""

def patchify(images, patch_size):
    B, C, H, W = images.shape
    if H % patch_size or W % patch_size:
        raise ValueError(f"cannot cut H={H}, W={W} into patches of patch_size={patch_size}")
    return images.reshape(B, -1, C * patch_size**2)
