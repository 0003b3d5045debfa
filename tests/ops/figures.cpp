// Every row of the op table held against PyTorch's values and gradients (tests/figures/ops.py makes them), in f64 and
// in f32.
#include <doctest/doctest.h>
#include <tests/support/figures.hpp>
#include <tests/support/op_table.hpp>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>
#include <stdexcept>

#include <weft/engine/backward.hpp>
#include <weft/engine/create.hpp>
#include <weft/engine/error.hpp>

using namespace weft;
using nlohmann::json;
using weft::test::Array;
using weft::test::Inputs;
using weft::test::OpRow;

namespace {

// Rows that PyTorch can have no figures for, and why.
const std::map<std::string, std::string> without_figures = {
    {"dropout", "which elements go is drawn by weft's own generator"},
};

const json& figures() {
  static const json read = test::figures_in("ops.json");
  return read;
}

std::string command() {
  return "/usr/bin/python3 " WEFT_SOURCE_DIR "/tests/figures/ops.py " +
         std::filesystem::read_symlink("/proc/self/exe").string();
}

// A row's first case, and up to two of other ranks, or of other shapes beside each other, that are small and not single
// elements.
std::vector<Inputs> chosen_cases(const OpRow& row) {
  std::vector<Inputs> chosen;
  std::set<std::pair<std::vector<int>, bool>> kinds;
  for (const Inputs& inputs : row.cases) {
    const auto size = test::size_of(inputs), least = static_cast<std::int64_t>(inputs.size()) + 1;
    if (test::has_empty(inputs) || chosen.size() == 3 || (!chosen.empty() && (size < least || size > 80))) continue;
    std::vector<int> ranks;
    bool alike = true;
    for (const test::Input& input : inputs) {
      ranks.push_back(input.shape.rank());
      alike = alike && input.shape == inputs[0].shape;
    }
    if (kinds.insert({ranks, alike}).second) chosen.push_back(inputs);
  }
  return chosen;
}

// Nan and the infinities are strings, as JSON has no word for them.
json as_json(const Tensor& t) {
  json values = json::array();
  for (const double v : test::values_of(t)) {
    char digits[32];
    std::snprintf(digits, sizeof digits, "%.9g", v);  // an f32's
    if (!std::isfinite(v))
      values.push_back(digits);
    else if (is_floating(t.dtype()))
      values.push_back(std::stod(digits));
    else
      values.push_back(static_cast<std::int64_t>(v));
  }
  return {{"dtype", name_of(t.dtype())},
          {"shape", std::vector<std::int64_t>(t.shape().begin(), t.shape().end())},
          {"values", values}};
}

// Random inputs of a case. Comparisons and their like are given a nan and infinities too.
json draw(const OpRow& row, const Inputs& inputs, std::uint64_t seed) {
  json drawn = json::array();
  for (const Tensor& t : test::make_inputs(inputs, f64, seed)) {
    json one = as_json(t);
    if (row.elementwise && !row.differentiable && is_floating(t.dtype()) && t.size() > 3) {
      std::size_t place = drawn.size();
      for (const char* const word : {"nan", "inf", "-inf"}) one["values"][place++ % 4] = word;
    }
    drawn.push_back(one);
  }
  return drawn;
}

Tensors inputs_of(const json& figure, DType floating) {
  Tensors inputs;
  for (const json& input : figure.at("inputs")) {
    std::vector<double> values;
    for (const json& v : input.at("values"))
      values.push_back(v.is_string() ? std::stod(v.get<std::string>()) : v.get<double>());
    const std::string name = input.at("dtype");
    const DType dtype = name == "i64" ? i64 : name == "u8" ? u8 : floating;
    if (is_floating(dtype))
      for (double& v : values) v = static_cast<float>(v);
    inputs.push_back(tensor(values, Shape(input.at("shape").get<std::vector<std::int64_t>>()), dtype));
  }
  return inputs;
}

// What a case gives.
struct Found {
  Tensors results, leaves, gradients;
};

Found found_by(const OpRow& row, const json& figure, DType dtype, bool record) {
  Found found;
  Tensors inputs = inputs_of(figure, dtype), outputs, weights;
  if (row.differentiable)
    for (Tensor& t : inputs)
      if (is_floating(t.dtype())) found.leaves.push_back(t = parameter(t));
  found.results = row.function(inputs);
  if (!row.differentiable) return found;
  const auto cotangents = figure.at("cotangents").get<std::vector<std::vector<double>>>();
  if (cotangents.size() != found.results.size()) throw std::runtime_error("the row has more or fewer results");
  for (std::size_t i = 0; i < cotangents.size(); ++i) {
    if (!found.results[i].requires_grad()) continue;
    outputs.push_back(found.results[i]);
    weights.push_back(tensor(cotangents[i], found.results[i].shape(), dtype));
  }
  if (!outputs.empty())
    found.gradients =
        grad(outputs, found.leaves, {.grad_outputs = weights, .create_graph = record, .allow_unused = true});
  found.gradients.resize(found.leaves.size());
  for (std::size_t i = 0; i < found.leaves.size(); ++i)
    if (!found.gradients[i].defined()) found.gradients[i] = zeros_like(found.leaves[i]);
  return found;
}

Array array_of(const json& values, const Shape& shape) {
  const std::vector<double> read = values;
  if (static_cast<std::int64_t>(read.size()) != shape.size()) throw std::runtime_error("the shapes have changed");
  return test::array_of(read, shape);
}

void compare(const OpRow& row, const json& figure, DType dtype, bool record) {
  const double tolerance = dtype == f64 ? 1e-10 : 1e-5;
  const Found found = found_by(row, figure, dtype, record);
  const json& results = figure.at("results");
  if (results.size() != found.results.size()) throw std::runtime_error("the row has more or fewer results");
  for (std::size_t i = 0; i < results.size(); ++i) {
    const Shape shape(results[i].at("shape").get<std::vector<std::int64_t>>());
    const Array want = array_of(results[i].at("values"), shape);
    const std::string message = test::difference(test::array_of(found.results[i]), want, tolerance);
    CHECK_MESSAGE(message.empty(), "result ", i, ": ", message);
  }
  if (!row.differentiable) return;
  const json& gradients = figure.at("gradients");
  if (gradients.size() != found.leaves.size()) throw std::runtime_error("the row has more or fewer inputs");
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    const Array want = array_of(gradients[i], found.leaves[i].shape());
    const std::string message = test::difference(test::array_of(found.gradients[i]), want, tolerance),
                      kind = record ? "recorded gradient" : "gradient";
    CHECK_MESSAGE(message.empty(), kind, " along floating input ", i, ": ", message);
  }
}

