"""PyTorch's functions for the rows of convolution, pooling, resampling, normalisation, attention and losses.

weft's images are {batch, height, width, channels} and its kernels {height, width, in, out}; PyTorch's have the channels
second and {out, in, height, width}.
"""
import math

import torch
import torch.nn.functional as F

ROWS = {}


def channels_first(f):
    """f, which takes its first argument with channels second, of one with channels last."""

    def of_last(x, *others):
        y = f(x.movedim(-1, 1), *others)
        return y.movedim(1, -1) if y.dim() == x.dim() else y

    return of_last


def convolution(f, **options):
    """f of an image or sequence and a kernel, whose in and out are exchanged alike for a transposed convolution."""
    return channels_first(lambda x, w: f(x, w.movedim((-1, -2), (0, 1)), **options))


for variant, options in {
    "3x3": dict(padding=1),
    "1x1": dict(),
    "1x1 with stride": dict(stride=2),
    "3x3 with stride": dict(stride=2, padding=1),
    "uneven": dict(stride=(2, 1), padding=(0, 2), dilation=(1, 2)),
    "stride and dilation": dict(stride=2, padding=1, dilation=2),
    "groups": dict(padding=1, groups=2),
    "depthwise": dict(padding=1, groups=37),
}.items():
    ROWS[f"conv2d ({variant})"] = convolution(F.conv2d, **options)
for variant, options in {
    "3x3 with stride": dict(stride=2, padding=1, output_padding=1),
    "1x1": dict(),
    "uneven": dict(stride=(3, 1), padding=(0, 2), output_padding=(2, 0), dilation=(1, 2)),
    "stride, dilation and groups": dict(stride=2, padding=1, dilation=2, groups=2),
    "depthwise": dict(stride=2, groups=37),
}.items():
    ROWS[f"conv_transpose2d ({variant})"] = convolution(F.conv_transpose2d, **options)
ROWS["conv1d"] = convolution(F.conv1d, padding=1)
ROWS["conv1d (all options)"] = convolution(F.conv1d, stride=3, padding=2, dilation=2, groups=2)
ROWS["conv_transpose1d"] = convolution(F.conv_transpose1d, stride=3, padding=1, output_padding=2, dilation=2, groups=2)

for variant, options in {
    "2x2": dict(kernel_size=2),
    "3x3 overlapping": dict(kernel_size=3, stride=2, padding=1),
    "uneven": dict(kernel_size=(1, 3), stride=(2, 1)),
}.items():
    ROWS[f"max_pool2d ({variant})"] = channels_first(lambda x, options=options: F.max_pool2d(x, **options))
    ROWS[f"avg_pool2d ({variant})"] = channels_first(lambda x, options=options: F.avg_pool2d(x, **options))
ROWS["global_avg_pool"] = channels_first(lambda x: F.adaptive_avg_pool2d(x, 1).flatten(1))
for variant, size in (("smaller", (2, 3)), ("larger", (7, 5)), ("one pixel", (1, 1))):
    ROWS[f"adaptive_avg_pool2d ({variant})"] = channels_first(lambda x, size=size: F.adaptive_avg_pool2d(x, size))
for variant, options in {
    "nearest": dict(scale_factor=2),
    "nearest, by halves": dict(scale_factor=(1.5, 2.5)),
    "nearest, smaller": dict(size=(2, 3)),
    "bilinear": dict(scale_factor=2, mode="bilinear"),
    "bilinear, by halves": dict(scale_factor=(1.5, 2.5), mode="bilinear"),
    "bilinear, to a size": dict(size=(5, 2), mode="bilinear"),
    "corners aligned": dict(size=(5, 7), mode="bilinear", align_corners=True),
    "corners aligned, to a row": dict(size=(1, 4), mode="bilinear", align_corners=True),
    "linear": dict(scale_factor=4, mode="linear"),
}.items():
    ROWS[f"upsample ({variant})"] = channels_first(lambda x, options=options: F.interpolate(x, **options))

ROWS["layer_norm"] = lambda x, scale, shift: F.layer_norm(x, x.shape[-1:], scale, shift)
ROWS["layer_norm (plain)"] = lambda x: F.layer_norm(x, x.shape[-1:])
ROWS["batch_norm"] = channels_first(lambda x, scale, shift: F.batch_norm(x, None, None, scale, shift, training=True))
ROWS["batch_norm (running)"] = channels_first(lambda x, scale, shift: F.batch_norm(
    x, torch.full_like(scale, 0.3), torch.full_like(scale, 2.0), scale, shift))
