"""Attention as a function, with torch's signature."""

from ... import _rbe
from ..._tensor import RBETensor
from ...errors import ShapeError, TensorError

__all__ = ["scaled_dot_product_attention"]


def scaled_dot_product_attention(
    query: RBETensor,
    key: RBETensor,
    value: RBETensor,
    attn_mask: RBETensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> RBETensor:
    """Return `softmax(scale · q kᵀ + mask) v`, computed in tiles: no more than a tile of the scores exists at a time.

    Parameters
    ----------
    query : tensor (…, L, E)
    key : tensor (…, S, E)
    value : tensor (…, S, F)
        Leading axes broadcast. float32 or float64.
    attn_mask : tensor that broadcasts to (…, L, S), optional
        bool, True where a query sees a key, or a number added to each score. A query that sees no key gives 0.
    dropout_p : float
        Probability with which each weight is set to 0; the others are scaled by 1 / (1 - dropout_p).
    is_causal : bool
        Whether query i sees keys 0 to i only. Excludes `attn_mask`.
    scale : float, optional
        1 / sqrt(E) by default.
    enable_gqa : bool
        Whether the heads (third axis from the end) of key and value are fewer and each serve several of the query.

    Returns
    -------
    tensor (…, L, F)

    Raises
    ------
    ShapeError
        If the shapes do not fit.
    DTypeError
        For an integer mask.
    TensorError
        For `attn_mask` together with `is_causal`, or a probability outside [0, 1].

    References
    ----------
    Vaswani et al. 2017; tiles: Dao et al. 2022.

    Examples
    --------
    >>> import rbe
    >>> q, k, v = rbe.randn(2, 4, 10, 8), rbe.randn(2, 4, 12, 8), rbe.randn(2, 4, 12, 6)
    >>> rbe.nn.functional.scaled_dot_product_attention(q, k, v).shape
    (2, 4, 10, 6)
    """
    op = "scaled_dot_product_attention"
    if attn_mask is not None and is_causal:
        raise TensorError(op, "attn_mask or is_causal", f"is_causal=True and attn_mask {tuple(attn_mask.shape)}")
    if not enable_gqa:
        return _rbe.attention(query, key, value, attn_mask, is_causal, scale, dropout_p)
    if query.ndim < 3 or key.ndim < 3 or value.ndim < 3 or query.shape[-3] % key.shape[-3] or key.shape[-3] != value.shape[-3]:
        got = f"query {tuple(query.shape)}, key {tuple(key.shape)}, value {tuple(value.shape)}"
        raise ShapeError(op, "heads of the query a multiple of those of key and value", got)
    groups = (key.shape[-3], query.shape[-3] // key.shape[-3])
    split = query.reshape(*query.shape[:-3], *groups, *query.shape[-2:])
    if attn_mask is not None and attn_mask.ndim >= 3:
        heads = attn_mask.shape[-3]
        own = (1, 1) if heads == 1 else groups
        attn_mask = attn_mask.reshape(*attn_mask.shape[:-3], *own, *attn_mask.shape[-2:])
    out = _rbe.attention(split, key.unsqueeze(-3), value.unsqueeze(-3), attn_mask, is_causal, scale, dropout_p)
    return out.reshape(*out.shape[:-4], query.shape[-3], *out.shape[-2:])
