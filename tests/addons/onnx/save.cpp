// What a written file says: names, sizes, layouts, what is shared, and what is refused.
#include <doctest/doctest.h>

#include <filesystem>
#include <map>
#include <set>

#include <tests/addons/onnx/cases.hpp>
#include <tests/addons/onnx/model.hpp>
#include <tests/support/message_of.hpp>
#include <tests/support/temp_dir.hpp>

using namespace weft;
using weft::onnx::save;

namespace {

std::map<std::string, const ::onnx::TensorProto*> initializers(const ::onnx::ModelProto& model) {
  std::map<std::string, const ::onnx::TensorProto*> found;
  for (const auto& t : model.graph().initializer()) found[t.name()] = &t;
  return found;
}

std::set<std::string> node_names(const ::onnx::ModelProto& model) {
  std::set<std::string> names;
  for (const auto& node : model.graph().node()) names.insert(node.name());
  return names;
}

// "batch x 3 x 8"
std::string sizes(const ::onnx::ValueInfoProto& info) {
  std::string text;
  for (const auto& dim : info.type().tensor_type().shape().dim())
    text += (text.empty() ? "" : " x ") + (dim.has_dim_param() ? dim.dim_param() : std::to_string(dim.dim_value()));
  return text;
}

::onnx::ModelProto saved(nn::Module& net, const Tensor& x, const weft::onnx::SaveOptions& options = {}) {
  const TempDir dir;
  save(dir / "net.onnx", net, x, options);
  return read_model(dir / "net.onnx");
}

struct Net : nn::Module {
  explicit Net(weft::onnx::Forward of) : f(std::move(of)) {}
  Tensor forward(const Tensor& x) override { return f({x})[0]; }
  weft::onnx::Forward f;
};
std::string refusal(const weft::onnx::Forward& f, const Tensor& x) {
  const TempDir dir;
  Net net(f);
  const std::string message = message_of([&] { save(dir / "net.onnx", net, x); });
  CHECK(dir.count() == 0);
  CHECK(message.find('\n') == std::string::npos);
  return message;
}

}  // namespace

TEST_CASE("names are the module's") {
  const auto net = nn::resnet_cifar(8, nn::ShortcutOption::B);
  const ::onnx::ModelProto model = saved(*net, randn({2, 8, 8, 3}));
  const auto tensors = initializers(model);
  for (const auto& named : {net->named_parameters(), net->named_buffers()})
    for (const auto& one : named) {
      CAPTURE(one.first);
      REQUIRE(tensors.contains(one.first));
      CHECK(tensors.at(one.first)->raw_data().size() == static_cast<std::size_t>(one.second.size()) * sizeof(float));
    }
  CHECK(tensors.at("stage1.0.conv1.weight")->dims_size() == 4);
  CHECK(tensors.at("stage2.0.conv1.weight")->dims(0) == 32);
  CHECK(tensors.at("stage2.0.conv1.weight")->dims(1) == 16);
  const std::set<std::string> names = node_names(model);
  CHECK(names.contains("stage1/0/conv1/conv2d"));
  CHECK(names.contains("output/linear"));
  CHECK(names.size() == static_cast<std::size_t>(model.graph().node_size()));
  CHECK(model.producer_name() == "weft");
}

TEST_CASE("inputs and outputs are called as one wishes") {
  nn::Linear net(3, 2);
  const ::onnx::ModelProto model = saved(net, randn({4, 3}), {.input_names = {"table"}, .output_names = {"scores"}});
  CHECK(model.graph().input(0).name() == "table");
  CHECK(model.graph().output(0).name() == "scores");
  CHECK(message_of([&] {
          saved(net, randn({4, 3}), {.input_names = {"a", "b"}});
        }) == "onnx::save: got 2 input names for 1 inputs");
  // The checker of ONNX has the last word.
  CHECK(message_of([&] {
          saved(net, randn({4, 3}), {.output_names = {""}});
        }).starts_with("onnx::save: ONNX's checker refuses what was to be written: "));
}

