#include <weft/nn/files/safetensors.hpp>

#include <sys/stat.h>
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include <weft/engine/detail/output_file.hpp>
#include <weft/nn/detail/text.hpp>
#include <weft/nn/files/detail/stored_type.hpp>

namespace weft::nn {
namespace {

using Json = nlohmann::json;
// A hundred thousand tensors. The format allows 100 MB, which nobody needs, and every note costs more than its text.
constexpr std::uint64_t longest_header = 16'000'000;
constexpr const char* metadata_key = "__metadata__";
constexpr const char* needed = "needs dtype, shape and data_offsets, nothing else";

// What the header says of one tensor, checked as far as it can be alone.
struct Entry {
  std::string name;
  const detail::StoredType* type = nullptr;
  Shape shape;
  std::uint64_t begin = 0, end = 0;
};

class HeaderReader {
 public:
  explicit HeaderReader(const std::string& path) : path_(path), file_(std::fopen(path.c_str(), "rb"), &std::fclose) {
    struct stat info = {};
    if (file_ == nullptr || fstat(fileno(file_.get()), &info) != 0)
      fail("read_safetensors: cannot read ", path_, ": ", std::strerror(errno));
    if (!S_ISREG(info.st_mode)) wrong(" is not a file");
    bytes_ = static_cast<std::uint64_t>(info.st_size);
  }

  TensorFile read() {
    read_header();
    check_ranges();
    TensorFile result;
    for (const Entry& entry : entries_) {
      Tensor t = detail::make_tensor("read_safetensors", entry.shape, entry.type->dtype);
      fill(t, *entry.type);
      result.tensors.emplace_back(entry.name, std::move(t));
    }
    result.notes = std::move(notes_);
    return result;
  }

 private:
  template <class... Parts>
  [[noreturn]] void wrong(const Parts&... parts) const {
    fail("read_safetensors: ", path_, parts...);
  }
  [[noreturn]] void wrong_entry(const std::string& name, const std::string& what) const {
    wrong(": tensor ", detail::in_quotes(name), " ", what);
  }

  void fill(void* to, std::uint64_t bytes) {
    if (std::fread(to, 1, bytes, file_.get()) != bytes) wrong(" is cut short");
  }

  void fill(Tensor& t, const detail::StoredType& type) {
    constexpr std::int64_t chunk = 1 << 16;
    auto* to = static_cast<std::byte*>(t.impl()->storage->data());
    if (type.as_is()) return fill(to, static_cast<std::size_t>(t.size()) * type.bytes);
    std::vector<std::byte> narrow(static_cast<std::size_t>(std::min(chunk, t.size())) * type.bytes);
    for (std::int64_t done = 0; done < t.size(); done += chunk) {
      const std::int64_t count = std::min(chunk, t.size() - done);
      fill(narrow.data(), static_cast<std::size_t>(count) * type.bytes);
      type.read(narrow.data(), 1, count, to + static_cast<std::size_t>(done) * size_of(type.dtype));
    }
  }

  void read_header() {
    unsigned char length_bytes[8];
    if (bytes_ < sizeof length_bytes) wrong(" has ", bytes_, " bytes, needs at least 8");
    fill(length_bytes, sizeof length_bytes);
    std::uint64_t length = 0;
    std::memcpy(&length, length_bytes, sizeof length);
    if (length > bytes_ - sizeof length_bytes || length > longest_header)
      wrong(" announces a header of ", length, " bytes, has ", bytes_ - sizeof length_bytes, " in all, needs at most ",
            longest_header);
    data_bytes_ = bytes_ - sizeof length_bytes - length;
    std::string text(length, '\0');
    fill(text.data(), length);

    const auto take_part = [this](int depth, Json::parse_event_t event, Json& parsed) {
      return take(depth, event, parsed);
    };
    try {
      if (!Json::parse(text, take_part).is_object()) wrong(": the header is not a JSON object");
    } catch (const Json::exception&) {
      wrong(": the header is not JSON");
    }
  }

  // Takes the header's parts as they are parsed, and says whether the parser shall keep them: a tree of the whole would
  // be 20 times the text, and would have forgotten the first of two equal keys.
  bool take(int depth, Json::parse_event_t event, Json& parsed) {
    using Event = Json::parse_event_t;
    const bool in_notes = name_ == metadata_key;
    const bool starts = event == Event::array_start || event == Event::object_start;
    if (depth == 0 && event == Event::array_start) wrong(": the header is not a JSON object");
    if (depth > (event == Event::object_start ? 1 : event == Event::array_start ? 2 : 3))
      wrong(": the header is nested too deeply");
    if (depth == 1 && event == Event::key) {
      name_ = parsed.get<std::string>();
      if (!names_.insert(name_).second) wrong_entry(name_, "stands twice in the header");
      keys_.clear();
    } else if (depth == 1 && (event == Event::value || event == Event::array_start)) {
      if (in_notes) wrong(": ", metadata_key, " is not an object");
      wrong_entry(name_, needed);
    } else if (depth == 1 && event == Event::object_end) {
      if (!in_notes) entries_.push_back(entry_of(name_, parsed));
      return false;
    } else if (depth == 2 && event == Event::key) {
      key_ = parsed.get<std::string>();
      if (!keys_.insert(key_).second) wrong_entry(name_, "has " + detail::in_quotes(key_) + " twice");
      if (!in_notes && keys_.size() > 3) wrong_entry(name_, needed);
      items_ = 0;
      return !in_notes;
    } else if (depth == 2 && in_notes && (starts || event == Event::value)) {
      if (!parsed.is_string()) wrong(": ", metadata_key, " ", detail::in_quotes(key_), " is not a string");
      notes_.emplace_back(key_, parsed.get<std::string>());
    } else if (depth == 3 && event == Event::value && ++items_ > max_rank) {
      wrong_entry(name_, "has more than 8 numbers in " + detail::in_quotes(key_));
    }
    return true;
  }

