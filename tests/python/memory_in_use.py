"""How much memory of the engine's pool something holds."""

import rbe


def bytes_saved(layer, x, precision):
    """Return the bytes that the result of `layer(x)` holds, itself and what it saved for backward, with products in `precision`."""
    with rbe.config.using(packed_matmul_precision=precision):
        before = rbe._rbe.pool_stats()["in_use_bytes"]
        y = layer(x * 1.0)
        after = rbe._rbe.pool_stats()["in_use_bytes"]
        del y
    return after - before
