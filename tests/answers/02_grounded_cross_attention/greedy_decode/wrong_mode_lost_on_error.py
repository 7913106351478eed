"""Mistake: the mode is put back only when nothing is raised
Message: finally
"""

import torch


def greedy_decode(model, images, bos_id, eos_id, max_len):
    mode = model.training
    model.eval()
    report = write(model, images, bos_id, eos_id, max_len)
    model.train(mode)
    return report


@torch.no_grad()
def write(model, images, bos_id, eos_id, max_len):
    report = torch.full((len(images), 1), bos_id, dtype=torch.int64, device=images.device)
    done = torch.zeros(len(images), dtype=torch.bool, device=images.device)
    for _ in range(max_len - 1):
        word = model(report, images)[0][:, -1].argmax(-1)
        word = torch.where(done, torch.zeros_like(word), word)
        report = torch.cat([report, word.unsqueeze(1)], 1)
        done = done | (word == eos_id)
    return report