ROWS["batch_norm_relu"] = channels_first(
    lambda x, scale, shift: F.relu(F.batch_norm(x, None, None, scale, shift, training=True)))
ROWS["batch_norm_relu (with a shortcut)"] = lambda x, scale, shift, beside: F.relu(channels_first(
    lambda x, scale, shift: F.batch_norm(x, None, None, scale, shift, training=True))(x, scale, shift) + beside)
ROWS["group_norm"] = channels_first(lambda x, scale, shift: F.group_norm(x, 2, scale, shift))
ROWS["group_norm (one group, plain)"] = channels_first(lambda x: F.group_norm(x, 1))
ROWS["group_norm (channel by channel)"] = channels_first(
    lambda x, scale, shift: F.group_norm(x, x.shape[1], scale, shift))


def rms_norm(x, scale=1.0):
    """PyTorch has it since 2.4 only."""
    return x * torch.rsqrt(torch.mean(x * x, -1, keepdim=True) + 0.01) * scale


ROWS["rms_norm"] = ROWS["rms_norm (plain)"] = rms_norm
ROWS["dropout (evaluation)"] = lambda x: F.dropout(x, 0.4, training=False)


def attention(q, k, v, mask=None, causal=False, scale=None):
    """By its definition: the function that PyTorch has since 2.0, which gives 0 for a query without keys since 2.5."""
    scores = q @ k.transpose(-2, -1) * (1 / math.sqrt(q.shape[-1]) if scale is None else scale)
    allowed = torch.ones((), dtype=torch.bool)
    if mask is not None and mask.is_floating_point():
        scores = scores + mask
    elif mask is not None:
        allowed = mask.bool()
    if causal:
        allowed = allowed & torch.ones(scores.shape[-2:], dtype=torch.bool).tril()
    scores, allowed = torch.broadcast_tensors(scores, allowed)
    anything = allowed.any(-1, keepdim=True)
    weights = torch.softmax(scores.masked_fill(~allowed & anything, -math.inf), -1)
    return torch.where(anything, weights @ v, 0.0)


ROWS["scaled_dot_product_attention"] = attention
ROWS["scaled_dot_product_attention (causal, scale)"] = lambda *inputs: attention(*inputs, causal=True, scale=0.7)
ROWS["scaled_dot_product_attention (mask)"] = attention
ROWS["scaled_dot_product_attention (mask, causal)"] = lambda *inputs: attention(*inputs, causal=True)
ROWS["scaled_dot_product_attention (added mask)"] = attention


