#include <weft/ops/dot.hpp>

#include <weft/engine/op.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/arrange.hpp>
#include <weft/ops/detail/matrices.hpp>
#include <weft/ops/kernels/linalg/dot.hpp>
#include <weft/ops/reduce.hpp>
#include <weft/ops/reshape.hpp>

namespace weft {
namespace {

using detail::data_of;

// Along the last axis of two tensors of one shape.
struct Dot {
  static constexpr const char* name = "dot";

  static Tensor forward(Context& ctx, const Tensor& a, const Tensor& b) {
    Shape shape = a.shape();
    shape.erase(a.rank() - 1);
    Tensor y = detail::make_tensor(name, shape, a.dtype());
    detail::visit_floating(a.dtype(), [&](auto zero) {
      using T = decltype(zero);
      detail::dot_rows(data_of<T>(a), data_of<T>(b), detail::mutable_data_of<T>(y), y.size(), a.size(-1));
    });
    ctx.save(a);
    ctx.save(b);
    return y;
  }
  static std::array<Tensor, 2> backward(Context& ctx, const Tensor& g) {
    const Tensor each = unsqueeze(g, -1);
    return {ctx.needs(0) ? each * ctx.saved(1) : Tensor(), ctx.needs(1) ? each * ctx.saved(0) : Tensor()};
  }
};

void check_vectors(const char* op, const Tensor& a, const Tensor& b, bool same_size) {
  detail::check_same_dtype(op, a, b);
  detail::check_floating(op, a);
  if (a.rank() != 1 || b.rank() != 1 || (same_size && a.size() != b.size()))
    fail(op, ": got shapes ", a.shape(), " and ", b.shape(), ", needs two vectors", same_size ? " of one size" : "");
}

}  // namespace

Tensor detail::dot_last(const Tensor& a, const Tensor& b) { return apply(Dot{}, a, b); }

Tensor dot(const Tensor& a, const Tensor& b) {
  check_vectors("dot", a, b, true);
  return detail::dot_last(a, b);
}

Tensor outer(const Tensor& a, const Tensor& b) {
  check_vectors("outer", a, b, false);
  return unsqueeze(a, -1) * b;
}

Tensor trace(const Tensor& a) {
  detail::check_floating("trace", a);
  if (a.rank() < 2) fail("trace: got shape ", a.shape(), ", needs at least two axes");
  return sum(diagonal(a), -1);
}

}  // namespace weft
