"""NumPy, stay by stay, and back to the dtype of the pooling.
"""

def attention_rollout(attentions, pooling, is_event):
    rows = []
    for b in range(len(pooling)):
        row = pooling[b].double().numpy().mean(0)
        for layer in attentions[::-1]:
            matrix = layer[b].double().numpy().mean(0)
            np_half = (matrix + np.eye(len(matrix))) / 2
            row = row @ np_half
        rows.append(np.where(is_event[b].numpy(), row, 0.0))
    return torch.from_numpy(np.stack(rows)).to(pooling.dtype)
