#include <weft/ops/determinant.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

#include <weft/engine/create.hpp>
#include <weft/engine/op.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/compare.hpp>
#include <weft/ops/decompose.hpp>
#include <weft/ops/detail/matrices.hpp>
#include <weft/ops/index.hpp>
#include <weft/ops/reduce.hpp>
#include <weft/ops/reshape.hpp>

namespace weft {
namespace {

using detail::data_of;
using detail::LuFactors;
using detail::make_tensor;
using detail::multiply;
using detail::mutable_data_of;

// {...} to {..., 1, 1}, beside matrices.
Tensor beside_matrices(const Tensor& t) { return unsqueeze(unsqueeze(t, -1), -1); }

// Calls f(which matrix, its L and U, its exchanges) for each.
template <class F>
void for_factors(const Tensor& lu, const Tensor& pivots, F f) {
  const std::int64_t n = lu.size(-1), count = detail::batch_of(lu).size();
  detail::visit_floating(lu.dtype(), [&](auto zero) {
    using T = decltype(zero);
    for (std::int64_t i = 0; i < count; ++i) f(i, data_of<T>(lu) + i * n * n, data_of<std::int64_t>(pivots) + i * n);
  });
}

// The determinant of the exchanges.
double sign_of(const std::int64_t* pivots, std::int64_t n) {
  double sign = 1;
  for (std::int64_t k = 0; k < n; ++k)
    if (pivots[k] != k) sign = -sign;
  return sign;
}

Tensor cofactors(const Tensor& a, const LuFactors& factors);

// The factors are constants, as for solve().
struct Det {
  static constexpr const char* name = "det";

  static Tensor forward(Context& ctx, const Tensor& a, const Tensor& lu, const Tensor& pivots) {
    const std::int64_t n = a.size(-1);
    Tensor y = make_tensor(name, detail::batch_of(a), a.dtype());
    for_factors(lu, pivots, [&](std::int64_t i, auto* factor, const std::int64_t* at) {
      using T = std::remove_cvref_t<decltype(*factor)>;
      double product = sign_of(at, n);
      for (std::int64_t k = 0; k < n; ++k) product *= static_cast<double>(factor[k * n + k]);
      mutable_data_of<T>(y)[i] = static_cast<T>(product);
    });
    for (const Tensor& t : {a, lu, pivots}) ctx.save(t);
    return y;
  }
  static std::array<Tensor, 3> backward(Context& ctx, const Tensor& g) {
    return {beside_matrices(g) * cofactors(ctx.saved(0), {ctx.saved(1), ctx.saved(2)})};
  }
};

// The smallest pivot of each matrix, compared to its largest; nan where something is not finite.
std::vector<double> pivot_ratios(const LuFactors& factors) {
  std::vector<double> ratios;
  const std::int64_t n = factors.lu.size(-1);
  for_factors(factors.lu, factors.pivots, [&](std::int64_t, auto* factor, const std::int64_t*) {
    double least = std::numeric_limits<double>::infinity(), largest = 0;
    for (std::int64_t k = 0; k < n; ++k) {
      least = std::min(least, static_cast<double>(std::abs(factor[k * n + k])));
      largest = std::max(largest, static_cast<double>(std::abs(factor[k * n + k])));
    }
    const bool finite = std::all_of(factor, factor + n * n, [](auto x) { return std::isfinite(x); });
    ratios.push_back(!finite ? std::numeric_limits<double>::quiet_NaN() : least == 0 ? 0 : least / largest);
  });
  return ratios;
}

// of_regular(A, its factors, G) for the matrices whose ratio of pivots is above `least`, of_singular(A, G) for the
// others.
template <class F, class S>
Tensor by_ratio(const Tensor& a, const LuFactors& factors, const Tensor& g, double least, F of_regular, S of_singular) {
  std::vector<std::int64_t> regular, singular, place;
  for (const double ratio : pivot_ratios(factors)) {
    auto& list = ratio <= least ? singular : regular;
    list.push_back(static_cast<std::int64_t>(place.size()));
    place.push_back(0);
  }
  if (singular.empty()) return of_regular(a, factors, g);
  if (regular.empty()) return of_singular(a, g);
  // Apart, and together again.
  const std::int64_t n = a.size(-1);
  const Shape matrices = {-1, n, n};
  const auto chosen = [](const Tensor& t, const std::vector<std::int64_t>& list, const Shape& shape) {
    return index_select(reshape(t, shape), 0, tensor(list, i64));
  };
  const LuFactors some = {chosen(factors.lu, regular, matrices), chosen(factors.pivots, regular, {-1, n})};
  const Tensors parts = {of_regular(chosen(a, regular, matrices), some, chosen(g, regular, matrices)),
                         of_singular(chosen(a, singular, matrices), chosen(g, singular, matrices))};
  std::int64_t next = 0;
  for (const std::int64_t i : regular) place[static_cast<std::size_t>(i)] = next++;
  for (const std::int64_t i : singular) place[static_cast<std::size_t>(i)] = next++;
  return reshape(index_select(concat(parts, 0), 0, tensor(place, i64)), a.shape());
}

// d det(A) / d A, the transposed adjugate: det(A) A'^-1 where A is invertible, and a polynomial in A's elements
// everywhere. Near singular matrices the two factors of the first form have the same relative error, and their product
// is right; with a pivot of exactly 0 there is only the second, which the singular values give.
struct Cofactors {
  static constexpr const char* name = "cofactors";

