"""PyTorch's functions for the rows of elementwise ops, comparisons, reductions and softmax."""
import torch
import torch.nn.functional as F

from special import BINARY, UNARY

ROWS = {**UNARY, **BINARY}
# F.hardsigmoid and F.hardswish divide by an f32 sixth in their gradients; these are their definitions.
ROWS["hardsigmoid"] = lambda x: F.relu6(x + 3) / 6
ROWS["hardswish"] = lambda x: x * F.relu6(x + 3) / 6

for weight in (0.3, 0.8):
    ROWS[f"lerp ({weight})"] = lambda a, b, weight=weight: torch.lerp(a, b, weight)
ROWS["lerp"] = torch.lerp

for name, compare in {"equal": torch.eq, "not_equal": torch.ne, "less": torch.lt, "less_equal": torch.le,
                      "greater": torch.gt, "greater_equal": torch.ge}.items():
    ROWS[name] = compare
    ROWS[f"{name} (number)"] = lambda x, compare=compare: compare(x, 1.0)
for name in ("logical_and", "logical_or", "logical_not", "isnan", "isinf", "isfinite"):
    ROWS[name] = getattr(torch, name)
ROWS["where"] = lambda mask, a, b: torch.where(mask.bool(), a, b)
ROWS["where (else number)"] = lambda mask, a: torch.where(mask.bool(), a, 2.0)
ROWS["where (number)"] = lambda mask, b: torch.where(mask.bool(), 2.0, b)


def one_axis_at_a_time(f):
    """For reductions that PyTorch has along one axis only."""

    def reduced(x, axes, keepdims):
        for axis in sorted((axis % x.dim() for axis in axes), reverse=True):
            x = f(x, axis, keepdims)
        return x

    return reduced


# Of a tensor, a tuple of axes and whether they are kept.
REDUCTIONS = {
    "sum": lambda x, axes, keep: torch.sum(x, axes, keep),
    "prod": one_axis_at_a_time(torch.prod),
    "any": one_axis_at_a_time(torch.any),
    "all": one_axis_at_a_time(torch.all),
    "mean": lambda x, axes, keep: torch.mean(x, axes, keep),
    "max": lambda x, axes, keep: torch.amax(x, axes, keep),
    "min": lambda x, axes, keep: torch.amin(x, axes, keep),
    "var": lambda x, axes, keep: torch.var(x, axes, unbiased=False, keepdim=keep),
    "stddev": lambda x, axes, keep: torch.std(x, axes, unbiased=False, keepdim=keep),
    "logsumexp": lambda x, axes, keep: torch.logsumexp(x, axes, keep),
}
for axes_name, axes, keep in (("all", None, False), ("last axis", (-1,), False), ("first axis", (0,), True),
                              ("middle axis", (1,), False), ("two axes", (0, -2), True)):
    def of_axes(f, axes=axes, keep=keep):
        return lambda x: f(x, tuple(range(x.dim())) if axes is None else axes, keep)

    for name, reduction in REDUCTIONS.items():
        ROWS[f"{name} ({axes_name})"] = of_axes(reduction)
    for p in (2, 1, 3, 0.5):
        ROWS[f"norm ({axes_name}, p = {p})"] = of_axes(
            lambda x, axes, keep, p=p: torch.linalg.vector_norm(x, p, axes, keep))
ROWS["var (correction 1)"] = lambda x: torch.var(x, -1)
ROWS["sum_to"] = lambda x, like: x.sum_to_size(like.shape)

for axis in (-1, 0, 1):
    ROWS[f"argmax (axis {axis})"] = lambda x, axis=axis: torch.argmax(x, axis)
    ROWS[f"argmin (axis {axis})"] = lambda x, axis=axis: torch.argmin(x, axis)
    ROWS[f"softmax (axis {axis})"] = lambda x, axis=axis: torch.softmax(x, axis)
    ROWS[f"log_softmax (axis {axis})"] = lambda x, axis=axis: torch.log_softmax(x, axis)
