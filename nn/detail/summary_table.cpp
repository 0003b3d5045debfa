#include <weft/nn/detail/summary_table.hpp>

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include <weft/engine/detail/node.hpp>
#include <weft/engine/grad_mode.hpp>
#include <weft/engine/observer.hpp>
#include <weft/nn/detail/module_access.hpp>

namespace weft::nn {
namespace {

using Row = weft::detail::SummaryRow;
using Rows = std::vector<Row>;

// The first `count` names of a path.
std::string_view names(std::string_view path, std::size_t count) {
  std::size_t end = 0;
  for (std::size_t i = 0; i < count && end < path.size(); ++i) end = std::min(path.find('.', end + 1), path.size());
  return path.substr(0, end);
}

// Folds blocks: consecutive rows whose paths begin with the same `level` names, where those of the next block differ
// from them in the last of these names only. What is not folded is looked into more deeply.
Rows folded(std::span<const Row> rows, std::size_t level = 1) {
  Rows result;
  std::vector<std::span<const Row>> blocks;
  for (std::size_t i = 0; i < rows.size();) {
    std::size_t end = i + 1;
    while (end < rows.size() && names(rows[end].path, level) == names(rows[i].path, level)) ++end;
    blocks.push_back(rows.subspan(i, end - i));
    i = end;
  }
  const auto begin = [&](std::span<const Row> block) { return names(block[0].path, level); };
  const auto numbered = [&](std::span<const Row> block) {
    const std::string_view outer = names(block[0].path, level - 1), name = begin(block).substr(outer.size());
    return !name.empty() && name.find_first_not_of(".0123456789") == std::string_view::npos;
  };
  const auto alike = [&](std::span<const Row> a, std::span<const Row> b) {
    return names(a[0].path, level - 1) == names(b[0].path, level - 1) && numbered(a) && numbered(b) &&
           std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](const Row& x, const Row& y) {
             return x.same(y) && x.path.substr(begin(a).size()) == y.path.substr(begin(b).size());
           });
  };
  for (std::size_t b = 0; b < blocks.size();) {
    std::size_t end = b + 1;
    while (end < blocks.size() && alike(blocks[b], blocks[end])) ++end;
    const auto block = blocks[b];
    const bool deeper =
        std::any_of(block.begin(), block.end(), [&](const Row& row) { return row.path.size() > begin(block).size(); });
    const Rows shown = deeper ? folded(block, level + 1) : Rows(block.begin(), block.end());
    result.insert(result.end(), shown.begin(), shown.end());
    const std::size_t more = end - b - 1;
    if (more * block.size() <= 1) end = b + 1;  // nothing to be won
    if (end > b + 1) {
      Row row{.path = std::string(begin(blocks[b + 1])),
              .kind = "as " + std::string(begin(block)),
              .output = block.back().output};
      if (more > 1) row.path += " .. " + std::string(begin(blocks[end - 1])), row.kind += ", x" + std::to_string(more);
      for (const Row& one : block) {
        if (!one.shared) row.parameters += static_cast<std::int64_t>(more) * one.parameters;
        row.saved += static_cast<std::int64_t>(more) * one.saved;
        if (one.multiply_adds)
          row.multiply_adds = row.multiply_adds.value_or(0) + static_cast<std::int64_t>(more) * *one.multiply_adds;
      }
      result.push_back(std::move(row));
    }
    b = end;
  }
  return result;
}

// What a run of the module shows: the calls of its layers by their hooks, the rest by its ops. Puts hooks and training
// flags back as they were, whatever happens.
class Visit : public Observer {
 public:
  Visit(Module& root, const Tensors& inputs) : modules_(root.named_modules()) {
    for (auto& [path, module] : modules_) training_.push_back(module->is_training());
    for (const Tensor& p : root.parameters()) known_.insert(p.impl());
    for (const auto& [name, t] : ModuleAccess::tensors(root)) kept_.insert(&*t.impl()->storage);
    for (const Tensor& t : inputs) known_.insert(t.impl());
    for (auto& [path, module] : modules_) {
      by_place_.emplace(ModuleAccess::place(*module), module);
      const std::int64_t own = ModuleAccess::own_parameters(*module);
      if (own == 0 && ModuleAccess::has_children(*module)) continue;
      hooks_.push_back(root.register_forward_hook(
          path, [this, own, name = path](Module& layer, const Tensor& input, const Tensor& output) {
            add(rows.size(), name, layer, own, output.shape(), input.shape());
          }));
    }
    root.eval();
  }
  Visit(const Visit&) = delete;
  Visit& operator=(const Visit&) = delete;
  ~Visit() override {
    for (ModuleHookHandle& hook : hooks_) hook.remove();
    for (std::size_t i = 0; i < modules_.size(); ++i) ModuleAccess::set_training(*modules_[i].second, training_[i]);
  }

