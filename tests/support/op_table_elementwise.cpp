// Rows of arithmetic, choices and comparisons.
#include <algorithm>
#include <cmath>

#include <tests/support/elementwise_rows.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/compare.hpp>

namespace weft::test {
namespace {

double larger(double a, double b) { return std::isnan(a) || std::isnan(b) ? NAN : std::max(a, b); }
double smaller(double a, double b) { return std::isnan(a) || std::isnan(b) ? NAN : std::min(a, b); }

}  // namespace

void add_elementwise_rows(std::vector<OpRow>& rows) {
  Rows to{rows};
  using T = const Tensor&;
  with_integers(to.binary(
      "add", [](T a, T b) { return a + b; }, [](double a, double b) { return a + b; }));
  with_integers(to.binary(
                    "sub", [](T a, T b) { return a - b; }, [](double a, double b) { return a - b; }))
      .integers = false;  // u8 wraps
  with_integers(to.binary(
      "mul", [](T a, T b) { return a * b; }, [](double a, double b) { return a * b; }));
  to.binary(
      "div", [](T a, T b) { return a / b; }, [](double a, double b) { return a / b; }, any, positive);
  variant(with_integers(to.unary(
              "add", [](T a) { return 2.0 + a; }, [](double x) { return x + 2; })),
          "number");
  variant(to.unary(
              "sub", [](T a) { return a - 0.75; }, [](double x) { return x - 0.75; }),
          "number");
  variant(to.unary(
              "sub", [](T a) { return 1.5 - a; }, [](double x) { return 1.5 - x; }),
          "from number");
  variant(with_integers(to.unary(
              "mul", [](T a) { return 3.0 * a; }, [](double x) { return x * 3; })),
          "number");
  variant(to.unary(
              "div", [](T a) { return a / 0.4; }, [](double x) { return x / 0.4; }),
          "number");
  variant(to.unary(
              "div", [](T a) { return 1.7 / a; }, [](double x) { return 1.7 / x; }, positive),
          "of number");
  to.unary(
      "neg", [](T a) { return -a; }, [](double x) { return -x; });

  with_integers(to.binary(
      "squared_difference", [](T a, T b) { return squared_difference(a, b); },
      [](double a, double b) { return (a - b) * (a - b); }));

  to.binary(
      "pow", [](T a, T b) { return pow(a, b); }, [](double a, double b) { return std::pow(a, b); }, positive);
  variant(to.unary(
              "pow", [](T a) { return pow(a, 3.0); }, [](double x) { return x * x * x; }),
          "cube");
  variant(to.unary(
              "pow", [](T a) { return pow(a, 2.5); }, [](double x) { return std::pow(x, 2.5); }, positive),
          "2.5");
  variant(to.unary(
              "pow", [](T a) { return pow(a, 0.0); }, [](double) { return 1.0; }),
          "0");
  variant(to.unary(
              "pow", [](T a) { return pow(a, 0.5); }, [](double x) { return std::sqrt(x); }, positive),
          "0.5");
  variant(to.unary(
              "pow", [](T a) { return pow(a, -2.0); }, [](double x) { return std::pow(x, -2.0); }, positive),
          "-2");
  with_integers(to.binary(
      "maximum", [](T a, T b) { return maximum(a, b); }, larger, apart, apart));
  with_integers(to.binary(
      "minimum", [](T a, T b) { return minimum(a, b); }, smaller, apart, apart));
  to.unary(
      "clamp", [](T a) { return clamp(a, -0.5, 0.6); },
      [](double x) { return std::isnan(x) ? x : std::clamp(x, -0.5, 0.6); }, apart);

  const auto blend = [](double a, double b, double t) {
    return std::abs(t) < 0.5 ? a + t * (b - a) : b - (b - a) * (1 - t);
  };
  for (const double t : {0.3, 0.8})
    variant(to.binary(
                "lerp", [t](T a, T b) { return lerp(a, b, t); }, [=](double a, double b) { return blend(a, b, t); }),
            t == 0.3 ? "0.3" : "0.8")
        .elementwise = false;  // b - a overflows
  const Domain part = {Domain::uniform, -0.4, 1.4};
  rows.push_back({.name = "lerp",
                  .function = one([](const Tensors& in) { return lerp(in[0], in[1], in[2]); }),
                  .cases = {{{{3, 4}}, {{3, 4}}, {{3, 4}, part}},
                            {{{4}}, {{3, 1}}, {{}, part}},
                            {{{2, 1, 1}}, {{3, 1}}, {{1, 5}, part}},
                            {{{1}}, {{1}}, {{1}, part}},
                            {{{0, 2}}, {{2}}, {{1, 1}, part}}},
                  .large = {{{{66'001}}, {{66'001}}, {{66'001}, part}},
                            {{{4'411, 15}}, {{4'411, 1}}, {{15}, part}},
                            {{{131, 1}}, {{513}}, {{131, 513}, part}},
                            {{{3, 1, 47}}, {{5, 47}}, {{1}, part}}},
                  .reference = each(blend),
                  .sized = [part](std::int64_t n) {
                    return Inputs{{{n}}, {{n}}, {{n}, part}};
                  }});
}

void add_compare_rows(std::vector<OpRow>& rows) {
  Rows to{rows};
  using T = const Tensor&;
  const Domain few = below(3);
  const auto compare = [&](const char* name, auto tensors, auto number, auto reference) {
    no_gradient(with_integers(to.binary(name, tensors, reference, few, few)));
    variant(no_gradient(with_integers(to.unary(
                name, number, [=](double x) { return reference(x, 1.0); }, few))),
            "number");
  };
  compare(
      "equal", [](T a, T b) { return equal(a, b); }, [](T a) { return equal(a, 1.0); },
      [](double a, double b) { return a == b; });
  compare(
      "not_equal", [](T a, T b) { return not_equal(a, b); }, [](T a) { return not_equal(a, 1.0); },
      [](double a, double b) { return a != b; });
  compare(
      "less", [](T a, T b) { return a < b; }, [](T a) { return a < 1.0; }, [](double a, double b) { return a < b; });
  compare(
      "less_equal", [](T a, T b) { return less_equal(a, b); }, [](T a) { return less_equal(a, 1.0); },
      [](double a, double b) { return a <= b; });
  compare(
      "greater", [](T a, T b) { return a > b; }, [](T a) { return a > 1.0; }, [](double a, double b) { return a > b; });
  compare(
      "greater_equal", [](T a, T b) { return greater_equal(a, b); }, [](T a) { return greater_equal(a, 1.0); },
      [](double a, double b) { return a >= b; });

  const auto masks = [](std::vector<Inputs> sets) {
    for (Inputs& inputs : sets)
      for (Input& input : inputs) input.dtype = u8;
    return sets;
  };
  const auto logical = [&](const char* name, int count, auto f, auto reference) {
    rows.push_back({.name = name,
                    .function = one(f),
                    .cases = masks(count == 1 ? unary_cases(few) : binary_cases(few, few)),
                    .large = masks(count == 1 ? unary_large(few) : binary_large(few, few)),
                    .reference = each(reference),
                    .differentiable = false,
                    .non_finite = false});
  };
  using In = const Tensors&;
  logical(
      "logical_and", 2, [](In in) { return logical_and(in[0], in[1]); },
      [](double a, double b) { return a != 0 && b != 0; });
  logical(
      "logical_or", 2, [](In in) { return logical_or(in[0], in[1]); },
      [](double a, double b) { return a != 0 || b != 0; });
  logical(
      "logical_not", 1, [](In in) { return logical_not(in[0]); }, [](double a) { return a == 0; });

  no_gradient(to.unary(
      "isnan", [](T a) { return isnan(a); }, [](double x) { return std::isnan(x); }));
  no_gradient(to.unary(
      "isinf", [](T a) { return isinf(a); }, [](double x) { return std::isinf(x); }));
  no_gradient(to.unary(
      "isfinite", [](T a) { return isfinite(a); }, [](double x) { return std::isfinite(x); }));

  const Domain flag = below(2);
  const auto choose = [](double m, double a, double b) { return m != 0 ? a : b; };
  rows.push_back({.name = "where",
                  .function = one([](In in) { return where(in[0], in[1], in[2]); }),
                  .cases = {{{{3, 4}, flag, u8}, {{3, 4}}, {{3, 4}}},
                            {{{4}, flag, u8}, {{3, 1}}, {{}}},
                            {{{2, 1, 1}, flag, u8}, {{3, 1}}, {{1, 5}}},
                            {{{1}, flag, u8}, {{1}}, {{1}}},
                            {{{0, 2}, flag, u8}, {{2}}, {{1, 1}}}},
                  .large = {{{{66'001}, flag, u8}, {{66'001}}, {{66'001}}},
                            {{{4'411, 15}, flag, u8}, {{4'411, 1}}, {{15}}},
                            {{{131, 1}, flag, u8}, {{513}}, {{131, 513}}},
                            {{{3, 1, 47}, flag, u8}, {{5, 47}}, {{1}}},
                            {{{5, 48}, flag, u8}, {{48}}, {{3, 1, 1}}}},
                  .reference = each(choose),
                  .integers = true,
                  .sized = [flag](std::int64_t n) {
                    return Inputs{{{n}, flag, u8}, {{n}}, {{n}}};
                  }});
  const std::vector<Inputs> with_number = {
      {{{3, 4}, flag, u8}, {{4}}}, {{{1}, flag, u8}, {{1}}}, {{{0, 2}, flag, u8}, {{2}}}};
  const std::vector<Inputs> large_with_number = {
      {{{66'001}, flag, u8}, {{66'001}}}, {{{1'409, 47}, flag, u8}, {{1'409, 1}}}, {{{131, 1}, flag, u8}, {{513}}}};
  rows.push_back({.name = "where",
                  .variant = "else number",
                  .function = one([](In in) { return where(in[0], in[1], 2.0); }),
                  .cases = with_number,
                  .large = large_with_number,
                  .reference = each([](double m, double a) { return m != 0 ? a : 2.0; })});
  rows.push_back({.name = "where",
                  .variant = "number",
                  .function = one([](In in) { return where(in[0], 2.0, in[1]); }),
                  .cases = with_number,
                  .large = large_with_number,
                  .reference = each([](double m, double b) { return m != 0 ? 2.0 : b; })});
}

}  // namespace weft::test
