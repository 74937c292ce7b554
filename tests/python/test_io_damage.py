"""Files that are damaged, hostile, or of another version or program."""

import json
from pathlib import Path

import numpy as np
import pytest
import rbe
import safetensors.numpy
from damaged_files import LO, A, entry, nested, packed, points, raw

FILES = Path(__file__).resolve().parents[1] / "files"


NAN, INF = float("nan"), float("inf")


HEADERS = {
    "nothing": b"",
    "seven bytes": b"\1" * 7,
    "no header": raw(b"", length=0),
    "a length of 2^64 - 1": raw({}, length=2**64 - 1),
    "a length beyond the file": raw({"a": A}, b"abcd", length=10**6),
    "a short length": raw({"a": A}, b"abcd", length=8),
    "no JSON": raw(b"not json"),
    "a list": raw([1, 2]),
    "no UTF-8": raw(b'{"\xff":1}'),
    "a deep nesting": raw(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "bytes that overlap": raw({"a": entry("F32", [2], 0, 8), "b": entry("F32", [2], 4, 12)}, b"0" * 12),
    "a hole": raw({"a": A, "b": entry("F32", [1], 8, 12)}, b"0" * 12),
    "bytes that nobody has": raw({"a": A}, b"0" * 12),
    "missing bytes": raw({"a": entry("F32", [2], 0, 8)}, b"0" * 4),
    "offsets backwards": raw({"a": entry("F32", [1], 4, 0)}, b"0" * 4),
    "negative offsets": raw({"a": entry("F32", [1], -4, 0)}, b"0" * 4),
    "offsets beyond 2^64": raw({"a": entry("F32", [1], 0, 10**23)}, b"0" * 4),
    "a name twice": raw(b'{"a":%b,"a":%b}' % (json.dumps(A).encode(), json.dumps(entry("F32", [1], 4, 8)).encode()), b"0" * 8),
    "metadata twice": raw(b'{"__metadata__":{},"__metadata__":{}}'),
    "a text twice": raw(b'{"__metadata__":{"a":"1","a":"2"}}'),
    "a shape that overflows": raw({"a": entry("F32", [2**62, 4], 0, 4)}, b"0" * 4),
    "a negative shape": raw({"a": entry("F32", [-1], 0, 4)}, b"0" * 4),
    "a fraction in a shape": raw({"a": entry("F32", [1.5], 0, 4)}, b"0" * 4),
    "a bool in a shape": raw({"a": entry("F32", [True], 0, 4)}, b"0" * 4),
    "axes beyond 64": raw({"a": entry("F32", [1] * 65, 0, 4)}, b"0" * 4),
    "an unknown type": raw({"a": entry("Q9", [1], 0, 4)}, b"0" * 4),
    "a type that tensors have not": raw({"a": entry("C64", [1], 0, 8)}, b"0" * 8),
    "a type that is no text": raw({"a": entry(3, [1], 0, 4)}, b"0" * 4),
    "no offsets": raw({"a": {"dtype": "F32", "shape": [1]}}, b"0" * 4),
    "a field too many": raw({"a": A | {"more": 1}}, b"0" * 4),
    "metadata of numbers": raw({"__metadata__": {"a": 3}}),
    "metadata of lists": raw({"__metadata__": ["a"]}),
    "an integer beyond int64": raw({"a": entry("U64", [1], 0, 8)}, b"\xff" * 8),
    "a bool of 2": raw({"a": entry("BOOL", [1], 0, 1)}, b"\2"),
    "a wrong checksum": raw({"__metadata__": {"rbe.crc32": "00000000"}, "a": A}, b"0" * 4),
    "a checksum that is none": raw({"__metadata__": {"rbe.crc32": "zz"}, "a": A}, b"0" * 4),
}


SHAPES = [
    "", "[]", "[2]", "[2, 65]", "[1, 64]", "[0, 64]", "[2, 0]", "[-2, 64]", "[2, 1e400]", "[2, Infinity]", "[2, NaN]", "[2.5, 64]",
    "[2, 64.9]", '["2", "64"]', "[true, 64]", "[2, 4611686018427387904, 4]", "[2, 99999999999999999999999]", "null", "3", '"ab"',
    '{"2": 1, "64": 1}', "not json", "[2, 64", "[2, 64] x", "[" * 100_000, "[" + "9" * 5000 + ", 64]", "[2" + ", 1" * 5000 + "]",
]  # fmt: skip


SCALES = [
    "",
    "zz",
    "nan",
    "inf",
    "-0x1p-3",
    "0",
    "0x0p+0",
    "0x1p+9999",
    "0x1p1023",
    "0x1p-1000",
    "0x1.fffffffp127",
    "0x" + "f" * 400,
    "\0",
    "0x1p-3 ",
]


POINTS = [
    (NAN, 0, 0, 0),
    (0, NAN, 0, 0),
    (INF, 0, 0, 0),
    (1, 0, 0, 0),
    (0.9995, 0, 0, 0),
    (0.8, 0.8, 0, 0),
    (0, 0, 3e38, -3e38),
]


PACKED = {
    "hi of another type": packed(hi_dtype="I64"),
    "lo of another type": packed(lo_dtype="I32"),
    "flat hi": packed(hi_shape=(2,)),
    "flat lo": packed(lo_shape=(4,)),
    "lo of fewer rows": packed(lo=LO[:1], lo_shape=(1, 1, 2)),
    "no hi": packed(drop=["w.hi"]),
    "no lo": packed(drop=["w.lo"]),
    "no shape": packed(drop=["w.shape"]),
    "no scale": packed(drop=["w.scale"]),
    "a shape without its blocks": packed(drop=["w.hi", "w.scale"]),
    "a dense tensor of the same name": packed(extra={"w": entry("F32", [0], 32, 32)}),
    "an unused bit": packed(hi=np.array([1 << 63, 0], np.uint64), shape="[2, 63]"),
    **{f"shape {s[:30]!r} ({len(s)})": packed(shape=s) for s in SHAPES},
    **{f"scale {s[:30]!r} ({len(s)})": packed(scale=s) for s in SCALES},
    **{f"points {p}": packed(lo=points(*p)) for p in POINTS},
}


NESTINGS = [
    "", "null", "3", "[]", "{}", '{"tensor": "a"}', '{"list": [{"tensor": "a"}]}', '{"dict": []}', '{"dict": 3}', '{"dict": [[1]]}',
    '{"dict": [["a", {"tensor": "zz"}]]}', '{"dict": [["a", {"tensor": ["a"]}]]}', '{"dict": [["a", {"tensor": "a"}, 1]]}',
    '{"dict": [["a", {"tensor": "a"}], ["b", {"tensor": "a"}]]}', '{"dict": [["a", {"tensor": "a"}], ["a", {"value": 1}]]}',
    '{"dict": [[[1], {"tensor": "a"}]]}', '{"dict": [[1.5, {"tensor": "a"}]]}', '{"dict": [[true, {"tensor": "a"}]]}',
    '{"dict": [["a", {"tensor": "a"}]], "list": []}', '{"dict": [["a", {"tensor": "a"}]]} x', '{"set": [["a", {"tensor": "a"}]]}',
    '{"dict": [["a", {"tensor": "a"}], ["b", null]]}', '{"dict": [["a", {"tensor": "a"}], ["b", {"value": {}}]]}',
    '{"dict": [["a", {"tensor": "a"}], ["b", {"value": [1]}]]}', '{"dict": [["a", {"tensor": "a"}], ["b", {"value": 1e400}]]}',
    '{"dict": [["a", {"tensor": "a"}], ["b", {"bytes": "0"}]]}', '{"dict": [["a", {"tensor": "a"}], ["b", {"bytes": "+1"}]]}',
    '{"dict": [["a", {"tensor": "a"}], ["b", {"value": "\\ud800"}]]}', '{"dict": [["a", {"tensor": "a"}], ["b", {"value": nan}]]}',
    '{"dict": [["a", {"tensor": "a"}], ["b", {"value": ' + "9" * 5000 + "}]]}",
    '{"list": [' * 50_000, '{"dict": [["a", ' + '{"list": [' * 50_000 + "]}" * 50_000 + "]]}",
]  # fmt: skip


def refused(path, content):
    path.write_bytes(content)
    with pytest.raises(rbe.FormatError, match="load") as caught:
        rbe.load(path)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("what", HEADERS)
def test_a_malformed_header_is_refused(tmp_path, what):
    refused(tmp_path / "x", HEADERS[what])


@pytest.mark.parametrize("what", PACKED)
def test_a_malformed_packed_tensor_is_refused(tmp_path, what):
    refused(tmp_path / "x", PACKED[what])


@pytest.mark.parametrize("tree", NESTINGS, ids=[f"{n[:60]} ({len(n)})" for n in NESTINGS])
def test_a_malformed_nesting_is_refused(tmp_path, tree):
    refused(tmp_path / "x", nested(tree))


def test_what_the_tables_alter_loads_unaltered(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(packed())
    w = rbe.load(path)["w"]
    assert (w.shape, w.scale, w.hi.tolist()) == ((2, 64), 0.125, [[0], [1]])
    path.write_bytes(nested('{"dict": [["a", {"tensor": "a"}], [-3, {"value": 1}]]}'))
    assert rbe.load(path) == {"a": rbe.tensor([1.0]), -3: 1}
    path.write_bytes(raw({"a": A}, b"\0" * 4))
    assert rbe.load(path)["a"].tolist() == [0]


@pytest.fixture
def small(tmp_path):
    """A file with every part of the format, less than 2 KiB."""
    path = tmp_path / "small"
    state = {
        "w": rbe.RBELinear(70, 3).weight,
        "a": [rbe.ones(2), (None, b"x", "\n")],
        3: rbe.tensor([True]),
        "i": rbe.tensor(2**60),
    }
    rbe.save(path, state, {"note": "\x1f"})
    return path


def test_every_truncation_is_noticed(small):
    data = small.read_bytes()
    for n in range(len(data)):
        small.write_bytes(data[:n])
        with pytest.raises(rbe.FormatError):
            rbe.load(small)


def test_every_flipped_bit_is_noticed(small):
    data = small.read_bytes()
    for i in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[i // 8] ^= 1 << i % 8
        small.write_bytes(flipped)
        try:
            rbe.load(small)
        except rbe.FormatError:
            continue
        pytest.fail(f"bit {i % 8} of byte {i // 8}: {data[max(0, i // 8 - 10) : i // 8 + 10]!r}")


def rewritten(path, change):
    """Write the file again with other metadata, as the safetensors package does."""
    arrays = safetensors.numpy.load_file(path)
    with safetensors.safe_open(path, "np") as file:
        metadata = file.metadata()
    change(metadata)
    path.write_bytes(safetensors.numpy.save(arrays, metadata))


def test_the_marker_makes_the_checksum_mandatory(small):
    data = small.read_bytes()
    for change, message in (
        (lambda m: m.pop("rbe.crc32"), "rbe.crc32|as version 1 writes"),
        (lambda m: m.update({"rbe.format": "2"}), "version 1"),
        (lambda m: m.update({"rbe.crc32": "0" * 8}), "checksum|as version 1 writes"),
        (lambda m: m.update({"rbe.more": ""}), "rbe.more"),
    ):
        small.write_bytes(data)
        rewritten(small, change)
        with pytest.raises(rbe.FormatError, match=message):
            rbe.load(small)
    small.write_bytes(data.replace(b'"rbe.crc32"', b'"rbe.crc33"'))
    with pytest.raises(rbe.FormatError):
        rbe.load(small)
    # A program that writes the file anew and wants it to load drops what this version promises.
    small.write_bytes(data)
    rewritten(small, lambda m: [m.pop("rbe.crc32"), m.pop("rbe.format")])
    assert rbe.load(small)["i"].item() == 2**60


def test_the_checksum_is_what_its_reference_says(small):
    arrays = safetensors.numpy.load_file(small)
    with safetensors.safe_open(small, "np") as file:
        metadata = file.metadata()
    assert metadata["rbe.format"] == "1"
    assert metadata["rbe.crc32"] == rbe.io._checksum(arrays, metadata)


@pytest.mark.parametrize("version", [0, 1])
def test_files_of_every_version_load(version):
    state, metadata = rbe.io.load_with_metadata(FILES / f"format-{version}.safetensors")
    assert metadata == {"note": "héllo"}
    w = state["model"].pop("w")
    assert (w.shape, w.scale) == ((2, 70), np.float32(0.1))
    assert w.hi.tolist() == [[1, 2], [3, 4]]
    np.testing.assert_array_equal(w.lo, np.array([[[0.25, -0.5], [0, 0]], [[1e-30, 0.125], [-0.75, 0.5]]], np.float32))
    assert state["model"].pop("b").tolist() == [1, -2.5]
    steps = state.pop("steps")
    assert [(t.dtype, t.tolist()) for t in steps] == [(rbe.int64, 3), (rbe.bool, [[True, False]]), (rbe.float64, [0.1])]
    assert str(state.pop(7)) == str(("x", None, True, -0.0, 2**40))
    assert state == ({"model": {}} if version == 0 else {"model": {}, "bytes": b"\0\xff"})


def test_the_present_version_writes_the_committed_file(tmp_path):
    committed = FILES / "format-1.safetensors"
    state, metadata = rbe.io.load_with_metadata(committed)
    rbe.save(tmp_path / "x", state, metadata)
    assert (tmp_path / "x").read_bytes() == committed.read_bytes()


def test_files_of_the_version_before_are_checked(tmp_path):
    data = (FILES / "format-0.safetensors").read_bytes()
    at = data.index(b"h\xc3\xa9llo")
    for i in (at, len(data) - 1):
        broken = bytearray(data)
        broken[i] ^= 1
        refused(tmp_path / "x", bytes(broken))


def test_shorter_elements_keep_their_types(tmp_path):
    torch_half = np.array([1.5, -2.0, 65504, 6e-8, INF], np.float16)
    bits = np.array([0x3FC0, 0xC000, 0x7F80, 1], np.uint16)  # of bfloat16: 1.5, -2, infinity, the least
    integers = {f"{k}{8 * n}": np.array([0, 1, np.iinfo(f"{k}{n}").max], f"{k}{n}") for k in "iu" for n in (1, 2, 4)}
    entries, body = {}, b""
    for name, dtype, array in [("half", "F16", torch_half), ("brain", "BF16", bits)] + [
        (k, k.upper(), v) for k, v in integers.items()
    ]:
        entries[name] = entry(dtype, array.shape, len(body), len(body) + array.nbytes)
        body += array.tobytes()
    (tmp_path / "x").write_bytes(raw(entries, body))
    found = rbe.load(tmp_path / "x")
    np.testing.assert_array_equal(found["half"].numpy(), torch_half, strict=True)
    assert found["brain"].dtype is rbe.bfloat16
    np.testing.assert_array_equal(found["brain"].float().numpy(), (bits.astype(np.uint32) << 16).view(np.float32))
    for name, array in integers.items():
        kept = name == "u8" or name.startswith("i")
        assert (found[name].dtype.name, found[name].tolist()) == (array.dtype.name if kept else "int64", array.tolist())
