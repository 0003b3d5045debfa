#include <weft/nn/train/event_file.hpp>

#include <fcntl.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstring>
#include <filesystem>

#include <fmt/format.h>

#include <weft/engine/error.hpp>
#include <weft/engine/files.hpp>
#include <weft/nn/detail/text.hpp>
#include <weft/nn/train/detail/crc32c.hpp>
#include <weft/nn/train/detail/graph_def.hpp>
#include <weft/nn/train/detail/histogram.hpp>
#include <weft/nn/train/detail/little_endian.hpp>
#include <weft/nn/train/detail/png.hpp>

// Numbers of fields: event.proto and summary.proto of TensorBoard.

namespace weft::nn {
namespace {

using weft::detail::ProtoMessage;

constexpr std::string_view file_prefix = "events.out.tfevents.";

ProtoMessage event_message(std::int64_t step) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return ProtoMessage().real(1, std::chrono::duration<double>(now).count()).whole(2, step);
}

std::string record_of(const std::string& data) {
  std::string length, record;
  weft::detail::put_little_endian(length, std::uint64_t{data.size()});
  record.reserve(data.size() + 16);
  record += length;
  weft::detail::put_little_endian(record, weft::detail::masked_crc32c(length));
  record += data;
  weft::detail::put_little_endian(record, weft::detail::masked_crc32c(data));
  return record;
}

// "EventFile: scalar "loss"", once the arguments that all have are right.
std::string operation(const char* what, std::string_view tag, std::int64_t step) {
  if (tag.empty()) fail("EventFile: ", what, " got an empty tag, needs a name");
  std::string op = fmt::format("EventFile: {} {}", what, weft::detail::in_quotes(tag));
  if (step < 0) fail(op, " got step ", step, ", needs at least 0");
  return op;
}

// An event of one value, whose fields stand behind its tag.
std::string summary_event(std::string_view tag, std::int64_t step, const ProtoMessage& value) {
  const std::string tagged = ProtoMessage().text(1, tag).bytes() + value.bytes();
  return event_message(step).message(5, ProtoMessage().text(1, tagged)).bytes();
}

template <class T>
std::vector<std::uint8_t> bytes_of(const std::string& op, std::span<const T> values) {
  std::vector<std::uint8_t> bytes;
  bytes.reserve(values.size());
  for (const T value : values) {
    const double scaled = std::round(static_cast<double>(value) * 255);
    if (!(scaled >= 0 && scaled <= 255)) fail(op, " got the value ", static_cast<double>(value), ", needs 0 to 1");
    bytes.push_back(static_cast<std::uint8_t>(scaled));
  }
  return bytes;
}

// The time in a file's name, so late that the name stands behind all that are there: files are read in that order.
std::int64_t seconds_for(const std::string& directory) {
  std::int64_t seconds =
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    const std::string name = entry.path().filename().string();
    std::int64_t other = 0;
    if (name.starts_with(file_prefix) &&
        std::from_chars(name.data() + file_prefix.size(), name.data() + name.size(), other).ec == std::errc() &&
        other < std::int64_t{9'999'999'999})
      seconds = std::max(seconds, other + 1);
  }
  return seconds;
}

}  // namespace

EventFile::EventFile(const std::string& directory, std::int64_t first_step) {
  if (first_step < 0) fail("EventFile: got first step ", first_step, ", needs at least 0");
  if (!writes_files()) return;
  static std::atomic<std::int64_t> files{0};
  std::array<char, 256> host{};
  gethostname(host.data(), host.size() - 1);
  try {
    std::filesystem::create_directories(directory);
    path_ = fmt::format("{}/{}{:010}.{}.{}.{}", directory, file_prefix, seconds_for(directory), host.data(), getpid(),
                        files++);
  } catch (const std::filesystem::filesystem_error& e) {
    fail("EventFile: cannot use the directory ", directory, ": ", e.code().message());
  }
  descriptor_ = open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0666);
  if (descriptor_ < 0) fail("EventFile: cannot write ", path_, ": ", std::strerror(errno));
  try {
    append(event_message(0).text(3, "brain.Event:2").bytes());
    append(event_message(first_step).message(7, ProtoMessage().whole(1, 1)).bytes());  // a session's START
  } catch (...) {
    close(descriptor_);
    unlink(path_.c_str());
    throw;
  }
}

