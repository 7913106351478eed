"""Mistake: AssertionError instead of ValueError.
Message: ValueError
"""

def patchify(images, patch_size):
    H, W = images.shape[-2:]
    assert H % patch_size == 0 and W % patch_size == 0, (H, W, patch_size)
    return F.unfold(images, patch_size, stride=patch_size).mT
