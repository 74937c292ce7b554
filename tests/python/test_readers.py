"""Readers of idx, NumPy, CSV and text files: values, and typed errors for whatever is damaged."""

import gzip
import io
import struct
import zipfile
import zlib

import numpy as np
import pytest
import rbe


def idx(array, code=8):
    return bytes([0, 0, code, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape) + array.tobytes()


A = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)


def write(path, content):
    path.write_bytes(content)
    return path


def test_idx_files(tmp_path):
    np.testing.assert_array_equal(rbe.data.read_idx(write(tmp_path / "a", idx(A))), A)
    write(tmp_path / "b.gz", gzip.compress(idx(A)))
    found = rbe.data.read_idx(rbe.data.find_idx(tmp_path, "b"))
    np.testing.assert_array_equal(found, A)
    found[0] = 0  # memory of its own
    for code, dtype in ((9, ">i1"), (11, ">i2"), (12, ">i4"), (13, ">f4"), (14, ">f8")):
        array = np.array([[1, 2, 100]], dtype)
        found = rbe.data.read_idx(write(tmp_path / "c", idx(array, code)))
        assert (found.dtype, found.tolist()) == (np.dtype(dtype).newbyteorder("="), array.tolist())
    empty = np.zeros((0, 5), np.uint8)
    assert rbe.data.read_idx(write(tmp_path / "d", idx(empty))).shape == (0, 5)


def lying(*lengths, code=8):
    return bytes([0, 0, code, len(lengths)]) + struct.pack(f">{len(lengths)}I", *lengths) + b"x" * 100


BAD_IDX = {
    "another magic": b"\1" + idx(A),
    "an unknown type": bytes([0, 0, 10, 1, 0, 0, 0, 0]),
    "a short start": idx(A)[:3],
    "short lengths": idx(A)[:9],
    "a byte less": idx(A)[:-1],
    "a byte more": idx(A) + b"x",
    "a product beyond int64": lying(2**32 - 1, 2**32 - 1, 2**32 - 1),
    "a product of 0 modulo 2^64": lying(2**31, 2**31, 4),
    "255 axes": lying(*[1] * 255),
    "lengths of memory that is not there": lying(2**31, 2**10),
    "gzip cut": gzip.compress(idx(A))[:-9],
    "gzip start": gzip.compress(idx(A))[:5],
    "gzip with a wrong checksum": gzip.compress(idx(A))[:-8] + b"\0" * 8,
    "gzip of another thing": gzip.compress(b"hello"),
    "gzip of more than it says": gzip.compress(idx(A) + b"\0" * 10_000_000),
    "gzip of less than it says": gzip.compress(lying(2**12)),
    "gzip of less than it could be": gzip.compress(lying(2**31, 2**10)),
    "gzip of noise": b"\x1f\x8b" + bytes(range(256)),
}


@pytest.mark.parametrize("what", BAD_IDX)
def test_damaged_idx_files_are_typed_errors(tmp_path, what):
    with pytest.raises(rbe.FormatError, match="read_idx"):
        rbe.data.read_idx(write(tmp_path / "x", BAD_IDX[what]))


def test_idx_files_grow_no_more_than_is_allowed(tmp_path):
    path = write(tmp_path / "x", gzip.compress(idx(np.zeros((1000, 1000), np.uint8))))
    assert rbe.data.read_idx(path, max_bytes=10**6).shape == (1000, 1000)
    with pytest.raises(rbe.FormatError, match="max_bytes"):
        rbe.data.read_idx(path, max_bytes=10**6 - 1)


@pytest.mark.parametrize("compressed", [False, True])
def test_numpy_archives_keep_types_where_tensors_have_them(tmp_path, compressed):
    arrays = {
        "f": np.float32([1.5, -2]),
        "d": np.float64([[0.1]]),
        "i": np.int64([2**60]),
        "b": np.array([True, False]),
        "u": np.uint8([255]),
        "h": np.float16([0.5]),
        "big": np.array([1.5], ">f4"),
        "columns": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "scalar": np.float32(3),
        "empty": np.zeros((0, 3)),
    }
    (np.savez_compressed if compressed else np.savez)(tmp_path / "x.npz", **arrays)
    found = rbe.data.read_numpy(tmp_path / "x.npz")
    assert found.keys() == arrays.keys()
    types = {"big": "float32"}
    for name, array in arrays.items():
        assert found[name].dtype.name == types.get(name, array.dtype.name)
        np.testing.assert_array_equal(found[name].numpy(), array)
        np.save(tmp_path / "y.npy", array)
        assert rbe.equal(rbe.data.read_numpy(tmp_path / "y.npy"), found[name])


