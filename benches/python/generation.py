"""Compare the speed of generation, one token after another at batch 1, with torch and ONNX Runtime.

The network is the GPT of the examples with random weights, in rbe with packed weights and products in int8 or float32 and in
torch with the decoded weights in float32 or rounded to int8 (`quantize_dynamic`). In ONNX Runtime its weights have two bits
(`MatMulNBits`, blocks of 64, inputs rounded to int8), by both of its kernels. All have a cache of keys and values, choose the
most likely token, and run alternately with the same number of threads. Their logits for the same tokens are compared first.
Prints the tokens of a second, and the megabytes of weights that one token reads.
"""

import argparse
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import rbe
import torch
import twins
from layers import PAUSE
from machine import cpu, installed

sys.path.append(str(Path(__file__).resolve().parents[2] / "rbe_py" / "examples"))
import train_gpt

TOKENS, CONTEXT = 65, 128
PROBE = (1, 5, 7, 3, 3, 20, 64, 0)  # tokens whose logits are compared
# Largest difference of logits, in their standard deviations: int8 rounds inputs, quantize_dynamic the last layer's weight too.
TOLERANCE = {"float32": 1e-3, "int8": 0.15}


class Decoder(Protocol):
    """A network that reads one token after another."""

    bytes: int  # of weights that a token reads

    def restart(self) -> None: ...

    def step(self, code: int) -> int:
        """Return the most likely token after one more."""

    def logits(self) -> np.ndarray:
        """Return the logits (TOKENS) of the last step."""


