"""Mistake: a side that does not fit is cropped silently.
Message: ValueError
"""

def patchify(images, patch_size):
    return F.unfold(images, patch_size, stride=patch_size).transpose(1, 2)
