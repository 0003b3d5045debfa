#pragma once
// What a reader that trusts nothing reads from: a file, or a part of one.
#include <cstddef>
#include <string>

namespace weft::detail {

/// Bytes from front to back. Everything throws Error beginning with where().
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  ByteSource(const ByteSource&) = delete;
  ByteSource& operator=(const ByteSource&) = delete;

  /// The operation and the file, for an Error: "load_npy: a.npy".
  virtual std::string where() const = 0;
  /// Exactly so many bytes; throws if there are fewer.
  virtual void read(void* to, std::size_t bytes) = 0;
  /// Throws if there cannot be so many more bytes: to be asked before memory is taken for them.
  virtual void expect(std::size_t bytes) const = 0;
  /// Throws unless everything has been read and agrees with its checksum, if it has one.
  virtual void expect_end() = 0;

 protected:
  ByteSource() = default;
};

}  // namespace weft::detail
