"""TFRecord's framing, checksums and Examples, against known bytes and protobuf's own reader."""

import io
import struct

import numpy as np
import pytest

from rtbench.data.tfrecord import crc32c, example, masked, write_record


def bytewise(data):
    """CRC-32C by its definition, a bit at a time."""
    register = 0xFFFFFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (0x82F63B78 if register & 1 else 0)
    return register ^ 0xFFFFFFFF


@pytest.mark.parametrize(
    ("data", "expected"),
    [  # RFC 3720, appendix B.4; the check value of the catalogue of CRCs
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(range(31, -1, -1)), 0x113FDB5C),
        (b"123456789", 0xE3069283),
        (b"", 0),
    ],
)
def test_known_checksums(data, expected):
    assert crc32c(data) == expected


@pytest.mark.parametrize("size", [1, 255, 256, 257, 511, 513, 1000, 3001])
def test_checksums_of_any_length(size):
    data = np.random.default_rng(size).integers(0, 256, size, dtype=np.uint8).tobytes()
    assert crc32c(data) == bytewise(data)


def test_the_frame_of_a_record():
    file = io.BytesIO()
    write_record(file, b"abc")
    data = file.getvalue()
    assert struct.unpack("<Q", data[:8]) == (3,)
    assert data[12:15] == b"abc"
    assert struct.unpack("<I", data[8:12])[0] == masked(bytewise(data[:8]))
    assert struct.unpack("<I", data[15:])[0] == masked(bytewise(b"abc"))
    assert masked(0xE3069283) == ((0xE3069283 >> 15 | 0xE3069283 << 17) + 0xA282EAD8) & 0xFFFFFFFF


def test_the_bytes_of_an_example():
    # Worked out by hand from the encoding of protocol buffers; the next test has their own reader.
    assert example({"a": np.array([1, 300, -1])}) == bytes.fromhex(
        "0a180a160a016112111a0f0a0d01ac02ffffffffffffffffff01"
    )
    assert example({"f": np.array([1.5], dtype=np.float32)}) == bytes.fromhex(
        "0a0f0a0d0a0166120812060a040000c03f"
    )
    assert example({"b": [b"xy", b""]}) == bytes.fromhex("0a0f0a0d0a016212080a060a0278790a00")


def test_protobuf_reads_an_example():
    said = {
        "steps/action": np.linspace(-1, 1, 700, dtype=np.float32),
        "steps/image": [bytes(range(256)) * 3, b"\xff\xd8"],
        "seed": np.array([2**40, -7]),
        "empty": np.zeros(0, dtype=np.float32),
    }
    found = read_example(example(said))
    assert set(found) == set(said)
    assert found["steps/image"] == said["steps/image"]
    assert found["seed"] == said["seed"].tolist()
    np.testing.assert_array_equal(np.float32(found["steps/action"]), said["steps/action"])
    assert found["empty"] == []


def message_of_examples():
    """`tf.train.Example`, from its .proto as TensorFlow publishes it."""
    pytest.importorskip("google.protobuf")
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(name="example.proto", package="t", syntax="proto3")
    kinds = {"BytesList": 12, "FloatList": 2, "Int64List": 3}
    for name, kind in kinds.items():
        file.message_type.add(name=name).field.add(name="value", number=1, label=3, type=kind)
    feature = file.message_type.add(name="Feature")
    for number, name in enumerate(kinds, 1):
        feature.field.add(name=name.lower(), number=number, label=1, type=11, type_name=f".t.{name}")
    features = file.message_type.add(name="Features")
    entry = features.nested_type.add(name="FeatureEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, label=1, type=9)
    entry.field.add(name="value", number=2, label=1, type=11, type_name=".t.Feature")
    features.field.add(name="feature", number=1, label=3, type=11, type_name=".t.Features.FeatureEntry")
    whole = file.message_type.add(name="Example")
    whole.field.add(name="features", number=1, label=1, type=11, type_name=".t.Features")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("t.Example"))


def read_example(data):
    message = message_of_examples().FromString(data)
    found = {}
    for name, feature in message.features.feature.items():
        ((_, values),) = feature.ListFields() or ((None, None),)
        found[name] = list(values.value) if values is not None else []
    return found
