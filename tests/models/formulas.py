"""Layers from their formulas and their own weights."""

import torch


def scrambled(module):
    """Return the module in evaluation mode, every weight and bias drawn: what begins as 0 or 1 must count too."""
    generator = torch.Generator().manual_seed(11)
    with torch.no_grad():
        for weight in module.parameters():
            weight.copy_(torch.randn(weight.shape, generator=generator) * 0.5)
    return module.eval()


def random(*shape, seed):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def close(found, expected):
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def linear(layer, state):
    """Return W x + b of states (..., D)."""
    seen = torch.einsum("...d,ed->...e", state, layer.weight)
    return seen if layer.bias is None else seen + layer.bias


def normed(layer, state):
    """Return states (..., D) of mean 0 and deviation 1, scaled and shifted."""
    apart = state - state.mean(-1, keepdim=True)
    return apart / (apart.square().mean(-1, keepdim=True) + layer.eps).sqrt() * layer.weight + layer.bias


def gelu(state):
    return state * (1 + torch.erf(state / 2**0.5)) / 2


def looked(part, own, other):
    """Return the shares (H, N, M) that each head of the attention `part` of `own` (N, D) has in `other` (M, D)."""
    weights = zip((own, other), part.in_proj_weight.chunk(3)[:2], part.in_proj_bias.chunk(3)[:2], strict=True)
    query, key = ((state @ weight.T + bias).chunk(part.num_heads, dim=-1) for state, weight, bias in weights)
    return torch.stack([(q @ k.T / k.shape[-1] ** 0.5).softmax(-1) for q, k in zip(query, key, strict=True)])


def attended(part, own, other):
    """Return what `own` (N, D) takes from `other` (M, D) by the multi-head attention `part`."""
    value = other @ part.in_proj_weight.chunk(3)[2].T + part.in_proj_bias.chunk(3)[2]
    values = value.chunk(part.num_heads, dim=-1)
    heads = [share @ v for share, v in zip(looked(part, own, other), values, strict=True)]
    return linear(part.out_proj, torch.cat(heads, dim=-1))


def lstm(cell, word, state, memory):
    """Return the next state and memory (S,) of an LSTM cell."""
    gates = cell.weight_ih @ word + cell.bias_ih + cell.weight_hh @ state + cell.bias_hh
    take, keep, new, show = gates.chunk(4)
    memory = keep.sigmoid() * memory + take.sigmoid() * new.tanh()
    return show.sigmoid() * memory.tanh(), memory


def gru(cell, word, state):
    """Return the next state (S,) of a one-layer GRU."""
    r, z, n = (cell.weight_ih_l0 @ word + cell.bias_ih_l0).chunk(3)
    r_h, z_h, n_h = (cell.weight_hh_l0 @ state + cell.bias_hh_l0).chunk(3)
    keep = (z + z_h).sigmoid()
    return (1 - keep) * (n + (r + r_h).sigmoid() * n_h).tanh() + keep * state
