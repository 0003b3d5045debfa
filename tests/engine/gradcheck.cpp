// gradcheck finds small mistakes: in one element, in one of several outputs, at one order only, a nan; and says where.
#include <doctest/doctest.h>
#include <weft/engine/backward.hpp>
#include <weft/engine/create.hpp>
#include <weft/engine/gradcheck.hpp>
#include <weft/engine/op.hpp>
#include <weft/engine/random.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/reduce.hpp>
#include <weft/ops/unary.hpp>

#include <cmath>
#include <string>

using namespace weft;

namespace {

enum class Mistake { none, one_element, nan, infinite, second_order, second_order_one_element, third_order };

// 1 everywhere, but `other` at one element.
Tensor ones_but(const Shape& shape, std::int64_t at, double other) {
  Tensor t = ones(shape, f64);
  t.mutable_data<double>()[static_cast<std::size_t>(at)] = other;
  return t;
}

// 1, with a slope that it should not have.
Tensor one(const Tensor& x) { return x / x.detach(); }

// x^3 with one mistake in its gradient.
struct Faulty {
  static constexpr const char* name = "faulty_cube";
  Mistake mistake;
  static Tensor forward(Context& context, const Tensor& x) {
    context.save(x);
    return x * x * x;
  }
  Tensors backward(Context& context, const Tensor& g) const {
    const Tensor x = context.saved(0);
    const Tensor right = g * 3.0 * square(x);
    switch (mistake) {
      case Mistake::one_element: return {right * ones_but(x.shape(), x.size() - 1, 1.5)};
      case Mistake::nan: return {right * ones_but(x.shape(), x.size() / 2, NAN)};
      case Mistake::infinite: return {right * ones_but(x.shape(), 0, INFINITY)};
      case Mistake::second_order: return {right * one(x)};
      case Mistake::second_order_one_element: {
        const Tensor elsewhere = ones_but(x.shape(), 1, 0);
        return {right * (elsewhere + (1.0 - elsewhere) * one(x))};
      }
      case Mistake::third_order: return {right * (1.0 + square(one(x) - 1.0))};
      default: return {right};
    }
  }
};

Tensor faulty(const Tensor& x, Mistake mistake) { return apply(Faulty{mistake}, x); }

Tensor point() { return tensor({0.5, -1, 2, 1.5, -0.75, 0.25}, {2, 3}, f64); }

GradcheckResult check(Mistake mistake, int order, bool fast) {
  return gradcheck([mistake](const Tensor& x) { return faulty(x, mistake); }, point(), {.order = order, .fast = fast});
}
bool has(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("without a mistake every order passes") {
  for (const bool fast : {false, true}) {
    const GradcheckResult result = check(Mistake::none, 3, fast);
    CHECK_MESSAGE(result.ok, result.message);
    CHECK(result.message.empty());
    CHECK(result.max_error < 1e-4);
  }
}

TEST_CASE("one wrong element of many") {
  const GradcheckResult exact = check(Mistake::one_element, 1, false);
  CHECK_FALSE(exact.ok);
  CHECK(
      has(exact.message, "backward of faulty_cube: input 0 of shape {2, 3}, element {1, 2}, output 0, element {1, 2}"));
  CHECK(exact.max_error == doctest::Approx(0.5 * 3 * 0.0625));
  CHECK_FALSE(check(Mistake::one_element, 1, true).ok);
  // Also where there are too many outputs for every row.
  const Tensor large = linspace(0.5, 2, 2100, f64);
  const GradcheckResult weighted =
      gradcheck([](const Tensor& x) { return faulty(x, Mistake::one_element); }, large, {.fast = true});
  CHECK_FALSE(weighted.ok);
  CHECK(has(weighted.message, "along a random direction"));
  const GradcheckResult few = gradcheck(
      [](const Tensor& x) {
        return faulty(x, Mistake::one_element) * ones({1000, 3}, f64);
      },
      tensor({1, 2, 3}, {3}, f64));
  CHECK_FALSE(few.ok);
  CHECK(has(few.message, "element {2}, output 0 (randomly weighted)"));
}

TEST_CASE("a gradient that is not finite is not right") {
  for (const bool fast : {false, true}) {
    for (const Mistake mistake : {Mistake::nan, Mistake::infinite}) {
      const GradcheckResult result = check(mistake, 1, fast);
      CHECK_FALSE(result.ok);
      CHECK_FALSE(std::isfinite(result.max_error));
    }
    CHECK(std::isnan(check(Mistake::nan, 1, fast).max_error));
  }
  CHECK(has(check(Mistake::nan, 1, false).message, "element {1, 0}"));
  CHECK(has(check(Mistake::infinite, 1, false).message, "analytic inf"));
}

TEST_CASE("mistakes that first show at the second or third order") {
  for (const bool fast : {false, true}) {
    CHECK(check(Mistake::second_order, 1, fast).ok);
    const GradcheckResult second = check(Mistake::second_order, 2, fast);
    CHECK_FALSE(second.ok);
    CHECK(has(second.message, "in the gradient of faulty_cube: order 2, input 0"));
    CHECK(check(Mistake::second_order_one_element, 1, fast).ok);
    CHECK_FALSE(check(Mistake::second_order_one_element, 2, fast).ok);
    CHECK(check(Mistake::third_order, 2, fast).ok);
    const GradcheckResult third = check(Mistake::third_order, 3, fast);
    CHECK_FALSE(third.ok);
    CHECK(has(third.message, "order 3"));
  }
}

TEST_CASE("one wrong output of several, one wrong input of several") {
  const auto outputs = [](std::size_t wrong, std::size_t count) {
    return [=](const Tensors& in) {
      Tensors out;
      for (std::size_t k = 0; k < count; ++k)
        out.push_back(faulty(in[0], k == wrong ? Mistake::one_element : Mistake::none) + in[1] * 2.0);
      return out;
    };
  };
  const auto inputs = [](std::size_t wrong) {
    return [=](const Tensors& in) {
      Tensors out{sin(in[0])};
      for (std::size_t i = 0; i < in.size(); ++i)
        out[0] = out[0] + faulty(in[i], i == wrong ? Mistake::one_element : Mistake::none);
      return out;
    };
  };
  for (const bool fast : {false, true}) {
    CHECK(gradcheck(outputs(9, 3), {point(), point()}, {.order = 2, .fast = fast}).ok);
    CHECK(gradcheck(inputs(9), {point(), point(), point()}, {.order = 2, .fast = fast}).ok);
    for (std::size_t wrong = 0; wrong < 3; ++wrong) {
      INFO("number ", wrong);
      const GradcheckResult output = gradcheck(outputs(wrong, 3), {point(), point()}, {.fast = fast});
      CHECK_FALSE(output.ok);
      CHECK(has(output.message, ("output " + std::to_string(wrong)).c_str()));
      CHECK(has(output.message, "input 0"));
      const GradcheckResult input = gradcheck(inputs(wrong), {point(), point(), point()}, {.fast = fast});
      CHECK_FALSE(input.ok);
      CHECK(has(input.message, ("input " + std::to_string(wrong)).c_str()));
    }
  }
}

TEST_CASE("the limits are the caller's, the inputs and draws stay what they were") {
  const auto check_with = [](double atol, double rtol) {
    return gradcheck([](const Tensor& x) { return faulty(x, Mistake::one_element); }, point(),
                     {.atol = atol, .rtol = rtol})
        .ok;
  };
  CHECK_FALSE(check_with(1e-5, 0.4));
  CHECK(check_with(1e-5, 0.6));
  CHECK_FALSE(check_with(0.09, 0));
  CHECK(check_with(0.1, 0));
  Tensor x = parameter(point());
  manual_seed(3);
  const double next = rand({1}, f64).item();
  manual_seed(3);
  CHECK(gradcheck([](const Tensor& t) { return square(t); }, x, {.order = 2}).ok);
  CHECK(rand({1}, f64).item() == next);
  const Tensor before = point();
  for (std::int64_t i = 0; i < 6; ++i) CHECK(x.at({i / 3, i % 3}) == before.at({i / 3, i % 3}));
  CHECK_FALSE(x.grad().defined());
  CHECK_THROWS_AS(gradcheck([](const Tensor& t) { return t; }, x, {.order = 0}), Error);
  CHECK_THROWS_AS(gradcheck([](const Tensor& t) { return t; }, x, {.eps = 0}), Error);
  const auto both = [](const Tensors& in) { return Tensors{in[0], in[0].to(f32)}; };
  CHECK_THROWS_WITH_AS(gradcheck(both, {x}), doctest::Contains("output 1 is f32"), Error);
}
