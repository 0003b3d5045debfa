#include <weft/nn/data/idx.hpp>

#include <bit>
#include <cstring>

#include <weft/nn/files/detail/input_file.hpp>

namespace weft::nn {
namespace {

struct Kind {
  DType dtype;
  std::size_t bytes;  // of an element in the file
};

Kind kind_of(const std::string& path, unsigned code) {
  switch (code) {
    case 0x08: return {u8, 1};
    case 0x0C: return {i64, 4};
    case 0x0D: return {f32, 4};
    case 0x0E: return {f64, 8};
    default:
      fail("read_idx: ", path, " has element type ", code, ", needs 8 (bytes), 12 (integers), 13 or 14 (floats)");
  }
}

std::uint32_t big_endian(const unsigned char* bytes) {
  return std::uint32_t{bytes[0]} << 24 | std::uint32_t{bytes[1]} << 16 | std::uint32_t{bytes[2]} << 8 | bytes[3];
}

// The elements stand in the last part of the buffer that they will fill; they are widened and turned from the front on.
void convert(Kind kind, std::byte* data, std::size_t offset, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    unsigned char raw[8];
    std::memcpy(raw, data + offset + static_cast<std::size_t>(i) * kind.bytes, kind.bytes);
    const std::uint32_t high = big_endian(raw);
    if (kind.dtype == f64) {
      const auto value = std::bit_cast<double>(std::uint64_t{high} << 32 | big_endian(raw + 4));
      std::memcpy(data + i * 8, &value, 8);
    } else if (kind.dtype == f32) {
      std::memcpy(data + i * 4, &high, 4);
    } else {
      const auto value = static_cast<std::int64_t>(static_cast<std::int32_t>(high));
      std::memcpy(data + i * 8, &value, 8);
    }
  }
}

}  // namespace

Tensor read_idx(const std::string& path) {
  detail::InputFile file("read_idx", path);
  unsigned char head[4];
  file.read(head, sizeof head);
  if (head[0] != 0 || head[1] != 0) fail("read_idx: ", path, " does not begin like an IDX file");
  const Kind kind = kind_of(path, head[2]);
  const int rank = head[3];
  if (rank < 1 || rank > max_rank) fail("read_idx: ", path, " has ", rank, " axes, needs 1 to ", max_rank);
  Shape shape;
  for (int axis = 0; axis < rank; ++axis) {
    unsigned char size[4];
    file.read(size, sizeof size);
    shape.append(big_endian(size));
  }
  const std::int64_t count = detail::checked_size(("read_idx: " + path).c_str(), shape, size_of(kind.dtype));
  const auto bytes = static_cast<std::size_t>(count) * kind.bytes;
  file.expect(bytes);
  Tensor t = detail::make_tensor("read_idx", shape, kind.dtype);
  std::byte* const data = t.impl()->storage->data();
  const std::size_t offset = static_cast<std::size_t>(count) * (size_of(kind.dtype) - kind.bytes);
  file.read(data + offset, bytes);
  file.expect_end();
  if (kind.dtype != u8) convert(kind, data, offset, count);
  return t;
}

}  // namespace weft::nn
