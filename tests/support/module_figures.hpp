#pragma once
// Modules held against PyTorch's figures, as tests/figures/cases.py lists them.
#include <tests/support/figures.hpp>

#include <functional>
#include <map>

#include <weft/engine/backward.hpp>
#include <weft/nn/module.hpp>
#include <weft/nn/state.hpp>
#include <weft/ops/ops.hpp>

namespace weft::test {

/// A weight as PyTorch has it, as weft has it.
inline Tensor turned(const Tensor& t) { return t.rank() == 2 ? transpose(t) : t; }

inline void check_close(const Tensor& got, const nlohmann::json& figure, const std::string& what, bool weight = false) {
  const Tensor wanted = weight ? turned(tensor_of(figure)) : tensor_of(figure);
  CAPTURE(what);
  REQUIRE(got.shape() == wanted.shape());
  CHECK(allclose(got, wanted, 1e-10, 1e-11));
}

using Named = std::map<std::string, Tensor>;

/// Loads a case's weights, runs it in f64 and compares outputs and all gradients. `run` is given the inputs by name and
/// gives the outputs by name.
inline void check_case(const nlohmann::json& figures, nn::Module& net, const std::function<Named(const Named&)>& run) {
  net.to(f64);
  nn::NamedTensors state;
  for (const auto& [name, values] : figures.at("state").items()) state.emplace_back(name, turned(tensor_of(values)));
  nn::load_state(net, state);
  Named inputs;
  for (const auto& [name, values] : figures.at("inputs").items()) {
    const DType dtype = name == "lengths" ? i64 : name == "padding" ? u8 : f64;
    inputs[name] = dtype == f64 ? parameter(tensor_of(values)) : tensor_of(values, dtype);
  }
  Tensor loss = zeros({}, f64);
  const Named outputs = run(inputs);
  REQUIRE(outputs.size() == figures.at("outputs").size());
  for (const auto& [name, y] : outputs) {
    check_close(y, figures.at("outputs").at(name), name);
    loss = loss + sum(square(y));
  }
  loss.backward();
  std::size_t compared = 0;
  for (const auto& [name, p] : net.named_parameters()) {
    check_close(p.grad(), figures.at("gradients").at(name), name, true);
    ++compared;
  }
  for (const auto& [name, x] : inputs) {
    if (!x.requires_grad()) continue;
    check_close(x.grad(), figures.at("gradients").at(name), name);
    ++compared;
  }
  CHECK(compared == figures.at("gradients").size());
}

}  // namespace weft::test
