// Where in the user's program an op was recorded, for Anomaly's messages.
#include <execinfo.h>

#include <array>
#include <string_view>

#include <weft/engine/detail/extras.hpp>
#include <weft/engine/detail/symbols.hpp>

namespace weft::detail {
namespace {

// What lies between the user's functions: the library, the standard library and what starts a program or a thread.
bool is_between(std::string_view name) {
  for (const char* begin : {"weft::", "std::", "__libc_start", "_start", "start_thread", "__clone", "clone3", "GOMP_"})
    if (name.starts_with(begin)) return true;
  return false;
}

}  // namespace

std::vector<void*> call_stack() {
  std::array<void*, 64> frames;
  const auto count = static_cast<std::size_t>(backtrace(frames.data(), static_cast<int>(frames.size())));
  return std::vector<void*>(frames.data() + 1, frames.data() + count);  // without this function
}

std::string described_calls(const std::vector<void*>& stack) {
  std::string text;
  int shown = 0;
  for (void* const frame : stack) {
    // It returns behind the call, which may be the end of the function.
    const std::string name = function_at(static_cast<std::byte*>(frame) - 1);
    if (name.empty() || is_between(name)) continue;
    if (++shown > 6) break;
    text += (text.empty() ? "" : " < ") + name;
  }
  return text;
}

}  // namespace weft::detail
