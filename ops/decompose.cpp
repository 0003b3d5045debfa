#include <weft/ops/decompose.hpp>

#include <algorithm>

#include <weft/engine/op.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/detail/matrices.hpp>
#include <weft/ops/kernels/linalg/decompose.hpp>
#include <weft/ops/reshape.hpp>
#include <weft/ops/unary.hpp>

namespace weft {
namespace {

using detail::batch_of;
using detail::data_of;
using detail::make_tensor;
using detail::multiply;
using detail::mutable_data_of;
using detail::with_matrix;

// {..., n} beside the rows, or beside the columns, of {..., n, n}.
Tensor as_row(const Tensor& t) { return unsqueeze(t, -2); }
Tensor as_column(const Tensor& t) { return unsqueeze(t, -1); }

// Murray, "Differentiation of the Cholesky decomposition" (arXiv 1602.07527), eq. 9.
struct Cholesky {
  static constexpr const char* name = "cholesky";

  static Tensor forward(Context& ctx, const Tensor& a) {
    Tensor l = make_tensor(name, a.shape(), a.dtype());
    const std::int64_t failed = detail::visit_floating(a.dtype(), [&](auto zero) {
      using T = decltype(zero);
      std::copy_n(data_of<T>(a), a.size(), mutable_data_of<T>(l));
      return detail::cholesky(mutable_data_of<T>(l), batch_of(a).size(), a.size(-1));
    });
    detail::check_none_bad(name, a, failed, "a matrix that is not positive definite", "positive definite ones");
    ctx.save(l);
    return l;
  }
  static Tensor backward(Context& ctx, const Tensor& g) {
    const Tensor l = ctx.saved(0);
    const Tensor inner = detail::mirrored(multiply(l, g, {.a = true}));
    const Tensor left = detail::solve_triangle({.transposed = true}, l, inner);
    return 0.5 * detail::solve_triangle({.right = true}, l, left);
  }
};

// Walter and Lehmann, "Algorithmic differentiation of linear algebra functions with application in optimum experimental
// design" (arXiv 1001.1654, 2010; extended 2018). For m >= n.
struct Qr {
  static constexpr const char* name = "qr";

  static Tensors forward(Context& ctx, const Tensor& a) {
    const std::int64_t m = a.size(-2), n = a.size(-1);
    Tensor q = make_tensor(name, a.shape(), a.dtype()),
           r = make_tensor(name, with_matrix(batch_of(a), n, n), a.dtype());
    detail::visit_floating(a.dtype(), [&](auto zero) {
      using T = decltype(zero);
      detail::qr(data_of<T>(a), mutable_data_of<T>(q), mutable_data_of<T>(r), batch_of(a).size(), m, n);
    });
    ctx.save(q);
    ctx.save(r);
    return {q, r};
  }
  static Tensor backward(Context& ctx, const Tensors& g) {
    const Tensor q = ctx.saved(0), r = ctx.saved(1);
    const Tensor inner = detail::mirrored(multiply(r, g[1], {.b = true}) - multiply(g[0], q, {.a = true}));
    return detail::solve_triangle({.upper = true, .transposed = true, .right = true}, r, g[0] + multiply(q, inner));
  }
};

// Townsend, "Differentiating the singular value decomposition" (2016).
struct Svd {
  static constexpr const char* name = "svd";

  static Tensors forward(Context& ctx, const Tensor& a) {
    const std::int64_t m = a.size(-2), n = a.size(-1), k = std::min(m, n);
    const Shape batch = batch_of(a);
    Shape values = batch;
    values.append(k);
    Tensor u = make_tensor(name, with_matrix(batch, m, k), a.dtype()), s = make_tensor(name, values, a.dtype()),
           vt = make_tensor(name, with_matrix(batch, k, n), a.dtype());
    const std::int64_t failed = detail::visit_floating(a.dtype(), [&](auto zero) {
      using T = decltype(zero);
      return detail::svd(data_of<T>(a), mutable_data_of<T>(u), mutable_data_of<T>(s), mutable_data_of<T>(vt),
                         batch.size(), m, n);
    });
    detail::check_none_bad(name, a, failed, "a matrix that has nan or infinity or does not converge", "finite ones");
    for (const Tensor& part : {u, s, vt}) ctx.save(part);
    return {u, s, vt};
  }