  void before(const OpCall& call) override {
    for (const Tensor* t : call.inputs())
      if (t->defined() && t->is_leaf() && t->requires_grad() && known_.insert(t->impl()).second)
        unowned.push_back({.path = "(no module)",
                           .kind = t->name().empty() ? "leaf" : t->name(),
                           .output = weft::detail::to_text(t->shape()),
                           .parameters = t->size()});
  }
  void after(const OpCall& call) override {
    count_saved(call);
    const auto found = by_place_.find(call.module());
    if (found == by_place_.end() || call.outputs().empty() || !call.outputs()[0].defined()) return;
    Ops& ops = ops_[found->second];
    if (!ops.input && !call.inputs().empty() && call.inputs()[0]->defined()) ops.input = call.inputs()[0]->shape();
    ops.output = call.outputs()[0].shape();
    ops.row = rows.size();
  }

  // Blocks whose own ops save something; and layers with parameters whose hook was not called: their forward gives no
  // tensor, or it is another function; or nothing of it ran.
  void add_others() {
    std::vector<std::pair<std::size_t, std::function<void(std::size_t)>>> late;
    for (auto& [path, module] : modules_) {
      const std::int64_t own = ModuleAccess::own_parameters(*module);
      if ((own == 0 && !saved_.contains(module)) || counted_.contains(module)) continue;
      const auto found = ops_.find(module);
      if (found != ops_.end())
        late.emplace_back(found->second.row,
                          [this, &name = path, part = module, own, &ops = found->second](std::size_t at) {
                            add(at, name, *part, own, ops.output, ops.input.value_or(Shape()));
                          });
      else
        rows.push_back({.path = path, .kind = type_name(*module), .output = "not called", .parameters = own});
    }
    std::stable_sort(late.begin(), late.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
    for (const auto& [at, add_at] : late) add_at(at);
  }

  Rows rows, unowned;
  std::int64_t all_saved = 0;

 private:
  struct Ops {
    std::optional<Shape> input;  // of the first
    Shape output;                // of the last
    std::size_t row = 0;         // where it would stand
  };

  void add(std::size_t at, const std::string& path, Module& layer, std::int64_t own, const Shape& output,
           const Shape& input) {
    rows.insert(rows.begin() + static_cast<std::ptrdiff_t>(at), {.path = path.empty() ? "(itself)" : path,
                                                                 .kind = type_name(layer),
                                                                 .output = weft::detail::to_text(output),
                                                                 .parameters = own,
                                                                 .shared = !counted_.insert(&layer).second,
                                                                 .multiply_adds = layer.multiply_adds(input, output),
                                                                 .saved = std::exchange(saved_[&layer], 0)});
  }

  // What an op has kept for backward goes to the module that called it, once, wherever else it is kept.
  void count_saved(const OpCall& call) {
    if (call.outputs().empty() || !call.outputs()[0].defined()) return;
    const Node* const node = call.outputs()[0].impl()->node;
    if (node == nullptr) return;
    graph_.push_back(call.outputs()[0]);
    const auto found = by_place_.find(call.module());
    for (const weft::detail::Saved& saved : node->saved())
      if (saved.tensor.defined() && kept_.insert(&*saved.tensor.impl()->storage).second) {
        const auto bytes = saved.tensor.size() * static_cast<std::int64_t>(size_of(saved.tensor.dtype()));
        all_saved += bytes;
        if (found != by_place_.end()) saved_[found->second] += bytes;
      }
  }

  std::vector<std::pair<std::string, Module*>> modules_;
  std::vector<ModuleHookHandle> hooks_;
  std::vector<bool> training_;
  std::unordered_map<std::string, Module*> by_place_;
  std::unordered_set<const Module*> counted_;
  std::unordered_set<const void*> known_;  // parameters, inputs, and what was found
  std::unordered_map<const Module*, Ops> ops_;
  std::unordered_map<const Module*, std::int64_t> saved_;  // bytes that stand in no row yet
  std::unordered_set<const void*> kept_;                   // storages: parameters', buffers', and what was saved
  Tensors graph_;                                          // so that no storage takes another's place
};

}  // namespace
}  // namespace weft::nn

weft::detail::SummaryTable weft::detail::summary_table(const SummaryCall& call, nn::SummaryOptions options) {
  nn::Visit visit(call.module, call.inputs);
  Tensor y;
  {
    const EnableGrad on;
    const Observe observe(visit);
    y = call.run();
  }
  visit.add_others();
  SummaryRow total{.path = "total",
                   .kind = nn::type_name(call.module),
                   .output = y.defined() ? to_text(y.shape()) : "",
                   .multiply_adds = 0};
  for (const Tensor& p : call.module.parameters()) total.parameters += p.size();
  total.saved = visit.all_saved;
  for (const SummaryRow& row : visit.rows) *total.multiply_adds += row.multiply_adds.value_or(0);
  return {.rows = options.fold ? nn::folded(visit.rows) : visit.rows,
          .total = std::move(total),
          .unowned = std::move(visit.unowned)};
}
