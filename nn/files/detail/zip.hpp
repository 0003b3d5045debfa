#pragma once
// Zip archives, as far as .npz files go: stored or deflated members, one file, no encryption.
// https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
#include <zlib.h>
#include <weft/engine/detail/output_file.hpp>
#include <weft/nn/files/detail/byte_source.hpp>

#include <cstdint>
#include <memory>
#include <vector>

namespace weft::detail {

/// The names and places of a hundred thousand members. More is neither written nor read.
inline constexpr std::uint64_t largest_directory = 16'000'000;

/// An archive whose directory has been checked: every member lies inside the file, before the directory and apart from
/// the others, is called the same in both places, and cannot be larger than its bytes allow. Nothing of it is trusted.
class ZipReader {
 public:
  struct Member {
    std::string name;                           ///< only a name: nothing is ever written under it
    std::uint64_t local = 0, begin = 0;         ///< where its own header and its bytes begin
    std::uint64_t packed_bytes = 0, bytes = 0;  ///< in the file, and unpacked
    std::uint32_t checksum = 0;
    bool deflated = false;
  };

  ZipReader(const char* op, std::string path);
  ~ZipReader();
  ZipReader(const ZipReader&) = delete;
  ZipReader& operator=(const ZipReader&) = delete;

  std::string where() const;
  const std::vector<Member>& members() const { return members_; }
  void read_at(std::uint64_t at, void* to, std::size_t bytes) const;

 private:
  struct Directory {
    std::uint64_t begin = 0, bytes = 0, count = 0;
  };
  template <class... Parts>
  [[noreturn]] void wrong(const Parts&... parts) const;
  std::string text_at(std::uint64_t at, std::uint64_t bytes) const;
  Directory find_directory() const;
  void read_directory(const Directory& directory);
  void check_member(Member& member, unsigned method, std::uint64_t end) const;
  void check_apart() const;

  const char* op_;
  std::string path_;
  int descriptor_ = -1;
  std::uint64_t file_bytes_ = 0;
  std::vector<Member> members_;  // in the directory's order
};

/// A member's bytes, unpacked.
class ZipMember final : public ByteSource {
 public:
  ZipMember(const ZipReader& file, const ZipReader::Member& member);
  ~ZipMember() override;

  std::string where() const override;
  void read(void* to, std::size_t bytes) override;
  void expect(std::size_t bytes) const override;
  void expect_end() override;

 private:
  std::size_t unpack(unsigned char* to, std::size_t bytes);
  const ZipReader& file_;
  const ZipReader::Member& member_;
  std::uint64_t given_ = 0, taken_ = 0;  // bytes unpacked, and taken from the file to unpack
  std::uint32_t checksum_ = 0;
  z_stream stream_ = {};
  std::vector<unsigned char> input_;
  bool ended_ = false;  // the compressed data have said so
};

/// A new archive, member after member, there whole or not at all (OutputFile).
class ZipWriter {
 public:
  ZipWriter(const char* op, const std::string& path, bool deflated);
  ~ZipWriter();
  ZipWriter(const ZipWriter&) = delete;
  ZipWriter& operator=(const ZipWriter&) = delete;

  void begin(const std::string& name);
  void write(const void* from, std::size_t bytes);
  void end();
  void commit();

 private:
  void append(const void* from, std::size_t bytes);
  void append(const std::string& bytes) { append(bytes.data(), bytes.size()); }
  void deflate_all(const void* from, std::size_t bytes, int flush);
  std::string local_header() const;

  const std::string where_;
  OutputFile file_;
  const bool deflated_;
  std::uint64_t at_ = 0;     // bytes in the file
  std::string directory_;    // as far as members have ended
  std::uint64_t count_ = 0;  // of members
  std::string name_;         // of the member under way
  std::uint64_t local_ = 0;  // where it begins
  std::uint64_t packed_bytes_ = 0, bytes_ = 0;
  std::uint32_t checksum_ = 0;
  z_stream stream_ = {};
  std::vector<unsigned char> output_;
};

}  // namespace weft::detail