  static Tensor backward(Context& ctx, const Tensors& g) {
    const Tensor u = ctx.saved(0), s = ctx.saved(1), vt = ctx.saved(2);
    const std::int64_t m = u.size(-2), k = s.size(-1), n = vt.size(-1);
    const Tensor row = as_row(s), column = as_column(s);
    const Tensor along_u = multiply(u, g[0], {.a = true}), along_v = multiply(vt, g[2], {.b = true});
    const Tensor turned_u = along_u - transpose(along_u), turned_v = along_v - transpose(along_v);
    const Tensor between = detail::divided(turned_u * row + column * turned_v, square(row) - square(column));
    Tensor inner = where(detail::diagonal_mask(k), as_row(g[1]), between);
    // What the vectors gain outside the space that they span.
    if (n > k) {
      const Tensor outside = g[2] - multiply(along_v, vt, {.a = true});
      inner = multiply(inner, vt) + detail::divided(outside, column);
      return multiply(u, inner);
    }
    inner = multiply(u, inner);
    if (m > k) inner = inner + detail::divided(g[0] - multiply(u, along_u), row);
    return multiply(inner, vt);
  }
};

// Giles, "Collected matrix derivative results for forward and reverse mode algorithmic differentiation" (2008), 3.1;
// its symmetric part.
struct Eigh {
  static constexpr const char* name = "eigh";

  static Tensors forward(Context& ctx, const Tensor& a) {
    const std::int64_t n = a.size(-1);
    Shape row = batch_of(a);
    row.append(n);
    Tensor values = make_tensor(name, row, a.dtype()), vectors = make_tensor(name, a.shape(), a.dtype());
    const std::int64_t failed = detail::visit_floating(a.dtype(), [&](auto zero) {
      using T = decltype(zero);
      return detail::eigh(data_of<T>(a), mutable_data_of<T>(values), mutable_data_of<T>(vectors), batch_of(a).size(),
                          n);
    });
    detail::check_none_bad(name, a, failed, "a matrix that has nan or infinity or does not converge", "finite ones");
    ctx.save(values);
    ctx.save(vectors);
    return {values, vectors};
  }
  static Tensor backward(Context& ctx, const Tensors& g) {
    const Tensor values = ctx.saved(0), vectors = ctx.saved(1);
    const Tensor along = multiply(vectors, g[1], {.a = true});
    const Tensor gaps = as_row(values) - as_column(values);
    const Tensor between = detail::divided(0.5 * (along - transpose(along)), gaps);
    const Tensor inner = where(detail::diagonal_mask(values.size(-1)), as_row(g[0]), between);
    return multiply(multiply(vectors, inner), vectors, {.b = true});
  }
};

}  // namespace

Tensor cholesky(const Tensor& a) {
  detail::check_square("cholesky", a);
  return apply(Cholesky{}, a);
}

Tensors qr(const Tensor& a) {
  detail::check_matrices("qr", a);
  const std::int64_t m = a.size(-2), n = a.size(-1);
  if (m >= n) return apply(Qr{}, a);
  // The columns beyond the first m add nothing to Q.
  const Tensors square = apply(Qr{}, slice(a, -1, 0, m));
  const Tensor rest = multiply(square[0], slice(a, -1, m, n), {.a = true});
  return {square[0], concat({square[1], rest}, -1)};
}

Tensors svd(const Tensor& a) {
  detail::check_matrices("svd", a);
  return apply(Svd{}, a);
}

Tensors eigh(const Tensor& a) {
  detail::check_square("eigh", a);
  return apply(Eigh{}, a);
}

}  // namespace weft
