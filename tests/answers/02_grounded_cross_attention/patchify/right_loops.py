"""Two loops over the corners."""

def patchify(images, patch_size):
    B, C, H, W = images.shape
    if H % patch_size or W % patch_size:
        raise ValueError(f"cannot cut H={H}, W={W} into patches of patch_size={patch_size}")
    patches = []
    for top in range(0, H, patch_size):
        for left in range(0, W, patch_size):
            patches.append(images[:, :, top : top + patch_size, left : left + patch_size].reshape(B, -1))
    return torch.stack(patches, dim=1)