  Entry entry_of(const std::string& name, const Json& value) const {
    Entry entry;
    entry.name = name;
    if (!value.is_object() || value.size() != 3 || !value.contains("dtype") || !value.contains("shape") ||
        !value.contains("data_offsets"))
      wrong_entry(name, needed);
    const Json &dtype = value["dtype"], &shape = value["shape"], &offsets = value["data_offsets"];
    if (!dtype.is_string()) wrong_entry(name, "has a dtype that is not a string");
    const auto& kind = dtype.get_ref<const std::string&>();
    entry.type = detail::stored_type_of_safetensors(kind);
    if (entry.type == nullptr)
      wrong_entry(
          name, "has dtype " + detail::in_quotes(kind) + ", needs F64, F32, F16, BF16, I64, I32, I16, I8, U8 or BOOL");

    if (!shape.is_array() || shape.size() > max_rank)
      wrong_entry(name, "has a shape that is not a list of up to 8 sizes");
    for (const Json& size : shape) {
      if (!size.is_number_unsigned() || size.get<std::uint64_t>() > std::uint64_t{1} << 62)
        wrong_entry(name, "has a size that is no number from 0 to 2^62");
      entry.shape.append(size.get<std::int64_t>());
    }
    const auto is_offset = [](const Json& offset) { return offset.is_number_unsigned(); };
    if (!offsets.is_array() || offsets.size() != 2 || !std::all_of(offsets.begin(), offsets.end(), is_offset))
      wrong_entry(name, "has data_offsets that are not two numbers");
    entry.begin = offsets[0].get<std::uint64_t>();
    entry.end = offsets[1].get<std::uint64_t>();
    if (entry.begin > entry.end || entry.end > data_bytes_)
      wrong_entry(name, "lies outside the file's " + std::to_string(data_bytes_) + " bytes of data");
    const std::size_t item = entry.type->bytes;
    const std::string op = "read_safetensors: " + path_ + ": tensor " + detail::in_quotes(name);
    const auto count =
        static_cast<std::uint64_t>(detail::checked_size(op.c_str(), entry.shape, size_of(entry.type->dtype)));
    if (count * item != entry.end - entry.begin)
      wrong_entry(name, "has " + std::to_string(entry.end - entry.begin) + " bytes, its shape " +
                            detail::to_text(entry.shape) + " needs " + std::to_string(count * item));
    return entry;
  }

  // Sorts by place; neither overlaps nor gaps, as the format asks.
  void check_ranges() {
    std::stable_sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) {
      return a.begin != b.begin ? a.begin < b.begin : a.end < b.end;
    });
    std::uint64_t end = 0;
    for (const Entry& entry : entries_) {
      if (entry.begin < end) wrong_entry(entry.name, "overlaps another");
      if (entry.begin > end) wrong_entry(entry.name, "does not follow the one before");
      end = entry.end;
    }
    if (end != data_bytes_) wrong(" goes on after its last tensor by ", data_bytes_ - end, " bytes");
  }

  const std::string& path_;
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_;
  std::uint64_t bytes_ = 0, data_bytes_ = 0;
  // Of the header, as far as it has been parsed.
  std::set<std::string> names_, keys_;  // of the tensors, and inside the part under way
  std::string name_, key_;              // of the part under way
  int items_ = 0;                       // of the list under way
  std::vector<Entry> entries_;
  Notes notes_;
};

}  // namespace

void write_safetensors(const std::string& path, const NamedTensors& tensors, const Notes& notes) {
  // Wide elements first: with the header padded to 8 bytes, every tensor's data is then aligned.
  std::vector<const std::pair<std::string, Tensor>*> order;
  for (const auto& named : tensors) order.push_back(&named);
  std::stable_sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
    return size_of(a->second.dtype()) > size_of(b->second.dtype());
  });
  auto header = nlohmann::ordered_json::object();
  std::set<std::string> names = {metadata_key};
  for (const auto& [key, text] : notes) header[metadata_key][key] = text;
  std::uint64_t offset = 0;
  for (const auto* named : order) {
    const auto& [name, t] = *named;
    if (!names.insert(name).second)
      fail("write_safetensors: name ", detail::in_quotes(name), " stands twice or is reserved");
    const std::uint64_t bytes = static_cast<std::uint64_t>(t.size()) * size_of(t.dtype());
    auto sizes = nlohmann::ordered_json::array();
    for (const std::int64_t size : t.shape()) sizes.push_back(size);
    // Put together at once: a look-up by name in an ordered object is linear.
    header.get_ref<nlohmann::ordered_json::object_t&>().push_back(
        {name,
         {{"dtype", detail::stored_type_of(t.dtype()).safetensors},
          {"shape", std::move(sizes)},
          {"data_offsets", {offset, offset + bytes}}}});
    offset += bytes;
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const nlohmann::json::exception&) {
    fail("write_safetensors: a name or note for ", path, " is not UTF-8");
  }
  text.append((8 - text.size() % 8) % 8, ' ');
  if (text.size() > longest_header)
    fail("write_safetensors: the names and notes for ", path, " are ", text.size(), " bytes, needs at most ",
         longest_header);

  detail::OutputFile file("write_safetensors", path);
  const std::uint64_t length = text.size();
  file.write(&length, sizeof length);
  file.write(text.data(), text.size());
  for (const auto* named : order) {
    const Tensor& t = named->second;
    file.write(t.impl()->storage->data(), static_cast<std::size_t>(t.size()) * size_of(t.dtype()));
  }
  file.commit();
}

TensorFile read_safetensors(const std::string& path) { return HeaderReader(path).read(); }

}  // namespace weft::nn
