"""Attention of several heads, dense and packed, with torch's names and signatures."""

import math
from typing import Any

from .. import _rbe, creation
from .._tensor import RBETensor
from ..autograd import is_grad_enabled
from ..dtypes import DTypeLike
from ..errors import GraphError, ShapeError, TensorError
from . import init, parameter
from .functional.attention import scaled_dot_product_attention
from .functional.linear import linear, split_linear
from .linear import Affine, Linear
from .module import Module
from .packed import Packed, RBELinear
from .parameter import Parameter

__all__ = ["KeyValueCache", "MultiheadAttention", "RBEMultiheadAttention"]


class KeyValueCache:
    """Keys and values of the positions a model has seen, for generation one position after another.

    Attributes
    ----------
    length : int
        Positions held.

    Examples
    --------
    >>> import rbe
    >>> layer, cache = rbe.nn.RBEMultiheadAttention(64, 4, batch_first=True), rbe.nn.KeyValueCache()
    >>> x = rbe.randn(1, 3, 64)
    >>> with rbe.no_grad():
    ...     whole, _ = layer(x, x, x, need_weights=False, is_causal=True)
    ...     parts = [layer(p, p, p, need_weights=False, is_causal=True, cache=cache)[0] for p in x.split(1, 1)]
    >>> bool((rbe.cat(parts, 1) - whole).abs().max() < 1e-5), cache.length
    (True, 3)
    """

    def __init__(self) -> None:
        self.length = 0
        self._held: list[RBETensor] = []  # keys and values (…, heads, capacity, width)

    def append(self, key: RBETensor, value: RBETensor) -> tuple[RBETensor, RBETensor]:
        """Add keys and values (…, heads, new, width) of further positions; return all so far, which are views.

        Raises
        ------
        GraphError
            Outside `no_grad()`: gradients do not flow through the cache.
        ShapeError
            If batch, heads or width differ from those held.
        """
        if is_grad_enabled():
            raise GraphError("KeyValueCache", "use under no_grad()", f"keys {tuple(key.shape)} while gradients are recorded")
        new = (key, value)
        have = self._held if self.length else new
        if any(a.shape[:-2] != b.shape[:-2] or a.shape[-1] != b.shape[-1] for a, b in zip(have, new, strict=True)):
            raise ShapeError("KeyValueCache", f"keys like {tuple(have[0].shape)}", str(tuple(key.shape)))
        total = self.length + key.shape[-2]
        self._make_room(new, total)
        for held, t in zip(self._held, new, strict=True):
            held.narrow(-2, self.length, t.shape[-2]).copy_(t)
        self.length = total
        return self._held[0].narrow(-2, 0, total), self._held[1].narrow(-2, 0, total)

    def attend(self, joined: RBETensor, heads: int, causal: bool) -> RBETensor:
        """Add further positions and attend from them to all so far.

        Parameters
        ----------
        joined : tensor (…, L, 3 · E)
            Their queries, keys and values.
        heads : int
        causal : bool
            Whether each sees none that comes after it.

        Returns
        -------
        tensor (…, L, E)

        Raises
        ------
        GraphError
            Outside `no_grad()`.
        ShapeError, DTypeError
            If shape or dtype differ from those of the positions held.
        """
        *lead, new, width = joined.shape
        total = self.length + new
        if total > self._room():
            like = creation.empty(*lead, heads, 0, width // (3 * heads), dtype=joined.dtype)
            self._make_room((like, like), total)
        keys, values = self._held
        out = _rbe.cached_self_attention(joined, heads, keys, values, self.length, causal)
        self.length = total
        return out

    def _make_room(self, like: tuple[RBETensor, RBETensor], total: int) -> None:
        """Hold memory for at least `total` keys and values of the sizes of two tensors (…, heads, any, width)."""
        if total <= self._room():
            return
        fresh = [creation.zeros(*t.shape[:-2], 2 * total, t.shape[-1], dtype=t.dtype) for t in like]
        if self.length:
            for to, held in zip(fresh, self._held, strict=True):
                to.narrow(-2, 0, self.length).copy_(held.narrow(-2, 0, self.length))
        self._held = fresh

    def _room(self) -> int:
        """Return the number of positions that fit, 0 before the first."""
        return self._held[0].shape[-2] if self.length else 0


def _shares(scores: RBETensor, mask: RBETensor | None) -> RBETensor:
    """Return the softmax of scores (…, L, S) plus a mask of numbers; a query that sees no key gives its row zeros."""
    if mask is None:
        return scores.softmax(-1)
    blind = (mask == -math.inf).all(-1, keepdim=True)
    return (scores + mask.masked_fill(blind, 0.0)).softmax(-1).masked_fill(blind, 0.0)


def _hidden(mask: RBETensor, like: RBETensor) -> RBETensor:
    """Return a mask as numbers to add: minus infinity where a bool one hides."""
    if mask.dtype.is_floating_point:
        return mask
    return creation.zeros(*mask.shape, dtype=like.dtype).masked_fill(mask.bool(), -math.inf)


class MultiheadAttention(Module):
    """Attention of several heads, each on its share of the width.

    Parameters
    ----------
    embed_dim, num_heads : int
        Width of queries and results, divisible by the number of heads.
    dropout : float
        Probability with which attention weights are dropped in training.
    bias : bool
        Whether projections have biases.
    add_bias_kv : bool
        Whether a trained key and value is put after those given.
    add_zero_attn : bool
        Whether a key and value of zeros is put after those given.
    kdim, vdim : int, optional
        Widths of keys and values; where one differs from embed_dim each projection has a weight of its own.
    batch_first : bool
        Whether sequences are (N, L, E) rather than (L, N, E).

    Attributes
    ----------
    in_proj_weight : Parameter (3 · embed_dim, embed_dim), or None
        Projections of queries, keys and values; else q_proj_weight (E, E), k_proj_weight (E, kdim), v_proj_weight (E, vdim).
    in_proj_bias : Parameter (3 · embed_dim) or None
    out_proj : Linear
    bias_k, bias_v : Parameter (1, 1, E) or None

    Raises
    ------
    ShapeError
        If embed_dim is not divisible by num_heads or a size is below 1.

    References
    ----------
    Vaswani et al. 2017.

    Examples
    --------
    >>> import rbe
    >>> layer = rbe.nn.MultiheadAttention(32, 4, batch_first=True)
    >>> x = rbe.randn(2, 10, 32)
    >>> out, weights = layer(x, x, x)
    >>> out.shape, weights.shape
    ((2, 10, 32), (2, 10, 10))
    """

    _weight_of = staticmethod(parameter.dense)
    _linear: type[Affine] = Linear
    in_proj_weight: Parameter | None
    q_proj_weight: Parameter | None
    k_proj_weight: Parameter | None
    v_proj_weight: Parameter | None
    in_proj_bias: Parameter | None
    bias_k: Parameter | None
    bias_v: Parameter | None

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        device: object = None,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        creation.check_device(name, device)
        self.embed_dim, self.num_heads, self.dropout, self.batch_first = embed_dim, num_heads, dropout, batch_first
        self.kdim, self.vdim = embed_dim if kdim is None else kdim, embed_dim if vdim is None else vdim
        if min(embed_dim, num_heads, self.kdim, self.vdim) < 1 or embed_dim % num_heads:
            sizes = f"{embed_dim} and {num_heads} (kdim {self.kdim}, vdim {self.vdim})"
            raise ShapeError(name, "sizes of at least 1, embed_dim divisible by num_heads", sizes)
        if not 0 <= dropout <= 1:
            raise TensorError(name, "a dropout in [0, 1]", str(dropout))
        self.head_dim, self.add_zero_attn = embed_dim // num_heads, add_zero_attn
        joined = self.kdim == self.vdim == embed_dim
        shapes = [(3 * embed_dim, embed_dim)] if joined else [(embed_dim, n) for n in (embed_dim, self.kdim, self.vdim)]
        names = ["q_proj_weight", "k_proj_weight", "v_proj_weight"]
        weights = [self._weight_of(shape, init.xavier_uniform_, dtype) for shape in shapes]
        self.register_parameter("in_proj_weight", weights[0] if joined else None)
        for i, weight in enumerate(names):
            self.register_parameter(weight, None if joined else weights[i])
        self.register_parameter("in_proj_bias", Parameter(creation.zeros(3 * embed_dim, dtype=dtype)) if bias else None)
        self.out_proj = self._linear(embed_dim, embed_dim, bias, dtype=dtype)
        if self.out_proj.bias is not None:
            init.zeros_(self.out_proj.bias)
        for extra in ("bias_k", "bias_v"):
            fresh = Parameter(creation.empty(1, 1, embed_dim, dtype=dtype)) if add_bias_kv else None
            self.register_parameter(extra, None if fresh is None else Parameter(init.xavier_normal_(fresh)))

    def _projected(self, query: RBETensor, key: RBETensor, value: RBETensor) -> list[RBETensor]:
        e, bias, inputs = self.embed_dim, self.in_proj_bias, (query, key, value)
        joined = self.in_proj_weight
        if joined is None:
            weights: list[Any] = [self.q_proj_weight, self.k_proj_weight, self.v_proj_weight]
            biases = [None] * 3 if bias is None else bias.split(e, 0)
            return [linear(x, w, b) for x, w, b in zip(inputs, weights, biases, strict=True)]
        return split_linear(inputs, joined, bias)

    def _extended(self, key: RBETensor, value: RBETensor) -> tuple[RBETensor, RBETensor]:
        """Put the additional keys and values after those given (…, S, E)."""
        if self.bias_k is not None and self.bias_v is not None:
            places = [b.reshape(*[1] * (key.ndim - 1), -1).expand(*key.shape[:-2], 1, -1) for b in (self.bias_k, self.bias_v)]
            key, value = _rbe.concat([key, places[0]], -2), _rbe.concat([value, places[1]], -2)
        if self.add_zero_attn:
            nothing = creation.zeros(*key.shape[:-2], 1, self.embed_dim, dtype=key.dtype)
            key, value = _rbe.concat([key, nothing], -2), _rbe.concat([value, nothing], -2)
        return key, value

    def _mask(
        self, attn_mask: RBETensor | None, key_padding_mask: RBETensor | None, q: RBETensor, keys: int
    ) -> RBETensor | None:
        """Return one mask of numbers to add, for scores (…, heads, L, S) of queries q (…, heads, L, width)."""
        total = None
        if attn_mask is not None:
            total = _hidden(attn_mask, q)
            if attn_mask.ndim == 3 and q.ndim == 4:
                total = total.reshape(-1, self.num_heads, *attn_mask.shape[1:])
        if key_padding_mask is not None:
            padding = _hidden(key_padding_mask, q).unsqueeze(-2).unsqueeze(-2)
            total = padding if total is None else total + padding
        if total is not None and total.shape[-1] < keys:
            seen = creation.zeros(*total.shape[:-1], keys - total.shape[-1], dtype=total.dtype)
            total = _rbe.concat([total, seen], -1)
        return total

    def forward(
        self,
        query: RBETensor,
        key: RBETensor,
        value: RBETensor,
        key_padding_mask: RBETensor | None = None,
        need_weights: bool = True,
        attn_mask: RBETensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
        cache: KeyValueCache | None = None,
    ) -> tuple[RBETensor, RBETensor | None]:
        """Attend.

        Parameters
        ----------
        query : tensor (L, N, E), (N, L, E) with `batch_first`, or (L, E)
        key : tensor (S, N, kdim), (N, S, kdim) or (S, kdim)
        value : tensor (S, N, vdim), (N, S, vdim) or (S, vdim)
        key_padding_mask : tensor (N, S) or (S), optional
            bool, True for keys to leave out, or numbers added to the scores.
        need_weights : bool
            Whether to return the weights too, which takes memory for all of them.
        attn_mask : tensor (L, S) or (N · num_heads, L, S), optional
            As key_padding_mask, for every query.
        average_attn_weights : bool
            Whether to return the mean of the heads' weights.
        is_causal : bool
            Whether query i sees keys 0 to i only; with `attn_mask`, a hint that the mask is causal.
        cache : KeyValueCache, optional
            Keys and values of earlier positions, which go before those given; these are added to it. Queries are taken to
            be at the last positions. No mask but `is_causal` goes with it.

        Returns
        -------
        (tensor like query, tensor (N, L, S), (N, heads, L, S), both without N, or None)

        Raises
        ------
        ShapeError
            If the shapes do not fit.
        TensorError
            For a mask with a cache.
        """
        flip = not self.batch_first and query.ndim == 3
        if flip:
            same = query is key and key is value
            query = query.transpose(0, 1)
            key, value = (query, query) if same else (key.transpose(0, 1), value.transpose(0, 1))
        masked = attn_mask is not None or key_padding_mask is not None
        causal = is_causal and attn_mask is None
        dropout = self.dropout if self.training else 0.0
        extended = self.bias_k is not None or self.add_zero_attn
        one = query is key and key is value and self.in_proj_weight is not None
        if cache is not None and (masked or extended):
            given = "a cache and " + ("a mask" if masked else "bias_k or add_zero_attn")
            raise TensorError(type(self).__name__, "no masks and no additional keys with a cache", given)
        weights: RBETensor | None = None
        if one and not need_weights and not extended and not (causal and masked) and not (cache and dropout):
            whole = linear(query, self.in_proj_weight, self.in_proj_bias)  # type: ignore[arg-type]
            if cache is not None:
                out = cache.attend(whole, self.num_heads, causal)
            else:
                mask = self._mask(attn_mask, key_padding_mask, query.unsqueeze(-3), query.shape[-2]) if masked else None
                out = _rbe.self_attention(whole, self.num_heads, mask, causal, None, dropout)
        else:
            q, k, v = self._projected(query, key, value)
            k, v = self._extended(k, v)
            q, k, v = (t.reshape(*t.shape[:-1], self.num_heads, self.head_dim).transpose(-2, -3) for t in (q, k, v))
            if cache is not None:
                k, v = cache.append(k, v)
            if causal and (masked or need_weights or cache is not None or extended):
                attn_mask = self._causal_mask(q.shape[-2], key.shape[-2] if cache is None else k.shape[-2])
                causal = False
            mask = self._mask(attn_mask, key_padding_mask, q, k.shape[-2])
            if need_weights:
                weights = _shares((q * (1 / math.sqrt(self.head_dim))) @ k.transpose(-1, -2), mask)
                weights = weights.dropout(dropout, self.training)
                out = weights @ v
                weights = weights.mean(-3) if average_attn_weights else weights
            else:
                out = scaled_dot_product_attention(q, k, v, mask, dropout, causal)
            out = out.transpose(-2, -3).reshape(*query.shape[:-1], self.embed_dim)
        out = self.out_proj(out)
        return out.transpose(0, 1) if flip else out, weights

    @staticmethod
    def _causal_mask(queries: int, keys: int) -> RBETensor | None:
        """Return True (queries, keys) where a key comes after a query, both ending at the same position."""
        if queries == 1:
            return None
        return creation.arange(keys) > creation.arange(keys - queries, keys).unsqueeze(1)

    def extra_repr(self) -> str:
        """Return the sizes."""
        return f"embed_dim={self.embed_dim}, num_heads={self.num_heads}, dropout={self.dropout}, batch_first={self.batch_first}"


class RBEMultiheadAttention(Packed, MultiheadAttention):
    """`MultiheadAttention` whose projections are packed: 2 bits a weight; biases are dense.

    Attention of a sequence to itself projects queries, keys and values in one product. Where they differ, each goes through
    the whole of the joined weight; with `kdim` or `vdim` other than embed_dim every projection has a packed weight of its own.

    Parameters, attributes and errors are those of `MultiheadAttention`; all weights are packed Parameters.

    Examples
    --------
    >>> import rbe
    >>> layer = rbe.nn.RBEMultiheadAttention(128, 4, batch_first=True)
    >>> x = rbe.randn(2, 10, 128)
    >>> layer(x, x, x, need_weights=False, is_causal=True)[0].shape, layer.in_proj_weight.nbytes
    ((2, 10, 128), 12288)
    """

    _linear = RBELinear
