#include "false_alarms.hpp"

#include <algorithm>
#include <vector>

#include <weft/weft.hpp>

#include "common/parallel.hpp"
#include "common/statistics.hpp"

using namespace weft;

namespace {

constexpr std::int64_t rows = 100, half = 6;
constexpr double ridge = 1;

double ridge_error(const nn::Fold& fold, std::int64_t from) {
  const Tensor x = slice(fold.train.x, 1, from, from + half), back = transpose(x);
  const Tensor w = solve(matmul(back, x) + ridge * eye(half, f64), matmul(back, fold.train.y));
  return nn::mse(matmul(slice(fold.test.x, 1, from, from + half), w), fold.test.y).item();
}

struct Alarms {
  bool corrected, naive;
};

Alarms compare_on_one(std::int64_t folds, std::int64_t repeats, std::uint64_t seed) {
  Generator generator(seed);
  nn::Dataset data{randn({rows, 2 * half}, f64, generator), {}};
  data.y = slice(data.x, 1, 0, 1) + slice(data.x, 1, half, half + 1) + randn({rows, 1}, f64, generator);
  std::vector<double> differences;
  for (std::int64_t repeat = 0; repeat < repeats; ++repeat)
    for (const nn::Fold& fold : nn::kfold(data, folds, seed * 1000 + static_cast<std::uint64_t>(repeat)))
      differences.push_back(ridge_error(fold, 0) - ridge_error(fold, half));
  return {common::corrected_paired(differences, 1 / static_cast<double>(folds - 1)).significant(),
          common::paired(differences).significant()};
}

}  // namespace

FalseAlarms count_false_alarms(std::int64_t data_sets, std::int64_t folds, std::int64_t repeats, std::uint64_t seed) {
  std::vector<Alarms> found(static_cast<std::size_t>(data_sets));
  common::in_parallel("false alarms", data_sets, [&](std::int64_t i) {
    found[static_cast<std::size_t>(i)] =
        compare_on_one(folds, repeats, seed * 1'000'003 + static_cast<std::uint64_t>(i));
  });
  const auto share = [&](bool Alarms::*of) {
    return static_cast<double>(std::count_if(found.begin(), found.end(), [&](const Alarms& a) { return a.*of; })) /
           static_cast<double>(data_sets);
  };
  return {data_sets, share(&Alarms::corrected), share(&Alarms::naive)};
}