TEST_CASE("the batch may have any size") {
  nn::Sequential net(nn::Conv2d(3, 4), nn::Flatten(), nn::Linear(4 * 6 * 6, 5));
  const Tensor x = randn({2, 8, 8, 3});
  const ::onnx::ModelProto any = saved(net, x), fixed = saved(net, x, {.symbolic_batch = false});
  CHECK(sizes(any.graph().input(0)) == "batch x 3 x 8 x 8");
  CHECK(sizes(any.graph().output(0)) == "batch x 5");
  CHECK(sizes(fixed.graph().input(0)) == "2 x 3 x 8 x 8");
  CHECK(sizes(saved(net, x, {.channels_last = true}).graph().input(0)) == "batch x 8 x 8 x 3");

  // Every pair of rows of the batch as one.
  Net flat([](const Tensors& in) { return Tensors{reshape(in[0], {-1})}; });
  CHECK(sizes(saved(flat, randn({2, 6})).graph().output(0)) == "6 batch");
}

TEST_CASE("a net that goes by the size of the batch is not written for every size") {
  const Tensor x = randn({2, 3});
  CHECK(refusal([](const Tensors& in) { return Tensors{in[0].size(0) > 2 ? relu(in[0]) : tanh(in[0])}; }, x) ==
        "onnx::save: with a batch of 3 the net runs relu in \"\" where it runs tanh in \"\" with 2: symbolic_batch = "
        "false writes it for this size");
  CHECK(refusal([](const Tensors& in) { return Tensors{in[0] * static_cast<double>(in[0].size(0))}; }, x) ==
        "onnx::save: mul: its scalar hangs on the batch: symbolic_batch = false writes it for this size");
  CHECK(refusal(
            [](const Tensors& in) {
              return Tensors{in[0] + reshape(arange(in[0].size(0)), {-1, 1})};
            },
            x) ==
        "onnx::save: a constant {2, 1} made in the forward has other values at other places of the batch: "
        "symbolic_batch = false writes it for this size");
  CHECK(refusal(
            [](const Tensors& in) {
              return Tensors{reshape(in[0], {2, 3})};
            },
            x)
            .starts_with("onnx::save: with a batch of 3 the net fails, reshape: got {2, 3}"));
  const TempDir dir;
  Net net([](const Tensors& in) { return Tensors{reshape(in[0], {2, 3}) + 1.0}; });
  save(dir / "net.onnx", net, x, {.symbolic_batch = false});
  CHECK(dir.count() == 1);
}

TEST_CASE("images are transposed nowhere") {
  for (const test::OnnxCase& one : test::net_cases()) {
    const bool image = one.inputs[0].rank() == 4, flat = one.name == "convolutions and a linear layer";
    if (!image) continue;
    CAPTURE(one.name);
    CHECK(count_nodes(saved(*one.net, one.inputs[0]), "Transpose") == (flat ? 1 : 0));
    CHECK(count_nodes(saved(*one.net, one.inputs[0], {.channels_last = true}), "Transpose") <= 3);
  }
}

TEST_CASE("masks are bool between the ops that make and take them") {
  Net net([](const Tensors& in) { return Tensors{where(logical_not(greater(in[0], 0.5)), in[0], 0.0)}; });
  CHECK(count_nodes(saved(net, randn({2, 3})), "Cast") == 0);
  Net numbers([](const Tensors& in) { return Tensors{greater(in[0], 0.5).to(f32)}; });
  CHECK(count_nodes(saved(numbers, randn({2, 3})), "Cast") == 1);
  Net given([](const Tensors& in) { return Tensors{greater(in[0], 0.5)}; });
  const ::onnx::ModelProto model = saved(given, randn({2, 3}));
  CHECK(model.graph().output(0).type().tensor_type().elem_type() == ::onnx::TensorProto::UINT8);
}

TEST_CASE("what is shared is written once") {
  const auto layer = nn::make<nn::Linear>(4, 4);
  nn::Sequential net(layer, nn::Lambda(relu), layer);
  const ::onnx::ModelProto model = saved(net, randn({2, 4}));
  CHECK(model.graph().initializer_size() == 2);
  CHECK(count_nodes(model, "Gemm") == 2);
  // A function too: one definition for two calls of one form, another for another.
  nn::Sequential gelus{nn::Gelu(), nn::Gelu(), nn::Gelu(GeluForm::tanh)};
  const ::onnx::ModelProto three = saved(gelus, randn({2, 4}));
  CHECK(three.functions_size() == 2);
  CHECK(three.functions(1).name() == "gelu_2");
  CHECK(saved(gelus, randn({2, 4}), {.functions = false}).functions_size() == 0);
}

