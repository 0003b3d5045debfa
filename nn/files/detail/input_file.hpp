#pragma once
// Reading a file whose contents are not trusted, gunzipping it on the way if need be.
#include <weft/nn/files/detail/byte_source.hpp>

struct gzFile_s;

namespace weft::detail {

/// A file read from front to back.
class InputFile final : public ByteSource {
 public:
  InputFile(const char* op, std::string path);
  ~InputFile() override;

  std::string where() const override;
  void read(void* to, std::size_t bytes) override;
  /// Up to so many bytes (fewer than 2^30); returns how many, fewer only at the end of the file.
  std::size_t read_some(void* to, std::size_t bytes);
  /// Exact for plain files; a gzipped one expands at most 1032 times.
  void expect(std::size_t bytes) const override;
  /// What follows compressed data without being more of it is left alone, as gzip does.
  void expect_end() override;

 private:
  const char* op_;
  std::string path_;
  gzFile_s* file_ = nullptr;
  std::size_t file_bytes_ = 0;
};

/// Whether there is a file (or directory) of that name.
bool file_exists(const std::string& path);

}  // namespace weft::detail
