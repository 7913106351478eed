"""NaN at padding, nanmean, empty rows back to zero."""


def masked_mean_pool(x, is_token):
    return x.where(is_token.unsqueeze(-1), float("nan")).nanmean(dim=1).nan_to_num(0.0)