TEST_CASE("constants of the forward are in the file") {
  Net net([](const Tensors& in) { return Tensors{in[0] + tril(ones({3, 3})) * 2.0}; });
  const ::onnx::ModelProto model = saved(net, randn({2, 3, 3}));
  CHECK(model.graph().node_size() == 1);
  REQUIRE(model.graph().initializer_size() == 1);
  CHECK(model.graph().initializer(0).dims_size() == 2);
}

TEST_CASE("it evaluates, and modes stay as they were") {
  nn::Sequential net(nn::Linear(3, 3), nn::Dropout(0.5), nn::BatchNorm(3), nn::Linear(3, 3));
  net.train();
  net[1].eval();
  const Tensor mean = net.named_buffers()[0].second.clone();
  const ::onnx::ModelProto model = saved(net, randn({4, 3}));
  CHECK(net.is_training());
  CHECK_FALSE(net[1].is_training());
  CHECK(net[2].is_training());
  CHECK(test::same_bits({mean}, {net.named_buffers()[0].second}));
  CHECK(model.graph().node_size() == 3);
  CHECK(message_of([&] { saved(net, randn({4, 7})); }).find("{4, 7}") != std::string::npos);
  CHECK(net[2].is_training());
}

TEST_CASE("what has no counterpart is refused by name and place, and leaves no file") {
  const TempDir dir;
  nn::Sequential net(nn::Linear(3, 3), nn::Lambda([](const Tensor& x) { return svd(x)[0]; }));
  CHECK(message_of([&] {
          save(dir / "net.onnx", net, randn({4, 3}), {.symbolic_batch = false});
        }) == "onnx::save: 1: svd: the op has no counterpart in ONNX");
  CHECK(dir.count() == 0);
  CHECK(refusal([](const Tensors& in) { return Tensors{fused([](auto x) { return x * 2.0; })(in[0])}; },
                randn({2, 3})) == "onnx::save: fused: the op has no counterpart in ONNX");
  CHECK(refusal([](const Tensors& in) { return Tensors{dropout(in[0], 0.5, true)}; }, randn({2, 3})) ==
        "onnx::save: dropout: the op has no counterpart in ONNX");
}

TEST_CASE("what an observer of ops cannot see is refused") {
  CHECK(refusal(
            [](const Tensors& in) {
              Tensor y = in[0] * 2.0;
              y.add_(1.0);
              return Tensors{y};
            },
            randn({2, 3})) == "onnx::save: a tensor is changed in place, which ONNX does not have");
  CHECK(refusal(
            [](const Tensors& in) {
              const Tensor y = in[0] * 2.0;
              y.detach().add_(1.0);
              return Tensors{y.detach()};
            },
            randn({2, 3})) == "onnx::save: a tensor is changed in place, which ONNX does not have");
  CHECK(refusal(
            [](const Tensors& in) {
              const EnableGrad on;
              const Tensor x = parameter(in[0].detach().clone());
              return Tensors{grad(sum(square(x)), {x})[0]};
            },
            randn({2, 3})) == "onnx::save: it runs backward, which has no counterpart in ONNX");
  nn::Linear net(3, 3);
  CHECK(message_of([&] {
          save("/nowhere/at/all.onnx", net, randn({2, 3}));
        }) == "onnx::save: cannot write \"/nowhere/at/all.onnx.new\"");
}

TEST_CASE("f64 is DOUBLE") {
  nn::Linear net(3, 2);
  net.to(f64);
  const ::onnx::ModelProto model = saved(net, randn({4, 3}, f64));
  CHECK(model.graph().input(0).type().tensor_type().elem_type() == ::onnx::TensorProto::DOUBLE);
  CHECK(model.graph().initializer(0).data_type() == ::onnx::TensorProto::DOUBLE);
}
