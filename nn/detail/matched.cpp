#include <weft/nn/detail/matched.hpp>

#include <map>
#include <string_view>

#include <weft/nn/detail/text.hpp>

namespace weft::detail {

Tensors matched(const std::string& who, const nn::NamedTensors& saved, const nn::NamedTensors& wanted, bool strict) {
  std::map<std::string_view, const Tensor*> left;
  for (const auto& [name, t] : saved) left.emplace(name, &t);
  Tensors found;
  for (const auto& [name, t] : wanted) {
    const auto at = left.find(name);
    if (at == left.end()) {
      if (strict) fail(who, " has no tensor ", quoted(name), ", needs one of ", t.dtype(), " ", t.shape());
      found.emplace_back();
      continue;
    }
    const Tensor& tensor = *at->second;
    if (tensor.shape() != t.shape() || tensor.dtype() != t.dtype())
      fail(who, " has ", quoted(name), " as ", tensor.dtype(), " ", tensor.shape(), ", needs ", t.dtype(), " ",
           t.shape());
    found.push_back(tensor);
    left.erase(at);
  }
  if (strict && !left.empty()) fail(who, " has a tensor ", quoted(left.begin()->first), ", there is no place for it");
  return found;
}

}  // namespace weft::detail
