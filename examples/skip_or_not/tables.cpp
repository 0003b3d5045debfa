#include "tables.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <numbers>
#include <optional>

#include <weft/weft.hpp>

using namespace weft;

namespace {

constexpr const char* packages = "/usr/lib/python3/dist-packages/";

// The file's path, or a line that says where to get it.
std::optional<std::string> installed(const std::string& root, const std::string& file, const std::string& package) {
  const std::string path = root + packages + file;
  if (std::filesystem::exists(path)) return path;
  fmt::print(stderr, "skip_or_not: no {}: Debian's package {} has it; going on without\n", path, package);
  return {};
}

// Efron et al., Least angle regression, Annals of Statistics 32, 2004: no names of columns, and spaces between.
std::optional<NamedData> diabetes(const std::string& root) {
  const auto x = installed(root, "sklearn/datasets/data/diabetes_data_raw.csv.gz", "python3-sklearn");
  const auto y = installed(root, "sklearn/datasets/data/diabetes_target.csv.gz", "python3-sklearn");
  if (!x || !y) return {};
  const auto numbers = [](const std::string& path) {
    return nn::read_csv(path, {.header = false, .separator = ' ', .dtype = f64}).x;
  };
  return NamedData{"diabetes", "progression of diabetes from age, sex, body mass, blood", {numbers(*x), numbers(*y)}};
}

std::optional<NamedData> statsmodels(const std::string& root, const std::string& name, const std::string& what,
                                     nn::CsvOptions options) {
  const auto path = installed(root, fmt::format("statsmodels/datasets/{0}/{0}.csv", name), "python3-statsmodels");
  if (!path) return {};
  options.dtype = f64;
  return NamedData{name, what, nn::read_csv(*path, std::move(options))};
}

std::optional<NamedData> star98(const std::string& root) {
  auto data = statsmodels(root, "star98", "share of pupils above the median from 12 figures of a school district",
                          {.target = {"PR50M", "MATHTOT"},
                           .columns = {"LOWINC", "PERASIAN", "PERBLACK", "PERHISP", "PERMINTE", "AVYRSEXP", "AVSALK",
                                       "PERSPENK", "PTRATIO", "PCTAF", "PCTCHRT", "PCTYRRND"}});
  if (data) data->rows.y = slice(data->rows.y, 1, 0, 1) / slice(data->rows.y, 1, 1, 2);
  return data;
}

}  // namespace

NamedData friedman(std::int64_t rows, std::uint64_t seed) {
  Generator generator(seed);
  const Tensor x = rand({rows, 10}, f64, generator), noise = randn({rows, 1}, f64, generator);
  const auto column = [&](std::int64_t i) { return slice(x, 1, i, i + 1); };
  const Tensor y = 10.0 * sin(std::numbers::pi * column(0) * column(1)) + 20.0 * square(column(2) - 0.5) +
                   10.0 * column(3) + 5.0 * column(4) + noise;
  return {"friedman", "Friedman's function 1, five inputs that count and five that do not", {x, y}};
}

std::vector<NamedData> debian_tables(const std::string& root, bool quick) {
  std::vector<NamedData> all;
  const auto take = [&](std::optional<NamedData> data) {
    if (data) all.push_back(std::move(*data));
  };
  take(diabetes(root));
  if (quick) return all;
  take(star98(root));
  take(statsmodels(root, "engel", "a household's expenditure on food from its income", {.target = "foodexp"}));
  take(statsmodels(root, "statecrime", "murders in a state of the USA from school, poverty, race, towns",
                   {.target = "murder", .columns = {"hs_grad", "poverty", "single", "white", "urban"}}));
  return all;
}
