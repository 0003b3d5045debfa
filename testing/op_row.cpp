#include <weft/testing/op_row.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include <weft/engine/create.hpp>

namespace weft::testing {
namespace {

std::vector<double> draw(const Input& input, std::size_t place, std::mt19937_64& bits) {
  const auto n = static_cast<std::size_t>(input.shape.size());
  std::vector<double> values(n);
  switch (input.domain.kind) {
    case Domain::normal: {
      std::normal_distribution<double> normal;
      for (double& v : values) v = normal(bits);
      break;
    }
    case Domain::uniform: {
      std::uniform_real_distribution<double> uniform(input.domain.low, input.domain.high);
      for (double& v : values) v = uniform(bits);
      break;
    }
    case Domain::grid: {
      std::iota(values.begin(), values.end(), 0.0);
      std::shuffle(values.begin(), values.end(), bits);
      const double offset = 0.3 + 0.37 * static_cast<double>(place) - std::floor(static_cast<double>(n) / 2);
      for (double& v : values) v = 0.1 * (v + offset);
      break;
    }
    case Domain::integers: {
      std::uniform_int_distribution<std::int64_t> whole(static_cast<std::int64_t>(input.domain.low),
                                                        static_cast<std::int64_t>(input.domain.high) - 1);
      for (double& v : values) v = static_cast<double>(whole(bits));
      break;
    }
    case Domain::rare: {
      std::bernoulli_distribution other(input.domain.chance);
      for (double& v : values) v = other(bits) ? input.domain.high : input.domain.low;
      break;
    }
  }
  for (double& v : values) v = static_cast<float>(v);
  return values;
}

}  // namespace

Tensors make_inputs(const Inputs& inputs, DType floating, std::uint64_t seed) {
  std::mt19937_64 bits(seed);
  Tensors tensors;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const DType dtype = is_floating(inputs[i].dtype) ? floating : inputs[i].dtype;
    tensors.push_back(tensor(draw(inputs[i], i, bits), inputs[i].shape, dtype));
  }
  return tensors;
}

bool has_empty(const Inputs& inputs) {
  return std::any_of(inputs.begin(), inputs.end(), [](const Input& input) { return input.shape.size() == 0; });
}

std::int64_t size_of(const Inputs& inputs) {
  std::int64_t n = 0;
  for (const Input& input : inputs) n += input.shape.size();
  return n;
}

std::vector<Inputs> unary_cases(const Domain& d) {
  return {{{{3, 4}, d}}, {{{37}, d}}, {{{2, 3, 1, 2}, d}}, {{{}, d}}, {{{1}, d}}, {{{0, 3}, d}}};
}

std::vector<Inputs> binary_cases(const Domain& a, const Domain& b) {
  const auto both = [&](const Shape& first, const Shape& second) { return Inputs{{first, a}, {second, b}}; };
  return {both({3, 4}, {3, 4}),    both({19}, {19}),    both({3, 4}, {4}),          both({4}, {3, 1}),
          both({2, 1, 3}, {4, 1}), both({2, 3, 2}, {}), both({1, 3}, {2, 2, 1, 1}), both({1}, {1}),
          both({0, 3}, {3}),       both({2, 0}, {1, 1})};
}

std::vector<Inputs> unary_large(const Domain& d) { return {{{{66'001}, d}}}; }

std::vector<Inputs> binary_large(const Domain& a, const Domain& b) {
  const auto both = [&](const Shape& first, const Shape& second) { return Inputs{{first, a}, {second, b}}; };
  return {both({66'001}, {66'001}),      both({66'001}, {1}),      both({15}, {4'411, 15}),
          both({1'409, 47}, {1'409, 1}), both({1, 513}, {131, 1}), both({7, 1, 48}, {3, 1}),
          both({5, 1, 16}, {5, 3, 16}),  both({3, 1, 17}, {9, 17})};
}

std::function<Inputs(std::int64_t)> vectors(int count, const Domain& domain) {
  return [=](std::int64_t n) { return Inputs(static_cast<std::size_t>(count), Input{{n}, domain}); };
}

std::function<Inputs(std::int64_t)> square_matrix(const Domain& domain) {
  return [=](std::int64_t n) {
    const auto side = std::max<std::int64_t>(1, std::llround(std::sqrt(static_cast<double>(n))));
    return Inputs{{{side, side}, domain}};
  };
}

}  // namespace weft::testing
