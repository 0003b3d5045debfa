// The gradients are those of Giles, "Collected matrix derivative results for forward and reverse mode algorithmic
// differentiation" (2008).
#include <weft/ops/solve.hpp>

#include <algorithm>

#include <weft/engine/create.hpp>
#include <weft/engine/op.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/detail/matrices.hpp>
#include <weft/ops/kernels/linalg/blas_threads.hpp>
#include <weft/ops/kernels/loops/strided.hpp>
#include <weft/ops/reshape.hpp>

namespace weft {
namespace {

using detail::data_of;
using detail::LuFactors;
using detail::make_tensor;
using detail::multiply;
using detail::mutable_data_of;
using detail::Triangular;

// What f(which matrix of a, the matrix of b in the result's memory) makes of b's matrices, for each pair of the batch.
template <class F>
Tensor solved(const char* name, const Tensor& a, const Tensor& b, F f) {
  const std::int64_t size = b.size(-2) * b.size(-1);
  const Shape batch = detail::broadcast_batch(name, a, b);
  Tensor x = make_tensor(name, detail::with_matrix(batch, b.size(-2), b.size(-1)), a.dtype());
  const auto loops = detail::broadcast_loops<2>(batch, {detail::batch_of(a), detail::batch_of(b)});
  const double flops = 2.0 * static_cast<double>(a.size(-1)) * static_cast<double>(size);
  detail::visit_floating(a.dtype(), [&](auto zero) {
    using T = decltype(zero);
    detail::share_matrices(batch.size(), flops, [&](std::int64_t begin, std::int64_t end) {
      loops.for_each(begin, end, [&](std::int64_t i, const std::int64_t* at) {
        T* const to = mutable_data_of<T>(x) + i * size;
        std::copy_n(data_of<T>(b) + at[1] * size, size, to);
        f(at[0], to);
      });
    });
  });
  return x;
}

void check_rows(const char* op, const Tensor& a, const Tensor& b, bool left = true) {
  detail::check_same_dtype(op, a, b);
  if (b.rank() < 2 || b.size(left ? -2 : -1) != a.size(-1))
    fail(op, ": got shapes ", a.shape(), " and ", b.shape(), ", needs as many ", left ? "rows" : "columns",
         " on the right side as in the matrix");
}

struct TriangularSolve {
  static constexpr const char* name = "triangular_solve";
  Triangular form;

  Tensor forward(Context& ctx, const Tensor& a, const Tensor& b) const {
    Tensor x = solved(name, a, b, [&](std::int64_t i, auto* to) {
      using T = std::remove_pointer_t<decltype(to)>;
      detail::triangular_solve(form, b.size(-2), b.size(-1), data_of<T>(a) + i * a.size(-2) * a.size(-1), to);
    });
    ctx.save(a);
    ctx.save(x);
    return x;
  }
  std::array<Tensor, 2> backward(Context& ctx, const Tensor& g) const {
    const Tensor a = ctx.saved(0), x = ctx.saved(1);
    Triangular other = form;
    other.transposed = !form.transposed;
    const Tensor for_b = apply(TriangularSolve{other}, a, g);
    if (!ctx.needs(0)) return {Tensor(), for_b};
    // -b' x', or -x' b' where X stands left; the transpose of that where A is transposed.
    const bool swapped = form.transposed != form.right;
    const detail::Transposes transposes = {form.right, !form.right};
    const Tensor full = swapped ? multiply(x, -for_b, transposes) : multiply(-for_b, x, transposes);
    const std::int64_t n = a.size(-1);
    const Tensor read = form.upper ? detail::lower_mask(n, n, form.unit ? 0 : -1)  // of the other triangle
                                   : detail::lower_mask(n, n, form.unit ? -1 : 0);
    return {form.upper ? where(read, 0.0, full) : where(read, full, 0.0), for_b};
  }
  Fields describe() const {
    return {{"upper", form.upper}, {"transposed", form.transposed}, {"right", form.right}, {"unit", form.unit}};
  }
};

struct LuFactor {
  static constexpr const char* name = "lu_factor";

