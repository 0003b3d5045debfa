#pragma once
// The value that formulas compute on to find out what they cost.

namespace weft::detail {

/// What led to a value, in additions of registers that are read and written; a mask's, too. Of a value that is used
/// twice the cost counts twice.
struct Cost {
  double additions = 0;

  constexpr Cost(double) {}  // NOLINT(google-explicit-constructor): numbers cost nothing

  constexpr Cost plus(double more) const {
    Cost sum = 0.0;
    sum.additions = additions + more;
    return sum;
  }
  constexpr Cost with(Cost other, double more = 1) const { return plus(other.additions + more); }

  friend constexpr Cost operator+(Cost a, Cost b) { return a.with(b); }
  friend constexpr Cost operator-(Cost a, Cost b) { return a.with(b); }
  friend constexpr Cost operator*(Cost a, Cost b) { return a.with(b); }
  friend constexpr Cost operator/(Cost a, Cost b) { return a.with(b, division); }
  friend constexpr Cost operator-(Cost a) { return a.plus(1); }
  friend constexpr Cost operator<(Cost a, Cost b) { return a.with(b); }
  friend constexpr Cost operator>(Cost a, Cost b) { return a.with(b); }
  friend constexpr Cost operator<=(Cost a, Cost b) { return a.with(b); }
  friend constexpr Cost operator>=(Cost a, Cost b) { return a.with(b); }
  friend constexpr Cost operator&&(Cost a, Cost b) { return a.with(b); }
  friend constexpr Cost operator||(Cost a, Cost b) { return a.with(b); }
  friend constexpr Cost operator!(Cost a) { return a.plus(1); }
  friend constexpr Cost equal(Cost a, Cost b) { return a.with(b); }
  friend constexpr Cost where(Cost mask, Cost a, Cost b) { return mask.with(a).with(b, 0); }
  friend constexpr Cost zeros_like(Cost) { return 0.0; }
  friend constexpr Cost abs(Cost a) { return a.plus(1); }
  friend constexpr Cost floor(Cost a) { return a.plus(2); }
  friend constexpr Cost ceil(Cost a) { return a.plus(2); }
  friend constexpr Cost trunc(Cost a) { return a.plus(2); }
  friend constexpr Cost round(Cost a) { return a.plus(2); }

  friend constexpr Cost sqrt(Cost a) { return a.plus(division); }
  friend constexpr Cost exp(Cost a) { return a.plus(series); }
  friend constexpr Cost exp2(Cost a) { return a.plus(series); }
  friend constexpr Cost expm1(Cost a) { return a.plus(series); }
  friend constexpr Cost log(Cost a) { return a.plus(series); }
  friend constexpr Cost log2(Cost a) { return a.plus(series); }
  friend constexpr Cost log10(Cost a) { return a.plus(series); }
  friend constexpr Cost log1p(Cost a) { return a.plus(series); }
  friend constexpr Cost sin(Cost a) { return a.plus(series); }
  friend constexpr Cost cos(Cost a) { return a.plus(series); }
  friend constexpr Cost tan(Cost a) { return a.plus(series); }
  friend constexpr Cost asin(Cost a) { return a.plus(series); }
  friend constexpr Cost acos(Cost a) { return a.plus(series); }
  friend constexpr Cost atan(Cost a) { return a.plus(series); }
  friend constexpr Cost atan2(Cost a, Cost b) { return a.with(b, series); }
  friend constexpr Cost sinh(Cost a) { return a.plus(series); }
  friend constexpr Cost cosh(Cost a) { return a.plus(series); }
  friend constexpr Cost tanh(Cost a) { return a.plus(series); }
  friend constexpr Cost asinh(Cost a) { return a.plus(series); }
  friend constexpr Cost acosh(Cost a) { return a.plus(series); }
  friend constexpr Cost atanh(Cost a) { return a.plus(series); }
  friend constexpr Cost erf(Cost a) { return a.plus(series); }
  friend constexpr Cost erfc(Cost a) { return a.plus(series); }
  friend constexpr Cost sigmoid(Cost a) { return a.plus(series); }
  friend constexpr Cost pow(Cost a, Cost b) { return a.with(b, series); }
  friend constexpr Cost pow(Cost a, double) { return a.plus(series); }

  // In rank as measured on AVX2, rounded up: what is kept for them pays in every measured case (docs/decisions.md).
  static constexpr double division = 4, series = 20;  // what is computed by a polynomial or longer
};

}  // namespace weft::detail
