"""PyTorch's functions for the rows of ops that change shape and order, choose by index or mask, sort, or scan."""
import torch
import torch.nn.functional as F

ROWS = {
    "permute (cycle)": lambda x: x.permute(2, 0, 1),
    "permute (images to channels first)": lambda x: x.permute(0, 3, 1, 2),
    "permute (nothing)": lambda x: x.permute(0, 1),
    "permute (tiles)": lambda x: x.permute(1, 0),
    "permute (five axes)": lambda x: x.permute(4, 2, 0, 3, 1),
    "transpose": lambda x: x.transpose(-2, -1),
    "swap_axes": lambda x: torch.swapaxes(x, 0, -1),
    "reshape": lambda x: torch.reshape(x, (-1, 2)),
    "reshape (to scalar)": lambda x: torch.reshape(x, ()),
    "flatten": torch.flatten,
    "flatten (last two)": lambda x: torch.flatten(x, 1, -1),
    "squeeze": lambda x: torch.squeeze(x, -2),
    "unsqueeze": lambda x: torch.unsqueeze(x, -1),
    "broadcast_to": lambda x, like: torch.broadcast_to(x, like.shape),
    "flip (all)": lambda x: torch.flip(x, (0, 1)),
    "flip (first and last)": lambda x: torch.flip(x, (-1, 0)),
    "concat (rows)": lambda *parts: torch.cat(parts, 0),
    "concat (columns)": lambda *parts: torch.cat(parts, 1),
    "concat (images)": lambda *parts: torch.cat(parts, -1),
    "split (rows)": lambda x: torch.split(x, 2, 0),
    "split (columns)": lambda x: torch.split(x, 2, 1),
    "stack (in front)": lambda *parts: torch.stack(parts, 0),
    "stack (second)": lambda *parts: torch.stack(parts, 1),
    "stack (last)": lambda *parts: torch.stack(parts, -1),
    "chunk": lambda x: torch.chunk(x, 3, 0),
    "slice (rows)": lambda x: x[1:-1],
    "slice (columns)": lambda x: x[:, 1:-1],
    "slice (step)": lambda x: x[:, -5:1000:2],
    "slice (every third)": lambda x: x[1::3],
    "pad": lambda x: F.pad(x, (0, 3, 1, 2)),
    "pad (images)": lambda x: F.pad(x, (0, 0, 2, 1, 1, 1, 0, 0), value=7),
    "one_hot": lambda x: F.one_hot(x, 4),
    "repeat (rows)": lambda x: torch.repeat_interleave(x, 3, 0),
    "repeat (last axis)": lambda x: torch.repeat_interleave(x, 3, -1),
    "repeat (never)": lambda x: torch.repeat_interleave(x, 0, 0),
    "tile (both axes)": lambda x: torch.tile(x, (2, 3)),
    "tile (five axes)": lambda x: torch.tile(x, (2, 2, 2, 2, 2)),
    "tile (last axis)": lambda x: torch.tile(x, (2,)),
    "tile (four axes)": lambda x: torch.tile(x, (2, 1, 3, 1)),
    "diagonal": lambda x: torch.diagonal(x, dim1=-2, dim2=-1),
    "diag (of a matrix)": torch.diag,
    "diag (of a vector)": torch.diag,
    "masked_fill": lambda x, mask: torch.masked_fill(x, mask.bool(), 5),
    "masked_select": lambda x, mask: torch.masked_select(x, mask.bool()),
    "nonzero": torch.nonzero,
    "embedding": lambda table, index: F.embedding(index, table),
    "topk (many)": lambda x: torch.topk(x, x.shape[-1] // 2 + 1).values,
}

for shift in (0, 2, -1, 11):
    for axis in (0, 1):
        ROWS[f"roll ({shift} along axis {axis})"] = lambda x, shift=shift, axis=axis: torch.roll(x, shift, axis)

for axis, lines in ((0, "rows"), (1, "columns")):
    ROWS[f"index_select ({lines})"] = lambda x, index, axis=axis: torch.index_select(x, axis, index)
    ROWS[f"gather (along {lines})"] = lambda x, index, axis=axis: torch.gather(x, axis, index)
    ROWS[f"take_along (along {lines})"] = lambda x, index, axis=axis: torch.take_along_dim(x, index, axis)
    ROWS[f"scatter_add (along {lines})"] = lambda x, index, added, axis=axis: torch.scatter_add(x, axis, index, added)

for k in (0, 1, -2, 400):
    ROWS[f"tril (k {k})"] = lambda x, k=k: torch.tril(x, k)
    ROWS[f"triu (k {k})"] = lambda x, k=k: torch.triu(x, k)

for variant, axis, start, stop, step in (("rows", 0, 1, -1, 1), ("columns", 1, -3, 100000, 1),
                                         ("every second", 1, 0, 100000, 2), ("every third row", 0, 1, 100000, 3)):
    def put(x, source, axis=axis, start=start, stop=stop, step=step):
        part = x[start:stop:step] if axis == 0 else x[:, start:stop:step]
        return torch.slice_scatter(x, source.expand(part.shape), axis, start, stop, step)

    ROWS[f"slice_put ({variant})"] = put

for variant, axis, descending in (("last axis", -1, False), ("first axis", 0, False), ("descending", -1, True)):
    def ordered(x, axis=axis, descending=descending):
        return torch.sort(x, dim=axis, descending=descending, stable=True)

    ROWS[f"sort ({variant})"] = lambda x, ordered=ordered: ordered(x).values
    ROWS[f"sort (positions, {variant})"] = lambda x, ordered=ordered: ordered(x).indices
    ROWS[f"argsort ({variant})"] = lambda x, ordered=ordered: ordered(x).indices

for largest in (True, False):
    for axis in (0, -1):
        variant = ("largest" if largest else "smallest") + (", first axis" if axis == 0 else "")
        ROWS[f"topk ({variant})"] = lambda x, axis=axis, largest=largest: torch.topk(x, 3, axis, largest).values
        # Which of equal values torch.topk takes is open; weft takes the first.
        ROWS[f"topk (positions, {variant})"] = lambda x, axis=axis, largest=largest: torch.sort(
            x, dim=axis, descending=largest, stable=True).indices.narrow(axis, 0, 3)

for axis, place in ((0, "first axis"), (-1, "last axis")):
    keep = axis == 0
    ROWS[f"median ({place})"] = lambda x, axis=axis, keep=keep: torch.median(x, axis, keep).values
    for q in (0.0, 0.3, 0.5, 1.0):
        ROWS[f"quantile ({place} {q:.6f})"] = lambda x, q=q, axis=axis, keep=keep: torch.quantile(x, q, axis, keep)

for axis, place in enumerate(("first axis", "middle axis", "last axis")):
    ROWS[f"cumsum ({place})"] = lambda x, axis=axis: torch.cumsum(x, axis)
    ROWS[f"cumprod ({place})"] = lambda x, axis=axis: torch.cumprod(x, axis)
