// Rows of decompositions. Their results are unique up to signs; here the first element of each vector is made positive.
#include <cmath>

#include <tests/support/matrices.hpp>
#include <tests/support/op_table.hpp>
#include <weft/engine/create.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/compare.hpp>
#include <weft/ops/decompose.hpp>
#include <weft/ops/matmul.hpp>
#include <weft/ops/reshape.hpp>

namespace weft::test {
namespace {

using In = const Tensors&;

// -1 where negative, else 1; a constant.
Tensor signs(const Tensor& a) { return where(less(a.detach(), 0.0), -1.0, 1.0, a.dtype()); }
Tensor first_row(const Tensor& a) { return slice(a, -2, 0, 1); }

// Large ones would take minutes.
Inputs small_matrices(std::int64_t n) { return {{{std::max<std::int64_t>(1, n / 1024), 32, 32}}}; }

void add_cholesky_rows(std::vector<OpRow>& rows) {
  rows.push_back({.name = "cholesky",
                  .function = one([](In in) {
                    const std::int64_t n = in[0].size(-1);
                    return cholesky(matmul(in[0], transpose(in[0])) /
                                        static_cast<double>(std::max<std::int64_t>(n, 1)) +
                                    eye(n, in[0].dtype()));
                  }),
                  .cases = {{{{3, 3}}}, {{{2, 2, 2}}}, {{{1, 1}}}, {{{0, 0}}}, {{{0, 2, 2}}}},
                  .large = {{{{257, 257}}}, {{{700, 10, 10}}}},
                  .reference = naive([](const Arrays& in) {
                    const std::int64_t n = shape_of(in[0])[-1];
                    return for_matrices(in, {{n, n}}, [=](const Matrices& m) {
                      Matrix a = m[0] * transposed(m[0]);
                      for (double& x : a.values) x /= static_cast<double>(n);
                      for (std::int64_t i = 0; i < n; ++i) a(i, i) += 1;
                      return Matrices{lower_factor(a)};
                    })[0];
                  }),
                  .f32_tolerance = 5e-5,
                  .non_finite = false,
                  .by_threads = shared_factors,
                  .sized = square_matrix()});
}

void add_qr_rows(std::vector<OpRow>& rows) {
  // r with a positive diagonal.
  const auto fixed = [](In in) {
    const Tensors parts = qr(in[0]);
    const std::int64_t k = parts[1].size(-2);
    const Tensor square = slice(parts[1], -1, 0, k);
    Tensor diagonal = slice(flatten(square, -2), -1, 0, k * k, k + 1);
    diagonal = signs(diagonal);
    return Tensors{parts[0] * unsqueeze(diagonal, -2), parts[1] * unsqueeze(diagonal, -1)};
  };
  const auto reference = [](const Arrays& in) {
    const std::int64_t m = shape_of(in[0])[-2], n = shape_of(in[0])[-1], k = std::min(m, n);
    return for_matrices(in, {{m, k}, {k, n}}, [](const Matrices& a) { return gram_schmidt(a[0]); });
  };
  rows.push_back({.name = "qr",
                  .function = fixed,
                  .cases = {{{{3, 3}}},
                            {{{4, 2}}},
                            {{{2, 4}}},
                            {{{2, 3, 2}}},
                            {{{2, 2, 3}}},
                            {{{1, 1}}},
                            {{{0, 2}}},
                            {{{2, 0}}},
                            {{{0, 3, 2}}}},
                  .large = {{{{701, 97}}}, {{{97, 701}}}, {{{400, 17, 10}}}, {{{400, 10, 17}}}},
                  .reference = reference,
                  .tolerance = 1e-11,
                  .f32_tolerance = 5e-3,  // the gradient divides by the smallest diagonal element of 97
                  .non_finite = false,
                  .by_threads = shared_factors,
                  .sized = small_matrices});
}

// 0.05 a, with 1, 2, ... added on its diagonal, so that singular values and eigenvalues are a long way apart.
Tensor apart_values(const Tensor& a) {
  const Tensor up = arange(static_cast<double>(a.size(-1)), a.dtype()) + 1.0;
  return a * 0.05 + eye(a.size(-2), a.size(-1), a.dtype()) * up;
}
Matrix apart_values(Matrix a) {
  for (double& x : a.values) x *= 0.05;
  for (std::int64_t i = 0; i < std::min(a.rows, a.columns); ++i) a(i, i) += static_cast<double>(i + 1);
  return a;
}

void add_svd_rows(std::vector<OpRow>& rows) {
  const auto fixed = [](const Tensor& a) {
    const Tensors parts = svd(a);
    const Tensor sign = signs(first_row(parts[0]));
    return Tensors{parts[0] * sign, parts[1], parts[2] * transpose(sign)};
  };
  const auto shapes = [](const Arrays& in) {
    const std::int64_t m = shape_of(in[0])[-2], n = shape_of(in[0])[-1], k = std::min(m, n);
    return std::vector<Shape>{{m, k}, {k}, {k, n}};
  };
  const std::vector<Inputs> cases = {{{{3, 3}}},    {{{4, 2}}}, {{{2, 4}}}, {{{2, 3, 2}}},
                                     {{{2, 2, 3}}}, {{{1, 1}}}, {{{3, 0}}}, {{{0, 3, 2}}}};
  rows.push_back({.name = "svd",
                  .function = [=](In in) { return fixed(in[0]); },
                  .cases = cases,
                  .reference =
                      [=](const Arrays& in) {
                        return for_matrices(in, shapes(in), [](const Matrices& a) { return one_sided_jacobi(a[0]); });
                      },
                  .f32_tolerance = 2e-4,
                  .non_finite = false,
                  .no_large = "see the next",
                  .sized = small_matrices});
  rows.push_back({.name = "svd",
                  .variant = "values apart",
                  .function = [=](In in) { return fixed(apart_values(in[0])); },
                  .cases = {{{{3, 3}}}, {{{1, 1}}}, {{{3, 0}}}},
                  .large = {{{{131, 37}}}, {{{29, 113}}}, {{{400, 17, 10}}}, {{{400, 10, 17}}}},
                  .reference =
                      [=](const Arrays& in) {
                        return for_matrices(in, shapes(in),
                                            [](const Matrices& a) { return one_sided_jacobi(apart_values(a[0])); });
                      },
                  .tolerance = 1e-11,
                  .f32_tolerance = 5e-4,
                  .non_finite = false,
                  .by_threads = shared_factors});
  // With equal values on both sides of the gap too.
  rows.push_back({.name = "svd",
                  .variant = "values only",
                  .function = one([](In in) { return svd(in[0])[1]; }),
                  .cases = cases,
                  .large = {{{{97, 701}}}},
                  .reference = naive([=](const Arrays& in) {
                    return for_matrices(in, {shapes(in)[1]},
                                        [](const Matrices& a) { return Matrices{one_sided_jacobi(a[0])[1]}; })[0];
                  }),
                  .f32_tolerance = 2e-4,
                  .non_finite = false,
                  .by_threads = shared_factors});
  rows.push_back({.name = "svd",
                  .variant = "put together again",
                  .function = one([](In in) {
                    const Tensors parts = svd(in[0]);
                    return matmul(parts[0] * unsqueeze(parts[1], -2), parts[2]);
                  }),
                  .cases = {{{{3, 3}}}, {{{3, 2}}}, {{{2, 3}}}, {{{1, 1}}}, {{{0, 2}}}},
                  .reference = naive([](const Arrays& in) { return in[0]; }),
                  .f32_tolerance = 2e-4,
                  .non_finite = false,
                  .no_large = "as the others"});
}

void add_eigh_rows(std::vector<OpRow>& rows) {
  const auto fixed = [](const Tensor& a) {
    const Tensors parts = eigh((a + transpose(a)) * 0.5);
    return Tensors{parts[0], parts[1] * signs(first_row(parts[1]))};
  };
  const auto symmetric = [](const Matrix& a) {
    Matrix b = a;
    for (std::int64_t i = 0; i < a.rows; ++i)
      for (std::int64_t j = 0; j < a.rows; ++j) b(i, j) = 0.5 * (a(i, j) + a(j, i));
    return b;
  };
  const auto shapes = [](const Arrays& in) {
    const std::int64_t n = shape_of(in[0])[-1];
    return std::vector<Shape>{{n}, {n, n}};
  };
  rows.push_back({.name = "eigh",
                  .function = [=](In in) { return fixed(in[0]); },
                  .cases = {{{{3, 3}}}, {{{2, 2, 2}}}, {{{1, 1}}}, {{{0, 0}}}, {{{0, 2, 2}}}},
                  .reference =
                      [=](const Arrays& in) {
                        return for_matrices(in, shapes(in), [=](const Matrices& a) { return jacobi(symmetric(a[0])); });
                      },
                  .f32_tolerance = 2e-4,
                  .non_finite = false,
                  .no_large = "see the next",
                  .sized = small_matrices});
  rows.push_back({.name = "eigh",
                  .variant = "values apart",
                  .function = [=](In in) { return fixed(apart_values(in[0])); },
                  .cases = {{{{3, 3}}}, {{{1, 1}}}, {{{0, 0}}}},
                  .large = {{{{61, 61}}}, {{{700, 10, 10}}}},
                  .reference =
                      [=](const Arrays& in) {
                        return for_matrices(in, shapes(in),
                                            [=](const Matrices& a) { return jacobi(symmetric(apart_values(a[0]))); });
                      },
                  .tolerance = 1e-11,
                  .f32_tolerance = 5e-4,
                  .non_finite = false,
                  .by_threads = shared_factors});
}

}  // namespace

void add_decompose_rows(std::vector<OpRow>& rows) {
  add_cholesky_rows(rows);
  add_qr_rows(rows);
  add_svd_rows(rows);
  add_eigh_rows(rows);
}

}  // namespace weft::test
