#include <weft/nn/train/detail/protobuf.hpp>

#include <bit>

#include <weft/engine/error.hpp>
#include <weft/nn/train/detail/little_endian.hpp>

namespace weft::detail {
namespace {

using Wire = ProtoField::Wire;

void put_varint(std::string& bytes, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7U) bytes += static_cast<char>(value | 0x80U);
  bytes += static_cast<char>(value);
}

void put_key(std::string& bytes, std::uint32_t field, Wire wire) {
  put_varint(bytes, field << 3U | static_cast<std::uint32_t>(wire));
}

// Takes a varint off the front.
std::uint64_t take_varint(const std::string& where, std::string_view& bytes) {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 70; shift += 7) {
    if (bytes.empty()) fail(where, ": a number is cut");
    const auto byte = static_cast<unsigned char>(bytes.front());
    bytes.remove_prefix(1);
    if (shift == 63 && byte > 1) break;
    value |= static_cast<std::uint64_t>(byte & 0x7fU) << shift;
    if (byte < 0x80) return value;
  }
  fail(where, ": a number has more than 64 bits");
}

std::string_view take_bytes(const std::string& where, std::string_view& bytes, std::uint64_t count) {
  if (count > bytes.size()) fail(where, ": a field of ", count, " bytes, where ", bytes.size(), " are left");
  const std::string_view taken = bytes.substr(0, count);
  bytes.remove_prefix(count);
  return taken;
}

}  // namespace

ProtoMessage& ProtoMessage::whole(std::uint32_t field, std::int64_t value) {
  put_key(bytes_, field, Wire::varint);
  put_varint(bytes_, static_cast<std::uint64_t>(value));
  return *this;
}

ProtoMessage& ProtoMessage::real(std::uint32_t field, double value) {
  put_key(bytes_, field, Wire::fixed64);
  put_little_endian(bytes_, std::bit_cast<std::uint64_t>(value));
  return *this;
}

ProtoMessage& ProtoMessage::real32(std::uint32_t field, double value) {
  put_key(bytes_, field, Wire::fixed32);
  put_little_endian(bytes_, std::bit_cast<std::uint32_t>(static_cast<float>(value)));
  return *this;
}

ProtoMessage& ProtoMessage::text(std::uint32_t field, std::string_view value) {
  put_key(bytes_, field, Wire::bytes);
  put_varint(bytes_, value.size());
  bytes_ += value;
  return *this;
}

ProtoMessage& ProtoMessage::packed(std::uint32_t field, const std::vector<double>& values) {
  std::string inner;
  for (const double value : values) put_little_endian(inner, std::bit_cast<std::uint64_t>(value));
  return text(field, inner);
}

ProtoMessage& ProtoMessage::packed(std::uint32_t field, const std::vector<std::int64_t>& values) {
  std::string inner;
  for (const std::int64_t value : values) put_varint(inner, static_cast<std::uint64_t>(value));
  return text(field, inner);
}

double ProtoField::real() const {
  if (wire == Wire::fixed64) return std::bit_cast<double>(whole);
  return wire == Wire::fixed32 ? std::bit_cast<float>(static_cast<std::uint32_t>(whole)) : 0;
}

std::vector<ProtoField> proto_fields(const std::string& where, std::string_view bytes) {
  std::vector<ProtoField> fields;
  while (!bytes.empty()) {
    const std::uint64_t key = take_varint(where, bytes);
    if (key >> 3U == 0 || key >> 3U >= 1U << 29U) fail(where, ": got field number ", key >> 3U);
    ProtoField field{.number = static_cast<std::uint32_t>(key >> 3U), .wire = static_cast<Wire>(key & 7U)};
    switch (field.wire) {
      case Wire::varint: field.whole = take_varint(where, bytes); break;
      case Wire::fixed64: field.whole = little_endian<std::uint64_t>(take_bytes(where, bytes, 8)); break;
      case Wire::fixed32: field.whole = little_endian<std::uint32_t>(take_bytes(where, bytes, 4)); break;
      case Wire::bytes: field.bytes = take_bytes(where, bytes, take_varint(where, bytes)); break;
      default: fail(where, ": got wire type ", key & 7U, " of field ", key >> 3U);
    }
    fields.push_back(field);
  }
  return fields;
}

}  // namespace weft::detail
