// Bounds on gradients.
#include <doctest/doctest.h>
#include <tests/support/statistics.hpp>
#include <weft/weft.hpp>

#include <cmath>

using namespace weft;
using test::values_of;
using Values = std::vector<double>;

TEST_CASE("gradients are clipped by their common norm, or each element") {
  const Tensors parameters{parameter(zeros({2}, f64)), parameter(zeros({1}, f64)), parameter(zeros({3}, f64))};
  const auto set = [&] {
    Tensor(parameters[0]).set_grad(tensor({3, 0}, f64));
    Tensor(parameters[1]).set_grad(tensor({-4}, f64));
  };
  set();
  CHECK(nn::clip_grad_norm(parameters, 10) == doctest::Approx(5));
  CHECK(values_of(parameters[0].grad()) == Values{3, 0});
  CHECK(nn::clip_grad_norm(parameters, 2.5) == doctest::Approx(5));
  CHECK(parameters[0].grad().at({0}) == doctest::Approx(1.5).epsilon(1e-6));
  CHECK(parameters[1].grad().at({0}) == doctest::Approx(-2).epsilon(1e-6));
  CHECK(!parameters[2].grad().defined());
  set();
  CHECK(nn::clip_grad_norm(parameters, 3.5, 1) == doctest::Approx(7));
  CHECK(parameters[1].grad().at({0}) == doctest::Approx(-2).epsilon(1e-6));
  set();
  CHECK(nn::clip_grad_norm(parameters, 2, INFINITY) == doctest::Approx(4));
  CHECK(parameters[0].grad().at({0}) == doctest::Approx(1.5).epsilon(1e-6));
  set();
  nn::clip_grad_value(parameters, 3.5);
  CHECK(values_of(parameters[0].grad()) == Values{3, 0});
  CHECK(values_of(parameters[1].grad()) == Values{-3.5});
  Tensor(parameters[1]).set_grad(tensor({std::nan("")}, f64));
  CHECK(std::isnan(nn::clip_grad_norm(parameters, 1)));
  CHECK(std::isnan(nn::clip_grad_norm(parameters, 1, INFINITY)));
  CHECK(values_of(parameters[0].grad()) == Values{3, 0});
  CHECK(nn::clip_grad_norm({}, 1) == 0);
  for (const double wrong : {0.0, -1.0, std::nan("")}) {
    CHECK_THROWS_AS((void)nn::clip_grad_norm(parameters, wrong), Error);
    CHECK_THROWS_AS(nn::clip_grad_value(parameters, wrong), Error);
  }
  CHECK_THROWS_AS((void)nn::clip_grad_norm(parameters, 1, 0), Error);
}
