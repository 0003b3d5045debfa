#include <weft/nn/files/detail/input_file.hpp>

#include <sys/stat.h>
#include <zlib.h>
#include <cerrno>
#include <cstring>

#include <weft/engine/error.hpp>

namespace weft::detail {

InputFile::InputFile(const char* op, std::string path) : op_(op), path_(std::move(path)) {
  struct stat info = {};
  if (stat(path_.c_str(), &info) != 0) fail(op_, ": cannot read ", path_, ": ", std::strerror(errno));
  if (!S_ISREG(info.st_mode)) fail(op_, ": ", path_, " is not a file");
  file_bytes_ = static_cast<std::size_t>(info.st_size);
  file_ = gzopen(path_.c_str(), "rb");
  if (file_ == nullptr) fail(op_, ": cannot read ", path_, ": ", std::strerror(errno));
  gzbuffer(file_, 1U << 18);
}

InputFile::~InputFile() { gzclose(file_); }

std::string InputFile::where() const { return std::string(op_) + ": " + path_; }

void InputFile::read(void* to, std::size_t bytes) {
  auto* out = static_cast<unsigned char*>(to);
  for (std::size_t left = bytes; left > 0;) {
    const auto some = static_cast<unsigned>(left < (1U << 30) ? left : 1U << 30);
    const int got = gzread(file_, out, some);
    if (got <= 0) {
      int code = Z_OK;
      const char* const what = gzerror(file_, &code);
      if (got < 0 && code != Z_BUF_ERROR) fail(op_, ": ", path_, " is damaged: ", what);
      fail(op_, ": ", path_, " is cut short: ", left, " bytes are missing");
    }
    out += got;
    left -= static_cast<std::size_t>(got);
  }
}

std::size_t InputFile::read_some(void* to, std::size_t bytes) {
  const int got = gzread(file_, to, static_cast<unsigned>(bytes));
  if (got >= 0 && static_cast<std::size_t>(got) == bytes) return bytes;
  int code = Z_OK;
  const char* const what = gzerror(file_, &code);
  if (code == Z_BUF_ERROR) fail(op_, ": ", path_, " is cut short");
  if (got < 0 || (code != Z_OK && code != Z_STREAM_END)) fail(op_, ": ", path_, " is damaged: ", what);
  return static_cast<std::size_t>(got);
}

void InputFile::expect(std::size_t bytes) const {
  constexpr std::size_t most = 1032;  // deflate's best: 258 bytes from two bits
  const auto position = static_cast<std::size_t>(gztell(file_));
  const std::size_t in_all = position + bytes;
  const bool fits = in_all >= bytes && (gzdirect(file_) != 0 ? in_all : in_all / most) <= file_bytes_;
  if (!fits) fail(op_, ": ", path_, " is cut short: its header announces ", bytes, " bytes, more than it can hold");
}

void InputFile::expect_end() {
  unsigned char more = 0;
  const int got = gzread(file_, &more, 1);
  int code = Z_OK;
  const char* const what = gzerror(file_, &code);
  if (got < 0 || (code != Z_OK && code != Z_STREAM_END)) fail(op_, ": ", path_, " is damaged: ", what);
  if (got > 0) fail(op_, ": ", path_, " goes on after its data");
}

bool file_exists(const std::string& path) {
  struct stat info = {};
  return stat(path.c_str(), &info) == 0;
}

}  // namespace weft::detail
