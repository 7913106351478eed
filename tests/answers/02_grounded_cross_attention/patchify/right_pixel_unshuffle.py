"""pixel_unshuffle gathers (C, P, P) into the channels."""

def patchify(images, patch_size):
    B, C, H, W = images.shape
    if H % patch_size or W % patch_size:
        raise ValueError(f"cannot cut H={H}, W={W} into patches of patch_size={patch_size}")
    return F.pixel_unshuffle(images, patch_size).flatten(2).transpose(1, 2)
