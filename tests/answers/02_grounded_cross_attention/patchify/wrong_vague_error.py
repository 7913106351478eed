"""Mistake: the error names nothing.
Message: does not name
"""

def patchify(images, patch_size):
    if images.shape[2] % patch_size or images.shape[3] % patch_size:
        raise ValueError("shapes do not fit")
    return F.unfold(images, patch_size, stride=patch_size).mT