def self_attention(qkv, mask=None, causal=False):
    apart = qkv.unflatten(-1, (3, 2, qkv.shape[-1] // 6)).permute(2, 0, 3, 1, 4)
    return attention(*apart, mask, causal=causal).movedim(1, 2).flatten(2)


ROWS["self_attention"] = self_attention
ROWS["self_attention (causal)"] = lambda *inputs: self_attention(*inputs, causal=True)
ROWS["self_attention (mask)"] = self_attention


def recurrence(step, cell=False, bias=False):
    """The states that a step makes of the input's part of the gates, the state's part, and the state and cell before."""

    def states(x, weight, *others, lengths=None, reverse=False):
        b, others = (others[0], others[1:]) if bias else (0.0, others)
        if lengths is not None:
            others = others[:-1]
        h, c = others[0], others[1] if cell else others[0]
        hidden, cells = [None] * len(x), [None] * len(x)
        for t in reversed(range(len(x))) if reverse else range(len(x)):
            after = step(x[t], h @ weight + b, h, c)
            reached = torch.ones_like(h, dtype=torch.bool) if lengths is None else (lengths > t)[:, None]
            h, c = torch.where(reached, after[0], h), torch.where(reached, after[1], c)
            hidden[t], cells[t] = h, c
        y = torch.stack(hidden), torch.stack(cells)
        return y if cell else y[0]

    return states


def lstm_step(x, r, h, c):
    i, f, g, o = (x + r).chunk(4, -1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


def gru_step(x, r, h, c):
    (xr, xz, xn), (rr, rz, rn) = x.chunk(3, -1), r.chunk(3, -1)
    z, n = torch.sigmoid(xz + rz), torch.tanh(xn + torch.sigmoid(xr + rr) * rn)
    return (1 - z) * n + z * h, c


for name, states in {
    "rnn_states": recurrence(lambda x, r, h, c: (torch.tanh(x + r), c)),
    "rnn_relu_states": recurrence(lambda x, r, h, c: (torch.relu(x + r), c)),
    "lstm_states": recurrence(lstm_step, cell=True),
    "gru_states": recurrence(gru_step, bias=True),
}.items():
    ROWS[name] = states
    ROWS[f"{name} (reverse)"] = lambda *inputs, states=states: states(*inputs, reverse=True)
    ROWS[f"{name} (lengths)"] = lambda *inputs, states=states: states(*inputs, lengths=inputs[-1])
    ROWS[f"{name} (reverse, lengths)"] = lambda *inputs, states=states: states(
        *inputs, lengths=inputs[-1], reverse=True)


def hinge(score, target, reduction="none"):
    return F.margin_ranking_loss(score, torch.zeros_like(score), target, margin=1.0, reduction=reduction)


def by_class(f, **options):
    """f of logits with the classes second, and of labels, or of targets with the classes last as in the logits."""

    def loss(logits, target):
        second = lambda t: t.movedim(-1, 1) if t.dim() > 1 else t
        return f(second(logits), second(target) if target.is_floating_point() else target, **options)

    return loss


for reduction in ("mean", "sum", "none"):
    for title, loss, options in (
        ("mse ({})", F.mse_loss, {}),
        ("l1 ({})", F.l1_loss, {}),
        ("huber ({})", F.huber_loss, {}),
        ("huber ({}, delta)", F.huber_loss, dict(delta=0.25)),
        ("smooth_l1 ({})", F.smooth_l1_loss, {}),
        ("smooth_l1 ({}, beta)", F.smooth_l1_loss, dict(beta=0.25)),
        ("smooth_l1 ({}, beta 0)", F.smooth_l1_loss, dict(beta=0.0)),
        ("bce_with_logits ({})", F.binary_cross_entropy_with_logits, {}),
        ("bce ({})", F.binary_cross_entropy, {}),
        ("kl_div ({})", F.kl_div, {}),
        ("kl_div ({}, logarithms)", F.kl_div, dict(log_target=True)),
        ("hinge ({})", hinge, {}),
        ("gaussian_nll ({})", F.gaussian_nll_loss, {}),
        ("gaussian_nll ({}, full)", F.gaussian_nll_loss, dict(full=True)),
    ):
        ROWS[title.format(reduction)] = lambda *inputs, loss=loss, reduction=reduction, options=options: loss(
            *inputs, reduction=reduction, **options)
    for smoothing in (0.0, 0.2):
        variant = reduction + (", smoothing" if smoothing > 0 else "")
        ROWS[f"cross_entropy ({variant})"] = by_class(
            F.cross_entropy, ignore_index=2, label_smoothing=smoothing, reduction=reduction)
        ROWS[f"cross_entropy ({variant}, probabilities)"] = by_class(
            F.cross_entropy, label_smoothing=smoothing, reduction=reduction)
    ROWS[f"nll ({reduction})"] = by_class(F.nll_loss, ignore_index=3, reduction=reduction)

for name, loss, options in (
    ("huber_difference", F.huber_loss, dict(delta=0.25)),
    ("absolute_difference", F.l1_loss, {}),
    ("bernoulli_cross_entropy", F.binary_cross_entropy, {}),
    ("relative_entropy", F.kl_div, {}),
    ("relative_entropy_of_logs", F.kl_div, dict(log_target=True)),
    ("hinge_margin", hinge, {}),
    ("gaussian_surprise", F.gaussian_nll_loss, {}),
):
    ROWS[name] = lambda *inputs, loss=loss, options=options: loss(
        *torch.broadcast_tensors(*inputs), reduction="none", **options)

for smoothing, title in ((0.0, "softmax_cross_entropy"), (0.1, "softmax_cross_entropy (smoothing)")):
    ROWS[title] = by_class(F.cross_entropy, ignore_index=1, label_smoothing=smoothing, reduction="none")
ROWS["take_labelled"] = lambda scores, labels: -by_class(F.nll_loss, ignore_index=1, reduction="none")(scores, labels)
ROWS["cosine_similarity"] = lambda a, b: F.cosine_similarity(a, b, dim=-1)
ROWS["cosine_similarity (along the first axis)"] = lambda a, b: F.cosine_similarity(a, b, dim=0)
