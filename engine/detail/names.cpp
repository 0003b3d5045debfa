#include <weft/engine/detail/names.hpp>

#include <weft/engine/detail/extras.hpp>

namespace weft::detail {

Names::Names(const std::vector<std::pair<std::string, Tensor>>& names) {
  for (const auto& [name, t] : names) {
    if (!t.defined()) continue;
    TensorImpl* const impl = t.impl();
    if (impl->node != nullptr) {
      computed_[impl->node].push_back(name);
      continue;
    }
    leaves_[impl] = name;
    if (const std::uint32_t number = impl->constant.load(std::memory_order_relaxed); number != 0)
      constants_[number] = name;
  }
}

std::string Names::of_input(const Edge& edge) const {
  if (edge.is_leaf()) return of_leaf(edge.leaf());
  if (edge.target != 0 || edge.output == 0) return {};
  const auto found = constants_.find(edge.output);
  return found != constants_.end() ? found->second : name_of_constant(edge.output);
}

std::string Names::of_leaf(TensorImpl* leaf) const {
  if (const auto found = leaves_.find(leaf); found != leaves_.end()) return found->second;
  return Tensor(Ref<TensorImpl>::share(leaf)).name();
}

std::string Names::of_node(const Node* node) const {
  std::string text;
  if (const auto found = computed_.find(node); found != computed_.end())
    for (const std::string& name : found->second) text += (text.empty() ? "" : ", ") + name;
  return text;
}

std::string outputs_text(const Node* node) {
  std::string text;
  for (int k = 0; k < node->output_count(); ++k)
    text += (k > 0 ? ", " : "") + std::string(name_of(node->output(k).dtype)) + " " + to_text(node->output(k).shape());
  return text;
}

}  // namespace weft::detail
