#include <weft/engine/detail/symbols.hpp>

#include <cxxabi.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string_view>
#include <vector>

namespace weft::detail {
namespace {

struct Function {
  std::uintptr_t begin, size;
  std::string name;
};

// A file's bytes for the time of reading them.
class Mapped {
 public:
  explicit Mapped(const char* path) {
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return;
    struct stat info {};
    if (fstat(file, &info) == 0 && info.st_size > 0) {
      size_ = static_cast<std::size_t>(info.st_size);
      data_ = mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file, 0);
    }
    close(file);
  }
  ~Mapped() {
    if (data_ != MAP_FAILED) munmap(data_, size_);
  }
  Mapped(const Mapped&) = delete;
  Mapped& operator=(const Mapped&) = delete;

  /// `count` values at an offset; empty if they are not all inside.
  template <class T>
  std::span<const T> at(std::uint64_t offset, std::uint64_t count) const {
    if (data_ == MAP_FAILED || offset > size_ || count > (size_ - offset) / sizeof(T) || offset % alignof(T) != 0)
      return {};
    return {reinterpret_cast<const T*>(static_cast<const std::byte*>(data_) + offset), static_cast<std::size_t>(count)};
  }

 private:
  void* data_ = MAP_FAILED;
  std::size_t size_ = 0;
};

// What the dynamic linker does not know of a file: the functions in its symbol table, by address.
std::vector<Function> functions_in(const char* path) {
  const Mapped file(path);
  const auto header = file.at<ElfW(Ehdr)>(0, 1);
  if (header.empty() || std::memcmp(header[0].e_ident, ELFMAG, SELFMAG) != 0) return {};
  const auto sections = file.at<ElfW(Shdr)>(header[0].e_shoff, header[0].e_shnum);
  std::vector<Function> functions;
  for (const auto& section : sections) {
    if (section.sh_type != SHT_SYMTAB || section.sh_link >= sections.size()) continue;
    const auto& strings = sections[section.sh_link];
    const auto text = file.at<char>(strings.sh_offset, strings.sh_size);
    for (const auto& symbol : file.at<ElfW(Sym)>(section.sh_offset, section.sh_size / sizeof(ElfW(Sym)))) {
      if ((symbol.st_info & 0xFU) != STT_FUNC || symbol.st_size == 0 || symbol.st_name >= text.size()) continue;
      const char* const name = text.data() + symbol.st_name;
      functions.push_back({static_cast<std::uintptr_t>(symbol.st_value), static_cast<std::uintptr_t>(symbol.st_size),
                           std::string(name, strnlen(name, text.size() - symbol.st_name))});
    }
  }
  std::sort(functions.begin(), functions.end(), [](const auto& a, const auto& b) { return a.begin < b.begin; });
  return functions;
}

// Empty if there is none. `offset` is the address in the file.
std::string symbol_in(const char* path, std::uintptr_t offset) {
  static std::mutex mutex;
  static auto* const files = new std::map<std::string, std::vector<Function>>;  // messages may be made late
  const std::lock_guard lock(mutex);
  const auto [at, fresh] = files->try_emplace(path);
  if (fresh) at->second = functions_in(path);
  auto next = std::upper_bound(at->second.begin(), at->second.end(), offset,
                               [](std::uintptr_t o, const Function& f) { return o < f.begin; });
  if (next == at->second.begin() || offset - std::prev(next)->begin >= std::prev(next)->size) return {};
  return std::prev(next)->name;
}

std::string demangled(const char* symbol) {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> name(abi::__cxa_demangle(symbol, nullptr, nullptr, &status), std::free);
  return status == 0 ? name_in_signature(name.get()) : symbol;
}

}  // namespace

std::string name_in_signature(const std::string& signature) {
  std::string_view text = signature;
  // The parameters are in the last parentheses that stand in no others.
  std::size_t end = text.size();
  int depth = 0;
  for (std::size_t i = text.size(); i-- > 0;) {
    if (text[i] == ')') ++depth;
    if (text[i] == '(' && --depth == 0) {
      end = i;
      break;
    }
  }
  text = text.substr(0, end);
  // The return type ends at the last space outside of all brackets; an operator's name may hold anything.
  std::size_t begin = 0;
  depth = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (depth == 0 && text.substr(i).starts_with("operator") && (i == 0 || text[i - 1] == ':' || text[i - 1] == ' '))
      break;
    if (text[i] == '<' || text[i] == '(' || text[i] == '{' || text[i] == '[') ++depth;
    if (text[i] == '>' || text[i] == ')' || text[i] == '}' || text[i] == ']') --depth;
    if (text[i] == ' ' && depth == 0) begin = i + 1;
  }
  return std::string(text.substr(begin));
}

std::string function_at(void* address) {
  Dl_info info{};
  void* extra = nullptr;
  if (dladdr1(address, &info, &extra, RTLD_DL_LINKMAP) == 0 || info.dli_fname == nullptr) return {};
  if (info.dli_sname != nullptr) return demangled(info.dli_sname);
  const auto* const map = static_cast<const link_map*>(extra);
  const bool program = map != nullptr && map->l_name[0] == '\0';
  const std::uintptr_t offset = reinterpret_cast<std::uintptr_t>(address) - (map != nullptr ? map->l_addr : 0);
  if (const std::string symbol = symbol_in(program ? "/proc/self/exe" : info.dli_fname, offset); !symbol.empty())
    return demangled(symbol.c_str());
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "+%#zx", offset);
  return std::string(info.dli_fname) + buffer;
}

}  // namespace weft::detail
