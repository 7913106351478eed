"""Mistake: the report is read off the pixels, the model is never asked
Message: never called
"""

import torch


def greedy_decode(model, images, bos_id, eos_id, max_len):
    report = torch.zeros(len(images), max_len, dtype=torch.int64, device=images.device)
    for row, pixels in zip(report, images.flatten(1).round().long().tolist()):
        row[0] = bos_id
        for t, word in enumerate(pixels[1:max_len], 1):
            row[t] = word
            if word == eos_id:
                break
    return report