  static Tensors forward(Context&, const Tensor& a) {
    const std::int64_t n = a.size(-1);
    Shape rows = a.shape();
    rows.erase(a.rank() - 1);
    Tensor lu = make_tensor(name, a.shape(), a.dtype()), pivots = make_tensor(name, rows, i64);
    detail::visit_floating(a.dtype(), [&](auto zero) {
      using T = decltype(zero);
      std::copy_n(data_of<T>(a), a.size(), mutable_data_of<T>(lu));
      detail::lu_factor(mutable_data_of<T>(lu), mutable_data_of<std::int64_t>(pivots), detail::batch_of(a).size(), n);
    });
    return {lu, pivots};
  }
};

// What solved() wants for op(A) X = B with k columns.
auto by_factors(const Tensor& lu, const Tensor& pivots, std::int64_t k, bool transposed) {
  return [&lu, &pivots, k, transposed](std::int64_t i, auto* to) {
    using T = std::remove_pointer_t<decltype(to)>;
    const std::int64_t n = lu.size(-1);
    detail::lu_solve(transposed, n, k, data_of<T>(lu) + i * n * n, data_of<std::int64_t>(pivots) + i * n, to);
  };
}

// The solution depends on A; its factors are only a shorter way there, and constants.
struct Solve {
  static constexpr const char* name = "solve";
  bool transposed = false;  // A' X = B

  Tensor forward(Context& ctx, const Tensor& a, const Tensor& b, const Tensor& lu, const Tensor& pivots) const {
    Tensor x = solved(name, a, b, by_factors(lu, pivots, b.size(-1), transposed));
    for (const Tensor& t : {a, lu, pivots, x}) ctx.save(t);
    return x;
  }
  std::array<Tensor, 4> backward(Context& ctx, const Tensor& g) const {
    const Tensor x = ctx.saved(3);
    const Tensor for_b = apply(Solve{!transposed}, ctx.saved(0), g, ctx.saved(1), ctx.saved(2));
    if (!ctx.needs(0)) return {Tensor(), for_b};
    const Tensor minus = -for_b;
    return {transposed ? multiply(x, minus, {.b = true}) : multiply(minus, x, {.b = true}), for_b};
  }
  Fields describe() const { return {{"transposed", transposed}}; }
};

struct Inverse {
  static constexpr const char* name = "inverse";

  static Tensor forward(Context& ctx, const Tensor& a, const Tensor& lu, const Tensor& pivots) {
    const std::int64_t n = a.size(-1);
    Tensor y = solved(name, a, eye(n, a.dtype()), by_factors(lu, pivots, n, false));
    ctx.save(y);
    return y;
  }
  static std::array<Tensor, 3> backward(Context& ctx, const Tensor& g) {
    const Tensor y = ctx.saved(0);
    return {-multiply(multiply(y, g, {.a = true}), y, {.b = true})};
  }
};

// The first matrix with a pivot of exactly 0, -1 if there is none.
std::int64_t first_singular(const Tensor& lu) {
  const std::int64_t n = lu.size(-1);
  return detail::visit_floating(lu.dtype(), [&](auto zero) -> std::int64_t {
    using T = decltype(zero);
    for (std::int64_t i = 0; i < lu.size(); i += n * n)
      for (std::int64_t k = 0; k < n; ++k)
        if (data_of<T>(lu)[i + k * n + k] == T(0)) return i / (n * n);
    return -1;
  });
}

LuFactors invertible_factors(const char* op, const Tensor& a) {
  LuFactors factors = detail::lu_factors(a);
  detail::check_none_bad(op, a, first_singular(factors.lu), "a singular matrix", "invertible ones");
  return factors;
}

}  // namespace

LuFactors detail::lu_factors(const Tensor& a) {
  const Tensors both = apply(LuFactor{}, a);
  return {both[0], both[1]};
}

Tensor detail::inverse(const Tensor& a, const LuFactors& factors) {
  return apply(Inverse{}, a, factors.lu, factors.pivots);
}

Tensor detail::solve_triangle(const Triangular& form, const Tensor& a, const Tensor& b) {
  return apply(TriangularSolve{form}, a, b);
}

Tensor solve(const Tensor& a, const Tensor& b) {
  detail::check_square("solve", a);
  const bool vector = detail::is_vector(a, b);
  const Tensor right = vector ? unsqueeze(b, -1) : b;
  check_rows("solve", a, right);
  detail::broadcast_batch("solve", a, right);
  const LuFactors factors = invertible_factors("solve", a);
  const Tensor x = apply(Solve{}, a, right, factors.lu, factors.pivots);
  return vector ? squeeze(x, -1) : x;
}

Tensor inverse(const Tensor& a) {
  detail::check_square("inverse", a);
  return detail::inverse(a, invertible_factors("inverse", a));
}

Tensor triangular_solve(const Tensor& a, const Tensor& b, const TriangularOptions& options) {
  detail::check_square("triangular_solve", a);
  check_rows("triangular_solve", a, b, options.left);
  return detail::solve_triangle({.upper = options.upper, .right = !options.left, .unit = options.unitriangular}, a, b);
}

}  // namespace weft