  static Tensor forward(Context& ctx, const Tensor& a, const Tensor& lu, const Tensor& pivots) {
    for (const Tensor& t : {a, lu, pivots}) ctx.save(t);
    return by_ratio(a, {lu, pivots}, a, 0.0, first, first_of_singular);
  }
  static std::array<Tensor, 3> backward(Context& ctx, const Tensor& g);
  static Tensor first(const Tensor& a, const LuFactors& factors, const Tensor&) {
    return beside_matrices(apply(Det{}, a, factors.lu, factors.pivots)) * transpose(detail::inverse(a, factors));
  }
  static Tensor first_of_singular(const Tensor& a, const Tensor&);
};

// A in the bases of its singular vectors, where it is diagonal; `sign` is the determinant of the bases.
struct InSingularBases {
  Tensor u, s, vt, sign, same;  // `same` is a mask: 1 on the diagonal
  explicit InSingularBases(const Tensor& a) : same(detail::diagonal_mask(a.size(-1))) {
    const Tensors parts = svd(a);
    u = parts[0], s = parts[1], vt = parts[2];
    sign = beside_matrices(det(u.detach()) * det(vt.detach()));
  }
};

Tensor Cofactors::first_of_singular(const Tensor& a, const Tensor&) {
  const InSingularBases d(a);
  const Tensor others = prod(where(d.same, 1.0, unsqueeze(d.s, -2)), -1);
  return d.sign * multiply(d.u * unsqueeze(others, -2), d.vt);
}

// The gradient of <G, cofactors(A)>: with C the cofactors, (<C, G> C - C G' C) / det(A).
Tensor second(const Tensor& a, const LuFactors& factors, const Tensor& g) {
  const Tensor inverse = detail::inverse(a, factors);
  const Tensor det = apply(Det{}, a, factors.lu, factors.pivots);
  const Tensor weight = sum(transpose(g) * inverse, {-2, -1}, true);
  const Tensor difference = weight * inverse - multiply(multiply(inverse, g), inverse);
  return beside_matrices(det) * transpose(difference);
}

// The same near singular matrices, where that is 0 / 0. In the bases of the singular vectors the second derivative of
// the determinant along elements ii and jj is the product of all other singular values, along ij and ji minus that, and
// 0 along all other pairs.
Tensor second_of_singular(const Tensor& a, const Tensor& g) {
  const InSingularBases d(a);
  // Element i, j is the product of the singular values but i and j; 0 on the diagonal.
  const Tensor left_out = logical_or(unsqueeze(d.same, 1), unsqueeze(d.same, 0));
  const Tensor others = where(d.same, 0.0, prod(where(left_out, 1.0, unsqueeze(unsqueeze(d.s, -2), -2)), -1));
  const Tensor inner = multiply(multiply(d.u, g, {.a = true}), d.vt, {.b = true});
  const Tensor diagonal = sum(where(d.same, inner, 0.0), -2, true);
  const Tensor full = where(d.same, sum(others * diagonal, -1, true), -transpose(inner) * others);
  return d.sign * multiply(multiply(d.u, full), d.vt);
}

std::array<Tensor, 3> Cofactors::backward(Context& ctx, const Tensor& g) {
  const Tensor a = ctx.saved(0);
  // Where a quarter of the digits would be lost.
  const double least =
      std::pow(a.dtype() == f64 ? std::numeric_limits<double>::epsilon() : std::numeric_limits<float>::epsilon(), 0.25);
  return {by_ratio(a, {ctx.saved(1), ctx.saved(2)}, g, least, second, second_of_singular)};
}

Tensor cofactors(const Tensor& a, const LuFactors& factors) {
  return apply(Cofactors{}, a, factors.lu, factors.pivots);
}

// log |det A|.
struct LogAbsDet {
  static constexpr const char* name = "log_abs_det";

  static Tensor forward(Context& ctx, const Tensor& a, const Tensor& lu, const Tensor& pivots) {
    const std::int64_t n = a.size(-1);
    Tensor y = make_tensor(name, detail::batch_of(a), a.dtype());
    for_factors(lu, pivots, [&](std::int64_t i, auto* factor, const std::int64_t*) {
      using T = std::remove_cvref_t<decltype(*factor)>;
      double total = 0;
      for (std::int64_t k = 0; k < n; ++k) total += std::log(std::abs(static_cast<double>(factor[k * n + k])));
      mutable_data_of<T>(y)[i] = static_cast<T>(total);
    });
    for (const Tensor& t : {a, lu, pivots}) ctx.save(t);
    return y;
  }
  static std::array<Tensor, 3> backward(Context& ctx, const Tensor& g) {
    return {beside_matrices(g) * transpose(detail::inverse(ctx.saved(0), {ctx.saved(1), ctx.saved(2)}))};
  }
};

}  // namespace

Tensor det(const Tensor& a) {
  detail::check_square("det", a);
  const auto [lu, pivots] = detail::lu_factors(a);
  return apply(Det{}, a, lu, pivots);
}

Tensor logdet(const Tensor& a) {
  detail::check_square("logdet", a);
  const auto [lu, pivots] = detail::lu_factors(a);
  Tensor is_negative = make_tensor("logdet", detail::batch_of(a), u8);
  const std::int64_t n = a.size(-1);
  const Tensor& factored = lu;  // Clang 14 captures no structured bindings
  for_factors(factored, pivots, [&](std::int64_t i, auto* factor, const std::int64_t* at) {
    double sign = sign_of(at, n);
    for (std::int64_t k = 0; k < n; ++k)
      if (factor[k * n + k] < 0) sign = -sign;
    for (std::int64_t k = 0; k < n; ++k)
      if (factor[k * n + k] == 0) sign = 0;
    mutable_data_of<std::uint8_t>(is_negative)[i] = sign < 0 ? 1 : 0;
  });
  return where(is_negative, std::numeric_limits<double>::quiet_NaN(), apply(LogAbsDet{}, a, lu, pivots));
}

}  // namespace weft
