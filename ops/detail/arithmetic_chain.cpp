#include <weft/ops/arithmetic.hpp>
#include <weft/ops/detail/arithmetic_chain.hpp>
#include <weft/ops/detail/formulas/arithmetic.hpp>

namespace weft::detail {
namespace {

template <Link link, class T>
Vector<T> go_on(const Vector<T>& value, const Vector<T>& operand) {
  switch (link) {
    case Link::plus: return value + operand;
    case Link::minus: return value - operand;
    case Link::taken_from: return operand - value;
    case Link::times: break;
  }
  return value * operand;
}

// The operands come by value, as pointers that go on by themselves.
template <class T, Link... links, std::size_t... K>
void run_chain(const StepOperand<T>* in, T* out, std::int64_t n, std::index_sequence<K...>) {
  const T* from[] = {in[0].from, in[K + 1].from...};
  const std::int64_t step[] = {in[0].goes_on & line<T>, (in[K + 1].goes_on & line<T>)...};
  for (const T* const end = out + n; out != end; out += line<T>) {
#pragma GCC unroll 4
    for (std::int64_t i = 0; i < line<T>; i += lanes<T>) {
      Vector<T> value = Vector<T>::load_unaligned(from[0] + i);
      ((value = go_on<links, T>(value, Vector<T>::load_unaligned(from[K + 1] + i))), ...);
      value.store_unaligned(out + i);
    }
    from[0] += step[0];
    ((from[K + 1] += step[K + 1]), ...);
  }
}
template <class T, Link... links>
void run_links(const StepOperand<T>* in, T* out, std::int64_t n) {
  run_chain<T, links...>(in, out, n, std::make_index_sequence<sizeof...(links)>{});
}

template <class T, Link... links>
ChainKernel<T> find(std::span<const Link> rest) {
  if constexpr (sizeof...(links) > 0)
    if (rest.empty()) return run_links<T, links...>;
  if constexpr (sizeof...(links) < longest_chain) {
    const auto after = rest.subspan(1);
    switch (rest[0]) {
      case Link::plus: return find<T, links..., Link::plus>(after);
      case Link::minus: return find<T, links..., Link::minus>(after);
      case Link::taken_from: return find<T, links..., Link::taken_from>(after);
      case Link::times: return find<T, links..., Link::times>(after);
    }
  }
  return nullptr;
}

template <class F>
bool applies(const Step& step) {
  return dynamic_cast<const StepOf<F>*>(step.formula.get()) != nullptr;
}

}  // namespace

std::optional<Link> link_of(const Step& step, int k) {
  if (applies<Add>(step)) return Link::plus;
  if (applies<Mul>(step)) return Link::times;
  if (applies<Sub>(step)) return k == 0 ? Link::minus : Link::taken_from;
  return {};
}

template <class T>
ChainKernel<T> chain_kernel(std::span<const Link> links) {
  return find<T>(links);
}
template ChainKernel<float> chain_kernel<float>(std::span<const Link> links);
template ChainKernel<double> chain_kernel<double>(std::span<const Link> links);

}  // namespace weft::detail
