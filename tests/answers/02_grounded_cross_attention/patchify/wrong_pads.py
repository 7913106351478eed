"""Mistake: a side that does not fit is padded silently.
Message: ValueError
"""

def patchify(images, patch_size):
    H, W = images.shape[-2:]
    images = F.pad(images, (0, -W % patch_size, 0, -H % patch_size))
    return F.unfold(images, patch_size, stride=patch_size).transpose(1, 2)
