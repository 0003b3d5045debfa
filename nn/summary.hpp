#pragma once
// A table of what is in a net.
#include <weft/nn/module.hpp>

namespace weft {

namespace nn {
struct SummaryOptions {
  bool fold = true;  ///< blocks like the one before are one line together
};
}  // namespace nn

namespace detail {
std::string summary_of(nn::Module& module, const Tensors& inputs, const std::function<Tensor()>& run,
                       nn::SummaryOptions options);

// What f gives, if it is a tensor.
template <class F>
Tensor tensor_from(F& f) {
  if constexpr (std::convertible_to<std::invoke_result_t<F&>, Tensor>) {
    return f();
  } else {
    f();
    return {};
  }
}
}  // namespace detail

namespace nn {

/// One line for each layer that was called or has parameters of its own: name, kind, output shape, parameters,
/// multiply-adds and the bytes saved for backward, then the totals. Runs the net once, in evaluation mode and recorded,
/// on zeros of this shape (batch included) in the parameters' dtype. A layer called twice has two lines; its parameters
/// count once. What several ops save counts where it was saved first; parameters and buffers do not count, nor the
/// masks of dropout, which are made in training only.
///
/// Blocks that are the same line by line, but for their number in the path, are shown once: "stage1.1 .. stage1.17",
/// "as stage1.0" with the sums of these. After the totals comes what no module owns: leaves that require a gradient and
/// were used, but are neither parameters of the module nor inputs; they are not in the totals.
std::string summary(Module& module, const Shape& shape, SummaryOptions options = {});

/// The same of a call with these inputs, of any dtypes: `summary(net, zeros({8, 20}, i64), ones({8, 20}))`.
template <std::derived_from<Module> M, std::convertible_to<const Tensor&>... More>
std::string summary(M& module, const Tensor& input, const More&... more) {
  auto run = [&]() -> decltype(auto) {
    if constexpr (requires { module(input, more...); })
      return module(input, more...);
    else
      return module.forward(input, more...);
  };
  return weft::detail::summary_of(module, {input, more...}, [&] { return weft::detail::tensor_from(run); }, {});
}

/// The same of what `run` does with the module, for all that is called in another way: `summary(net, [&] {
/// net.decode(ids, state); })`.
template <std::derived_from<Module> M, std::invocable F>
std::string summary(M& module, F run, SummaryOptions options = {}) {
  return weft::detail::summary_of(
      module, {}, [&] { return weft::detail::tensor_from(run); }, options);
}

}  // namespace nn
}  // namespace weft
