#include <cstring>

#include <tests/addons/onnx/cases.hpp>
#include <tests/support/op_table.hpp>

namespace weft::test {
namespace {

nn::ModulePtr conv_classifier() {
  return nn::make<nn::Sequential>(nn::Conv2d(3, 4, nn::Conv2d::Options{.kernel = 3, .padding = 1}), nn::Lambda(relu),
                                  nn::Lambda([](const Tensor& x) { return max_pool2d(x); }), nn::Flatten(),
                                  nn::Linear(64, 5));
}

// Statistics as after training, so that a mean and a variance count.
void move_statistics(nn::Module& net) {
  const NoGrad off;
  for (auto [name, t] : net.named_buffers()) t.copy_(rand(t.shape()) + 0.5);
}

}  // namespace

std::vector<OnnxCase> row_cases(DType floating, bool all) {
  std::vector<OnnxCase> cases;
  for (const OpRow& row : op_table()) {
    const Inputs* largest = nullptr;
    for (const Inputs& inputs : row.cases)
      if (!has_empty(inputs) && (largest == nullptr || size_of(inputs) >= size_of(*largest))) largest = &inputs;
    int number = 0;
    for (const Inputs& inputs : row.cases) {
      if (has_empty(inputs) || (!all && &inputs != largest)) continue;
      OnnxCase made{row.title() + (all ? " #" + std::to_string(++number) : ""), row.name, nn::make<nn::Sequential>(),
                    row.function, make_inputs(inputs, floating)};
      made.options = {.channels_last = true, .symbolic_batch = false};
      cases.push_back(std::move(made));
    }
  }
  // The table's rows of these train.
  for (const bool shortcut : {false, true}) {
    OnnxCase made{std::string("batch_norm_relu (evaluating") + (shortcut ? ", shortcut)" : ")"),
                  "batch_norm_relu",
                  nn::make<nn::Sequential>(),
                  [=](const Tensors& in) {
                    const BatchNormStatistics by{.running_mean = in[3], .running_var = in[4]};
                    return Tensors{batch_norm_relu(in[0], in[1], in[2], by, shortcut ? in[5] : Tensor())};
                  },
                  {}};
    for (const Shape& shape : {Shape{2, 3, 3, 4}, Shape{4}, Shape{4}, Shape{4}, Shape{4}, Shape{2, 3, 3, 4}})
      made.inputs.push_back(rand(shape, floating) + 0.5);
    if (!shortcut) made.inputs.pop_back();
    made.options = {.channels_last = true, .symbolic_batch = false};
    cases.push_back(std::move(made));
  }
  return cases;
}

std::vector<OnnxCase> net_cases() {
  using nn::make;
  std::vector<OnnxCase> cases;
  const auto add = [&](const std::string& name, nn::ModulePtr net, Tensor x) {
    move_statistics(*net);
    net->eval();
    nn::Module* const raw = net.get();
    cases.push_back({name, "", std::move(net), [raw](const Tensors& in) { return Tensors{(*raw)(in[0])}; }, {x}});
    cases.back().has_batch = true;
  };
  manual_seed(1);
  const Tensor table = randn({3, 6}), images = randn({2, 16, 16, 3}), sequences = randn({3, 5, 8});
  add("mlp", make<nn::Sequential>(nn::Linear(6, 8), nn::Gelu(), nn::Linear(8, 4)), table);
  add("skip_mlp", nn::skip_mlp(6, {8, 7}, 4), table);
  add("highway_mlp", nn::highway_mlp(6, 8, 3, 4), table);
  add("convolutions and a linear layer", conv_classifier(), randn({2, 8, 8, 3}));
  add("resnet_cifar 20", nn::resnet_cifar(20), images);
  add("resnet_cifar 8 B", nn::resnet_cifar(8, nn::ShortcutOption::B), images);
  add("resnet_cifar 8 C", nn::resnet_cifar(8, nn::ShortcutOption::C), images);
  add("resnet_cifar 8 A, pre-activation", nn::resnet_cifar(8, nn::ShortcutOption::A, true), images);
  add("resnet_cifar 8 B, pre-activation", nn::resnet_cifar(8, nn::ShortcutOption::B, true), images);
  add("plain_net 8", nn::plain_net(8), images);
  add("densenet 10", nn::densenet(10, 4, true, 0.5), images);
  add("resnet 18", nn::resnet(18, 5), randn({1, 32, 32, 3}));
  add("group norm",
      make<nn::Sequential>(nn::Conv2d(3, 8, nn::Conv2d::Options{.kernel = 3}), nn::GroupNorm(4, 8), nn::Lambda(silu),
                           nn::Upsample(2)),
      randn({2, 6, 6, 3}));
  add("TransformerBlock", make<nn::TransformerBlock>(8, 2), sequences);
  add("TransformerBlock, causal", make<nn::TransformerBlock>(8, 2, nn::TransformerBlockOptions{.causal = true}),
      sequences);
  add("Rnn", make<nn::Rnn>(8, 4, nn::RnnOptions{.layers = 2}), sequences);
  add("Lstm", make<nn::Lstm>(8, 4, nn::RecurrentOptions{.layers = 2, .bidirectional = true}), sequences);
  add("Gru", make<nn::Gru>(8, 4, nn::RecurrentOptions{.bidirectional = true}), sequences);
  const auto attention = std::make_shared<nn::MultiheadAttention>(8, 2);
  cases.push_back({"MultiheadAttention of two",
                   "",
                   attention,
                   [net = attention.get()](const Tensors& in) { return Tensors{net->forward(in[0], in[1], in[1])}; },
                   {sequences, randn({3, 7, 8})}});
  const auto lstm = std::make_shared<nn::Lstm>(8, 4);
  cases.push_back({"Lstm with lengths and state",
                   "",
                   lstm,
                   [net = lstm.get()](const Tensors& in) {
                     const nn::RecurrentResult all = net->run(in[0], {.lengths = in[1]});
                     return Tensors{all.output, all.state.hidden, all.state.cell};
                   },
                   {sequences, tensor({5, 2, 3}, i64)}});
  const auto words = std::make_shared<nn::Embedding>(10, 8);
  cases.push_back({"Embedding",
                   "",
                   words,
                   [net = words.get()](const Tensors& in) { return Tensors{(*net)(in[0])}; },
                   {tensor({{1, 2, 9}, {0, 0, 3}}, i64)}});
  for (OnnxCase& one : cases) one.net->eval();
  return cases;
}

bool same_bits(const Tensors& a, const Tensors& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i].dtype() != b[i].dtype() || a[i].shape() != b[i].shape()) return false;
    const bool same = weft::detail::visit_dtype(a[i].dtype(), [&](auto zero) {
      const auto x = a[i].data<decltype(zero)>(), y = b[i].data<decltype(zero)>();
      return std::memcmp(x.data(), y.data(), x.size_bytes()) == 0;
    });
    if (!same) return false;
  }
  return true;
}

}  // namespace weft::test
