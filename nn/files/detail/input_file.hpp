#pragma once
// Reading a file whose contents are not trusted, gunzipping it on the way if need be.
#include <cstddef>
#include <string>

struct gzFile_s;

namespace weft::detail {

/// A file read from front to back. Everything throws Error naming the operation and the file.
class InputFile {
 public:
  InputFile(const char* op, std::string path);
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  /// Exactly so many bytes; throws if the file ends before.
  void read(void* to, std::size_t bytes);
  /// Up to so many bytes (fewer than 2^30); returns how many, fewer only at the end of the file.
  std::size_t read_some(void* to, std::size_t bytes);
  /// Throws if the file cannot hold so many more bytes: to be asked before memory is taken for them. Exact for plain
  /// files; a gzipped one expands at most 1032 times.
  void expect(std::size_t bytes) const;
  /// Throws unless everything has been read; for gzipped files the checksum has then been compared too, and what
  /// follows the compressed data without being more of it is left alone, as gzip does.
  void expect_end();

 private:
  const char* op_;
  std::string path_;
  gzFile_s* file_ = nullptr;
  std::size_t file_bytes_ = 0;
};

/// Whether there is a file (or directory) of that name.
bool file_exists(const std::string& path);

}  // namespace weft::detail
