#pragma once
// Writing a file so that it is there whole or not at all.
#include <cstddef>
#include <string>

namespace weft::detail {

/// A new file under a temporary name beside its own. commit() syncs and renames it; without that it is removed again.
/// Everything throws Error naming the operation and the file. Does nothing in a process that writes no files.
class OutputFile {
 public:
  OutputFile(const char* op, std::string path);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  void write(const void* from, std::size_t bytes);
  /// Writes over what was written from byte `at` on.
  void rewrite(std::size_t at, const void* from, std::size_t bytes);
  void commit();

 private:
  [[noreturn]] void failed(const char* what) const;
  const char* op_;
  std::string path_, temporary_;
  bool written_;
  int descriptor_ = -1;
};

}  // namespace weft::detail