class Packed:
    """The example's network."""

    def __init__(self, model: train_gpt.GPT, precision: str) -> None:
        self.model, self.precision = model, precision
        tables = (model.character.weight, model.position.weight)
        self.bytes = sum(p.nbytes for p in model.parameters()) - sum(t.nbytes - t.nbytes // t.shape[0] for t in tables)

    def restart(self) -> None:
        rbe.set_packed_matmul_precision(self.precision)
        self.caches = [rbe.nn.KeyValueCache() for _ in self.model.blocks]

    def step(self, code: int) -> int:
        with rbe.no_grad():
            self.last = self.model(rbe.tensor([[code]]), self.caches)
            return self.last.argmax().item()

    def logits(self) -> np.ndarray:
        return self.last.numpy()[0]


class Torch:
    """The same in torch; keys and values have places for the whole context."""

    def __init__(self, state: dict[str, np.ndarray], layers: int, int8: bool) -> None:
        width = state["norm.weight"].shape[0]
        self.model = twins.GPT(TOKENS, width, layers, CONTEXT, train_gpt.HEADS).eval()
        self.model.load_state_dict({name: torch.tensor(p) for name, p in state.items()})
        looked_up = 2 * 4 * width
        sizes = {name: p.nbytes for name, p in state.items() if name not in ("character.weight", "position.weight")}
        if int8:
            linear = {name for name in sizes if state[name].ndim == 2}
            sizes |= {name: state[name].size for name in linear}
            with warnings.catch_warnings():  # deprecated in favour of another package
                warnings.simplefilter("ignore")
                kinds = {torch.nn.Linear}
                self.model = torch.ao.quantization.quantize_dynamic(self.model, kinds, dtype=torch.qint8)
        self.bytes = looked_up + sum(sizes.values())
        self.cache = torch.zeros(layers, 2, 1, train_gpt.HEADS, CONTEXT, width // train_gpt.HEADS)

    def restart(self) -> None:
        self.length = 0

    def step(self, code: int) -> int:
        with torch.inference_mode():
            x = self.model.character(torch.tensor([[code]])) + self.model.position(torch.tensor([[self.length]]))
            for block, (keys, values) in zip(self.model.blocks, self.cache, strict=True):
                x = self.block(block, x, keys, values)
            self.length += 1
            self.last = self.model.out(self.model.norm(x))
            return self.last.argmax().item()

    def block(self, block: Any, x: torch.Tensor, keys: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        q, k, v = block.qkv(block.norm1(x)).reshape(1, 3, block.heads, 1, -1).unbind(1)
        keys[:, :, self.length : self.length + 1], values[:, :, self.length : self.length + 1] = k, v
        seen = (t[:, :, : self.length + 1] for t in (keys, values))
        x = x + block.merge(torch.nn.functional.scaled_dot_product_attention(q, *seen).reshape(1, 1, -1))
        return x + block.down(block.up(block.norm2(x)).relu().square())

    def logits(self) -> np.ndarray:
        return self.last.numpy()[0, 0]


def twin_state(model: train_gpt.GPT) -> dict[str, np.ndarray]:
    """Return the weights of the example's network, decoded, under the names of `twins.GPT`."""
    names = {"attention.in_proj_": "qkv.", "attention.out_proj.": "merge."}
    state = {}
    for name, p in model.state_dict().items():
        for ours, theirs in names.items():
            name = name.replace(ours, theirs)
        state[name] = np.ascontiguousarray((p.to_dense() if p.is_packed else p).numpy(), np.float32)
    return state


def decoders(width: int, layers: int, threads: int) -> dict[str, Decoder]:
    import onnx_decoder

    rbe.manual_seed(0)
    model = train_gpt.GPT(TOKENS, width, layers, CONTEXT, True).eval()
    for name, p in model.named_parameters():  # biases are zero at first
        if name.endswith("bias"):
            rbe.nn.init.normal_(p, std=0.1)
    state = twin_state(model)
    found: dict[str, Decoder] = {
        "rbe int8": Packed(model, "int8"),
        "rbe float32": Packed(model, "float32"),
        "torch float32": Torch(state, layers, False),
        "torch int8": Torch(state, layers, True),
        "onnx 2 bits": onnx_decoder.Decoder(state, layers, train_gpt.HEADS, threads),
        "onnx 2 bits, tables": onnx_decoder.Decoder(state, layers, train_gpt.HEADS, threads, tables=True),
    }
    compare(found)
    return found


def compare(found: dict[str, Decoder]) -> None:
    """Fail unless all give the same logits but for what rounding changes."""
    logits = {}
    for name, decoder in found.items():
        decoder.restart()
        logits[name] = np.array([(decoder.step(code), decoder.logits().copy())[1] for code in PROBE])
    exact = logits["torch float32"]
    for name, of_name in logits.items():
        off = np.abs(of_name - exact).max() / exact.std()
        if not off < TOLERANCE["float32" if "float32" in name else "int8"]:
            raise SystemExit(f"{name}: logits are {off:.3g} standard deviations from those of torch float32")


def generate(decoder: Decoder, tokens: int) -> float:
    """Return the seconds of one token."""
    decoder.restart()
    code = decoder.step(1)
    start = time.perf_counter()
    for _ in range(tokens):
        code = decoder.step(code)
    return (time.perf_counter() - start) / tokens


def rows(found: dict[str, Decoder], rounds: int, tokens: int, clock: Callable[[Decoder, int], float] = generate) -> list[str]:
    """Return a line for each decoder: medians and quartiles."""
    times: dict[str, list[float]] = {name: [] for name in found}
    for _ in range(rounds):
        for name, decoder in found.items():
            time.sleep(PAUSE)
            times[name].append(clock(decoder, tokens))
    lines = []
    for name, decoder in found.items():
        low, middle, high = np.quantile(1 / np.array(times[name]), [0.25, 0.5, 0.75])
        lines.append(f"{name:>20} {middle:9.0f} ({low:.0f}–{high:.0f})".ljust(48) + f"{decoder.bytes / 1e6:8.1f}")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--widths", nargs="+", type=int, default=[512, 2048])
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=9, help="texts of each")
    parser.add_argument("--tokens", type=int, default=100, help="tokens of a text")
    parser.add_argument("--smoke", action="store_true", help="generate two tokens of a small network, without measuring")
    args = parser.parse_args()
    if args.smoke:
        args.widths, args.layers, args.rounds, args.tokens = [128], 2, 1, 2
    if not 0 < args.tokens < CONTEXT:
        parser.error(f"--tokens {args.tokens}: 1 to {CONTEXT - 1} fit behind the first")
    missing = [package for package in ("onnx", "onnxruntime") if installed(package) is None]
    if missing:
        parser.error(f"{' and '.join(missing)} not installed: python -m pip install --group generation")
    rbe.set_num_threads(args.threads)
    torch.set_num_threads(args.threads)
    versions = f"torch {torch.__version__}, onnxruntime {installed('onnxruntime')}"
    print(f"{cpu()}, {rbe.isa()}, {args.threads} threads, {versions}; medians and quartiles")
    for width in args.widths:
        print(f"\nwidth {width}, {args.layers} layers, {args.tokens} tokens")
        print(f"{'':>20} {'tokens a second':>20}       MB a token")
        print("\n".join(rows(decoders(width, args.layers, args.threads), args.rounds, args.tokens)), flush=True)


if __name__ == "__main__":
    main()
