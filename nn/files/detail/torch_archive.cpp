#include <weft/nn/files/detail/torch_archive.hpp>

#include <fmt/format.h>

#include <weft/nn/detail/text.hpp>

namespace weft::detail {
namespace {

constexpr std::string_view pickle_name = "data.pkl";
constexpr int deepest = 64;
constexpr std::size_t most_listed_bytes = 16'000'000, listed_entry_bytes = 64;  // beside its name

// Of a number or text.
std::optional<std::string> text_of(const Pickle::Value& value) {
  using Kind = Pickle::Kind;
  switch (value.kind) {
    case Kind::text: return std::string(value.text);
    case Kind::integer: return std::to_string(value.integer);
    case Kind::number: return fmt::format("{}", value.number);
    case Kind::boolean: return value.integer != 0 ? "True" : "False";
    default: return std::nullopt;
  }
}

}  // namespace

TorchArchive::TorchArchive(const char* op, const std::string& path) : zip_(op, path), where_(zip_.where()) {
  const ZipReader::Member* main = nullptr;
  for (const ZipReader::Member& member : zip_.members()) {
    if (member.deflated) fail(where_, ": ", in_quotes(member.name), " is compressed, needs to be stored as it is");
    if (!members_.emplace(member.name, &member).second) fail(where_, " has ", in_quotes(member.name), " twice");
    const std::size_t slash = member.name.find('/');
    if (slash == std::string::npos || member.name.compare(slash + 1, std::string::npos, pickle_name) != 0) continue;
    if (main != nullptr) fail(where_, " has two pickles, ", in_quotes(main->name), " and ", in_quotes(member.name));
    main = &member;
    root_ = member.name.substr(0, slash + 1);
  }
  if (main == nullptr) fail(where_, " has no data.pkl, needs to be written by torch.save");
  if (const auto order = members_.find(root_ + "byteorder"); order != members_.end()) {
    const std::vector<std::byte>& bytes = bytes_of(*order->second);
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (text != "little") fail(where_, " is in the byte order ", in_quotes(text), ", needs \"little\"");
  }
  ZipMember source(zip_, *main);
  const Pickle pickle(where_ + ": the pickle", source, static_cast<std::size_t>(main->bytes));
  if (pickle[pickle.root()].kind != Pickle::Kind::dictionary)
    fail(where_, " holds no dictionary, needs one of tensors by name: torch.save(net.state_dict(), path)");
  list(pickle, pickle.root(), "", 0);
}

// A value may stand in many places, or inside itself: each time is counted.
void TorchArchive::list(const Pickle& pickle, Pickle::Ref ref, const std::string& name, int depth) {
  using Kind = Pickle::Kind;
  const Pickle::Value& value = pickle[ref];
  std::optional<std::string> note = text_of(value);
  listed_bytes_ += name.size() + (note ? note->size() : 0) + listed_entry_bytes;
  if (listed_bytes_ > most_listed_bytes)
    fail(where_, " has more names and notes than ", most_listed_bytes, " bytes hold");
  if (depth > deepest) fail(where_, " has dictionaries and lists more than ", deepest, " deep in each other");
  const std::string prefix = name.empty() ? "" : name + ".";
  if (note) {
    notes_.emplace_back(name, std::move(*note));
  } else if (value.kind == Kind::tensor) {
    list_tensor(pickle, value, name);
  } else if (value.kind == Kind::list || value.kind == Kind::tuple) {
    for (std::size_t i = 0; i < value.items.size(); ++i)
      list(pickle, value.items[i], prefix + std::to_string(i), depth + 1);
  } else if (value.kind == Kind::dictionary) {
    for (std::size_t i = 0; i < value.items.size(); i += 2) {
      const std::optional<std::string> key = text_of(pickle[value.items[i]]);
      if (!key) fail(where_, " has a key in ", in_quotes(name), " that is neither text nor a number");
      list(pickle, value.items[i + 1], prefix + *key, depth + 1);
    }
  }
}

void TorchArchive::list_tensor(const Pickle& pickle, const Pickle::Value& tensor, const std::string& name) {
  const std::string who = where_ + ": tensor " + in_quotes(name);
  const Pickle::Value& storage = pickle[tensor.items[0]];
  const std::vector<Pickle::Ref>&sizes = pickle[tensor.items[2]].items, &strides = pickle[tensor.items[3]].items;
  const std::string storage_name = "data/" + std::string(pickle[storage.items[0]].text);
  const auto found = members_.find(root_ + storage_name);
  if (found == members_.end()) fail(who, " is in the storage ", in_quotes(storage_name), ", which is not there");
  const auto number = [&](Pickle::Ref ref) {
    if (pickle[ref].kind != Pickle::Kind::integer)
      fail(who, " has something else for a size, stride or offset than a whole number");
    return pickle[ref].integer;
  };
  Entry entry{.name = name, .type = storage.type, .sizes = {}, .strides = {}, .offset = 0, .storage = found->second};

  const std::int64_t count = number(storage.items[1]);
  if (count < 0 || static_cast<std::uint64_t>(count) > entry.storage->bytes / entry.type->bytes)
    fail(who, " is in the storage ", in_quotes(storage_name), " of ", entry.storage->bytes, " bytes, which cannot be ",
         count, " elements of ", entry.type->bytes);
  if (sizes.size() != strides.size() || sizes.size() > max_rank)
    fail(who, " has ", sizes.size(), " sizes and ", strides.size(), " strides, needs as many, up to ", max_rank);
  for (std::size_t axis = 0; axis < sizes.size(); ++axis) {
    entry.sizes.append(number(sizes[axis]));
    entry.strides.append(number(strides[axis]));
  }
  const std::int64_t offset = number(tensor.items[1]);
  const auto outside = [&] {
    fail(who, " of ", entry.sizes, " with strides ", entry.strides, " from ", offset, " on goes beyond its storage of ",
         count, " elements");
  };
  if (offset < 0 || offset > count) outside();
  if (checked_size(who.c_str(), entry.sizes, size_of(entry.type->dtype)) > 0) {
    std::int64_t left = count - offset - 1;  // elements behind the last one that is reached
    if (left < 0) outside();
    for (int axis = 0; axis < entry.sizes.rank(); ++axis) {
      const std::int64_t steps = entry.sizes[axis] - 1, stride = entry.strides[axis];
      if (stride < 0 || (stride > 0 && steps > left / stride)) outside();
      left -= steps * stride;
    }
  }
  entry.offset = static_cast<std::size_t>(offset);
  entries_.push_back(std::move(entry));
}

const std::vector<std::byte>& TorchArchive::bytes_of(const ZipReader::Member& member) {
  if (last_ == &member) return last_bytes_;
  last_ = nullptr;
  last_bytes_.resize(static_cast<std::size_t>(member.bytes));
  ZipMember source(zip_, member);
  source.read(last_bytes_.data(), last_bytes_.size());
  source.expect_end();
  last_ = &member;
  return last_bytes_;
}

Tensor TorchArchive::read(const Entry& entry) {
  Tensor t = make_tensor(where_.c_str(), entry.sizes, entry.type->dtype);
  if (t.size() == 0) return t;
  const std::byte* const storage = bytes_of(*entry.storage).data();
  auto* to = static_cast<std::byte*>(t.impl()->storage->data());
  const int outer = entry.sizes.rank() - 1;  // axes that are gone through here; the last in one go
  const std::int64_t length = outer < 0 ? 1 : entry.sizes[outer], step = outer < 0 ? 0 : entry.strides[outer];
  const std::size_t row_bytes = static_cast<std::size_t>(length) * size_of(entry.type->dtype);
  std::int64_t place[max_rank] = {}, from = static_cast<std::int64_t>(entry.offset);
  for (std::int64_t rows = t.size() / length; rows > 0; --rows, to += row_bytes) {
    entry.type->read(storage + static_cast<std::size_t>(from) * entry.type->bytes, step, length, to);
    for (int axis = outer - 1; axis >= 0; --axis) {
      from += entry.strides[axis];
      if (++place[axis] < entry.sizes[axis]) break;
      from -= entry.strides[axis] * entry.sizes[axis];
      place[axis] = 0;
    }
  }
  return t;
}

}  // namespace weft::detail
