#include <weft/nn/files/pytorch.hpp>

#include <algorithm>
#include <functional>
#include <memory>

#include <weft/engine/grad_mode.hpp>
#include <weft/nn/detail/matched.hpp>
#include <weft/nn/detail/module_access.hpp>
#include <weft/nn/detail/text.hpp>
#include <weft/nn/files/detail/input_file.hpp>
#include <weft/nn/files/detail/torch_archive.hpp>
#include <weft/nn/files/safetensors.hpp>
#include <weft/ops/reshape.hpp>

namespace weft::nn {
namespace {

using detail::Described;

// A tensor of a module, and how PyTorch has it.
class Layout {
 public:
  // Throws Error unless `axes` has each of the tensor's axes once.
  Layout(const std::string& name, Tensor ours, std::vector<int> axes) : ours_(std::move(ours)), axes_(std::move(axes)) {
    const int rank = ours_.rank();
    if (axes_.empty())
      for (int axis = 0; axis < rank; ++axis) axes_.push_back(axis);
    for (const int axis : axes_) {
      shape_.append(axis < 0 ? 1 : axis < rank ? ours_.shape()[axis] : 0);
      if (axis >= 0) order_.push_back(axis);
    }
    std::vector<int> sorted = order_;
    std::sort(sorted.begin(), sorted.end());
    bool whole = static_cast<int>(sorted.size()) == rank;
    for (int axis = 0; whole && axis < rank; ++axis) whole = sorted[static_cast<std::size_t>(axis)] == axis;
    if (!whole)
      fail("pytorch_axes: got ", detail::to_text(detail::IntList(axes_)), " for ", detail::in_quotes(name), " of ",
           ours_.shape(), ", needs each of its axes once, and -1 for others");
  }

  const Shape& pytorch_shape() const { return shape_; }
  bool is_transposed() const { return !std::is_sorted(order_.begin(), order_.end()); }

  Tensor to_pytorch() const { return reshape(permute(ours_.detach(), order_), shape_); }

  Tensor from_pytorch(const Tensor& t) const {
    Shape kept;
    std::vector<int> back(order_.size());
    for (std::size_t i = 0; i < order_.size(); ++i) {
      kept.append(ours_.shape()[order_[i]]);
      back[static_cast<std::size_t>(order_[i])] = static_cast<int>(i);
    }
    return permute(reshape(t, kept), back).to(ours_.dtype());
  }

 private:
  Tensor ours_;
  std::vector<int> axes_;   // of PyTorch's axes, which of ours
  std::vector<int> order_;  // the same without those that are PyTorch's alone
  Shape shape_;
};

std::vector<Layout> layouts_of(const Module& module, const NamedTensors& tensors) {
  std::vector<std::vector<int>> axes = ModuleAccess::pytorch_axes(module);
  std::vector<Layout> result;
  for (std::size_t i = 0; i < tensors.size(); ++i)
    result.emplace_back(tensors[i].first, tensors[i].second, std::move(axes[i]));
  return result;
}

// What a file holds, in PyTorch's layouts; read one by one, so that no more is than fits the module.
struct Saved {
  std::vector<Described> tensors = {};
  std::function<Tensor(std::size_t)> read = {};
  Notes notes = {};
};

Saved in_archive(const std::string& path) {
  const auto archive = std::make_shared<detail::TorchArchive>("load_pytorch", path);
  Saved saved{.notes = archive->notes()};
  for (const auto& entry : archive->entries()) saved.tensors.push_back({entry.name, entry.type->dtype, entry.sizes});
  saved.read = [archive](std::size_t i) { return archive->read(archive->entries()[i]); };
  return saved;
}

Saved in_safetensors(const std::string& path) {
  TensorFile file = read_safetensors(path);
  Saved saved{.notes = std::move(file.notes)};
  for (const auto& [name, t] : file.tensors) saved.tensors.push_back({name, t.dtype(), t.shape()});
  saved.read = [tensors = std::move(file.tensors)](std::size_t i) { return tensors[i].second; };
  return saved;
}

Saved saved_in(const std::string& path) {
  unsigned char head[9] = {};
  detail::InputFile("load_pytorch", path).read_some(head, sizeof head);
  if (head[0] == 'P' && head[1] == 'K') return in_archive(path);
  if (head[0] == 0x80)  // a pickle's first byte
    fail("load_pytorch: ", path,
         " is in the format from before PyTorch 1.6, needs to be written anew: "
         "torch.save(torch.load(path), path)");
  if (head[8] != '{') fail("load_pytorch: ", path, " is neither a safetensors file nor one by torch.save");
  return in_safetensors(path);
}

bool counts_batches(const std::string& name) {
  constexpr std::string_view counter = "num_batches_tracked";
  return name == counter || name.ends_with("." + std::string(counter));
}

Shape without_ones_behind(Shape shape) {
  while (shape.rank() > 0 && shape[-1] == 1) shape.erase(shape.rank() - 1);
  return shape;
}

bool fits(const Described& saved, const Described& wanted) {
  return (saved.dtype == wanted.dtype || (is_floating(saved.dtype) && is_floating(wanted.dtype))) &&
         without_ones_behind(saved.shape) == without_ones_behind(wanted.shape);
}

}  // namespace

LoadReport load_pytorch(const std::string& path, Module& module, const LoadOptions& options) {
  const NamedTensors tensors = ModuleAccess::tensors(module);
  const std::vector<Layout> layouts = layouts_of(module, tensors);
  std::vector<Described> wanted;
  for (std::size_t i = 0; i < tensors.size(); ++i)
    wanted.push_back({tensors[i].first, tensors[i].second.dtype(), layouts[i].pytorch_shape()});
  Saved saved = saved_in(path);
  LoadOptions without_counters = options;
  without_counters.rename = [&](const std::string& name) {
    return counts_batches(name) ? std::string() : options.rename ? options.rename(name) : name;
  };
  auto [pairs, report] = detail::pair_up("load_pytorch: " + path, saved.tensors, wanted, without_counters, fits);
  Tensors values;
  for (const auto& [from, to] : pairs) {
    const auto& [name, tensor] = tensors[to];
    values.push_back(layouts[to].from_pytorch(saved.read(from)));
    if (layouts[to].is_transposed()) report.transposed.push_back(name);
    if (saved.tensors[from].dtype != tensor.dtype()) report.converted.push_back(name);
  }
  // From here on nothing is refused.
  const NoGrad off;
  for (std::size_t i = 0; i < pairs.size(); ++i) Tensor(tensors[pairs[i].second].second).copy_(values[i]);
  report.notes = std::move(saved.notes);
  return std::move(report);
}

void save_pytorch(const std::string& path, const Module& module) {
  NamedTensors tensors = ModuleAccess::tensors_to_save("save_pytorch", module);
  const std::vector<Layout> layouts = layouts_of(module, tensors);
  for (std::size_t i = 0; i < tensors.size(); ++i) tensors[i].second = layouts[i].to_pytorch();
  write_safetensors(path, tensors, {{"format", "pt"}});
}

}  // namespace weft::nn
