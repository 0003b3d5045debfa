// Rows of systems of equations, least squares and determinants.
#include <cmath>
#include <string>

#include <tests/support/matrices.hpp>
#include <tests/support/op_table.hpp>
#include <weft/engine/create.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/determinant.hpp>
#include <weft/ops/least_squares.hpp>
#include <weft/ops/matmul.hpp>
#include <weft/ops/reshape.hpp>
#include <weft/ops/solve.hpp>

namespace weft::test {
namespace {

using In = const Tensors&;

// A reference from that of matrices. What is right of a matrix, the last input, is a matrix or, by PyTorch's rule, a
// vector for each where it has one axis or the shape of the matrices (of the first input, or of the product of the
// others) without the last.
template <class F>
auto of_columns(F of_matrices) {
  return naive([of_matrices](const Arrays& in) {
    const Array& right = in.back();
    Shape rows = shape_of(in[0]), shape = shape_of(right);
    rows.erase(rows.rank() - 1);
    if (in.size() == 3) {
      Shape batch = rows, others = shape_of(in[1]);
      batch.erase(batch.rank() - 1);
      for (int k = 0; k < 2; ++k) others.erase(others.rank() - 1);
      batch = detail::broadcast_shapes("of_columns", batch, others);
      batch.append(rows[-1]);
      rows = batch;
    }
    if (shape.rank() > 1 && shape != rows) return of_matrices(in);
    Arrays columns = in;
    shape.append(1);
    columns.back() = reshaped(right, shape);
    const Array x = of_matrices(columns);
    shape = shape_of(x);
    shape.erase(shape.rank() - 1);
    return reshaped(x, shape);
  });
}

// Far from singular, and to be pivoted: a large cyclic permutation is added.
Tensor steady(const Tensor& a) {
  const auto n = a.size(-1);
  const double size = 3 * std::sqrt(static_cast<double>(n));
  return n == 0 ? a : a + roll(eye(n, a.dtype()), 1, 0) * size;
}
Matrix steady(Matrix a) {
  for (std::int64_t i = 0; i < a.rows; ++i) a((i + 1) % a.rows, i) += 3 * std::sqrt(static_cast<double>(a.rows));
  return a;
}

void add_solve_rows(std::vector<OpRow>& rows) {
  const auto solved = [](const Arrays& in) {
    return for_matrices(in, {{shape_of(in[1])[-2], shape_of(in[1])[-1]}},
                        [](const Matrices& m) { return Matrices{gauss_jordan(steady(m[0]), m[1])}; })[0];
  };
  rows.push_back({.name = "solve",
                  .function = one([](In in) { return solve(steady(in[0]), in[1]); }),
                  .cases = {{{{3, 3}}, {{3, 2}}},
                            {{{2, 2, 2}}, {{2, 2, 3}}},
                            {{{2, 1, 2, 2}}, {{3, 2, 1}}},
                            {{{3, 3}}, {{2, 3, 1}}},
                            {{{1, 1}}, {{1, 1}}},
                            {{{0, 0}}, {{0, 2}}},
                            {{{2, 2}}, {{2, 0}}},
                            {{{0, 2, 2}}, {{2, 2}}}},
                  .large = {{{{257, 257}}, {{257, 3}}}, {{{700, 10, 10}}, {{10, 2}}}, {{{27, 27}}, {{90, 27, 29}}}},
                  .reference = of_columns(solved),
                  .f32_tolerance = 1e-4,
                  .non_finite = false,
                  .by_threads = shared_factors,
                  .sized = [](std::int64_t n) {
                    const Input side = square_matrix()(n)[0];
                    return Inputs{side, side};
                  }});
  rows.push_back(
      {.name = "solve",
       .variant = "vectors",
       .function = one([](In in) { return solve(steady(in[0]), in[1]); }),
       .cases =
           {{{{3, 3}}, {{3}}}, {{{2, 3, 3}}, {{2, 3}}}, {{{2, 2, 2}}, {{2}}}, {{{1, 1}}, {{1}}}, {{{0, 0}}, {{0}}}},
       .large = {{{{257, 257}}, {{257}}}, {{{700, 10, 10}}, {{700, 10}}}},
       .reference = of_columns(solved),
       .f32_tolerance = 1e-4,
       .non_finite = false,
       .by_threads = shared_factors,
       .sized = [](std::int64_t n) {
         const Input side = square_matrix()(n)[0];
         return Inputs{side, {{side.shape[0]}}};
       }});
  rows.push_back({.name = "inverse",
                  .function = one([](In in) { return inverse(steady(in[0])); }),
                  .cases = {{{{3, 3}}}, {{{2, 2, 2}}}, {{{1, 1}}}, {{{0, 0}}}, {{{0, 2, 2}}}},
                  .large = {{{{257, 257}}}, {{{700, 10, 10}}}},
                  .reference = naive([](const Arrays& in) {
                    return for_matrices(in, {{shape_of(in[0])[-1], shape_of(in[0])[-1]}}, [](const Matrices& m) {
                      return Matrices{gauss_jordan(steady(m[0]), identity(m[0].rows))};
                    })[0];
                  }),
                  .f32_tolerance = 1e-4,
                  .non_finite = false,
                  .by_threads = shared_factors,
                  .sized = square_matrix()});
}

void add_triangular_rows(std::vector<OpRow>& rows) {
  for (const bool upper : {false, true})
    for (const bool left : {true, false})
      for (const bool unit : {false, true}) {
        const TriangularOptions options = {.upper = upper, .left = left, .unitriangular = unit};
        const auto both = [=](const Shape& a, std::int64_t other, const Shape& batch = {}) {
          Shape b = batch;
          b.append(left ? a[-1] : other);
          b.append(left ? other : a[-1]);
          return Inputs{{a}, {b}};
        };
        // Off the diagonal small, as with ones everywhere the solution grows like 2^n.
        const auto scaled = [](std::int64_t n) {
          return 0.5 / std::sqrt(static_cast<double>(std::max<std::int64_t>(n, 1)));
        };
        rows.push_back(
            {.name = "triangular_solve",
             .variant = std::string(upper ? "upper" : "lower") + (left ? ", left" : ", right") + (unit ? ", unit" : ""),
             .function = one([=](In in) {
               const Tensor a = in[0] * scaled(in[0].size(-1)) + eye(in[0].size(-1), in[0].dtype()) * 3.0;
               return triangular_solve(a, in[1], options);
             }),
             .cases = {both({3, 3}, 2), both({2, 1, 2, 2}, 2, {3}), both({2, 2}, 1, {2}), both({1, 1}, 1),
                       both({0, 0}, 2), both({2, 2}, 0)},
             .large = {both({257, 257}, 3), both({700, 10, 10}, 2)},
             .reference = naive([=](const Arrays& in) {
               return for_matrices(in, {{shape_of(in[1])[-2], shape_of(in[1])[-1]}}, [=](const Matrices& m) {
                 Matrix a = m[0];
                 for (std::int64_t i = 0; i < a.rows; ++i)
                   for (std::int64_t j = 0; j < a.rows; ++j) {
                     a(i, j) *= scaled(a.rows);
                     if (upper ? j < i : j > i) a(i, j) = 0;
                     if (i == j) a(i, j) = unit ? 1 : a(i, j) + 3;
                   }
                 return Matrices{left ? gauss_jordan(a, m[1])
                                      : transposed(gauss_jordan(transposed(a), transposed(m[1])))};
               })[0];
             }),
             .f32_tolerance = 1e-4,
             .non_finite = false,
             .by_threads = shared_factors});
        if (left && !unit)
          rows.back().sized = [](std::int64_t n) {
            const Input side = square_matrix()(n)[0];
            return Inputs{side, side};
          };
      }
}

void add_determinant_rows(std::vector<OpRow>& rows) {
  const std::vector<Inputs> cases = {{{{3, 3}}}, {{{2, 2, 2}}}, {{{4, 4}}}, {{{1, 1}}}, {{{0, 0}}}, {{{0, 2, 2}}}};
  rows.push_back({.name = "det",
                  .function = one([](In in) { return det(in[0]); }),
                  .cases = cases,
                  .reference = naive([](const Arrays& in) {
                    return for_matrices(in, {{}}, [](const Matrices& m) {
                      Matrix y(1, 1);
                      y(0, 0) = determinant(m[0]);
                      return Matrices{y};
                    })[0];
                  }),
                  .f32_tolerance = 1e-4,
                  .no_large = "see the next",
                  .sized = square_matrix()});
  // In the middle of the range: det(steady(a) / its permutation's size).
  rows.push_back({.name = "det",
                  .variant = "steady",
                  .function = one([](In in) {
                    const double size = 3 * std::sqrt(static_cast<double>(in[0].size(-1)));
                    return det(steady(in[0]) * (1 / size));
                  }),
                  .cases = {{{{3, 3}}}, {{{1, 1}}}, {{{0, 2, 2}}}},
                  .large = {{{{700, 10, 10}}}, {{{3, 150, 150}}}},
                  .reference = naive([](const Arrays& in) {
                    return for_matrices(in, {{}}, [](const Matrices& m) {
                      Matrix y(1, 1), a = steady(m[0]);
                      for (double& x : a.values) x /= 3 * std::sqrt(static_cast<double>(a.rows));
                      y(0, 0) = determinant(a);
                      return Matrices{y};
                    })[0];
                  }),
                  .f32_tolerance = 1e-4});
  rows.push_back({.name = "logdet",
                  .function = one([](In in) {
                    return logdet(matmul(in[0], transpose(in[0])) + eye(in[0].size(-1), in[0].dtype()));
                  }),
                  .cases = {{{{3, 3}}}, {{{2, 2, 2}}}, {{{1, 1}}}, {{{0, 0}}}, {{{0, 2, 2}}}},
                  .large = {{{{257, 257}}}, {{{700, 10, 10}}}},
                  .reference = naive([](const Arrays& in) {
                    return for_matrices(in, {{}}, [](const Matrices& m) {
                      Matrix y(1, 1), a = m[0] * transposed(m[0]);
                      for (std::int64_t i = 0; i < a.rows; ++i) a(i, i) += 1;
                      a = lower_factor(a);
                      for (std::int64_t i = 0; i < a.rows; ++i) y(0, 0) += 2 * std::log(a(i, i));
                      return Matrices{y};
                    })[0];
                  }),
                  .f32_tolerance = 1e-4,
                  .by_threads = shared_factors,
                  .sized = square_matrix()});
}

void add_least_squares_rows(std::vector<OpRow>& rows) {
  const auto shortest_of = [](const Arrays& in) {
    return for_matrices(in, {{shape_of(in[0])[-1], shape_of(in[1])[-1]}},
                        [](const Matrices& m) { return Matrices{shortest(m[0], m[1])}; })[0];
  };
  rows.push_back({.name = "lstsq",
                  .function = one([](In in) { return lstsq(in[0], in[1]); }),
                  .cases = {{{{5, 3}}, {{5, 2}}},
                            {{{3, 5}}, {{3, 2}}},
                            {{{3, 3}}, {{3, 1}}},
                            {{{2, 3, 2}}, {{2, 3, 1}}},
                            {{{2, 3}}, {{2, 2, 2}}},
                            {{{1, 1}}, {{1, 1}}},
                            {{{0, 2}}, {{0, 2}}},
                            {{{2, 0}}, {{2, 2}}},
                            {{{0, 3, 2}}, {{3, 2}}}},
                  .large = {{{{701, 97}}, {{701, 3}}}, {{{97, 701}}, {{97, 3}}}, {{{400, 17, 10}}, {{400, 17, 1}}}},
                  .reference = of_columns(shortest_of),
                  .tolerance = 1e-11,
                  .f32_tolerance = 2e-4,
                  .non_finite = false,
                  .by_threads = shared_factors,
                  .sized = [](std::int64_t n) {
                    const std::int64_t side =
                        std::max<std::int64_t>(1, std::llround(std::sqrt(static_cast<double>(n) / 8)));
                    return Inputs{{{8 * side, side}}, {{8 * side}}};
                  }});
  rows.push_back({.name = "lstsq",
                  .variant = "vectors",
                  .function = one([](In in) { return lstsq(in[0], in[1]); }),
                  .cases = {{{{5, 3}}, {{5}}}, {{{2, 2, 3}}, {{2, 2}}}, {{{1, 1}}, {{1}}}, {{{0, 2}}, {{0}}}},
                  .large = {{{{701, 97}}, {{701}}}},
                  .reference = of_columns(shortest_of),
                  .tolerance = 1e-11,
                  .f32_tolerance = 2e-4,
                  .non_finite = false,
                  .by_threads = shared_factors});
  rows.push_back({.name = "lstsq",
                  .variant = "less than full rank",
                  .function = one([](In in) { return lstsq(matmul(in[0], in[1]), in[2]); }),
                  .cases = {{{{4, 2}}, {{2, 3}}, {{4, 2}}},
                            {{{3, 1}}, {{1, 4}}, {{3, 1}}},
                            {{{2, 3, 2}}, {{2, 3}}, {{3, 1}}},
                            {{{3, 0}}, {{0, 2}}, {{3, 1}}}},
                  .large = {{{{91, 19}}, {{19, 701}}, {{91, 3}}},
                            {{{701, 19}}, {{19, 91}}, {{701, 3}}},
                            {{{400, 17, 7}}, {{400, 7, 10}}, {{400, 17, 1}}}},
                  .reference = of_columns([](const Arrays& in) {
                    return for_matrices(in, {{shape_of(in[1])[-1], shape_of(in[2])[-1]}},
                                        [](const Matrices& m) { return Matrices{shortest(m[0] * m[1], m[2])}; })[0];
                  }),
                  .tolerance = 1e-11,
                  .f32_tolerance = 5e-4,
                  .non_finite = false,
                  .no_single = "the rank is less than the size",
                  .by_threads = shared_factors});
}

}  // namespace

void add_linalg_rows(std::vector<OpRow>& rows) {
  add_solve_rows(rows);
  add_triangular_rows(rows);
  add_determinant_rows(rows);
  add_least_squares_rows(rows);
}

}  // namespace weft::test