def npy(array=None, header=None, body=None):
    file = io.BytesIO()
    np.lib.format.write_array(file, np.zeros(2) if array is None else array, allow_pickle=True)
    data = file.getvalue()
    if header is not None:
        text = header.encode() + b"\n"
        data = b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text + (b"\0" * 16 if body is None else body)
    return data


def npz(members, method=zipfile.ZIP_STORED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return file.getvalue()


def lied(data, old, new):
    """An archive whose directory and local header tell another size."""
    old, new = struct.pack("<I", old), struct.pack("<I", new)
    assert data.count(old) >= 2
    return data.replace(old, new)


BAD_NUMPY = {
    "nothing": b"",
    "noise": b"hello",
    "a short start": npy()[:7],
    "a short header": npy()[:50],
    "a byte less": npy()[:-1],
    "a byte more": npy() + b"x",
    "objects": npy(np.array([{}], object)),
    "text": npy(np.array(["a"])),
    "fields": npy(np.zeros(2, [("a", "f4"), ("b", "i4")])),
    "complex numbers": npy(np.zeros(2, complex)),
    "another version": npy()[:6] + b"\x09" + npy()[7:],
    "a header of code": npy(header="__import__('os').system('false')"),
    "a header that is no dict": npy(header="[1]"),
    "a type that is none": npy(header="{'descr': 'zz', 'fortran_order': False, 'shape': (2,)}"),
    "a shape that lies": npy(header="{'descr': '<f8', 'fortran_order': False, 'shape': (2**40,)}"),
    "a shape beyond memory": npy(header="{'descr': '<f8', 'fortran_order': False, 'shape': (1099511627776,)}"),
    "a shape that overflows": npy(
        header="{'descr': '<f8', 'fortran_order': False, 'shape': (4294967296, 4294967296, 4294967296)}"
    ),
    "a negative shape": npy(header="{'descr': '<f8', 'fortran_order': False, 'shape': (-1, -2)}"),
    "100 axes": npy(header="{'descr': '<f8', 'fortran_order': False, 'shape': (2" + ", 1" * 99 + ")}"),
    "bools of 2": npy(header="{'descr': '|b1', 'fortran_order': False, 'shape': (16,)}", body=b"\2" * 16),
    "PK": b"PK\3\4 and no archive",
    "an archive cut": npz([("a.npy", npy())])[:-30],
    "bytes before an archive": b"PK--" + npz([("a.npy", npy())]),
    "an archive of text": npz([("a.txt", b"hello")]),
    "an archive of noise": npz([("a.npy", b"hello")]),
    "a name twice": None,
    "a flipped byte": bytes(b ^ (i == 140) for i, b in enumerate(npz([("a.npy", npy())]))),
    "another method": npz([("a.npy", npy())], zipfile.ZIP_BZIP2),
    "a bomb": lied(npz([("a.npy", npy(np.zeros(10**6)))], zipfile.ZIP_DEFLATED), len(npy(np.zeros(10**6))), 2**32 - 2),
    "a size that lies": lied(npz([("a.npy", npy(np.zeros(300)))], zipfile.ZIP_DEFLATED), len(npy(np.zeros(300))), 1000),
}


@pytest.mark.parametrize("what", BAD_NUMPY)
def test_damaged_numpy_files_are_typed_errors(tmp_path, what):
    content = BAD_NUMPY[what]
    if content is None:
        with pytest.warns(UserWarning, match="Duplicate"):
            content = npz([("a.npy", npy()), ("a.npy", npy())])
    with pytest.raises(rbe.FormatError, match="read_numpy") as caught:
        rbe.data.read_numpy(write(tmp_path / "x", content))
    assert len(str(caught.value)) < 1000


def test_numpy_archives_grow_no_more_than_is_allowed(tmp_path):
    np.savez_compressed(tmp_path / "x.npz", a=np.zeros(10**5), b=np.zeros(10**5))
    assert len(rbe.data.read_numpy(tmp_path / "x.npz", max_bytes=1_700_000)["a"]) == 10**5
    with pytest.raises(rbe.FormatError, match="max_bytes"):
        rbe.data.read_numpy(tmp_path / "x.npz", max_bytes=1_000_000)


@pytest.mark.parametrize("kind", ["idx", "idx.gz", "npy", "npz"])
def test_no_cut_of_a_file_is_taken_for_it(tmp_path, kind):
    data = {
        "idx": idx(A),
        "idx.gz": gzip.compress(idx(A)),
        "npy": npy(),
        "npz": npz([("a.npy", npy()), ("b.npy", npy())], zipfile.ZIP_DEFLATED),
    }[kind]
    read = rbe.data.read_idx if "idx" in kind else rbe.data.read_numpy
    read(write(tmp_path / "x", data))
    for n in range(len(data)):
        with pytest.raises(rbe.FormatError):
            read(write(tmp_path / "x", data[:n]))


@pytest.mark.parametrize("kind", ["idx.gz", "npz"])
def test_flips_of_compressed_files_are_noticed_or_harmless(tmp_path, kind):
    data = gzip.compress(idx(A)) if kind == "idx.gz" else npz([("a.npy", npy(np.arange(9.0)))], zipfile.ZIP_DEFLATED)
    read = rbe.data.read_idx if kind == "idx.gz" else lambda path: rbe.data.read_numpy(path)["a"].numpy()
    want = read(write(tmp_path / "x", data))
    for i in range(0, 8 * len(data), 3):
        flipped = bytearray(data)
        flipped[i // 8] ^= 1 << i % 8
        try:
            found = read(write(tmp_path / "x", flipped))
        except (rbe.FormatError, KeyError):  # a flip in the name of a member is another name
            continue
        np.testing.assert_array_equal(found, want)


def test_tables(tmp_path):
    def table(text, **options):
        return rbe.data.read_csv(write(tmp_path / "x", text.encode() if isinstance(text, str) else text), **options)

    values, columns = table("a,b\n1,2\n\n3,4\n")
    assert (values.tolist(), columns) == ([[1, 2], [3, 4]], ["a", "b"])
    values, columns = table("\ufeff1;2\r\n3;-4e-1", delimiter=";")  # as spreadsheets write it
    assert (values.dtype, columns) == (rbe.float32, ["", ""])
    np.testing.assert_array_equal(values.numpy(), np.float32([[1, 2], [3, -0.4]]))
    assert table("a,b\n", header=True)[0].shape == (0, 2)
    np.testing.assert_array_equal(table("1,nan\ninf,2", header=False)[0].numpy(), [[1, np.nan], [np.inf, 2]])
    for text in (
        "",
        "\n\n",
        "1,2\n3",
        "1,2\n3,x",
        "1,2\n3,",
        "1,2\n3,4_0",
        "1,1e39",
        b"1,2\n\xff,4",
        "1,2\n3,\0",
        '1,2\n3,"4',
        "1," + "9" * 200_000,
    ):
        with pytest.raises(rbe.FormatError, match="read_csv") as caught:
            table(text, header=False)
        assert len(str(caught.value)) < 1000
    for delimiter in ("", ",,", 5, None, "\n", '"'):
        with pytest.raises(rbe.TensorError, match="delimiter"):
            table("1,2", delimiter=delimiter)
    rbe.set_default_dtype("float64")
    try:
        assert table("1e39,0.1", header=False)[0].tolist() == [[1e39, 0.1]]
    finally:
        rbe.set_default_dtype("float32")


def test_texts(tmp_path):
    text = rbe.data.Text(write(tmp_path / "t", "héllo\r\n".encode()))
    assert text.characters == "\nhloé"
    assert text.decode(text.codes) == "héllo\n"
    for wrong in ("x", "\ud800"):
        with pytest.raises(rbe.OutOfRangeError):
            text.encode(wrong)
    with pytest.raises(rbe.OutOfRangeError):
        text.decode([9])
    for content in (b"", b"\xff", b"a\xed\xa0\x80"):
        with pytest.raises(rbe.FormatError, match="Text"):
            rbe.data.Text(write(tmp_path / "t", content))


def test_a_bomb_is_not_expanded_beyond_its_promise(tmp_path, monkeypatch):
    # 20 MB of zeros behind a header that promises 24 bytes: no more than a piece of it is ever made.
    made = [0]
    real = zlib.decompressobj

    class Counting:
        def __init__(self, *args, **named):
            self.inner = real(*args, **named)

        def decompress(self, *args):
            out = self.inner.decompress(*args)
            made[0] += len(out)
            return out

        def __getattr__(self, name):
            return getattr(self.inner, name)

    content = gzip.compress(idx(A) + b"\0" * 20_000_000)
    monkeypatch.setattr(zlib, "decompressobj", Counting)
    with pytest.raises(rbe.FormatError, match="more than 24 bytes"):
        rbe.data.read_idx(write(tmp_path / "x", content))
    assert made[0] < 1 << 20
