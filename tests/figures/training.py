"""Ten steps of each optimiser, thirty of each schedule, clipped gradients, and ten steps of Adam on a net with shortcuts
in PyTorch, as figures that tests/nn/train/figures.cpp holds weft against. Everything is f64.

usage: /usr/bin/python3 training.py > training.json
"""
import json
import math

import torch
from torch import nn, optim
from torch.optim import lr_scheduler

from cases import short

torch.manual_seed(5)
torch.set_default_dtype(torch.float64)

STEPS = 10
SHOWN = (1, 2, 5, STEPS)


def exact(values):
    return [float(f"{v:.16g}") for v in values]


def flat(tensors):
    return exact(torch.cat([t.detach().reshape(-1) for t in tensors]).tolist())


def drawn(*shape):
    return short(torch.randn(shape))


start = [drawn(3, 4), drawn(5)]
gradients = [[drawn(3, 4), drawn(5)] for _ in range(STEPS)]


def parameters():
    return [nn.Parameter(t.clone()) for t in start]


def groups(ps, first, second):
    return [{"params": [ps[0]], **first}, {"params": [ps[1]], **second}]


def ten_steps(kind, first, second, **common):
    """The parameters after some of the steps, {step: values}, by given gradients."""
    ps = parameters()
    optimizer = kind(groups(ps, first, second), **common)
    seen = {}
    for step, given in enumerate(gradients, 1):
        for p, g in zip(ps, given):
            p.grad = g.clone()
        optimizer.step()
        if step in SHOWN:
            seen[step] = flat(ps)
    return seen


optimizers = {
    "Sgd": ten_steps(optim.SGD, dict(lr=0.1), dict(lr=0.03, weight_decay=0.1)),
    "Sgd, momentum": ten_steps(optim.SGD, dict(lr=0.1, momentum=0.9),
                               dict(lr=0.03, momentum=0.5, dampening=0.3, weight_decay=0.2)),
    "Sgd, nesterov": ten_steps(optim.SGD, dict(lr=0.1, momentum=0.9, nesterov=True),
                               dict(lr=0.03, momentum=0.6, weight_decay=0.1, nesterov=True)),
    "Adam": ten_steps(optim.Adam, dict(lr=0.1, betas=(0.8, 0.99), eps=1e-4),
                      dict(lr=0.03, betas=(0.5, 0.9), weight_decay=0.1)),
    "AdamW": ten_steps(optim.AdamW, dict(lr=0.1, betas=(0.8, 0.99), eps=1e-4),
                       dict(lr=0.03, betas=(0.5, 0.9), weight_decay=0.3)),
    "RmsProp": ten_steps(optim.RMSprop, dict(lr=0.1, alpha=0.9, eps=1e-3), dict(lr=0.03, weight_decay=0.2)),
    "RmsProp, momentum": ten_steps(optim.RMSprop, dict(lr=0.1, alpha=0.9, momentum=0.7),
                                   dict(lr=0.03, momentum=0.3, weight_decay=0.2)),
    "RmsProp, centered": ten_steps(optim.RMSprop, dict(lr=0.1, alpha=0.9, centered=True),
                                   dict(lr=0.03, alpha=0.8, centered=True, momentum=0.5, eps=1e-2)),
    "Adagrad": ten_steps(optim.Adagrad, dict(lr=0.1, lr_decay=0.2, eps=1e-5), dict(lr=0.03, weight_decay=0.1),
                         initial_accumulator_value=0.3),
}


def winding(ps):
    """A smooth function of all elements whose curvature turns."""
    v = torch.cat([p.reshape(-1) for p in ps])
    return ((v[1:] - v[:-1] ** 2) ** 2).sum() + 0.1 * ((1 - v) ** 2).sum() + torch.exp(0.3 * v[0])


def lbfgs(**options):
    """{"losses", "evaluations" so far and "parameters"} after each of ten steps."""
    ps = parameters()
    optimizer = optim.LBFGS(ps, **options)
    evaluations = 0

    def closure():
        nonlocal evaluations
        evaluations += 1
        optimizer.zero_grad()
        loss = winding(ps)
        loss.backward()
        return loss

    seen = {"losses": [], "evaluations": [], "parameters": {}}
    for step in range(1, STEPS + 1):
        seen["losses"].append(float(optimizer.step(closure)))
        seen["evaluations"].append(evaluations)
        if step in SHOWN:
            seen["parameters"][step] = flat(ps)
    return seen


lbfgs_runs = {
    "strong Wolfe": lbfgs(max_iter=2, max_eval=100, line_search_fn="strong_wolfe"),
    "strong Wolfe, short memory": lbfgs(lr=0.3, max_iter=3, history_size=2, line_search_fn="strong_wolfe"),
    "no line search": lbfgs(lr=0.05, max_iter=4, max_eval=6, history_size=5),
}

metrics = exact([2 + math.exp(-0.1 * i) + 0.2 * float(short(torch.randn(()))) for i in range(30)])


