"""Mistake: the error does not name the patch size.
Message: patch_size
"""

def patchify(images, patch_size):
    if images.shape[2] % patch_size or images.shape[3] % patch_size:
        raise ValueError(f"bad image {tuple(images.shape[2:])}")
    return F.unfold(images, patch_size, stride=patch_size).mT
