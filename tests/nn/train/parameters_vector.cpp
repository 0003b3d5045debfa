// Parameters as one vector, and back.
#include <doctest/doctest.h>
#include <tests/support/statistics.hpp>
#include <weft/weft.hpp>

using namespace weft;
using test::values_of;

TEST_CASE("parameters as one vector, and back") {
  manual_seed(2);
  const Tensors parameters{parameter(tensor({{1, 2}, {3, 4}}, f64)), parameter(full({}, 5, f64)),
                           parameter(zeros({0}, f64)), parameter(tensor({6, 7}, f64))};
  const Tensor all = nn::parameters_to_vector(parameters);
  CHECK(values_of(all) == std::vector<double>{1, 2, 3, 4, 5, 6, 7});
  sum(all * arange(7.0, f64)).backward();
  CHECK(values_of(parameters[0].grad()) == std::vector<double>{0, 1, 2, 3});
  CHECK(parameters[1].grad().item() == 4);

  nn::vector_to_parameters(arange(7.0, f64) * 10.0, parameters);
  CHECK(values_of(parameters[0]) == std::vector<double>{0, 10, 20, 30});
  CHECK(values_of(parameters[3]) == std::vector<double>{50, 60});
  CHECK(parameters[0].is_leaf());
  CHECK_THROWS_WITH_AS(nn::vector_to_parameters(zeros({8}, f64), parameters),
                       "vector_to_parameters: got shape {8}, needs {7}", Error);
  CHECK_THROWS_AS(nn::vector_to_parameters(zeros({7, 1}, f64), parameters), Error);
  CHECK(values_of(parameters[1]) == std::vector<double>{40});
  CHECK_THROWS_WITH_AS(nn::vector_to_parameters(zeros({7}), parameters), doctest::Contains("f32"), Error);
  CHECK(values_of(parameters[0]) == std::vector<double>{0, 10, 20, 30});
}
