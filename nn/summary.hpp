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

// A module and what runs it. The inputs are known as such.
struct SummaryCall {
  nn::Module& module;
  Tensors inputs;
  std::function<Tensor()> run;
};

SummaryCall summary_call(nn::Module& module, const Shape& shape);

// Whatever f gives; if it is a tensor, that is the output.
template <std::derived_from<nn::Module> M, std::invocable F>
SummaryCall summary_call(M& module, Tensors inputs, F f) {
  return {module, std::move(inputs), [f = std::move(f)]() mutable -> Tensor {
            if constexpr (std::convertible_to<std::invoke_result_t<F&>, Tensor>) {
              return f();
            } else {
              f();
              return {};
            }
          }};
}

// Refers to what it was given.
template <std::derived_from<nn::Module> M, std::convertible_to<const Tensor&>... More>
SummaryCall summary_call(M& module, const Tensor& input, const More&... more) {
  const auto run = [&module, &input, &more...]() -> decltype(auto) {
    if constexpr (requires { module(input, more...); })
      return module(input, more...);
    else
      return module.forward(input, more...);
  };
  return summary_call(module, {input, more...}, run);
}

std::string summary_of(const SummaryCall& call, nn::SummaryOptions options);

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
  return weft::detail::summary_of(weft::detail::summary_call(module, input, more...), {});
}

/// The same of what `run` does with the module, for all that is called in another way: `summary(net, [&] {
/// net.decode(ids, state); })`.
template <std::derived_from<Module> M, std::invocable F>
std::string summary(M& module, F run, SummaryOptions options = {}) {
  return weft::detail::summary_of(weft::detail::summary_call(module, {}, [&run]() -> decltype(auto) { return run(); }),
                                  options);
}

}  // namespace nn
}  // namespace weft
