"""`torch.nn.MultiheadAttention` with packed projections."""

from typing import Any

import torch

from rbe._tensor import RBETensor
from rbe.errors import ShapeError, TensorError
from rbe.torch.layer import new_weight
from rbe.torch.linear import RBELinear

F = torch.nn.functional


def _additive(op: str, name: str, mask: torch.Tensor | None, dtype: torch.dtype) -> torch.Tensor | None:
    """Return a mask as numbers to add to scores; of bools, True hides a key."""
    if mask is None or mask.is_floating_point():
        return mask if mask is None else mask.to(dtype)
    if mask.dtype != torch.bool:
        raise TensorError(op, f"{name} of bools or floats", str(mask.dtype))
    return torch.zeros(mask.shape, dtype=dtype).masked_fill_(mask, float("-inf"))


class RBEMultiheadAttention(torch.nn.Module):
    """`torch.nn.MultiheadAttention` whose four projections are packed.

    Parameters
    ----------
    embed_dim, num_heads, dropout, bias, kdim, vdim, batch_first
        As of torch's layer.

    Raises
    ------
    TensorError, ShapeError
        For sizes that do not fit; for `bias_k`, `bias_v` and `add_zero_attn` of torch's layer in `of`.
    """

    _qkv_same_embed_dim = False  # torch's encoder layers then leave the computation to `forward`
    in_proj_bias = None

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
    ) -> None:
        super().__init__()
        if embed_dim < 1 or num_heads < 1 or embed_dim % num_heads:
            raise TensorError(
                "RBEMultiheadAttention", "an embed_dim that is a multiple of num_heads", f"{embed_dim}, {num_heads}"
            )
        self.embed_dim, self.num_heads, self.dropout, self.batch_first = embed_dim, num_heads, dropout, batch_first
        self.head_dim = embed_dim // num_heads
        self.kdim, self.vdim = embed_dim if kdim is None else kdim, embed_dim if vdim is None else vdim
        self.q_proj = RBELinear(embed_dim, embed_dim, bias)
        self.k_proj = RBELinear(self.kdim, embed_dim, bias)
        self.v_proj = RBELinear(self.vdim, embed_dim, bias)
        self.out_proj = RBELinear(embed_dim, embed_dim, bias)

    @classmethod
    def of(cls, plain: torch.nn.MultiheadAttention, init: str) -> "RBEMultiheadAttention":
        """Return a layer like one of torch's, with weights as `pack_` makes them."""
        op = "RBEMultiheadAttention"
        if plain.bias_k is not None or plain.bias_v is not None or plain.add_zero_attn:
            raise TensorError(op, "attention without add_bias_kv and add_zero_attn", "one with them (skip it)")
        layer = cls.__new__(cls)
        torch.nn.Module.__init__(layer)
        for name in ("embed_dim", "num_heads", "dropout", "batch_first", "head_dim", "kdim", "vdim"):
            setattr(layer, name, getattr(plain, name))
        if plain._qkv_same_embed_dim:
            weights = plain.in_proj_weight.chunk(3)
        else:
            weights = (plain.q_proj_weight, plain.k_proj_weight, plain.v_proj_weight)
        biases: Any = (None,) * 3 if plain.in_proj_bias is None else plain.in_proj_bias.detach().chunk(3)
        for name, weight, bias in zip(("q_proj", "k_proj", "v_proj"), weights, biases, strict=True):
            packed: RBETensor = new_weight("pack_", weight.shape, init, weight)
            setattr(layer, name, RBELinear.of(packed, None if bias is None else torch.nn.Parameter(bias.clone())))
        packed = new_weight("pack_", plain.out_proj.weight.shape, init, plain.out_proj.weight)
        layer.out_proj = RBELinear.of(packed, plain.out_proj.bias)
        return layer

    def forward(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        key_padding_mask: torch.Tensor | None = None,
        need_weights: bool = True,
        attn_mask: torch.Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return the attention of the queries, and its weights if they are needed; arguments and shapes as of torch's layer.

        `is_causal` says that `attn_mask` is the causal one, which is used as it is; without a mask it is refused, as by torch.
        """
        op = "RBEMultiheadAttention"
        if is_causal and attn_mask is None:
            raise TensorError(op, "an attn_mask with is_causal", "none")
        if query.dim() == 2:
            if key_padding_mask is not None:
                key_padding_mask = key_padding_mask[None]
            q, k, v = (x[None] if self.batch_first else x[:, None] for x in (query, key, value))
            y, weights = self.forward(q, k, v, key_padding_mask, need_weights, attn_mask, average_attn_weights, is_causal)
            return y.squeeze(0 if self.batch_first else 1), None if weights is None else weights[0]
        if query.dim() != 3 or key.dim() != 3 or value.dim() != 3:
            raise ShapeError(op, "query, key and value of two or three axes", f"{query.dim()}, {key.dim()}, {value.dim()}")
        if not self.batch_first:
            query, key, value = (x.transpose(0, 1) for x in (query, key, value))
        n, targets, sources = query.shape[0], query.shape[1], key.shape[1]
        q, k, v = (
            layer(x).view(n, -1, self.num_heads, self.head_dim).transpose(1, 2)
            for layer, x in ((self.q_proj, query), (self.k_proj, key), (self.v_proj, value))
        )
        mask = self._mask(attn_mask, key_padding_mask, (n, targets, sources), q.dtype)
        rate = self.dropout if self.training else 0.0
        if need_weights:
            scores = q @ k.transpose(-2, -1) * self.head_dim**-0.5
            weights = F.softmax(scores if mask is None else scores + mask, dim=-1)
            weights = F.dropout(weights, rate)
            y = weights @ v
        else:
            weights, y = None, F.scaled_dot_product_attention(q, k, v, mask, rate)
        y = self.out_proj(y.transpose(1, 2).reshape(n, targets, self.embed_dim))
        if weights is not None and average_attn_weights:
            weights = weights.mean(1)
        return y if self.batch_first else y.transpose(0, 1), weights

    def _mask(
        self,
        attn_mask: torch.Tensor | None,
        key_padding_mask: torch.Tensor | None,
        sizes: tuple[int, int, int],
        dtype: torch.dtype,
    ) -> torch.Tensor | None:
        """Return the sum of both masks, for scores (n, heads, targets, sources)."""
        op, (n, targets, sources) = "RBEMultiheadAttention", sizes
        mask = _additive(op, "attn_mask", attn_mask, dtype)
        if mask is not None:
            whole = (n * self.num_heads, targets, sources)
            if tuple(mask.shape) not in ((targets, sources), whole):
                raise ShapeError(op, f"attn_mask {(targets, sources)} or {whole}", str(tuple(mask.shape)))
            mask = mask if mask.dim() == 2 else mask.view(n, self.num_heads, targets, sources)
        padding = _additive(op, "key_padding_mask", key_padding_mask, dtype)
        if padding is None:
            return mask
        if tuple(padding.shape) != (n, sources):
            raise ShapeError(op, f"key_padding_mask {(n, sources)}", str(tuple(padding.shape)))
        padding = padding.view(n, 1, 1, sources)
        return padding if mask is None else mask + padding

    def dense(self) -> torch.nn.MultiheadAttention:
        """Return a `torch.nn.MultiheadAttention` with the same weights."""
        bias, dims = self.q_proj.bias is not None, (self.kdim, self.vdim)
        out = torch.nn.MultiheadAttention(
            self.embed_dim, self.num_heads, self.dropout, bias, kdim=dims[0], vdim=dims[1], batch_first=self.batch_first
        )
        layers = (self.q_proj, self.k_proj, self.v_proj)
        with torch.no_grad():
            if out._qkv_same_embed_dim:
                out.in_proj_weight.copy_(torch.cat([layer.weight for layer in layers]))
            else:
                for name, layer in zip("qkv", layers, strict=True):
                    getattr(out, f"{name}_proj_weight").copy_(layer.weight)
            if bias:
                out.in_proj_bias.copy_(torch.cat([layer.bias for layer in layers if layer.bias is not None]))
            out.out_proj.weight.copy_(self.out_proj.weight)
        if self.out_proj.bias is not None:
            out.out_proj.bias = self.out_proj.bias
        return out
