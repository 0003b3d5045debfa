#include <weft/ops/least_squares.hpp>

#include <algorithm>
#include <limits>

#include <weft/engine/op.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/detail/matrices.hpp>
#include <weft/ops/kernels/linalg/decompose.hpp>
#include <weft/ops/reshape.hpp>

namespace weft {
namespace {

using detail::data_of;
using detail::make_tensor;
using detail::multiply;
using detail::mutable_data_of;

// Of the transpose of a tall matrix.
struct OrthogonalFactors {
  static constexpr const char* name = "orthogonal_factors";

  static Tensors forward(Context&, const Tensor& a) {
    const std::int64_t k = a.size(-2), m = a.size(-1);
    const Shape square = detail::with_matrix(detail::batch_of(a), k, k);
    Tensor qt = make_tensor(name, a.shape(), a.dtype()), l = make_tensor(name, square, a.dtype()),
           wt = make_tensor(name, square, a.dtype());
    detail::visit_floating(a.dtype(), [&](auto zero) {
      using T = decltype(zero);
      detail::orthogonal_factors(data_of<T>(a), mutable_data_of<T>(qt), mutable_data_of<T>(l), mutable_data_of<T>(wt),
                                 static_cast<T>(m) * std::numeric_limits<T>::epsilon(), detail::batch_of(a).size(), m,
                                 k);
    });
    return {qt, l, wt};
  }
};

// The pseudo-inverse of A, or its transpose, times B. It depends on A; the factors are only a shorter way there, and
// constants. The gradient: Golub and Pereyra, "The differentiation of pseudo-inverses and nonlinear least squares
// problems whose variables separate" (1973), eq. 4.12. It is made of the same two products, so it has one itself.
struct LeastSquares {
  static constexpr const char* name = "lstsq";
  bool transposed = false;

  Tensor forward(Context& ctx, const Tensor& a, const Tensor& b, const Tensor& qt, const Tensor& l,
                 const Tensor& wt) const {
    const bool of_tall = a.size(-2) >= a.size(-1);  // what was factored, A or its transpose
    Tensor x = of_tall != transposed
                   ? multiply(wt, detail::solve_triangle({.transposed = true}, l, multiply(qt, b)), {.a = true})
                   : multiply(qt, detail::solve_triangle({}, l, multiply(wt, b)), {.a = true});
    for (const Tensor& t : {a, b, x, qt, l, wt}) ctx.save(t);
    return x;
  }

  std::array<Tensor, 5> backward(Context& ctx, const Tensor& g) const {
    const Tensor a = ctx.saved(0), b = ctx.saved(1), x = ctx.saved(2);
    const auto times = [&](bool other, const Tensor& right) {
      return apply(LeastSquares{other}, a, right, ctx.saved(3), ctx.saved(4), ctx.saved(5));
    };
    const Tensor y = times(!transposed, g);
    if (!ctx.needs(0)) return {Tensor(), y};
    // With C for A or its transpose, X = C+ B and Y = C+' G:
    // the gradient of C is (B - C X) (C+ Y)' + (C+' X) (G - C' Y)' - Y X'.
    const Tensor left = b - multiply(a, x, {.a = transposed}), right = g - multiply(a, y, {.a = !transposed});
    const Tensor by_y = times(transposed, y), by_x = times(!transposed, x);
    const auto outer = [&](const Tensor& c, const Tensor& d) {
      return transposed ? multiply(d, c, {.b = true}) : multiply(c, d, {.b = true});
    };
    return {outer(left, by_y) + outer(by_x, right) - outer(y, x), y};
  }
  Fields describe() const { return {{"transposed", transposed}}; }
};

}  // namespace

Tensor lstsq(const Tensor& a, const Tensor& b) {
  detail::check_matrices("lstsq", a);
  detail::check_same_dtype("lstsq", a, b);
  const bool vector = detail::is_vector(a, b);
  const Tensor right = vector ? unsqueeze(b, -1) : b;
  if (right.rank() < 2 || right.size(-2) != a.size(-2))
    fail("lstsq: got shapes ", a.shape(), " and ", b.shape(), ", needs as many rows on the right side");
  detail::broadcast_batch("lstsq", a, right);
  const Tensor fixed = a.detach();
  const Tensors factors = apply(OrthogonalFactors{}, a.size(-2) >= a.size(-1) ? transpose(fixed) : fixed);
  const Tensor x = apply(LeastSquares{}, a, right, factors[0], factors[1], factors[2]);
  return vector ? squeeze(x, -1) : x;
}

}  // namespace weft