def rates(make, kind=optim.SGD, momentum="momentum", by_metric=False):
    """The groups' rates, and momenta, at the start and after each of 29 steps."""
    options = ({"lr": 0.4, "momentum": 0.7}, {"lr": 3.0, "momentum": 0.2})
    if momentum == "betas":
        options = ({"lr": 0.4, "betas": (0.7, 0.99)}, {"lr": 3.0, "betas": (0.2, 0.99)})
    optimizer = kind(groups(parameters(), *options), lr=1.0)
    scheduler = make(optimizer)
    seen = {"lr": [], "momentum": []}
    for step in range(30):
        seen["lr"].append(exact(group["lr"] for group in optimizer.param_groups))
        values = [group[momentum] for group in optimizer.param_groups]
        seen["momentum"].append(exact(v[0] if momentum == "betas" else v for v in values))
        optimizer.step()
        if step < 29:
            scheduler.step(*([math.nan if step in (0, 14) else metrics[step]] if by_metric else []))
    return seen


plateau = lambda **options: rates(lambda o: lr_scheduler.ReduceLROnPlateau(o, **options), by_metric=True)
schedules = {
    "StepLr": rates(lambda o: lr_scheduler.StepLR(o, 4, 0.5)),
    "MultiStepLr": rates(lambda o: lr_scheduler.MultiStepLR(o, [3, 10, 11, 25], 0.3)),
    "ExponentialLr": rates(lambda o: lr_scheduler.ExponentialLR(o, 0.9)),
    "CosineLr": rates(lambda o: lr_scheduler.CosineAnnealingLR(o, 12, 0.05)),
    "OneCycleLr": rates(lambda o: lr_scheduler.OneCycleLR(o, 0.8, 30)),
    "OneCycleLr, linear": rates(lambda o: lr_scheduler.OneCycleLR(
        o, 0.8, 30, pct_start=0.45, anneal_strategy="linear", base_momentum=0.6, max_momentum=0.9, div_factor=8,
        final_div_factor=50), optim.Adam, "betas"),
    "LinearWarmup": rates(lambda o: lr_scheduler.LinearLR(o, 0.25, 1.0, 7)),
    "LambdaLr": rates(lambda o: lr_scheduler.LambdaLR(o, lambda step: 1 / (1 + 0.1 * step))),
    "ReduceOnPlateau": plateau(patience=2),
    "ReduceOnPlateau, cooldown": plateau(factor=0.5, patience=1, cooldown=3, threshold=0.05, min_lr=0.02),
    "ReduceOnPlateau, max": plateau(mode="max", factor=0.5, patience=3, threshold=0.1, threshold_mode="abs", eps=0.05),
}


def clipped(clip):
    """What clip returns, and the gradients that it leaves."""
    ps = parameters()
    for p, g in zip(ps, gradients[0]):
        p.grad = g.clone()
    norm = clip(ps)
    return {"norm": float(norm or 0), "gradients": flat(p.grad for p in ps)}


clipping = {
    "norm 2": clipped(lambda ps: nn.utils.clip_grad_norm_(ps, 1.5)),
    "norm 1": clipped(lambda ps: nn.utils.clip_grad_norm_(ps, 1.5, 1)),
    "norm 3": clipped(lambda ps: nn.utils.clip_grad_norm_(ps, 1.5, 3)),
    "norm inf": clipped(lambda ps: nn.utils.clip_grad_norm_(ps, 1.5, math.inf)),
    "norm within": clipped(lambda ps: nn.utils.clip_grad_norm_(ps, 100)),
    "value": clipped(lambda ps: nn.utils.clip_grad_value_(ps, 0.6)),
}


def shortcuts():
    """Adam on a net with an identity, a projection and a concatenation. Weights are {in, out}, as weft has them."""
    shapes = {"a": (4, 4), "b": (4, 3), "skip": (4, 3), "out": (7, 1)}
    weights = {name: nn.Parameter(drawn(*shape) / 2) for name, shape in shapes.items()}
    first = {name: w.detach().reshape(-1).tolist() for name, w in weights.items()}
    x, y = drawn(12, 4), drawn(12, 1)
    optimizer = optim.Adam(weights.values(), lr=0.05)
    losses = []
    for _ in range(STEPS):
        h = torch.tanh(x @ weights["a"]) + x
        p = torch.relu(h @ weights["b"]) + h @ weights["skip"]
        loss = ((torch.cat((h, p), -1) @ weights["out"] - y) ** 2).mean()
        losses.append(float(loss))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return {"x": flat([x]), "y": flat([y]), "start": first, "losses": exact(losses),
            "end": {name: flat([w]) for name, w in weights.items()}}


print(json.dumps({
    "start": [flat([t]) for t in start], "gradients": [flat(g) for g in gradients], "optimizers": optimizers,
    "lbfgs": lbfgs_runs, "metrics": metrics, "schedules": schedules, "clipping": clipping, "shortcuts": shortcuts(),
    "torch": torch.__version__}))
