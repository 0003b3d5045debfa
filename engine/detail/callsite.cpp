// Where in the user's program an op was recorded, for Anomaly's messages.
#include <cxxabi.h>
#include <dlfcn.h>
#include <execinfo.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include <weft/engine/detail/extras.hpp>

namespace weft::detail {
namespace {

std::string demangled(const char* symbol) {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> name(abi::__cxa_demangle(symbol, nullptr, nullptr, &status), std::free);
  std::string text = status == 0 ? name.get() : symbol;
  return text.substr(0, text.find('('));
}

// Without a symbol (a static function): the file and the offset, as addr2line takes them.
std::string described(void* address, const Dl_info& info) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "+%#tx", static_cast<char*>(address) - static_cast<char*>(info.dli_fbase));
  return std::string(info.dli_fname) + buffer;
}

}  // namespace

std::string call_site() {
  std::array<void*, 48> frames;
  const int count = backtrace(frames.data(), static_cast<int>(frames.size()));
  std::string text;
  for (int i = 1, shown = 0; i < count && shown < 6; ++i) {
    Dl_info info{};
    void* address = frames[static_cast<std::size_t>(i)];
    if (dladdr(address, &info) == 0 || info.dli_fname == nullptr) continue;
    const std::string name = info.dli_sname != nullptr ? demangled(info.dli_sname) : described(address, info);
    if (name.rfind("weft::", 0) == 0 || name.rfind("__libc_start", 0) == 0 || name == "_start") continue;
    if (!text.empty()) text += " < ";
    text += name;
    ++shown;
  }
  return text;
}

}  // namespace weft::detail
