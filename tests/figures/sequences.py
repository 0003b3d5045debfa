"""Recurrent layers, cells, attention and a transformer's block in PyTorch, for tests/nn/layers/sequences.cpp: weights,
inputs, what comes out, and the gradients of the sum of squares of everything that comes out.

usage: /usr/bin/python3 sequences.py > sequences.json
"""
import json

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from cases import case

torch.manual_seed(7)
torch.set_default_dtype(torch.float64)


def recurrent(module, x, hidden, cell=None, lengths=None):
    state = hidden if cell is None else (hidden, cell)
    if lengths is None:
        output, state = module(x, state)
    else:
        packed, state = module(pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False), state)
        output, _ = pad_packed_sequence(packed, batch_first=True, total_length=x.shape[1])
    last = {"last_hidden": state} if cell is None else dict(zip(("last_hidden", "last_cell"), state))
    return {"output": output, **last}


def cell_step(module, x, hidden, cell=None):
    if cell is None:
        return {"last_hidden": module(x, hidden)}
    return dict(zip(("last_hidden", "last_cell"), module(x, (hidden, cell))))


cases = {}
for name, kind, options in (("rnn", nn.RNN, {}), ("rnn_relu", nn.RNN, dict(nonlinearity="relu")), ("lstm", nn.LSTM, {}),
                            ("gru", nn.GRU, {})):
    for layers, bidirectional, bias, lengths in ((1, False, True, None), (2, True, True, [3, 5, 1]),
                                                 (1, True, False, [5, 2, 4])):
        shape = (layers * (1 + bidirectional), 3, 4)
        inputs = dict(x=torch.randn(3, 5, 2), hidden=torch.randn(shape))
        if kind is nn.LSTM:
            inputs["cell"] = torch.randn(shape)
        if lengths:
            inputs["lengths"] = torch.tensor(lengths)
        module = kind(2, 4, num_layers=layers, bidirectional=bidirectional, bias=bias, batch_first=True, **options)
        title = f"{name} {layers} {int(bidirectional)} {int(bias)}"
        cases[title] = case(module, recurrent, **inputs)
for name, kind in (("rnn_cell", nn.RNNCell), ("lstm_cell", nn.LSTMCell), ("gru_cell", nn.GRUCell)):
    inputs = dict(x=torch.randn(3, 2), hidden=torch.randn(3, 4))
    if kind is nn.LSTMCell:
        inputs["cell"] = torch.randn(3, 4)
    cases[name] = case(kind(2, 4), cell_step, **inputs)

# PyTorch's masks say True where a key may not be seen.
padding = torch.tensor([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]], dtype=torch.uint8)
causal = torch.ones(5, 5, dtype=torch.bool).triu(1)
attention = lambda m, x, **masks: {"output": m(x, x, x, need_weights=False, **masks)[0]}
cases["attention"] = case(nn.MultiheadAttention(6, 2, batch_first=True), attention, x=torch.randn(2, 5, 6))
cases["attention, padding"] = case(
    nn.MultiheadAttention(6, 3, batch_first=True),
    lambda m, x, padding: attention(m, x, key_padding_mask=padding == 0),
    x=torch.randn(2, 5, 6), padding=padding)
cases["attention, causal"] = case(
    nn.MultiheadAttention(6, 2, bias=False, batch_first=True),
    lambda m, x: attention(m, x, attn_mask=causal), x=torch.randn(2, 5, 6))
cases["attention, across"] = case(
    nn.MultiheadAttention(6, 2, batch_first=True),
    lambda m, x, key, value: {"output": m(x, key, value, need_weights=False)[0]},
    x=torch.randn(2, 4, 6), key=torch.randn(2, 5, 6), value=torch.randn(2, 5, 6))
block = nn.TransformerEncoderLayer(6, 2, dim_feedforward=8, dropout=0.0, activation="gelu", batch_first=True,
                                   norm_first=True)
cases["block"] = case(block, lambda m, x: {"output": m(x, src_mask=causal)}, x=torch.randn(2, 5, 6))
print(json.dumps(cases))
