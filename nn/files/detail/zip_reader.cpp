#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>

#include <weft/engine/error.hpp>
#include <weft/nn/detail/text.hpp>
#include <weft/nn/files/detail/zip.hpp>

namespace weft::detail {
namespace {

static_assert(std::endian::native == std::endian::little, "the format's numbers are little-endian");

constexpr std::uint64_t most_expansion = 1032;  // deflate's best: 258 bytes from two bits
constexpr std::size_t local_bytes = 30, entry_bytes = 46, end_bytes = 22, locator_bytes = 20, wide_end_bytes = 56;
constexpr std::uint32_t elsewhere = 0xFFFFFFFF;  // in the place of a number too large for 32 bits
constexpr std::size_t chunk = 1U << 18;

std::uint64_t number(const std::string& bytes, std::size_t at, std::size_t width) {
  std::uint64_t result = 0;
  std::memcpy(&result, bytes.data() + at, width);
  return result;
}

bool has_signature(const std::string& bytes, std::size_t at, const char* signature) {
  return bytes.compare(at, 4, signature) == 0;
}

// Encrypted in one way or another, or a patch.
bool is_unreadable(std::uint64_t flags) { return (flags & (1U << 0 | 1U << 5 | 1U << 6 | 1U << 13)) != 0; }

// The sizes and the place that did not fit stand in an extra field, in this order. False if it is damaged.
bool take_wide_numbers(const std::string& extra, std::initializer_list<std::uint64_t*> numbers) {
  for (std::size_t at = 0; extra.size() - at >= 4;) {
    const std::size_t length = number(extra, at + 2, 2);
    const bool wide = number(extra, at, 2) == 1;
    at += 4;
    if (length > extra.size() - at) return false;
    const std::size_t end = at + length;
    for (std::uint64_t* n : numbers) {
      if (!wide || *n != elsewhere) continue;
      if (end - at < 8) return false;
      *n = number(extra, at, 8);
      at += 8;
    }
    at = end;
  }
  return true;
}

}  // namespace

template <class... Parts>
void ZipReader::wrong(const Parts&... parts) const {
  fail(where(), parts...);
}

ZipReader::ZipReader(const char* op, std::string path) : op_(op), path_(std::move(path)) {
  descriptor_ = open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // a pipe is not waited for
  try {
    struct stat info = {};
    if (descriptor_ < 0 || fstat(descriptor_, &info) != 0)
      fail(op_, ": cannot read ", path_, ": ", std::strerror(errno));
    if (!S_ISREG(info.st_mode)) wrong(" is not a file");
    file_bytes_ = static_cast<std::uint64_t>(info.st_size);
    read_directory(find_directory());
    check_apart();
  } catch (...) {
    if (descriptor_ >= 0) close(descriptor_);
    throw;
  }
}

ZipReader::~ZipReader() { close(descriptor_); }

std::string ZipReader::where() const { return std::string(op_) + ": " + path_; }

void ZipReader::read_at(std::uint64_t at, void* to, std::size_t bytes) const {
  char* out = static_cast<char*>(to);
  while (bytes > 0) {
    const ssize_t got = pread(descriptor_, out, bytes, static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail(op_, ": cannot read ", path_, ": ", std::strerror(errno));
    if (got == 0) wrong(" is cut short");
    out += got;
    at += static_cast<std::uint64_t>(got);
    bytes -= static_cast<std::size_t>(got);
  }
}

std::string ZipReader::text_at(std::uint64_t at, std::uint64_t bytes) const {
  std::string text(bytes, '\0');
  read_at(at, text.data(), text.size());
  return text;
}

// From the file's end: the end record, with a comment behind it, and what goes before it in archives that are large.
ZipReader::Directory ZipReader::find_directory() const {
  const std::uint64_t tail_bytes = std::min<std::uint64_t>(file_bytes_, end_bytes + 0xFFFF);
  const std::string tail = text_at(file_bytes_ - tail_bytes, tail_bytes);
  if (tail.starts_with("\x93NUMPY") && tail_bytes == file_bytes_)
    wrong(" is a single array, needs an archive of them: load_npy reads one");
  if (tail.size() < end_bytes) wrong(" is no zip archive, or cut short");
  std::size_t at = tail.size() - end_bytes;
  while (!has_signature(tail, at, "PK\5\6") || number(tail, at + 20, 2) != tail.size() - at - end_bytes)
    if (at-- == 0) wrong(" is no zip archive, or cut short");
  std::uint64_t end = file_bytes_ - tail.size() + at;
  Directory directory{number(tail, at + 16, 4), number(tail, at + 12, 4), number(tail, at + 10, 2)};
  bool whole = number(tail, at + 4, 4) == 0 && number(tail, at + 8, 2) == directory.count;

  const std::string locator = end < locator_bytes ? "" : text_at(end - locator_bytes, locator_bytes);
  if (locator.starts_with("PK\6\7")) {
    const std::uint64_t wide_at = number(locator, 8, 8), before = end - locator_bytes;
    if (wide_at > before || before - wide_at < wide_end_bytes) wrong(" has its end records out of order");
    const std::string wide = text_at(wide_at, wide_end_bytes);
    if (!wide.starts_with("PK\6\6") || number(wide, 4, 8) != before - wide_at - 12)
      wrong(" has a damaged zip64 end record");
    directory = {number(wide, 48, 8), number(wide, 40, 8), number(wide, 32, 8)};
    whole = number(locator, 4, 4) == 0 && number(locator, 16, 4) <= 1 && number(wide, 16, 8) == 0 &&
            number(wide, 24, 8) == directory.count;
    end = wide_at;
  }
  if (!whole) wrong(" is one of several parts of an archive");
  if (directory.begin > end || directory.bytes != end - directory.begin)
    wrong(" has a directory that does not reach up to its end record");
  if (directory.bytes > largest_directory)
    wrong(" has a directory of ", directory.bytes, " bytes, needs at most ", largest_directory);
  if (directory.count > directory.bytes / entry_bytes)
    wrong(" announces ", directory.count, " members, more than its directory can hold");
  return directory;
}

void ZipReader::read_directory(const Directory& directory) {
  const std::string bytes = text_at(directory.begin, directory.bytes);
  std::size_t at = 0;
  for (std::uint64_t i = 0; i < directory.count; ++i) {
    if (bytes.size() - at < entry_bytes || !has_signature(bytes, at, "PK\1\2"))
      wrong(" has a directory that is damaged at entry ", i);
    const std::size_t name = number(bytes, at + 28, 2), extra = number(bytes, at + 30, 2);
    const std::size_t comment = number(bytes, at + 32, 2);
    if (bytes.size() - at - entry_bytes < name + extra + comment)
      wrong(" has a directory that is damaged at entry ", i);
    Member member;
    member.name = bytes.substr(at + entry_bytes, name);
    member.checksum = static_cast<std::uint32_t>(number(bytes, at + 16, 4));
    member.packed_bytes = number(bytes, at + 20, 4);
    member.bytes = number(bytes, at + 24, 4);
    member.local = number(bytes, at + 42, 4);
    const auto method = static_cast<unsigned>(number(bytes, at + 10, 2));
    member.deflated = method == Z_DEFLATED;
    const std::string quoted_name = in_quotes(member.name);
    if (!take_wide_numbers(bytes.substr(at + entry_bytes + name, extra),
                           {&member.bytes, &member.packed_bytes, &member.local}))
      wrong(": ", quoted_name, " has a damaged extra field");
    if (is_unreadable(number(bytes, at + 8, 2))) wrong(": ", quoted_name, " is encrypted");
    if (method != 0 && method != Z_DEFLATED)
      wrong(": ", quoted_name, " is packed by method ", method, ", needs 0 (stored) or 8 (deflated)");
    if (number(bytes, at + 34, 2) != 0) wrong(" is one of several parts of an archive");
    if (member.deflated ? member.bytes / most_expansion > member.packed_bytes : member.bytes != member.packed_bytes)
      wrong(": ", quoted_name, " announces ", member.bytes, " bytes from ", member.packed_bytes);
    check_member(member, method, directory.begin);
    members_.push_back(std::move(member));
    at += entry_bytes + name + extra + comment;
  }
  if (at != bytes.size()) wrong(" has a directory that goes on after its last entry");
}

// The header before a member's bytes has to say the same.
void ZipReader::check_member(Member& member, unsigned method, std::uint64_t end) const {
  const std::string name = in_quotes(member.name);
  if (member.local > end || end - member.local < local_bytes) wrong(": ", name, " lies outside the archive");
  const std::string head = text_at(member.local, local_bytes);
  if (!has_signature(head, 0, "PK\3\4")) wrong(": ", name, " is not where the directory says");
  const std::uint64_t flags = number(head, 6, 2), name_bytes = number(head, 26, 2);
  member.begin = member.local + local_bytes + name_bytes + number(head, 28, 2);
  if (member.begin > end || member.packed_bytes > end - member.begin) wrong(": ", name, " lies outside the archive");
  const bool later = (flags & 1U << 3) != 0;  // sizes and checksum were not known when this was written
  if (is_unreadable(flags) || number(head, 8, 2) != method || (!later && number(head, 14, 4) != member.checksum) ||
      text_at(member.local + local_bytes, name_bytes) != member.name)
    wrong(": ", name, " is described otherwise where it lies than in the directory");
}

void ZipReader::check_apart() const {
  std::vector<const Member*> order;
  for (const Member& member : members_) order.push_back(&member);
  std::sort(order.begin(), order.end(), [](const Member* a, const Member* b) { return a->local < b->local; });
  for (std::size_t i = 1; i < order.size(); ++i)
    if (order[i]->local < order[i - 1]->begin + order[i - 1]->packed_bytes)
      wrong(": ", in_quotes(order[i]->name), " overlaps ", in_quotes(order[i - 1]->name));
}

ZipMember::ZipMember(const ZipReader& file, const ZipReader::Member& member) : file_(file), member_(member) {
  if (!member_.deflated) return;
  input_.resize(static_cast<std::size_t>(std::min<std::uint64_t>(chunk, member_.packed_bytes)));
  if (inflateInit2(&stream_, -MAX_WBITS) != Z_OK) fail(where(), " cannot be unpacked: there is no memory");
}

ZipMember::~ZipMember() {
  if (member_.deflated) inflateEnd(&stream_);
}

std::string ZipMember::where() const { return file_.where() + ": " + in_quotes(member_.name); }

void ZipMember::expect(std::size_t bytes) const {
  if (bytes > member_.bytes - given_)
    fail(where(), " is cut short: its header announces ", bytes, " bytes, of which ", member_.bytes - given_,
         " are there");
}

void ZipMember::read(void* to, std::size_t bytes) {
  auto* out = static_cast<unsigned char*>(to);
  if (bytes > member_.bytes - given_) fail(where(), " is cut short");
  while (bytes > 0) {
    std::size_t some = std::min(bytes, chunk);
    if (member_.deflated) {
      some = unpack(out, some);
      if (some == 0) fail(where(), " is cut short");
    } else {
      file_.read_at(member_.begin + given_, out, some);
    }
    checksum_ = static_cast<std::uint32_t>(crc32(checksum_, out, static_cast<unsigned>(some)));
    given_ += some;
    out += some;
    bytes -= some;
  }
}

void ZipMember::expect_end() {
  unsigned char more = 0;
  if (given_ != member_.bytes || (member_.deflated && unpack(&more, 1) != 0)) fail(where(), " goes on after its data");
  if (member_.deflated && (stream_.avail_in != 0 || taken_ != member_.packed_bytes))
    fail(where(), " is damaged: its compressed data end early");
  if (checksum_ != member_.checksum) fail(where(), " is damaged: its checksum is another");
}

// Up to so many bytes, at most a chunk; 0 only at the end of the compressed data.
std::size_t ZipMember::unpack(unsigned char* to, std::size_t bytes) {
  stream_.next_out = to;
  stream_.avail_out = static_cast<unsigned>(bytes);
  while (!ended_ && stream_.avail_out == bytes) {
    if (stream_.avail_in == 0 && taken_ < member_.packed_bytes) {
      const auto some = std::min<std::uint64_t>(input_.size(), member_.packed_bytes - taken_);
      file_.read_at(member_.begin + taken_, input_.data(), static_cast<std::size_t>(some));
      taken_ += some;
      stream_.next_in = input_.data();
      stream_.avail_in = static_cast<unsigned>(some);
    }
    const int code = inflate(&stream_, Z_NO_FLUSH);
    ended_ = code == Z_STREAM_END;
    if (code == Z_BUF_ERROR) fail(where(), " is damaged: its compressed data are cut short");
    if (code != Z_OK && !ended_) fail(where(), " is damaged: ", stream_.msg != nullptr ? stream_.msg : "not deflated");
  }
  return bytes - stream_.avail_out;
}

}  // namespace weft::detail
