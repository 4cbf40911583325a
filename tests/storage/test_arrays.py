"""Numpy's files: plain arrays come back, everything else is refused before it costs memory."""

import io
import tracemalloc
import zipfile

import numpy as np
import pytest

from videomdm.conventions import DataError
from videomdm.storage.arrays import PACKED, SMALL, read_npy, read_npz


@pytest.mark.parametrize("dtype", ["<f2", "<f4", ">f4", ">f8", "longdouble", "<i8", ">i2", "u1", "?", "<U5", "S5"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_plain_arrays_in_native_order(tmp_path, dtype, order):
    values = np.asarray(
        np.arange(6).reshape(2, 3).astype("<U5" if "U" in dtype or "S" in dtype else "f8").astype(dtype), order=order
    )
    np.save(tmp_path / "a.npy", values)
    np.savez_compressed(tmp_path / "a.npz", values=values, number=3)
    for found in (read_npy(tmp_path / "a.npy"), read_npz(tmp_path / "a.npz")["values"]):
        assert found.dtype.isnative and found.dtype.kind == values.dtype.kind.replace("S", "U")
        assert (found == (values.astype("U") if dtype == "S5" else values)).all() and found.shape == (2, 3)
        assert found.dtype.itemsize <= 20, "no long doubles, which torch does not know"
    assert set(read_npz(tmp_path / "a.npz", names=["number"])) == {"number"}


def header(descr, shape):
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": descr, "fortran_order": False, "shape": shape})
    return file.getvalue()


BAD = {
    "more than the file holds": header("<f4", (10**9, 22, 3)) + b"\0" * 100,
    "truncated": header("<f4", (100,)) + b"\0" * 399,
    "negative": header("<f4", (-1, 3)) + b"\0" * 100,
    "objects": header("|O", (3,)) + b"\0" * 100,
    "records": header([("x", "<f4")], (3,)) + b"\0" * 100,
    "dates": header("<M8[s]", (3,)) + b"\0" * 100,
    "no header": b"\x93NUMPY\x01\x00\x10\x00{'descr': nonsen",
    "nothing": b"",
    "text": b"1, 2, 3\n",
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_files_are_named_and_cost_nothing(tmp_path, kind):
    (tmp_path / "bad.npy").write_bytes(BAD[kind])
    with zipfile.ZipFile(tmp_path / "bad.npz", "w") as archive:
        archive.writestr("joints.npy", BAD[kind])
    tracemalloc.start()
    with pytest.raises(DataError, match=r"bad\.npy: cannot be read as some motions"):
        read_npy(tmp_path / "bad.npy", "some motions")
    with pytest.raises(DataError, match=r"bad\.npz: cannot be read as some motions \(joints"):
        read_npz(tmp_path / "bad.npz", "some motions")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


def test_an_archive_that_unpacks_to_much_more_is_refused(tmp_path):
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("keypoints.npy", header("<f4", (SMALL // 4 + 1,)) + b"\0" * (SMALL + 4))
    assert path.stat().st_size * PACKED < SMALL
    with pytest.raises(DataError, match="bytes that unpack to"):
        read_npz(path)


def test_another_kind_of_file(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros(3))
    np.savez(tmp_path / "a.npz", x=np.zeros(3))
    with pytest.raises(DataError, match="a.npy: cannot be read as an npz file"):
        read_npz(tmp_path / "a.npy")
    with pytest.raises(DataError, match="it is an npz archive"):
        read_npy(tmp_path / "a.npz")
    for read in (read_npy, read_npz):
        with pytest.raises(DataError, match="nothing: no such file, expected"):
            read(tmp_path / "nothing")
