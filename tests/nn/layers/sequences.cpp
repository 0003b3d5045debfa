// Recurrent layers, attention and the transformer's block: against PyTorch's figures (tests/figures/sequences.py makes
// them), their gradients to second order, padding, states handed on, copies, and what they refuse.
#include <doctest/doctest.h>
#include <tests/support/message_of.hpp>
#include <tests/support/module_figures.hpp>
#include <tests/support/statistics.hpp>
#include <weft/weft.hpp>

using namespace weft;
using test::check_case;
using test::Named;
using test::values_of;

namespace {

const nlohmann::json& figures() {
  static const nlohmann::json all = test::figures_in("sequences.json");
  return all;
}

Tensor given(const Named& inputs, const char* name) {
  const auto at = inputs.find(name);
  return at == inputs.end() ? Tensor() : at->second;
}

template <class Net>
std::function<Named(const Named&)> run_of(Net& net) {
  return [&net](const Named& in) {
    const auto [output, state] =
        net.run(in.at("x"), {.lengths = given(in, "lengths"), .state = {in.at("hidden"), given(in, "cell")}});
    Named outputs{{"output", output}, {"last_hidden", state.hidden}};
    if (state.cell.defined()) outputs["last_cell"] = state.cell;
    return outputs;
  };
}

}  // namespace

TEST_CASE("recurrent layers agree with PyTorch") {
  for (const std::int64_t layers : {1, 2})
    for (const bool both : {false, true})
      for (const bool bias : {true, false}) {
        const std::string rest = " " + std::to_string(layers) + (both ? " 1" : " 0") + (bias ? " 1" : " 0");
        if (!figures().contains("lstm" + rest)) continue;
        CAPTURE(rest);
        const nn::RecurrentOptions options{.layers = layers, .bidirectional = both, .bias = bias};
        nn::Lstm lstm(2, 4, options);
        nn::Gru gru(2, 4, options);
        nn::Rnn rnn(2, 4, {.layers = layers, .bidirectional = both, .bias = bias});
        nn::Rnn relu(2, 4, {.layers = layers, .bidirectional = both, .bias = bias, .relu = true});
        check_case(figures().at("lstm" + rest), lstm, run_of(lstm));
        check_case(figures().at("gru" + rest), gru, run_of(gru));
        check_case(figures().at("rnn" + rest), rnn, run_of(rnn));
        check_case(figures().at("rnn_relu" + rest), relu, run_of(relu));
      }
}

TEST_CASE("recurrent cells agree with PyTorch") {
  nn::RnnCell rnn(2, 4);
  nn::LstmCell lstm(2, 4);
  nn::GruCell gru(2, 4);
  check_case(figures().at("rnn_cell"), rnn, [&](const Named& in) {
    return Named{{"last_hidden", rnn.forward(in.at("x"), in.at("hidden"))}};
  });
  check_case(figures().at("gru_cell"), gru, [&](const Named& in) {
    return Named{{"last_hidden", gru.forward(in.at("x"), in.at("hidden"))}};
  });
  check_case(figures().at("lstm_cell"), lstm, [&](const Named& in) {
    const auto [hidden, cell] = lstm.forward(in.at("x"), {in.at("hidden"), in.at("cell")});
    return Named{{"last_hidden", hidden}, {"last_cell", cell}};
  });
}

TEST_CASE("attention agrees with PyTorch") {
  const auto output = [](const Tensor& y) { return Named{{"output", y}}; };
  nn::MultiheadAttention plain(6, 2), three(6, 3), causal(6, 2, {.bias = false, .causal = true}), across(6, 2);
  check_case(figures().at("attention"), plain, [&](const Named& in) { return output(plain(in.at("x"))); });
  check_case(figures().at("attention, padding"), three, [&](const Named& in) {
    return output(three(in.at("x"), reshape(in.at("padding"), {2, 1, 1, 5})));
  });
  check_case(figures().at("attention, causal"), causal, [&](const Named& in) { return output(causal(in.at("x"))); });
  check_case(figures().at("attention, across"), across,
             [&](const Named& in) { return output(across(in.at("x"), in.at("key"), in.at("value"))); });
  nn::TransformerBlock block(6, 2, {.hidden = 8, .causal = true});
  check_case(figures().at("block"), block, [&](const Named& in) { return output(block(in.at("x"))); });
}

TEST_CASE("gradients of recurrent and attention layers, to second order") {
  manual_seed(1);
  const auto check = [](nn::Module& net, const std::function<Tensor(const Tensor&)>& run, const Shape& shape) {
    net.to(f64);
    Tensors inputs = net.parameters();
    inputs.push_back(parameter(randn(shape, f64)));
    const auto result = gradcheck([&](const Tensors& in) { return run(in.back()); }, inputs, {.order = 2});
    CHECK_MESSAGE(result.ok, result.message);
  };
  const Tensor lengths = tensor({2, 3}, {2}, i64);
  nn::Lstm lstm(2, 2, {.layers = 2, .bidirectional = true});
  nn::Gru gru(2, 2, {.bidirectional = true});
  nn::Rnn rnn(2, 3);
  nn::TransformerBlock block(4, 2, {.hidden = 3});
  check(lstm, [&](const Tensor& x) { return lstm(x, lengths); }, {2, 3, 2});
  check(gru, [&](const Tensor& x) { return gru(x, lengths); }, {2, 3, 2});
  check(rnn, [&](const Tensor& x) { return rnn(x); }, {2, 3, 2});
  check(block, [&](const Tensor& x) { return block(x); }, {2, 3, 4});
}

