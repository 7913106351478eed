"""A callable object."""

class Recency:
    def weights(self, minutes, mask, half_life):
        far = torch.full_like(minutes, float("inf"))
        nearest = torch.where(mask, minutes, far).amin(1, keepdim=True)
        nearest = torch.where(torch.isinf(nearest), torch.zeros_like(nearest), nearest)
        gap = torch.where(mask, minutes - nearest, torch.zeros_like(minutes))
        return torch.where(mask, 0.5 ** (gap / half_life), torch.zeros_like(gap))

    def __call__(self, logits, y, minutes, mask, half_life):
        z = torch.where(mask, logits, torch.zeros((), dtype=logits.dtype))
        y = y.to(z.dtype).view(-1, 1).expand(z.shape)
        bce = -(y * F.logsigmoid(z) + (1 - y) * F.logsigmoid(-z))
        w = self.weights(minutes.to(z.dtype), mask, half_life)
        top, bottom = (w * bce).sum(-1), w.sum(-1)
        some = bottom > 0
        mean = top / torch.where(some, bottom, torch.ones_like(bottom))
        return mean.sum() / some.sum().clamp(min=1).to(z.dtype)


recency_weighted_loss = Recency()
