#include <weft/nn/summary.hpp>

#include <algorithm>
#include <array>
#include <unordered_map>

#include <weft/engine/create.hpp>
#include <weft/engine/grad_mode.hpp>
#include <weft/nn/detail/module_access.hpp>
#include <weft/nn/detail/text.hpp>

namespace weft::nn {
namespace {

using Row = std::array<std::string, 5>;

std::string table_of(const std::vector<Row>& rows) {
  std::array<std::size_t, 5> width{};
  for (const Row& row : rows)
    for (std::size_t c = 0; c < row.size(); ++c) width[c] = std::max(width[c], row[c].size());
  std::string text;
  for (const Row& row : rows) {
    std::string line;
    for (std::size_t c = 0; c < row.size(); ++c) {
      const std::string space(width[c] - row[c].size(), ' ');
      line += c < 3 ? row[c] + space : space + row[c];  // text to the left, numbers to the right
      if (c + 1 < row.size()) line += "  ";
    }
    text += line + "\n";
  }
  return text;
}

// Puts hooks and training flags back as they were, whatever happens.
struct Visit {
  std::vector<std::pair<std::string, Module*>> modules;
  std::vector<ForwardHookHandle> hooks;
  std::vector<bool> training;

  explicit Visit(Module& root) : modules(root.named_modules()) {
    for (auto& [name, module] : modules) training.push_back(module->is_training());
    root.eval();
  }
  Visit(const Visit&) = delete;
  Visit& operator=(const Visit&) = delete;
  ~Visit() {
    for (ForwardHookHandle& hook : hooks) hook.remove();
    for (std::size_t i = 0; i < modules.size(); ++i) ModuleAccess::set_training(*modules[i].second, training[i]);
  }
};

}  // namespace

std::string summary(Module& module, const Shape& shape) {
  std::vector<Row> rows{{"layer", "kind", "output", "parameters", "multiply-adds"}};
  std::unordered_map<const Module*, bool> called;
  std::int64_t multiply_adds = 0;
  const NamedTensors parameters = module.named_parameters();
  Visit visit(module);
  for (auto& [path, part] : visit.modules) {
    const std::int64_t own = ModuleAccess::own_parameters(*part);
    if (own == 0 && ModuleAccess::has_children(*part)) continue;
    visit.hooks.push_back(module.register_forward_hook(
        path, [&, own, name = path](Module& layer, const Tensor& input, const Tensor& output) {
          const std::int64_t work = layer.multiply_adds(input.shape(), output.shape());
          const bool first = !std::exchange(called[&layer], true);
          multiply_adds += work;
          rows.push_back({name.empty() ? "(itself)" : name, type_name(layer), detail::to_text(output.shape()),
                          first ? detail::grouped(own) : "shared", detail::grouped(work)});
          return Tensor();
        }));
  }
  const NoGrad off;
  const Tensor y = module(zeros(shape, parameters.empty() ? f32 : parameters[0].second.dtype()));
  for (auto& [path, part] : visit.modules) {
    const std::int64_t own = ModuleAccess::own_parameters(*part);
    if (own > 0 && !called[part]) rows.push_back({path, type_name(*part), "not called", detail::grouped(own), ""});
  }
  std::int64_t count = 0;
  for (const auto& [name, p] : parameters) count += p.size();
  rows.push_back(
      {"total", type_name(module), detail::to_text(y.shape()), detail::grouped(count), detail::grouped(multiply_adds)});
  return table_of(rows);
}

}  // namespace weft::nn
