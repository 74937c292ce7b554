"""The GPT of the examples as a graph for ONNX Runtime, with weights of two bits (`MatMulNBits`)."""

from typing import Any

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

BITS, BLOCK = 2, 64
ZERO = 2  # the integer that stands for 0: `MatMulNBits` takes it for weights of two bits if none is given
INT8 = 4  # of the attribute `accuracy_level`: inputs of the products are rounded to int8, block by block
MICROSOFT = "com.microsoft"


def packed_bits(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the integers (rows, blocks, bytes) and scales (rows, blocks) of a weight (rows, columns), in each block -s or s.

    The integers 1 and 3 stand for -s and s, so that the product is exactly that of the weight.
    """
    rows, columns = weight.shape
    blocks = weight.reshape(rows, columns // BLOCK, BLOCK)
    scales = np.abs(blocks).max(-1)
    if not np.allclose(np.abs(blocks), scales[..., None], rtol=1e-5):
        raise ValueError("levels of a block that are not opposite numbers")
    codes = np.where(blocks < 0, ZERO - 1, ZERO + 1).astype(np.uint8).reshape(rows, columns // BLOCK, -1, 8 // BITS)
    shifts = BITS * np.arange(8 // BITS, dtype=np.uint8)
    return np.bitwise_or.reduce(codes << shifts, -1), scales.astype(np.float32)


class Graph:
    """Nodes and constants of a graph in the making."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.bytes = 0  # of the constants that every token reads

    def constant(self, array: np.ndarray, read: int | None = None) -> str:
        name = f"constant{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        self.bytes += array.nbytes if read is None else read
        return name

    def node(self, kind: str, inputs: list[str], outputs: int | list[str] = 1, domain: str = "", **attributes: Any) -> str:
        names = [f"value{len(self.nodes)}"] if outputs == 1 else outputs
        self.nodes.append(helper.make_node(kind, inputs, names, domain=domain, **attributes))
        return names[0]

    def norm(self, x: str, state: dict[str, np.ndarray], name: str) -> str:
        affine = [self.constant(state[f"{name}.{part}"]) for part in ("weight", "bias")]
        return self.node("LayerNormalization", [x, *affine], axis=-1, epsilon=1e-5)

    def linear(self, x: str, weight: np.ndarray, bias: np.ndarray) -> str:
        bits, scales = packed_bits(weight)
        constants = [self.constant(bits), self.constant(scales), "", "", self.constant(bias)]
        sizes = {"K": weight.shape[1], "N": weight.shape[0], "bits": BITS, "block_size": BLOCK, "accuracy_level": INT8}
        return self.node("MatMulNBits", [x, *constants], domain=MICROSOFT, **sizes)


def build(state: dict[str, np.ndarray], layers: int, heads: int) -> tuple[bytes, int]:
    """Return the model for a state with the names of `twins.GPT`, and the bytes of weights that a token reads."""
    g = Graph()
    width = state["character.weight"].shape[1]
    row = width * 4
    looked_up = [
        g.node("Gather", [g.constant(state[f"{table}.weight"], row), place])
        for table, place in (("character", "code"), ("position", "place"))
    ]
    x = g.node("Add", looked_up)
    inputs = [
        helper.make_tensor_value_info("code", TensorProto.INT64, [1, 1]),
        helper.make_tensor_value_info("place", TensorProto.INT64, [1, 1]),
        helper.make_tensor_value_info("last", TensorProto.INT32, [1]),
        helper.make_tensor_value_info("total", TensorProto.INT32, []),
    ]
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 1, state["out.weight"].shape[0]])]
    for i in range(layers):
        block = f"blocks.{i}"
        past, present = ([f"{when}_{part}{i}" for part in ("key", "value")] for when in ("past", "present"))
        cache = [1, heads, state["position.weight"].shape[0], width // heads]
        inputs += [helper.make_tensor_value_info(name, TensorProto.FLOAT, cache) for name in past]
        outputs += [helper.make_tensor_value_info(name, TensorProto.FLOAT, cache) for name in present]
        weights = {
            name: (state[f"{block}.{name}.weight"], state[f"{block}.{name}.bias"]) for name in ("qkv", "merge", "up", "down")
        }
        qkv = g.linear(g.norm(x, state, f"{block}.norm1"), *weights["qkv"])
        seen = g.node(
            "GroupQueryAttention",
            [qkv, "", "", *past, "last", "total"],
            [f"seen{i}", *present],
            MICROSOFT,
            num_heads=heads,
            kv_num_heads=heads,
        )
        x = g.node("Add", [x, g.linear(seen, *weights["merge"])])
        up = g.node("Relu", [g.linear(g.norm(x, state, f"{block}.norm2"), *weights["up"])])
        x = g.node("Add", [x, g.linear(g.node("Mul", [up, up]), *weights["down"])])
    x = g.node("MatMul", [g.norm(x, state, "norm"), g.constant(state["out.weight"].T)])
    g.node("Add", [x, g.constant(state["out.bias"])], ["logits"])
    graph = helper.make_graph(g.nodes, "decoder", inputs, outputs, g.constants)
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid(MICROSOFT, 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString(), g.bytes


class Decoder:
    """Generation with ONNX Runtime: keys and values stay in place, bound as inputs and outputs."""

    def __init__(self, state: dict[str, np.ndarray], layers: int, heads: int, threads: int, tables: bool = False) -> None:
        model, self.bytes = build(state, layers, heads)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.add_session_config_entry("mlas.use_lut_gemm", str(int(tables)))
        self.session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self.binding = self.session.io_binding()
        context, width = state["position.weight"].shape
        self.code, self.place = (np.zeros((1, 1), np.int64) for _ in range(2))
        self.last, self.total = np.zeros(1, np.int32), np.zeros((), np.int32)
        self.last_logits = np.zeros((1, 1, len(state["out.bias"])), np.float32)
        place = (self.last_logits.dtype, self.last_logits.shape, self.last_logits.ctypes.data)
        self.binding.bind_output("logits", "cpu", 0, *place)
        self.caches = []
        for i in range(layers):
            for part in ("key", "value"):
                cache = onnxruntime.OrtValue.ortvalue_from_numpy(np.zeros((1, heads, context, width // heads), np.float32))
                self.binding.bind_ortvalue_input(f"past_{part}{i}", cache)
                self.binding.bind_ortvalue_output(f"present_{part}{i}", cache)
                self.caches.append(cache)

    def restart(self) -> None:
        self.place[...] = -1

    def step(self, code: int) -> int:
        """Return the most likely token after one more."""
        self.code[...] = code
        self.place += 1
        self.last[...] = self.place[0]
        self.total[...] = self.place[0, 0] + 1
        for name in ("code", "place", "last", "total"):
            self.binding.bind_cpu_input(name, getattr(self, name))
        self.session.run_with_iobinding(self.binding)
        return int(self.last_logits.argmax())

    def logits(self) -> np.ndarray:
        """Return the logits of the last step."""
        return self.last_logits[0, 0]
