"""What sequences.py and shortcuts.py share: a module's weights and inputs, what comes out, and the gradients of the sum
of squares of everything that comes out. tests/support/module_figures.hpp reads it."""
import torch


def short(t):
    """Multiples of 1/256, which JSON holds in few digits."""
    return (t * 256).round() / 256


def listed(t):
    return {"shape": list(t.shape), "values": [float(f"{v:.11g}") for v in t.detach().flatten().tolist()]}


def case(module, run, **inputs):
    with torch.no_grad():
        for p in module.parameters():
            p.copy_(short(torch.randn_like(p) / 2))
    given = {name: short(t) if t.is_floating_point() else t for name, t in inputs.items()}
    for t in given.values():
        t.requires_grad_(t.is_floating_point())
    buffers = {name: t.clone() for name, t in module.named_buffers() if t.is_floating_point()}
    outputs = run(module, **given)
    sum((y * y).sum() for y in outputs.values()).backward()
    gradients = {name: t.grad for name, t in [*module.named_parameters(), *given.items()] if t.grad is not None}
    groups = {"state": {**dict(module.named_parameters()), **buffers}, "inputs": given, "outputs": outputs,
              "gradients": gradients}
    return {group: {name: listed(t) for name, t in tensors.items()} for group, tensors in groups.items()}
