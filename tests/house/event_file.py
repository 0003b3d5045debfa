"""Reads the event files that a program of weft has written, as others would: checksums, the messages of Protocol
Buffers (by Google's library where there is one, and by a reader of its own: both must say the same), the picture, the
graph; and which points count after the run was taken up again, by TensorBoard's rule.
usage: event_file.py PROGRAM"""
import pathlib
import struct
import subprocess
import sys
import tempfile
import zlib

# message: {number: (name, type, repeated)}, from TensorBoard's event.proto, summary.proto, graph.proto and their like.
SCHEMA = {
    "Event": {1: ("wall_time", "double", 0), 2: ("step", "int64", 0), 3: ("file_version", "string", 0),
              4: ("graph_def", "bytes", 0), 5: ("summary", "Summary", 0), 7: ("session_log", "SessionLog", 0)},
    "SessionLog": {1: ("status", "int64", 0)},
    "Summary": {1: ("value", "Value", 1)},
    "Value": {1: ("tag", "string", 0), 2: ("simple_value", "float", 0), 4: ("image", "Image", 0),
              5: ("histo", "Histogram", 0), 8: ("tensor", "TensorProto", 0), 9: ("metadata", "Metadata", 0)},
    "Image": {1: ("height", "int64", 0), 2: ("width", "int64", 0), 3: ("colorspace", "int64", 0),
              4: ("png", "bytes", 0)},
    "Histogram": {1: ("min", "double", 0), 2: ("max", "double", 0), 3: ("num", "double", 0), 4: ("sum", "double", 0),
                  5: ("sum_squares", "double", 0), 6: ("limits", "double", 1), 7: ("buckets", "double", 1)},
    "TensorProto": {1: ("dtype", "int64", 0), 2: ("shape", "Shape", 0), 8: ("strings", "bytes", 1)},
    "Metadata": {1: ("plugin", "Plugin", 0), 4: ("data_class", "int64", 0)},
    "Plugin": {1: ("name", "string", 0)},
    "GraphDef": {1: ("node", "Node", 1), 4: ("versions", "Versions", 0)},
    "Versions": {1: ("producer", "int64", 0)},
    "Node": {1: ("name", "string", 0), 2: ("op", "string", 0), 3: ("input", "string", 1), 5: ("attr", "Attr", 1)},
    "Attr": {1: ("key", "string", 0), 2: ("value", "AttrValue", 0)},
    "AttrValue": {1: ("list", "List", 0), 2: ("s", "bytes", 0), 3: ("i", "int64", 0), 4: ("f", "float", 0),
                  5: ("b", "int64", 0), 6: ("type", "int64", 0)},
    "List": {3: ("i", "int64", 1), 7: ("shape", "Shape", 1)},
    "Shape": {2: ("dim", "Dim", 1)},
    "Dim": {1: ("size", "int64", 0)},
}
NUMBERS = {"double": ("<d", 8), "float": ("<f", 4)}


def crc32c(data):
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    crc = 0xFFFFFFFF
    for byte in data:
        crc = table[(crc ^ byte) & 255] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def masked(data):
    crc = crc32c(data)
    return (crc >> 15 | crc << 17 & 0xFFFFFFFF) + 0xA282EAD8 & 0xFFFFFFFF


def records(data):
    at = 0
    while at < len(data):
        length, checksum = struct.unpack_from("<QI", data, at)
        assert checksum == masked(data[at : at + 8]), f"the checksum of a length, at byte {at}"
        body = data[at + 12 : at + 12 + length]
        assert len(body) == length, f"half a record at byte {at}"
        assert struct.unpack_from("<I", data, at + 12 + length)[0] == masked(body), f"a checksum, at byte {at}"
        yield body
        at += 16 + length


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        shift += 7
        at += 1
        if data[at - 1] < 128:
            return value - (1 << 64 if value >> 63 else 0), at


