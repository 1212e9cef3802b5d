"""Codewords: their loss is that of their symbols, whatever the alphabets."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from photoward.models import codes


@given(st.lists(st.integers(2, 6), min_size=1, max_size=4), st.integers(1, 5))
def test_a_word_costs_what_its_symbols_cost(alphabets: list[int], n: int) -> None:
    generator = torch.Generator().manual_seed(n)
    outputs = torch.randn((n, sum(alphabets)), generator=generator)
    code = torch.stack([torch.randint(k, (n,), generator=generator) for k in alphabets], dim=1)
    first, expected = 0, torch.tensor(0.0)
    for place, size in enumerate(alphabets):
        own = outputs[:, first : first + size].log_softmax(1)
        expected = expected - own[torch.arange(n), code[:, place]].sum()
        first += size
    assert torch.allclose(codes.cross_entropy(outputs, code, alphabets), expected, atol=1e-4)


@given(st.lists(st.integers(2, 6), min_size=1, max_size=4))
def test_what_is_said_clearly_is_read_right(alphabets: list[int]) -> None:
    code = torch.tensor([[size - 1 for size in alphabets], [0] * len(alphabets)])
    outputs = torch.cat(
        [functional.one_hot(code[:, i], size) for i, size in enumerate(alphabets)], dim=1
    ).float()
    assert codes.share_right(outputs, code, alphabets) == 1
    assert codes.share_right(outputs, code.flip(0), alphabets) == 0
