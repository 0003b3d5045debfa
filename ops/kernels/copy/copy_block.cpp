#include <weft/ops/kernels/copy/copy_block.hpp>
#include <weft/ops/kernels/simd/stream.hpp>

namespace weft::detail {

// Not the library's: its memcpy is one instruction for a few KiB, which on Zen 4 takes ten times as long where both
// addresses are alike in their last twelve bits.
void copy_long(std::byte* y, const std::byte* x, std::int64_t bytes, bool streamed) {
  using Words = Vector<float>;
  constexpr std::int64_t size = lanes<float> * 4;
  // What is between the ends is aligned in y. Lines that are streamed are not touched otherwise.
  std::int64_t i = (size - static_cast<std::int64_t>(reinterpret_cast<std::uintptr_t>(y) % size)) % size;
  copy_block(y, x, i);
  const auto load = [&](std::int64_t at) { return Words::load_unaligned(reinterpret_cast<const float*>(x + at)); };
  const auto copy = [&](auto store) {
    const auto put = [&](std::int64_t at, const Words& words) { store(reinterpret_cast<float*>(y + at), words); };
    for (; i + 4 * size <= bytes; i += 4 * size) {
      const Words a = load(i), b = load(i + size), c = load(i + 2 * size), d = load(i + 3 * size);
      put(i, a), put(i + size, b), put(i + 2 * size, c), put(i + 3 * size, d);
    }
    for (; i + size <= bytes; i += size) put(i, load(i));
  };
  if (streamed)
    copy([](float* to, const Words& words) { stream(to, words); });
  else
    copy([](float* to, const Words& words) { words.store_aligned(to); });
  copy_block(y + i, x + i, bytes - i);
}

}  // namespace weft::detail