def decode(message, data):
    """{name: value}, of a repeated field a list. Every field has to be known."""
    result, at = {}, 0
    while at < len(data):
        key, at = varint(data, at)
        name, kind, repeated = SCHEMA[message][key >> 3]
        if key & 7 == 2:
            length, at = varint(data, at)
            piece, at = data[at : at + length], at + length
            assert len(piece) == length
            if kind in NUMBERS:
                values = list(struct.unpack(f"<{length // 8}d", piece))
            elif kind == "int64":
                values, inside = [], 0
                while inside < length:
                    value, inside = varint(piece, inside)
                    values.append(value)
            elif kind in SCHEMA:
                values = [decode(kind, piece)]
            else:
                values = [piece.decode() if kind == "string" else piece]
        elif key & 7 == 0:
            value, at = varint(data, at)
            assert kind == "int64", name
            values = [value]
        else:
            code, size = NUMBERS[kind]
            assert key & 7 == (1 if size == 8 else 5), name
            values, at = list(struct.unpack_from(code, data, at)), at + size
        if repeated:
            result.setdefault(name, []).extend(values)
        else:
            assert name not in result and len(values) == 1, name
            result[name] = values[0]
    return result


def google_reader():
    """The same by Google's library, with descriptors made of the table above; nothing if it is not installed."""
    try:
        from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
    except ImportError:
        return None
    file = descriptor_pb2.FileDescriptorProto(name="events.proto", package="weft", syntax="proto3")
    kinds = descriptor_pb2.FieldDescriptorProto
    for message, fields in SCHEMA.items():
        described = file.message_type.add(name=message)
        for number, (name, kind, repeated) in fields.items():
            field = described.field.add(name=name, number=number, label=3 if repeated else 1)
            if kind in SCHEMA:
                field.type, field.type_name = kinds.TYPE_MESSAGE, f".weft.{kind}"
            else:
                field.type = getattr(kinds, f"TYPE_{kind.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)

    def plain(message):
        result = {}
        for field, value in message.ListFields():
            inside = plain if field.message_type else lambda v: v
            result[field.name] = [inside(v) for v in value] if field.label == 3 else inside(value)
        return result

    def read(message, data):
        descriptor = pool.FindMessageTypeByName(f"weft.{message}")
        if hasattr(message_factory, "GetMessageClass"):
            kind = message_factory.GetMessageClass(descriptor)
        else:
            kind = message_factory.MessageFactory(pool).GetPrototype(descriptor)
        return plain(kind.FromString(data))

    return read


def without_defaults(value):
    """proto3 does not tell 0 and what is not there apart."""
    if isinstance(value, dict):
        return {k: without_defaults(v) for k, v in value.items() if v not in (0, "", b"")}
    return [without_defaults(v) for v in value] if isinstance(value, list) else value


def png_pixels(png):
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    at, data, header = 8, b"", None
    while at < len(png):
        length, kind = struct.unpack_from(">I4s", png, at)
        body = png[at + 8 : at + 8 + length]
        assert struct.unpack_from(">I", png, at + 8 + length)[0] == zlib.crc32(kind + body), kind
        if kind == b"IHDR":
            header = struct.unpack(">IIBBBBB", body)
        elif kind == b"IDAT":
            data += body
        at += 12 + length
    width, height, depth, colours, *rest = header
    assert (depth, colours, rest) == (8, 2, [0, 0, 0]), header
    lines = zlib.decompress(data)
    row = 3 * width + 1
    assert len(lines) == row * height and not any(lines[:: row])
    return [[list(lines[y * row + 1 + 3 * x : y * row + 4 + 3 * x]) for x in range(width)] for y in range(height)]


def main(program):
    with tempfile.TemporaryDirectory() as run:
        subprocess.run([program, run], check=True)
        files = sorted(pathlib.Path(run).glob("events.out.tfevents.*"))
        assert len(files) == 2, files
        google = google_reader()
        events = []
        for file in files:
            for body in records(file.read_bytes()):
                event = decode("Event", body)
                if google:
                    assert google("Event", body) == without_defaults(event), (google("Event", body), event)
                events.append(event)
    assert [e["file_version"] for e in events if "file_version" in e] == ["brain.Event:2"] * 2
    assert all(1.7e9 < e["wall_time"] < 1e10 for e in events)

    # What counts: a start other than the first takes back what came before, from its step on.
    points, started = [], False
    for event in events:
        if event.get("session_log") == {"status": 1}:
            points = [p for p in points if not started or p[0] < event["step"]]
            started = True
        for value in event.get("summary", {}).get("value", []):
            points.append((event["step"], value["tag"], value))
    scalars = [(step, tag, v["simple_value"]) for step, tag, v in points if "simple_value" in v]
    assert scalars == [(1, "loss/train", 1.0), (1, "accuracy", 0.125), (2, "loss/train", 0.5), (2, "accuracy", 0.25),
                       (3, "loss/train", 0.25), (3, "accuracy", 1.0)], scalars
    assert all(tag != "picture" for _, tag, _ in points), "the picture of step 3 was taken back"
    everything = {v["tag"]: v for e in events for v in e.get("summary", {}).get("value", [])}

    histogram, cubes = everything["weights"]["histo"], [i**3 / 1000 for i in range(-50, 50)]
    assert (histogram["min"], histogram["max"], histogram["num"]) == (min(cubes), max(cubes), 100)
    assert abs(histogram["sum"] - sum(cubes)) < 1e-9
    assert abs(histogram["sum_squares"] - sum(c * c for c in cubes)) < 1e-6
    before, buckets = -1e308, dict(zip(histogram["limits"], histogram["buckets"]))
    for limit, count in buckets.items():
        assert count == sum(before <= c < limit for c in cubes), (before, limit, count)
        before = limit
    assert sum(buckets.values()) == 100 and 0.0 in buckets

    image = everything["picture"]["image"]
    assert (image["height"], image["width"], image["colorspace"]) == (4, 6, 3)
    wanted = [[[(60 * y + 10 * x + 80 * c) % 256 for c in range(3)] for x in range(6)] for y in range(4)]
    assert png_pixels(image["png"]) == wanted

    note = everything["note"]
    assert note["tensor"]["strings"] == [b"the **first** part"] and note["tensor"]["dtype"] == 7
    assert note["metadata"]["plugin"] == {"name": "text"}

    (graph,) = (e["graph_def"] for e in events if "graph_def" in e)
    if google:
        assert google("GraphDef", graph) == without_defaults(decode("GraphDef", graph))
    nodes = {n["name"]: n for n in decode("GraphDef", graph)["node"]}
    inputs = {name: n.get("input", []) for name, n in nodes.items()}
    assert all(i in nodes for name in inputs for i in inputs[name]), inputs
    assert inputs["0/linear"] == ["x", "0/weight", "0/bias"], inputs
    assert inputs["1/add"] == ["1/body/1/relu", "0/linear"] or inputs["1/add"] == ["0/linear", "1/body/1/relu"], inputs
    assert inputs["1/body/0/linear"] == ["0/linear", "1/body/0/weight", "1/body/0/bias"]
    attributes = {name: {a["key"]: a["value"] for a in n["attr"]} for name, n in nodes.items()}
    shape = lambda name: [d["size"] for d in attributes[name]["_output_shapes"]["list"]["shape"][0]["dim"]]
    assert shape("x") == [5, 3] and shape("0/weight") == [3, 8] and shape("0/linear") == [5, 8]
    (reshape,) = (name for name in nodes if name.endswith("reshape"))
    assert reshape == "2/reshape" and shape(reshape) == [5, 2, 4]
    assert attributes["0/weight"]["dtype"] == {"type": 1} and nodes["0/weight"]["op"] == "Parameter"
    print(f"{len(events)} events in {len(files)} files, {len(nodes)} nodes"
          + ("" if google else "; without Google's library"))


if __name__ == "__main__":
    main(sys.argv[1])
