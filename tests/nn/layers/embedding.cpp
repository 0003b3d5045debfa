// Embedding: rows of a table, and a row for padding.
#include <doctest/doctest.h>
#include <tests/support/statistics.hpp>
#include <weft/weft.hpp>

using namespace weft;
using namespace weft::test;

TEST_CASE("Embedding gives rows of a normal table") {
  manual_seed(1);
  nn::Embedding layer(500, 40);
  CHECK(layer.weight.shape() == Shape{500, 40});
  CHECK(std::abs(mean(layer.weight).item()) < 0.03);
  CHECK(std::abs(var(layer.weight).item() - 1) < 0.03);
  const Tensor index = tensor({{3, 0}, {3, 499}, {7, 1}}, i64);
  const Tensor rows = layer(index);
  CHECK(rows.shape() == Shape{3, 2, 40});
  CHECK(allclose(rows[1][1], layer.weight[499], 0, 0));
  sum(rows).backward();
  CHECK(layer.weight.grad().at({3, 5}) == 2);
  CHECK(layer.weight.grad().at({499, 0}) == 1);
  CHECK(layer.weight.grad().at({2, 0}) == 0);
  CHECK_THROWS_WITH_AS(layer(tensor({500}, i64)), doctest::Contains("index 500"), Error);
}

TEST_CASE("the padding row is zeros and takes no gradient") {
  nn::Embedding layer(4, 3, {.padding_index = 2});
  CHECK(allclose(layer.weight[2], zeros({3}), 0, 0));
  const Tensor rows = layer(tensor({2, 1, 2}, i64));
  CHECK(allclose(rows[0], zeros({3}), 0, 0));
  CHECK(allclose(rows[1], layer.weight[1], 0, 0));
  sum(rows).backward();
  CHECK(allclose(layer.weight.grad(), tensor({{0, 0, 0}, {1, 1, 1}, {0, 0, 0}, {0, 0, 0}}), 0, 0));
  CHECK_THROWS_WITH_AS(nn::Embedding(4, 3, {.padding_index = 4}), doctest::Contains("padding index 4"), Error);
}
