#pragma once
// Sums, differences and products one after the other, as one step: what is between them stays in registers.
#include <weft/ops/detail/program.hpp>

#include <optional>

namespace weft::detail {

inline constexpr std::size_t longest_chain = 3;

/// What is done with the value so far, and the next operand.
enum class Link : std::uint8_t { plus, minus, taken_from, times };

/// How the step goes on from its operand k; none if it is no such step.
std::optional<Link> link_of(const Step& step, int k);

template <class T>
using ChainKernel = void (*)(const StepOperand<T>* in, T* out, std::int64_t n);

/// Computes 1 to longest_chain links, exactly as the steps do, from one operand more. See StepFormula::run().
template <class T>
ChainKernel<T> chain_kernel(std::span<const Link> links);

}  // namespace weft::detail