EventFile::~EventFile() {
  if (descriptor_ >= 0) close(descriptor_);
}

void EventFile::scalar(std::string_view tag, std::int64_t step, double value) {
  operation("scalar", tag, step);
  append(summary_event(tag, step, ProtoMessage().real32(2, value)));
}

void EventFile::histogram(std::string_view tag, std::int64_t step, const Tensor& values) {
  const auto h = weft::detail::histogram_of(operation("histogram", tag, step), values);
  ProtoMessage message;
  message.real(1, h.min).real(2, h.max).real(3, h.count).real(4, h.sum).real(5, h.sum_of_squares);
  message.packed(6, h.limits).packed(7, h.buckets);
  append(summary_event(tag, step, ProtoMessage().message(5, message)));
}

void EventFile::image(std::string_view tag, std::int64_t step, const Tensor& pixels) {
  const std::string op = operation("image", tag, step);
  const int rank = pixels.rank();
  const std::int64_t channels = rank == 3 ? pixels.size(2) : 1;
  if ((rank != 2 && rank != 3) || (channels != 1 && channels != 3 && channels != 4) || pixels.size() == 0 ||
      pixels.dtype() == i64 || pixels.size() > std::int64_t{1} << 30)
    fail(op, " got ", pixels.dtype(), " ", pixels.shape(),
         ", needs u8, f32 or f64 {height, width} or {height, width, 1 | 3 | 4}, of at most 2^30 bytes");
  std::vector<std::uint8_t> scaled;
  if (pixels.dtype() == f32) scaled = bytes_of(op, pixels.data<float>());
  if (pixels.dtype() == f64) scaled = bytes_of(op, pixels.data<double>());
  const std::string png =
      weft::detail::png_of(pixels.dtype() == u8 ? pixels.data<std::uint8_t>() : std::span<const std::uint8_t>(scaled),
                           static_cast<std::uint32_t>(pixels.size(0)), static_cast<std::uint32_t>(pixels.size(1)),
                           static_cast<int>(channels));
  ProtoMessage message;
  message.whole(1, pixels.size(0)).whole(2, pixels.size(1)).whole(3, channels).text(4, png);
  append(summary_event(tag, step, ProtoMessage().message(4, message)));
}

void EventFile::text(std::string_view tag, std::int64_t step, std::string_view markdown) {
  operation("text", tag, step);
  const ProtoMessage plugin = ProtoMessage().text(1, "text");
  const ProtoMessage metadata = ProtoMessage().message(1, plugin).whole(4, 2);  // data of the class "tensor"
  const ProtoMessage strings = ProtoMessage().whole(1, 7).message(2, {}).text(8, markdown);
  append(summary_event(tag, step, ProtoMessage().message(8, strings).message(9, metadata)));
}

void EventFile::graph(const Tensor& result, const NamedTensors& names) {
  append(event_message(0).message(4, weft::detail::graph_def_of(result, names)).bytes());
}

void EventFile::append(const std::string& event) {
  if (descriptor_ < 0) return;
  const std::string record = record_of(event);
  for (std::size_t done = 0; done < record.size();) {
    const ssize_t written = write(descriptor_, record.data() + done, record.size() - done);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      const int error = errno;
      if (done > 0 && ftruncate(descriptor_, bytes_) != 0) fail("EventFile: ", path_, " ends in half a record");
      fail("EventFile: cannot write ", path_, ": ", std::strerror(error));
    }
    done += static_cast<std::size_t>(written);
  }
  bytes_ += static_cast<std::int64_t>(record.size());
}

}  // namespace weft::nn
