"""Files that are written byte by byte."""

import json
import struct

import numpy as np
import rbe
import safetensors.numpy


def raw(header, body=b"", length=None):
    """A file of a header (an object, or bytes as they are) and the bytes of its tensors."""
    text = header if isinstance(header, bytes) else json.dumps(header, ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text) if length is None else length) + text + body


def entry(dtype, shape, begin, end):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}


A = entry("F32", [1], 0, 4)


HI, LO = np.arange(2, dtype=np.uint64), np.full((2, 1, 2), 0.25, np.float32)


def packed(hi=HI, lo=LO, hi_shape=(2, 1), lo_shape=(2, 1, 2), hi_dtype="U64", lo_dtype="F32", drop=(), extra=(), **texts):
    """A packed tensor `w`, as versions without a marker wrote it."""
    metadata = {"w.shape": "[2, 64]", "w.scale": "0x1p-3"} | {f"w.{k}": v for k, v in texts.items()}
    middle, end = hi.nbytes, hi.nbytes + lo.nbytes
    header = {
        "__metadata__": {k: v for k, v in metadata.items() if k not in drop},
        "w.hi": entry(hi_dtype, hi_shape, 0, middle),
        "w.lo": entry(lo_dtype, lo_shape, middle, end),
    }
    header.update(extra)
    body = hi.tobytes() + lo.tobytes()
    for name in set(drop) & set(header):
        begin, end = header.pop(name)["data_offsets"]
        body = body[:begin] + body[end:]
        for other in header:
            if other != "__metadata__":
                header[other]["data_offsets"] = [n - (end - begin if n >= end else 0) for n in header[other]["data_offsets"]]
    return raw(header, body)


def nested(tree, **metadata):
    """A tensor `a` and a nesting."""
    arrays = {"a": np.ones(1, np.float32)}
    texts = {"rbe.tree": tree, **metadata}
    texts["rbe.crc32"] = rbe.io._checksum(arrays, texts)
    return safetensors.numpy.save(arrays, texts)


def points(*values):
    return np.array(values, np.float32).reshape(2, 1, 2)
