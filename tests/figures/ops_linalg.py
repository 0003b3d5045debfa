"""PyTorch's functions for the rows of products, systems of equations and decompositions."""
import math

import torch
import torch.nn.functional as F

ROWS = {
    "matmul": torch.matmul,
    "linear": lambda x, w, bias: F.linear(x, w.t(), bias),
    "linear (no bias)": lambda x, w: F.linear(x, w.t()),
    "dot": torch.dot,
    "outer": torch.outer,
    "trace": lambda a: torch.trace(a) if a.dim() == 2 else torch.stack([torch.trace(m) for m in a]),
}

for equation in (
    "ij,jk->ik", "bij,bkj->bik", "ji,jk->ik", "ij,jk->ki", "kij,jlk->li", "bshd,bthd->bhst", "i,i->", "bi,ib->b",
    "bi,bi->bi", "i,j->ji", "ij->ji", "ij->i", "ii", "ii->i", "iji->j", "aaa,bb->a", "iib,bjj->ij", "ij,kj", "ba",
    "Ba , ac", "ij,j,k->", "ab,bc,cd,de->ae", "ab,cd,bc,ac->d", "a,ab,abc,c,bd,d,ae,be,ce->e", "...ij,...jk->...ik",
    "i...,...", "...i->...", "...i->i", "ij,ij->ij", "ij,jk->k",
):
    ROWS[f"einsum ({equation})"] = lambda *inputs, equation=equation: torch.einsum(equation, *inputs)


def eye(a):
    """Of the size of a."""
    return torch.eye(*a.shape[-2:], dtype=a.dtype)


def steady(a):
    """The row's function adds a large cyclic permutation."""
    return a + torch.roll(eye(a), 1, 0) * (3 * math.sqrt(a.shape[-1]))


def columns(f):
    """f of a matrix and of vectors, each of them a column."""
    return lambda a, b: f(a, b.unsqueeze(-1)).squeeze(-1)


def lstsq(a, b):
    """torch.linalg.lstsq does not broadcast."""
    batch = torch.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    return torch.linalg.lstsq(a.expand(batch + a.shape[-2:]), b.expand(batch + b.shape[-2:])).solution


def solve(a, b):
    return torch.linalg.solve(steady(a), b)


def definite(a, n=1):
    return a @ a.mT / n + eye(a)


ROWS["solve"] = solve
ROWS["solve (vectors)"] = columns(solve)
ROWS["inverse"] = lambda a: torch.linalg.inv(steady(a))
ROWS["det"] = torch.linalg.det
ROWS["det (steady)"] = lambda a: torch.linalg.det(steady(a) / (3 * math.sqrt(a.shape[-1])))
ROWS["logdet"] = lambda a: torch.logdet(definite(a))
ROWS["lstsq"] = lstsq
ROWS["lstsq (vectors)"] = columns(lstsq)
ROWS["lstsq (less than full rank)"] = lambda a, b, c: lstsq(a @ b, c)
ROWS["cholesky"] = lambda a: torch.linalg.cholesky(definite(a, a.shape[-1]))
for upper in (False, True):
    for left in (True, False):
        for unit in (False, True):
            variant = ("upper" if upper else "lower") + (", left" if left else ", right") + (", unit" if unit else "")
            ROWS[f"triangular_solve ({variant})"] = lambda a, b, options=dict(
                upper=upper, left=left, unitriangular=unit): torch.linalg.solve_triangular(
                    a * (0.5 / math.sqrt(a.shape[-1])) + 3 * eye(a), b, **options)


def signs(a):
    return torch.where(a.detach() < 0, -1.0, 1.0)


# Decompositions are unique up to signs, which the rows make positive.
def qr(a):
    q, r = torch.linalg.qr(a)
    sign = signs(torch.diagonal(r, dim1=-2, dim2=-1))
    return q * sign.unsqueeze(-2), r * sign.unsqueeze(-1)


def svd(a):
    u, s, v = torch.linalg.svd(a, full_matrices=False)
    sign = signs(u[..., :1, :])
    return u * sign, s, v * sign.mT


def put_together(a):
    u, s, v = torch.linalg.svd(a, full_matrices=False)
    return u * s.unsqueeze(-2) @ v


def eigh(a):
    values, vectors = torch.linalg.eigh((a + a.mT) / 2)
    return values, vectors * signs(vectors[..., :1, :])


def apart(a):
    """The rows keep the values of these apart."""
    return 0.05 * a + eye(a) * torch.arange(1.0, a.shape[-1] + 1, dtype=a.dtype)


ROWS["qr"] = qr
ROWS["svd"] = svd
ROWS["svd (values apart)"] = lambda a: svd(apart(a))
ROWS["svd (values only)"] = torch.linalg.svdvals
ROWS["svd (put together again)"] = put_together
ROWS["eigh"] = eigh
ROWS["eigh (values apart)"] = lambda a: eigh(apart(a))
