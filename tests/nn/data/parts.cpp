// Parts of data sets and standardised columns.
#include <doctest/doctest.h>
#include <tests/support/statistics.hpp>
#include <tests/support/temp_dir.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include <weft/engine/backward.hpp>
#include <weft/engine/create.hpp>
#include <weft/engine/gradcheck.hpp>
#include <weft/engine/random.hpp>
#include <weft/nn/data/parts.hpp>
#include <weft/nn/data/standardizer.hpp>
#include <weft/nn/files/safetensors.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/reduce.hpp>
#include <weft/ops/reshape.hpp>
#include <weft/ops/unary.hpp>

using namespace weft;

namespace {

using Numbers = std::vector<std::int64_t>;

// Example i is {i, -i} with label label(i).
template <class F>
nn::Dataset numbered(std::int64_t n, F label) {
  Numbers labels;
  for (std::int64_t i = 0; i < n; ++i) labels.push_back(label(i));
  const Tensor i = arange(static_cast<double>(n));
  return {stack({i, -i}, 1), tensor(labels, {n}, i64)};
}
nn::Dataset numbered(std::int64_t n) {
  return numbered(n, [](std::int64_t i) { return 10 * i; });
}

// Which examples of such a data set these are.
Numbers examples(const nn::Dataset& data) {
  Numbers found;
  CHECK(data.x.shape() == Shape{data.size(), 2});
  CHECK(data.y.shape() == Shape{data.size()});
  for (std::int64_t i = 0; i < data.size(); ++i) {
    found.push_back(static_cast<std::int64_t>(data.x.at({i, 0})));
    CHECK(data.x.at({i, 1}) == -data.x.at({i, 0}));
  }
  return found;
}

Numbers sizes(const std::vector<nn::Dataset>& parts) {
  Numbers result;
  for (const nn::Dataset& part : parts) result.push_back(part.size());
  return result;
}

Numbers sorted(Numbers numbers) {
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

Numbers all(std::int64_t n) {
  Numbers numbers;
  for (std::int64_t i = 0; i < n; ++i) numbers.push_back(i);
  return numbers;
}

}  // namespace

TEST_CASE("a subset is the examples asked for") {
  const nn::Dataset data = numbered(5);
  const nn::Dataset some = nn::subset(data, {3, 0, 3});
  CHECK(examples(some) == Numbers{3, 0, 3});
  CHECK(some.y.at({0}) == 30);
  CHECK(some.y.dtype() == i64);
  CHECK(examples(nn::subset(data, tensor({4, 1}, {2}, i64))) == Numbers{4, 1});
  CHECK(examples(nn::subset(data, {2})) == Numbers{2});
  const nn::Dataset grids = {reshape(arange(12), {3, 2, 2}), zeros({3, 0})};
  const nn::Dataset one = nn::subset(grids, {1});
  CHECK(one.x.at({0, 1, 1}) == 7);
  CHECK(one.y.shape() == Shape{1, 0});
  CHECK_THROWS_WITH_AS(nn::subset(data, {5}), "subset: got example 5, needs 0 to 4", Error);
  CHECK_THROWS_AS(nn::subset(data, {0, -1}), Error);
  CHECK_THROWS_AS(nn::subset(data, Numbers()), Error);
  CHECK_THROWS_AS(nn::subset(data, tensor({1, 2}, {2})), Error);
  CHECK_THROWS_AS(nn::subset(data, tensor({1, 2}, {1, 2}, i64)), Error);
  CHECK_THROWS_AS(nn::subset({data.x, Tensor()}, {0}), Error);
}

TEST_CASE("a split takes every example once, and follows from its seed") {
  const nn::Dataset data = numbered(50);
  const auto [train, test] = nn::split(data, {0.8, 0.2}, 1);
  CHECK(train.size() == 40);
  CHECK(test.size() == 10);
  Numbers both = examples(train);
  for (const std::int64_t i : examples(test)) both.push_back(i);
  CHECK(both != all(50));
  CHECK(sorted(both) == all(50));
  for (std::int64_t i = 0; i < test.size(); ++i) CHECK(test.y.at({i}) == 10 * test.x.at({i, 0}));

  const auto again = nn::split(data, std::vector<double>{0.8, 0.2}, 1);
  CHECK(examples(again[0]) == examples(train));
  CHECK(examples(again[1]) == examples(test));
  CHECK(examples(nn::split(data, {40, 10}, 1)[1]) == examples(test));
  CHECK(examples(nn::split(data, {0.8, 0.2}, 2)[1]) != examples(test));
  CHECK(examples(nn::split(data, {0.8, 0.2})[1]) == examples(nn::split(data, {0.8, 0.2}, 0)[1]));
  CHECK(examples(nn::split(data, {1.0})[0]).size() == 50);
}

TEST_CASE("the sizes of a split are PyTorch's and add up") {
  const auto of = [](std::int64_t n, std::vector<double> fractions) {
    return sizes(nn::split(numbered(n), fractions, 3));
  };
  CHECK(of(11, {0.5, 0.5}) == Numbers{6, 5});
  CHECK(of(7, {0.8, 0.2}) == Numbers{6, 1});
  CHECK(of(10, {1.0 / 3, 1.0 / 3, 1.0 / 3}) == Numbers{4, 3, 3});
  CHECK(of(11, {1.0 / 3, 1.0 / 3, 1.0 / 3}) == Numbers{4, 4, 3});
  CHECK(of(100, {0.71, 0.29}) == Numbers{71, 29});  // 0.29 * 100 < 29 in floating point
  CHECK(of(10, std::vector<double>(10, 0.1)) == Numbers(10, 1));
  CHECK(of(1000, {0.7, 0.15, 0.15}) == Numbers{700, 150, 150});
  for (std::int64_t n = 4; n < 60; ++n) {
    const Numbers got = of(n, {0.34, 0.33, 0.33});
    CHECK(got[0] + got[1] + got[2] == n);
    CHECK(std::abs(static_cast<double>(got[1]) - 0.33 * static_cast<double>(n)) <= 1);
  }
  const nn::Dataset data = numbered(10);
  CHECK_THROWS_WITH_AS(nn::split(data, {0.5, 0.4}), "split: got fractions that add up to 0.9, need 1", Error);
  CHECK_THROWS_AS(nn::split(data, {1.5, -0.5}), Error);
  CHECK_THROWS_AS(nn::split(data, {std::nan(""), 1.0}), Error);
  CHECK_THROWS_AS(nn::split(data, {0.99, 0.01}), Error);  // nothing left for the second
  CHECK_THROWS_AS(nn::split(data, {1.0, 0.0}), Error);
  CHECK_THROWS_AS(nn::split(data, std::vector<double>()), Error);
  CHECK_THROWS_WITH_AS(nn::split(data, {8, 1}), "split: got parts of 9 examples together, needs all 10", Error);
  CHECK_THROWS_AS(nn::split(data, {8, 3}), Error);
  CHECK_THROWS_AS(nn::split(data, {10, 0}), Error);
  CHECK_THROWS_AS(nn::split(data, {std::numeric_limits<std::int64_t>::max(), std::int64_t{12}}), Error);
}

TEST_CASE("which examples a split takes is up to chance") {
  std::vector<std::int64_t> tested(8);
  for (std::uint64_t seed = 0; seed < 2000; ++seed)
    for (const std::int64_t i : examples(nn::split(numbered(8), {7, 1}, seed)[1]))
      ++tested[static_cast<std::size_t>(i)];
  CHECK(weft::test::even(tested));
}

TEST_CASE("each example is tested on in one fold and trained on in all others") {
  for (const std::int64_t k : {2, 3, 10, 23}) {
    const nn::Dataset data = numbered(23);
    const auto folds = nn::kfold(data, k, 4);
    REQUIRE(static_cast<std::int64_t>(folds.size()) == k);
    Numbers tested;
    for (const auto& [train, test] : folds) {
      CHECK(test.size() >= 23 / k);
      CHECK(test.size() <= 23 / k + 1);
      Numbers both = examples(train);
      CHECK(both == sorted(both));
      for (const std::int64_t i : examples(test)) {
        tested.push_back(i);
        both.push_back(i);
      }
      CHECK(sorted(both) == all(23));
    }
    CHECK(tested != all(23));
    CHECK(sorted(tested) == all(23));
    CHECK(examples(nn::kfold(data, k, 4)[1].test) == examples(folds[1].test));
    bool other = false;
    const auto others = nn::kfold(data, k, 5);
    for (std::size_t i = 0; i < folds.size(); ++i) other = other || examples(others[i].test) != examples(folds[i].test);
    CHECK(other);
  }
  CHECK_THROWS_AS(nn::kfold(numbered(5), 1), Error);
  CHECK_THROWS_WITH_AS(nn::kfold(numbered(5), 6), "kfold: got 6 folds, needs 2 to 5, the number of examples", Error);
  CHECK_THROWS_AS(nn::kfold({ones({3}), Tensor()}, 2), Error);
}

TEST_CASE("stratified folds hold as many of each class") {
  // 13 of class 7, 20 of class -1, 31 of class 2, mixed.
  const nn::Dataset data = numbered(64, [](std::int64_t i) {
    return i % 64 * 37 % 64 < 13 ? 7 : i * 37 % 64 < 33 ? -1 : 2;
  });
  for (const std::int64_t k : {2, 5, 13}) {
    Numbers tested;
    for (const auto& [train, test] : nn::kfold(data, k, 6, {.stratified = true})) {
      CHECK(train.size() + test.size() == 64);
      CHECK(test.size() >= 64 / k);
      CHECK(test.size() <= 64 / k + 1);
      for (const auto& [label, count] : {std::pair<std::int64_t, std::int64_t>{7, 13}, {-1, 20}, {2, 31}}) {
        const auto labels = test.y.data<std::int64_t>();
        const std::int64_t got = std::count(labels.begin(), labels.end(), label);
        CHECK(got >= count / k);
        CHECK(got <= count / k + 1);
      }
      for (const std::int64_t i : examples(test)) tested.push_back(i);
    }
    CHECK(sorted(tested) == all(64));
  }
  CHECK_THROWS_WITH_AS(nn::kfold(data, 14, 0, {.stratified = true}),
                       "kfold: got 13 examples of class 7, needs one for each of 14 folds", Error);
  CHECK_THROWS_AS(nn::kfold({data.x, ones({64})}, 2, 0, {.stratified = true}), Error);
  CHECK_THROWS_AS(nn::kfold({data.x, reshape(data.y, {64, 1})}, 2, 0, {.stratified = true}), Error);
}

TEST_CASE_TEMPLATE("a Standardizer takes the training part's mean and deviation, and undoes it", T, float, double) {
  manual_seed(4);
  const DType dtype = dtype_of<T>;
  const Tensor scales = tensor({1e-3, 1, 5000}, {3}, dtype), offsets = tensor({0, -7, 1e6}, {3}, dtype);
  const Tensor train = randn({500, 3}, dtype) * scales + offsets, other = randn({20, 3}, dtype) * scales + offsets;
  const nn::Standardizer s(train);
  for (std::int64_t c = 0; c < 3; ++c) {
    double mean = 0, square = 0;
    for (std::int64_t i = 0; i < 500; ++i) mean += train.at({i, c}) / 500;
    for (std::int64_t i = 0; i < 500; ++i) square += (train.at({i, c}) - mean) * (train.at({i, c}) - mean);
    const double stddev = std::sqrt(square / 500);
    CHECK(std::abs(s.mean().at({c}) - mean) <= 1e-12 * (std::abs(mean) + stddev));
    CHECK(std::abs(s.stddev().at({c}) / stddev - 1) <= 1e-11);
    const Tensor applied = s.apply(other), back = s.invert(applied);
    CHECK(applied.dtype() == dtype);
    const double rounding = std::numeric_limits<T>::epsilon();
    for (std::int64_t i = 0; i < 20; ++i) {
      const double expected = (other.at({i, c}) - mean) / stddev;
      CHECK(std::abs(applied.at({i, c}) - expected) <= 1e-9 + rounding * std::abs(expected));
      CHECK(std::abs(back.at({i, c}) - other.at({i, c})) <= 8 * rounding * (std::abs(mean) + 4 * stddev));
    }
  }
  const Tensor one = s.apply(tensor({0, 0, 0}, {3}, dtype));  // a single example
  CHECK(one.shape() == Shape{3});
}

TEST_CASE("constant columns are not scaled") {
  Tensor x = full({1000, 3}, 0.1, f64);
  for (std::size_t i = 0; i < 1000; ++i) x.mutable_data<double>()[3 * i] = 1e6 + 1e-7 * static_cast<double>(i);
  x.mutable_data<double>()[2] = 0.1000001;
  const nn::Standardizer s(x);
  CHECK(s.stddev().at({0}) != 1);  // nearly constant is not
  CHECK(s.stddev().at({1}) == 1);
  CHECK(s.stddev().at({2}) < 1e-6);
  const Tensor applied = s.apply(tensor({1e6, 3.1, 0.1}, {1, 3}, f64));
  CHECK(std::abs(applied.at({0, 1}) - 3) < 1e-12);
  CHECK(nn::Standardizer(tensor({5, 6}, {1, 2})).stddev().at({0}) == 1);  // one example
}

TEST_CASE("gradients flow through a Standardizer") {
  manual_seed(5);
  const nn::Standardizer s(randn({10, 2}, f64) * 3.0 + 1.0);
  CHECK(gradcheck([&](const Tensors& in) { return square(s.invert(s.apply(in[0]) * in[1])); },
                  {randn({4, 2}, f64), randn({4, 2}, f64)}, {.order = 2})
            .ok);
  const Tensor x = parameter(ones({1, 2}));
  sum(s.apply(x)).backward();
  CHECK(x.grad().dtype() == f32);
  CHECK(std::abs(x.grad().at({0, 0}) * s.stddev().at({0}) - 1) < 1e-6);
}

TEST_CASE("a Standardizer is saved and loaded") {
  const TempDir dir;
  const nn::Standardizer s(tensor({1, 2, 3, 10}, {2, 2}));
  nn::write_safetensors(dir / "s", s.state());
  nn::Standardizer loaded;
  CHECK(loaded.state().empty());
  CHECK_THROWS_AS(loaded.apply(ones({1, 2})), Error);
  loaded.load_state(nn::read_safetensors(dir / "s").tensors);
  CHECK(loaded.mean().at({1}) == 6);
  CHECK(loaded.stddev().at({1}) == 4);
  CHECK(loaded.apply(tensor({3, 14}, {1, 2})).at({0, 1}) == 2);

  const Tensor two = ones({2}, f64);
  for (const nn::NamedTensors& bad :
       {nn::NamedTensors{}, nn::NamedTensors{{"mean", two}}, nn::NamedTensors{{"mean", two}, {"mean", two}},
        nn::NamedTensors{{"mean", two}, {"stddev", two}, {"x", two}},
        nn::NamedTensors{{"mean", two}, {"stddev", ones({3}, f64)}},
        nn::NamedTensors{{"mean", two}, {"stddev", Tensor()}}, nn::NamedTensors{{"mean", ones({2})}, {"stddev", two}},
        nn::NamedTensors{{"mean", ones({3}, f64)}, {"stddev", ones({3}, f64)}},
        nn::NamedTensors{{"mean", two * std::nan("")}, {"stddev", two}},
        nn::NamedTensors{{"mean", two}, {"stddev", zeros({2}, f64)}}})
    CHECK_THROWS_AS(loaded.load_state(bad), Error);
  CHECK(loaded.mean().at({1}) == 6);
  CHECK_THROWS_AS(loaded.apply(ones({1, 3})), Error);
  CHECK_THROWS_AS(loaded.invert(ones({})), Error);
  CHECK_THROWS_AS(loaded.apply(zeros({1, 2}, i64)), Error);
  CHECK_THROWS_AS(nn::Standardizer(zeros({1, 2}, i64)), Error);
  CHECK_THROWS_AS(nn::Standardizer(zeros({0, 2})), Error);
  CHECK_THROWS_WITH_AS(nn::Standardizer(tensor({1, std::nan("")}, {1, 2})),
                       "Standardizer: got values that are not finite in column 1", Error);
  CHECK_THROWS_AS(nn::Standardizer(tensor({1, INFINITY}, {2, 1})), Error);
}
