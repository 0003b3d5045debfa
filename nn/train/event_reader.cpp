#include <algorithm>
#include <optional>

#include <weft/engine/error.hpp>
#include <weft/nn/files/detail/input_file.hpp>
#include <weft/nn/train/detail/crc32c.hpp>
#include <weft/nn/train/detail/little_endian.hpp>
#include <weft/nn/train/detail/protobuf.hpp>
#include <weft/nn/train/event_file.hpp>

namespace weft::nn {
namespace {

using weft::detail::proto_fields;
using weft::detail::ProtoField;

// Bytes and, behind them, their checksum.
std::string read_checked(weft::detail::InputFile& file, const std::string& where, std::uint64_t bytes) {
  file.expect(bytes);
  std::string data(bytes, '\0'), sum(4, '\0');
  file.read(data.data(), data.size());
  file.read(sum.data(), sum.size());
  if (weft::detail::little_endian<std::uint32_t>(sum) != weft::detail::masked_crc32c(data))
    fail(where, ": its checksum is not that of its bytes");
  return data;
}

// The first field of that number; undefined if there is none.
std::optional<ProtoField> find_field(const std::vector<ProtoField>& fields, std::uint32_t number) {
  const auto found = std::find_if(fields.begin(), fields.end(), [&](const auto& f) { return f.number == number; });
  return found != fields.end() ? std::optional(*found) : std::nullopt;
}

// For which part of TensorBoard a value says that it is; empty if it does not.
std::string_view plugin_of(const std::string& where, const std::vector<ProtoField>& value) {
  std::string_view inside;
  for (const std::uint32_t number : {9U, 1U, 1U}) {
    const auto found = find_field(number == 9 ? value : proto_fields(where, inside), number);
    if (!found) return {};
    inside = found->bytes;
  }
  return inside;
}

// One value of a summary.
void read_value(const std::string& where, std::string_view bytes, Event& event) {
  const auto fields = proto_fields(where, bytes);
  if (const auto tag = find_field(fields, 1)) event.tag = tag->bytes;
  if (const auto scalar = find_field(fields, 2)) {
    event.kind = Event::Kind::scalar;
    event.value = scalar->real();
  } else if (const auto image = find_field(fields, 4)) {
    event.kind = Event::Kind::image;
    if (const auto png = find_field(proto_fields(where, image->bytes), 4)) event.content = png->bytes;
  } else if (const auto histogram = find_field(fields, 5)) {
    event.kind = Event::Kind::histogram;
    event.content = histogram->bytes;
  } else if (const auto tensor = find_field(fields, 8)) {
    event.content = tensor->bytes;
    const auto words = find_field(proto_fields(where, tensor->bytes), 8);
    if (!words || plugin_of(where, fields) != "text") return;
    event.kind = Event::Kind::text;
    event.content = words->bytes;
  }
}

void read_event(const std::string& where, std::string_view bytes, std::vector<Event>& events) {
  const auto fields = proto_fields(where, bytes);
  Event event;
  if (const auto time = find_field(fields, 1)) event.wall_time = time->real();
  if (const auto step = find_field(fields, 2)) event.step = static_cast<std::int64_t>(step->whole);
  if (const auto summary = find_field(fields, 5)) {
    for (const ProtoField& value : proto_fields(where, summary->bytes))
      if (value.number == 1) {
        Event& one = events.emplace_back(event);
        read_value(where, value.bytes, one);
      }
    return;
  }
  if (const auto version = find_field(fields, 3)) {
    event.kind = Event::Kind::version;
    event.content = version->bytes;
  } else if (const auto graph = find_field(fields, 4)) {
    event.kind = Event::Kind::graph;
    event.content = graph->bytes;
  } else if (const auto session = find_field(fields, 7)) {
    const auto status = find_field(proto_fields(where, session->bytes), 1);
    event.kind = status && status->whole == 1 ? Event::Kind::start : Event::Kind::other;
  }
  events.push_back(std::move(event));
}

}  // namespace

std::vector<Event> read_events(const std::string& path) {
  weft::detail::InputFile file("read_events", path);
  std::vector<Event> events;
  for (std::size_t number = 1;; ++number) {
    // The length comes in one piece with its checksum, or there is nothing more.
    std::string length(8, '\0'), sum(4, '\0');
    const std::size_t got = file.read_some(length.data(), length.size());
    if (got == 0) return events;
    const std::string where = file.where() + " record " + std::to_string(number);
    if (got < length.size()) fail(where, " is cut");
    file.read(sum.data(), sum.size());
    if (weft::detail::little_endian<std::uint32_t>(sum) != weft::detail::masked_crc32c(length))
      fail(where, ": the checksum of its length is wrong");
    const std::string data = read_checked(file, where, weft::detail::little_endian<std::uint64_t>(length));
    read_event(where, data, events);
  }
}

}  // namespace weft::nn
