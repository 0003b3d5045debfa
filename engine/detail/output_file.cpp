#include <weft/engine/detail/output_file.hpp>

#include <fcntl.h>
#include <unistd.h>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include <weft/engine/error.hpp>
#include <weft/engine/files.hpp>

namespace weft {
namespace {
std::atomic<bool> writing{true};
}

bool writes_files() { return writing; }
void set_writes_files(bool on) { writing = on; }

}  // namespace weft

namespace weft::detail {

OutputFile::OutputFile(const char* op, std::string path) : op_(op), path_(std::move(path)), written_(writes_files()) {
  if (!written_) return;
  for (int attempt = 0; descriptor_ < 0 && attempt < 100; ++attempt) {
    temporary_ = path_ + ".tmp" + std::to_string(getpid()) + "-" + std::to_string(attempt);
    descriptor_ = open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor_ < 0 && errno != EEXIST) break;
  }
  if (descriptor_ < 0) failed("cannot write");
}

OutputFile::~OutputFile() {
  if (descriptor_ >= 0) close(descriptor_);
  if (!temporary_.empty()) unlink(temporary_.c_str());
}

void OutputFile::write(const void* from, std::size_t bytes) {
  if (!written_) return;
  const char* at = static_cast<const char*>(from);
  while (bytes > 0) {
    const ssize_t written = ::write(descriptor_, at, bytes);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) failed("cannot write");
    at += written;
    bytes -= static_cast<std::size_t>(written);
  }
}

void OutputFile::rewrite(std::size_t at, const void* from, std::size_t bytes) {
  if (!written_) return;
  const char* next = static_cast<const char*>(from);
  while (bytes > 0) {
    const ssize_t written = pwrite(descriptor_, next, bytes, static_cast<off_t>(at));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) failed("cannot write");
    next += written;
    at += static_cast<std::size_t>(written);
    bytes -= static_cast<std::size_t>(written);
  }
}

void OutputFile::commit() {
  if (!written_) return;
  if (fsync(descriptor_) != 0) failed("cannot sync");
  const int descriptor = std::exchange(descriptor_, -1);
  if (close(descriptor) != 0) failed("cannot close");
  if (std::rename(temporary_.c_str(), path_.c_str()) != 0) failed("cannot rename");
  temporary_.clear();
  // The name is in the directory's data. A file system that does not sync directories has no better to offer.
  const std::size_t slash = path_.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : path_.substr(0, slash + 1);
  const int handle = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (handle < 0) return;
  fsync(handle);
  close(handle);
}

void OutputFile::failed(const char* what) const { fail(op_, ": ", what, " ", path_, ": ", std::strerror(errno)); }

}  // namespace weft::detail
