// Tables of which few rows are looked up: their optimisers update those, with the same bits as if they updated all.
#include <doctest/doctest.h>
#include <tests/support/same.hpp>
#include <weft/weft.hpp>

#include <memory>

#include <weft/engine/detail/rows.hpp>

using namespace weft;

namespace {

// Five steps on a table of 40 rows, three of which are looked up in each; `whole` lets the optimiser see all rows.
template <class Optimizer, class Options>
nn::NamedTensors trained(const Options& options, bool whole) {
  manual_seed(1);
  nn::Embedding table(40, 3);
  Optimizer optimizer(table, options);
  for (int step = 0; step < 5; ++step) {
    const Tensor index = tensor({7, step, 7, 2 * step + 1}, {2, 2}, i64);
    optimizer.zero_grad();
    sum(square(table(index)) * 0.5 + table(index)).backward();
    if (whole) table.weight.set_grad(table.weight.grad().clone());
    optimizer.step();
  }
  nn::NamedTensors all = optimizer.state();
  all.emplace_back("weight", table.weight.detach().clone());
  return all;
}

template <class Optimizer, class Options>
void check_same(const Options& options) {
  const auto few = trained<Optimizer>(options, false), all = trained<Optimizer>(options, true);
  REQUIRE(few.size() == all.size());
  for (std::size_t i = 0; i < all.size(); ++i) CHECK(same_bits(few[i].second, all[i].second));
}

}  // namespace

TEST_CASE("the gradient of a table knows its rows until it is changed") {
  Tensor table = parameter(randn({6, 2}));
  const Tensor index = tensor({4, 1, 4}, {3}, i64);
  const auto rows = [&] { return detail::noted_rows(table.grad()); };
  sum(embedding(table, index)).backward();
  CHECK(same_bits(rows(), index));
  table.grad().mul_(2.0);
  CHECK_FALSE(rows().defined());
  table.zero_grad();
  sum(index_select(table, 0, index)).backward();
  CHECK(same_bits(rows(), index));
  sum(table).backward();  // another part of the loss reaches all rows
  CHECK_FALSE(rows().defined());
  table.zero_grad();
  sum(embedding(table, index) + embedding(table, tensor({0, 1, 2}, {3}, i64))).backward();
  CHECK_FALSE(rows().defined());
  table.zero_grad();
  sum(index_select(table, 1, tensor({1}, {1}, i64))).backward();  // columns
  CHECK_FALSE(rows().defined());
}

TEST_CASE("few rows of a table are updated as all of them would be") {
  check_same<nn::Sgd>(nn::SgdOptions{.lr = 0.1});
  check_same<nn::Sgd>(nn::SgdOptions{.lr = 0.1, .momentum = 0.9});
  check_same<nn::Sgd>(nn::SgdOptions{.lr = 0.1, .weight_decay = 0.1});
  check_same<nn::Sgd>(nn::SgdOptions{.lr = 0.1, .l1 = 0.1});
  check_same<nn::Adagrad>(nn::AdagradOptions{.lr = 0.1});
  check_same<nn::Adagrad>(nn::AdagradOptions{.lr = 0.1, .initial_accumulator = 0.5});
  check_same<nn::Adagrad>(nn::AdagradOptions{.lr = 0.1, .weight_decay = 0.1});
  check_same<nn::Adam>(nn::AdamOptions{.lr = 0.1});
  check_same<nn::AdamW>(nn::AdamWOptions{.lr = 0.1});
}

TEST_CASE("sparse Adam leaves rows alone that were not looked up") {
  const nn::AdamOptions options{.lr = 0.1, .sparse = true};
  manual_seed(2);
  nn::Embedding table(40, 3);
  nn::Adam adam(table, options);
  // A small table of the rows that are looked up, which a plain Adam updates.
  const Tensor index = tensor({30, 4, 30}, {3}, i64), rows = tensor({4, 30}, {2}, i64);
  const Tensor before = table.weight.detach().clone();
  Tensor small = parameter(index_select(before, 0, rows));
  nn::Adam plain(Tensors{small}, {.lr = 0.1});
  for (int step = 0; step < 3; ++step) {
    adam.zero_grad();
    plain.zero_grad();
    sum(square(table(index))).backward();
    sum(square(index_select(small, 0, tensor({1, 0, 1}, {3}, i64)))).backward();
    adam.step();
    plain.step();
  }
  CHECK(same_bits(index_select(table.weight, 0, rows).detach(), small.detach()));
  for (std::int64_t row = 0; row < 40; ++row)
    if (row != 4 && row != 30) CHECK(same_bits(table.weight[row].detach(), before[row]));
}
