#pragma once
// Protocol Buffers' encoding, as far as event files need it.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weft::detail {

/// A message that is written field by field.
class ProtoMessage {
 public:
  ProtoMessage& whole(std::uint32_t field, std::int64_t value);  // int32, int64, bool and enums: varints
  ProtoMessage& real(std::uint32_t field, double value);
  ProtoMessage& real32(std::uint32_t field, double value);  // rounded to a float
  ProtoMessage& text(std::uint32_t field, std::string_view value);
  ProtoMessage& message(std::uint32_t field, const ProtoMessage& value) { return text(field, value.bytes_); }
  ProtoMessage& packed(std::uint32_t field, const std::vector<double>& values);
  ProtoMessage& packed(std::uint32_t field, const std::vector<std::int64_t>& values);

  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

/// A field that was read. A real number's bits are in `whole`, of a float the lower half.
struct ProtoField {
  std::uint32_t number = 0;
  enum class Wire : std::uint8_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 } wire = Wire::varint;
  std::uint64_t whole = 0;
  std::string_view bytes = {};

  double real() const;  // of a double or a float; 0 if it is neither
};

/// The fields of a message in order, groups (which are long deprecated) excepted. Throws Error beginning with `where`
/// if the bytes are no message.
std::vector<ProtoField> proto_fields(const std::string& where, std::string_view bytes);

}  // namespace weft::detail