std::set<std::string> titles() {
  std::set<std::string> all;
  for (const OpRow& row : test::op_table()) all.insert(row.title());
  return all;
}

}  // namespace

TEST_CASE("inputs for the figures go where WEFT_INPUTS says") {
  const char* const path = std::getenv("WEFT_INPUTS");
  if (path == nullptr) return;
  json all = json::array();
  for (const OpRow& row : test::op_table()) {
    if (without_figures.count(row.title()) > 0) continue;
    json cases = json::array();
    // The seed comes from the title: a new row changes nothing for others.
    const std::string title = row.title();
    auto seed = std::accumulate(title.begin(), title.end(), std::uint64_t{0});
    for (const Inputs& inputs : chosen_cases(row)) {
      json draws = json::array();
      while (draws.size() < 8) draws.push_back(draw(row, inputs, ++seed));
      cases.push_back(draws);
    }
    all.push_back({{"title", title}, {"differentiable", row.differentiable}, {"cases", cases}});
  }
  std::ofstream(path) << all.dump() << '\n';
}

TEST_CASE("every row has PyTorch's values and gradients") {
  for (const OpRow& row : test::op_table()) {
    if (without_figures.count(row.title()) > 0) continue;
    if (!figures().contains(row.title())) {
      FAIL_CHECK(row.title(), " has no figures: give it an entry in one of tests/figures/ops_*.py and run\n  ",
                 command(),
                 "\n(after apt install python3-torch). Who has no PyTorch names the row in without_figures, in ",
                 "tests/ops/figures.cpp, and says so.");
      continue;
    }
    const json& cases = figures().at(row.title());
    CHECK_MESSAGE(!cases.empty(), row.title(), " has no cases among the figures");
    for (std::size_t i = 0; i < cases.size(); ++i)
      for (const DType dtype : {f64, f32})
        for (const bool record : {false, true}) {
          if (record && !row.differentiable) continue;
          const std::string where = row.title() + ", case " + std::to_string(i) + " in " + name_of(dtype);
          INFO(where, " (if the row itself has changed: ", command(), ")");
          try {
            compare(row, cases[i], dtype, record);
          } catch (const std::exception& error) {  // inputs that the row does not take any more
            FAIL_CHECK(std::string(error.what()));
          }
        }
  }
}

TEST_CASE("every figure has a row") {
  const std::set<std::string> rows = titles();
  CHECK(rows.size() > 400);
  for (const auto& figure : figures().items()) {
    const std::string& title = figure.key();
    if (title != "torch") CHECK_MESSAGE(rows.count(title) == 1, "figures without a row: ", title, "; run ", command());
  }
  for (const auto& row : without_figures) {
    CHECK_MESSAGE(rows.count(row.first) == 1, "without_figures names no row: ", row.first);
    CHECK_MESSAGE(!figures().contains(row.first), row.first, " is in without_figures and has figures");
    CHECK(!row.second.empty());
  }
}