TEST_CASE("a recurrent net goes on where it stopped, and padding changes nothing") {
  manual_seed(2);
  nn::Lstm lstm(3, 4, {.layers = 2});
  const Tensor x = randn({2, 6, 3});
  const auto [whole, end] = lstm.run(x);
  const auto [first, middle] = lstm.run(slice(x, 1, 0, 2));
  const auto [second, last] = lstm.run(slice(x, 1, 2, 6), {.state = middle});
  CHECK(values_of(concat({first, second}, 1)) == values_of(whole));
  CHECK(values_of(last.hidden) == values_of(end.hidden));
  CHECK(values_of(last.cell) == values_of(end.cell));

  nn::Gru gru(3, 4, {.bidirectional = true});
  const auto [padded, state] = gru.run(x, {.lengths = tensor({6, 4}, {2}, i64)});
  const Tensor alone = gru(slice(slice(x, 0, 1, 2), 1, 0, 4));
  CHECK(values_of(slice(padded, 1, 4, 6)[1]) == std::vector<double>(16, 0.0));
  CHECK(allclose(slice(slice(padded, 0, 1, 2), 1, 0, 4), alone, 1e-5, 1e-6));
  CHECK(allclose(state.hidden[1][1], slice(alone, 2, 4, 8)[0][0], 1e-5, 1e-6));
  CHECK(gru(zeros({2, 0, 3})).shape() == Shape{2, 0, 8});
  CHECK(gru(zeros({0, 5, 3})).shape() == Shape{0, 5, 8});
}

TEST_CASE("dropout acts between recurrent layers, in training only") {
  manual_seed(3);
  nn::Gru gru(3, 4, {.layers = 2, .dropout = 0.5}), one(3, 4, {.dropout = 0.5});
  const Tensor x = randn({2, 5, 3});
  CHECK(values_of(gru(x)) != values_of(gru(x)));
  CHECK(values_of(one(x)) == values_of(one(x)));
  gru.eval();
  CHECK(values_of(gru(x)) == values_of(gru(x)));
}

TEST_CASE("recurrent layers are copied, counted and converted like any other") {
  manual_seed(4);
  nn::Lstm lstm(3, 4, {.layers = 2, .bidirectional = true});
  std::int64_t count = 0;
  for (const Tensor& p : lstm.parameters()) count += p.size();
  CHECK(count == 2 * (4 * 4 * (3 + 4 + 2)) + 2 * (4 * 4 * (8 + 4 + 2)));
  CHECK(lstm.named_parameters()[4].first == "weight_ih_l0_reverse");
  CHECK(lstm.multiply_adds({5, 7, 3}, {5, 7, 8}) == 5 * 7 * (2 * 16 * (3 + 4) + 2 * 16 * (8 + 4)));
  for (const Tensor& p : lstm.parameters())
    for (const double v : values_of(p)) CHECK(std::abs(v) <= 0.5);
  const auto copy = nn::clone(lstm);
  const Tensor x = randn({2, 5, 3});
  CHECK(values_of((*copy)(x)) == values_of(lstm(x)));
  {
    const NoGrad off;
    lstm.parameters()[0].zero_();
  }
  CHECK(values_of((*copy)(x)) != values_of(lstm(x)));
}

TEST_CASE("recurrent layers and attention say what they need") {
  nn::Gru gru(3, 4);
  CHECK(message_of([&] { gru(zeros({2, 5, 4})); }) == "Gru: got {2, 5, 4}, needs {batch, time, 3}");
  CHECK(message_of([&] {
          gru(zeros({2, 5, 3}), tensor({6, 1}, {2}, i64));
        }) == "gru_states: got the length 6, needs 0 to 5");
  CHECK(message_of([&] {
          gru(zeros({2, 5, 3}), tensor({1.0, 2.0}));
        }) == "gru_states: got lengths f32 {2}, needs i64 {2}");
  CHECK(message_of([&] {
          gru.run(zeros({2, 5, 3}), {.state = {zeros({2, 4})}});
        }) == "Gru: got a state {2, 4}, needs {1, 2, 4}");
  CHECK(message_of([] { nn::Lstm(3, 0); }) == "Lstm: got the size 0, needs a positive one");
  CHECK(message_of([] { nn::Lstm(3, 4, {.dropout = 1}); }) == "Lstm: got dropout 1, needs 0 <= dropout < 1");
  CHECK(message_of([] { nn::MultiheadAttention(6, 4); }) ==
        "MultiheadAttention: got 6 features for 4 heads, needs a multiple");
  nn::MultiheadAttention attention(6, 2);
  CHECK(message_of([&] { attention(zeros({5, 6})); }) == "MultiheadAttention: got {5, 6}, needs {batch, time, 6}");
  CHECK(message_of([] { nn::TransformerBlock(6, 2, {.dropout = -1}); }) ==
        "TransformerBlock: got dropout -1, needs 0 <= dropout < 1");
}
