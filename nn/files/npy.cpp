#include <weft/nn/files/npy.hpp>

#include <algorithm>
#include <bit>
#include <nlohmann/json.hpp>
#include <set>
#include <xtensor/xnpy.hpp>

#include <weft/engine/detail/output_file.hpp>
#include <weft/engine/xtensor.hpp>
#include <weft/nn/detail/text.hpp>
#include <weft/nn/files/detail/input_file.hpp>
#include <weft/nn/files/detail/npy_header.hpp>
#include <weft/nn/files/detail/zip.hpp>
#include <weft/ops/reshape.hpp>

namespace weft::nn {
namespace {

static_assert(std::endian::native == std::endian::little, "arrays are read and written as little-endian");

constexpr std::string_view suffix = ".npy";

Tensor read_array(detail::ByteSource& from) {
  const detail::NpyHeader header = detail::read_npy_header(from);
  Shape shape = header.shape;
  if (header.fortran_order) std::reverse(shape.begin(), shape.end());
  Tensor t = detail::make_tensor(from.where().c_str(), shape, header.dtype);
  from.read(t.impl()->storage->data(), header.bytes);
  from.expect_end();
  if (!header.fortran_order || shape.rank() < 2) return t;
  std::vector<std::int64_t> axes;
  for (int axis = shape.rank(); axis-- > 0;) axes.push_back(axis);
  return permute(t, axes);
}

// The part of a stream's interface that xtensor's writer uses.
template <class To>
struct Sink {
  To& to;
  void write(const char* from, std::streamsize bytes) { to.write(from, static_cast<std::size_t>(bytes)); }
  void put(char c) { to.write(&c, 1); }
  Sink& operator<<(const std::string& text) { return to.write(text.data(), text.size()), *this; }
};

template <class To>
void write_array(To& to, const Tensor& t) {
  detail::visit_dtype(t.dtype(), [&](auto zero) {
    Sink<To> sink{to};
    xt::detail::dump_npy_stream(sink, as_xtensor<decltype(zero)>(t));
  });
}

std::string array_name(const std::string& member) {
  return member.ends_with(suffix) ? member.substr(0, member.size() - suffix.size()) : member;
}

// The members' names as NumPy gives them.
std::vector<std::string> names_in(const detail::ZipReader& archive) {
  std::vector<std::string> names;
  std::set<std::string> distinct;
  for (const auto& member : archive.members()) {
    names.push_back(array_name(member.name));
    if (!distinct.insert(names.back()).second)
      fail(archive.where(), " has ", detail::in_quotes(names.back()), " twice");
  }
  return names;
}

void check_name(const std::string& path, const std::string& name) {
  constexpr std::size_t longest = 65'535 - suffix.size();
  if (name.size() > longest)
    fail("save_npz: name ", detail::in_quotes(name), " for ", path, " has ", name.size(), " bytes, needs at most ",
         longest);
  if (name.find('\0') != name.npos)
    fail("save_npz: name ", detail::in_quotes(name), " for ", path, " holds a zero byte");
  try {
    static_cast<void>(nlohmann::json(name).dump());
  } catch (const nlohmann::json::exception&) {
    fail("save_npz: name ", detail::in_quotes(name), " for ", path, " is not UTF-8");
  }
}

}  // namespace

void save_npy(const std::string& path, const Tensor& t) {
  if (!t.defined()) fail("save_npy: the tensor for ", path, " is undefined");
  detail::OutputFile file("save_npy", path);
  write_array(file, t);
  file.commit();
}

Tensor load_npy(const std::string& path) {
  detail::InputFile file("load_npy", path);
  return read_array(file);
}

void save_npz(const std::string& path, const NamedTensors& tensors, const NpzOptions& options) {
  std::set<std::string> names;
  for (const auto& [name, t] : tensors) {
    if (!t.defined()) fail("save_npz: tensor ", detail::in_quotes(name), " for ", path, " is undefined");
    check_name(path, name);
    if (!names.insert(name).second) fail("save_npz: name ", detail::in_quotes(name), " for ", path, " stands twice");
  }
  detail::ZipWriter archive("save_npz", path, options.compressed);
  for (const auto& [name, t] : tensors) {
    archive.begin(name + std::string(suffix));
    write_array(archive, t);
    archive.end();
  }
  archive.commit();
}

NamedTensors load_npz(const std::string& path) {
  const detail::ZipReader archive("load_npz", path);
  const std::vector<std::string> names = names_in(archive);
  NamedTensors result;
  for (std::size_t i = 0; i < names.size(); ++i) {
    detail::ZipMember member(archive, archive.members()[i]);
    result.emplace_back(names[i], read_array(member));
  }
  return result;
}

Tensor load_npz(const std::string& path, const std::string& name) {
  const detail::ZipReader archive("load_npz", path);
  const std::vector<std::string> names = names_in(archive);
  const auto at = std::find(names.begin(), names.end(), name) - names.begin();
  if (at == static_cast<std::ptrdiff_t>(names.size())) fail(archive.where(), " has no array ", detail::in_quotes(name));
  detail::ZipMember member(archive, archive.members()[static_cast<std::size_t>(at)]);
  return read_array(member);
}

}  // namespace weft::nn
