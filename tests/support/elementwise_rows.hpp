#pragma once
// How the rows of ops that work element by element are written.
#include <tests/support/op_table.hpp>

namespace weft::test {

/// The reference that applies a function of one, two or three numbers everywhere.
template <class F>
auto each(F f) {
  return naive([f](const Arrays& in) {
    return indexed(broadcast(in), [&](const Index& i) {
      if constexpr (requires { f(0.0); })
        return static_cast<double>(f(element(in[0], i)));
      else if constexpr (requires { f(0.0, 0.0); })
        return static_cast<double>(f(element(in[0], i), element(in[1], i)));
      else
        return static_cast<double>(f(element(in[0], i), element(in[1], i), element(in[2], i)));
    });
  });
}

struct Rows {
  std::vector<OpRow>& rows;

  template <class F, class R>
  OpRow& unary(const char* name, F f, R reference, const Domain& domain = any) {
    rows.push_back({.name = name,
                    .function = one([f](const Tensors& in) { return f(in[0]); }),
                    .cases = unary_cases(domain),
                    .large = unary_large(domain),
                    .reference = each(reference),
                    .elementwise = true,
                    .sized = vectors(1, domain)});
    return rows.back();
  }
  template <class F, class R>
  OpRow& binary(const char* name, F f, R reference, const Domain& a = any, const Domain& b = any) {
    rows.push_back({.name = name,
                    .function = one([f](const Tensors& in) { return f(in[0], in[1]); }),
                    .cases = binary_cases(a, b),
                    .large = binary_large(a, b),
                    .reference = each(reference),
                    .elementwise = true,
                    .sized = vectors(2, a)});
    return rows.back();
  }
};

inline OpRow& with_integers(OpRow& row) {
  row.integers = true;
  return row;
}
inline OpRow& variant(OpRow& row, const char* text) {
  row.variant = text;
  row.sized = {};
  return row;
}
inline OpRow& no_gradient(OpRow& row) {
  row.differentiable = false;
  return row;
}

}  // namespace weft::test
