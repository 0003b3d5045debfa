#include <algorithm>
#include <bit>
#include <cstring>

#include <weft/engine/error.hpp>
#include <weft/nn/files/detail/zip.hpp>

namespace weft::detail {
namespace {

static_assert(std::endian::native == std::endian::little, "the format's numbers are little-endian");

constexpr std::uint64_t short_limit = 0xFFFF, limit = 0xFFFFFFFF;  // from here on a wider field holds the number
constexpr std::uint64_t utf8_names = 1U << 11;
constexpr std::uint64_t version = 45;                               // needed to read: zip64
constexpr std::uint64_t made_by = 3U << 8 | version;                // Unix
constexpr std::uint64_t midnight = 0, first_of_1980 = 1U << 5 | 1;  // always the same: so are the bytes of a file
constexpr std::uint64_t plain_file = 0100644U << 16;

struct Record {
  std::string bytes;
  explicit Record(const char* signature) : bytes(signature, 4) {}
  Record& number(std::uint64_t n, std::size_t width) {
    char raw[8];
    std::memcpy(raw, &n, 8);
    bytes.append(raw, width);
    return *this;
  }
  Record& text(const std::string& more) { return bytes += more, *this; }
};

}  // namespace

ZipWriter::ZipWriter(const char* op, const std::string& path, bool deflated)
    : where_(std::string(op) + ": " + path), file_(op, path), deflated_(deflated) {
  if (!deflated_) return;
  output_.resize(1U << 18);
  if (deflateInit2(&stream_, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK)
    fail(where_, " cannot be packed: there is no memory");
}

ZipWriter::~ZipWriter() {
  if (deflated_) deflateEnd(&stream_);
}

void ZipWriter::append(const void* from, std::size_t bytes) {
  file_.write(from, bytes);
  at_ += bytes;
}

// As NumPy does, every member has room for sizes of 64 bits, whatever they will be.
std::string ZipWriter::local_header() const {
  Record record("PK\3\4");
  record.number(version, 2).number(utf8_names, 2).number(deflated_ ? Z_DEFLATED : 0, 2);
  record.number(midnight, 2).number(first_of_1980, 2).number(checksum_, 4).number(limit, 4).number(limit, 4);
  record.number(name_.size(), 2).number(20, 2).text(name_);
  return record.number(1, 2).number(16, 2).number(bytes_, 8).number(packed_bytes_, 8).bytes;
}

void ZipWriter::begin(const std::string& name) {
  name_ = name;
  local_ = at_;
  packed_bytes_ = bytes_ = 0;
  checksum_ = 0;
  if (deflated_) deflateReset(&stream_);
  append(local_header());
}

void ZipWriter::write(const void* from, std::size_t bytes) {
  const auto* in = static_cast<const unsigned char*>(from);
  bytes_ += bytes;
  for (std::size_t some = 0; bytes > 0; in += some, bytes -= some) {
    some = std::min<std::size_t>(bytes, 1U << 18);
    checksum_ = static_cast<std::uint32_t>(crc32(checksum_, in, static_cast<unsigned>(some)));
    if (deflated_) {
      deflate_all(in, some, Z_NO_FLUSH);
    } else {
      append(in, some);
      packed_bytes_ += some;
    }
  }
}

void ZipWriter::deflate_all(const void* from, std::size_t bytes, int flush) {
  stream_.next_in = const_cast<unsigned char*>(static_cast<const unsigned char*>(from));
  stream_.avail_in = static_cast<unsigned>(bytes);
  do {
    stream_.next_out = output_.data();
    stream_.avail_out = static_cast<unsigned>(output_.size());
    deflate(&stream_, flush);  // cannot fail with room for output
    const std::size_t some = output_.size() - stream_.avail_out;
    append(output_.data(), some);
    packed_bytes_ += some;
  } while (stream_.avail_out == 0);
}

void ZipWriter::end() {
  if (deflated_) deflate_all(nullptr, 0, Z_FINISH);
  const std::string header = local_header();  // now that all is known
  file_.rewrite(local_, header.data(), header.size());

  Record wide("\1\0\0\0");  // the numbers that do not fit below; their length goes into the middle
  for (const std::uint64_t n : {bytes_, packed_bytes_, local_})
    if (n >= limit) wide.number(n, 8);
  wide.bytes[2] = static_cast<char>(wide.bytes.size() - 4);
  if (wide.bytes.size() == 4) wide.bytes.clear();
  Record entry("PK\1\2");
  entry.number(made_by, 2).number(version, 2).number(utf8_names, 2).number(deflated_ ? Z_DEFLATED : 0, 2);
  entry.number(midnight, 2).number(first_of_1980, 2).number(checksum_, 4);
  entry.number(std::min(packed_bytes_, limit), 4).number(std::min(bytes_, limit), 4);
  entry.number(name_.size(), 2).number(wide.bytes.size(), 2).number(0, 2);  // and no comment
  entry.number(0, 2).number(0, 2).number(plain_file, 4).number(std::min(local_, limit), 4);
  directory_ += entry.text(name_).text(wide.bytes).bytes;
  ++count_;
}

void ZipWriter::commit() {
  const std::uint64_t begin = at_, bytes = directory_.size();
  if (bytes > largest_directory)
    fail(where_, " would have ", bytes, " bytes of names and places, needs at most ", largest_directory);
  append(directory_);
  if (count_ >= short_limit || begin >= limit) {
    Record wide("PK\6\6"), locator("PK\6\7");
    wide.number(44, 8).number(made_by, 2).number(version, 2).number(0, 8).number(count_, 8).number(count_, 8);
    wide.number(bytes, 8).number(begin, 8);
    locator.number(0, 4).number(at_, 8).number(1, 4);
    append(wide.bytes + locator.bytes);
  }
  const std::uint64_t count = std::min(count_, short_limit);
  Record last("PK\5\6");
  last.number(0, 4).number(count, 2).number(count, 2);
  last.number(bytes, 4).number(std::min(begin, limit), 4).number(0, 2);
  append(last.bytes);
  file_.commit();
}

}  // namespace weft::detail
