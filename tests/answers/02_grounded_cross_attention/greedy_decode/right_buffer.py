"""A buffer of full length, no early stop."""

def greedy_decode(model, images, bos_id, eos_id, max_len):
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            buffer = images.new_zeros((images.size(0), max_len), dtype=torch.int64)
            buffer[:, 0] = bos_id
            alive = torch.ones(images.size(0), dtype=torch.bool, device=images.device)
            for t in range(1, max_len):
                step = model(buffer[:, :t], images)[0][:, -1, :]
                buffer[:, t] = torch.where(alive, step.max(-1).indices, buffer[:, t])
                alive = alive & (buffer[:, t] != eos_id)
            return buffer.clone()
    finally:
        model.train(was_training)
