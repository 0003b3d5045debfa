#include <weft/nn/fingerprint.hpp>

#include <bit>
#include <cstring>

namespace weft::nn {

// Each word goes through a bijection of its own (multiplications by odd numbers, shifts to the right), so that no
// difference is ever lost but by coming together with another.
void Fingerprint::mix(std::uint64_t word) {
  word *= 0x9E3779B97F4A7C15U;
  word ^= word >> 32;
  value_ = std::rotl(value_ ^ word, 27) * 0xD6E8FEB86659FD93U + 0x632BE59BD9B4E019U;
  value_ ^= value_ >> 29;
}

void Fingerprint::mix_bytes(const void* from, std::size_t bytes) {
  mix(bytes);
  const auto* at = static_cast<const unsigned char*>(from);
  for (; bytes > 0;) {
    std::uint64_t word = 0;
    const std::size_t part = bytes < sizeof word ? bytes : sizeof word;
    std::memcpy(&word, at, part);
    mix(word);
    at += part;
    bytes -= part;
  }
}

Fingerprint& Fingerprint::add(std::int64_t number) {
  mix(static_cast<std::uint64_t>(number));
  return *this;
}

Fingerprint& Fingerprint::add(double number) {
  mix(std::bit_cast<std::uint64_t>(number));
  return *this;
}

Fingerprint& Fingerprint::add(std::string_view text) {
  mix_bytes(text.data(), text.size());
  return *this;
}

Fingerprint& Fingerprint::add(const Tensor& t) {
  add(std::int64_t{t.rank()});
  for (const std::int64_t size : t.shape()) add(size);
  add(static_cast<std::int64_t>(t.dtype()));
  mix_bytes(detail::data_of<std::byte>(t), static_cast<std::size_t>(t.size()) * size_of(t.dtype()));
  return *this;
}

}  // namespace weft::nn
