// Nets that come back, and files that others have written.
#include <doctest/doctest.h>

#include <tests/addons/onnx/cases.hpp>
#include <tests/addons/onnx/model.hpp>
#include <tests/support/message_of.hpp>
#include <tests/support/temp_dir.hpp>
#include <weft/nn/addons/onnx/detail/operators.hpp>

using namespace weft;
using weft::onnx::load;
using weft::onnx::save;

namespace {

// A model of somebody else's, of these nodes.
class Model {
 public:
  explicit Model(std::int64_t opset = 13) {
    model_.set_ir_version(8);
    model_.set_producer_name("a test");
    auto& set = *model_.add_opset_import();
    set.set_domain("");
    set.set_version(opset);
    model_.mutable_graph()->set_name("net");
  }

  Model& input(const std::string& name, const std::vector<std::int64_t>& sizes, int type = ::onnx::TensorProto::FLOAT) {
    auto& info = *model_.mutable_graph()->add_input();
    info.set_name(name);
    auto& tensor_type = *info.mutable_type()->mutable_tensor_type();
    tensor_type.set_elem_type(type);
    for (const std::int64_t size : sizes) {
      auto& dim = *tensor_type.mutable_shape()->add_dim();
      size < 0 ? dim.set_dim_param("any") : dim.set_dim_value(size);
    }
    return *this;
  }
  Model& output(const std::string& name) {
    model_.mutable_graph()->add_output()->set_name(name);
    return *this;
  }
  Model& weight(const std::string& name, const Tensor& t) {
    auto& to = *model_.mutable_graph()->add_initializer();
    to.set_name(name);
    for (const std::int64_t size : t.shape()) to.add_dims(size);
    const bool whole = t.dtype() == i64;
    to.set_data_type(whole ? ::onnx::TensorProto::INT64 : ::onnx::TensorProto::FLOAT);
    if (whole)
      for (const std::int64_t v : t.data<std::int64_t>()) to.add_int64_data(v);
    else
      for (const float v : t.data<float>()) to.add_float_data(v);
    return *this;
  }
  static ::onnx::NodeProto made(const std::string& type, const std::vector<std::string>& in, const std::string& out) {
    ::onnx::NodeProto n;
    n.set_op_type(type);
    n.set_name("the " + type);
    for (const std::string& name : in) n.add_input(name);
    n.add_output(out);
    return n;
  }
  ::onnx::NodeProto& node(const std::string& type, const std::vector<std::string>& in, const std::string& out) {
    return *model_.mutable_graph()->add_node() = made(type, in, out);
  }
  ::onnx::ModelProto& proto() { return model_; }

  std::shared_ptr<weft::onnx::Graph> loaded(const weft::onnx::LoadOptions& options = {}) const {
    const TempDir dir;
    write_model(model_, dir / "net.onnx");
    return load(dir / "net.onnx", options);
  }
  std::string refusal() const {
    return message_of([&] { (void)loaded(); });
  }

 private:
  ::onnx::ModelProto model_;
};

void ints(::onnx::NodeProto& node, const std::string& name, const std::vector<std::int64_t>& values) {
  auto& a = *node.add_attribute();
  a.set_name(name);
  a.set_type(::onnx::AttributeProto::INTS);
  for (const std::int64_t v : values) a.add_ints(v);
}
void whole(::onnx::NodeProto& node, const std::string& name, std::int64_t value) {
  auto& a = *node.add_attribute();
  a.set_name(name);
  a.set_type(::onnx::AttributeProto::INT);
  a.set_i(value);
}
void real(::onnx::NodeProto& node, const std::string& name, float value) {
  auto& a = *node.add_attribute();
  a.set_name(name);
  a.set_type(::onnx::AttributeProto::FLOAT);
  a.set_f(value);
}

Tensor to_first(const Tensor& t) { return permute(t, {0, 3, 1, 2}); }

}  // namespace

TEST_CASE("ready nets come back to the bit, with their names and any batch") {
  const TempDir dir;
  for (test::OnnxCase& one : test::net_cases()) {
    CAPTURE(one.name);
    one.options.symbolic_batch = one.has_batch;
    save(dir / "net.onnx", *one.net, one.forward, one.inputs, one.options);
    const auto again = load(dir / "net.onnx");
    if (one.has_batch) one.inputs[0] = concat({one.inputs[0], flip(one.inputs[0], 1)}, 0);
    CHECK(test::same_bits(again->run(one.inputs), one.forward(one.inputs)));
    const auto ours = one.net->named_parameters(), theirs = again->named_parameters();
    CHECK(ours.size() == theirs.size());
    for (const auto& named : ours) {
      CAPTURE(named.first);
      const auto found =
          std::find_if(theirs.begin(), theirs.end(), [&](const auto& p) { return p.first == named.first; });
      REQUIRE(found != theirs.end());
      CHECK(test::same_bits({found->second}, {named.second}));
      CHECK(found->second.requires_grad());
    }
    CHECK(again->named_buffers().size() == one.net->named_buffers().size());
  }
}

TEST_CASE("without functions a net comes back within rounding") {
  const TempDir dir;
  for (test::OnnxCase& one : test::net_cases()) {
    CAPTURE(one.name);
    one.options.functions = false;
    one.options.symbolic_batch = false;
    save(dir / "net.onnx", *one.net, one.forward, one.inputs, one.options);
    if (count_nodes(read_model(dir / "net.onnx"), "Scan") > 0) continue;
    CHECK(allclose(load(dir / "net.onnx")->run(one.inputs)[0], one.forward(one.inputs)[0], 1e-4, 1e-5));
  }
}

TEST_CASE("a net that was read learns") {
  const TempDir dir;
  manual_seed(3);
  nn::Sequential net(nn::Conv2d(3, 4), nn::BatchNorm(4), nn::Lambda(relu), nn::Flatten(), nn::Linear(4 * 6 * 6, 2));
  const Tensor x = randn({8, 8, 8, 3}), labels = tensor({0, 1, 0, 1, 0, 1, 0, 1}, i64);
  save(dir / "net.onnx", net, x);
  const auto again = load(dir / "net.onnx");
  nn::Sgd optimizer(again->parameters(), {.lr = 0.1});
  const double before = nn::cross_entropy((*again)(x), labels).item();
  for (int step = 0; step < 20; ++step) {
    optimizer.zero_grad();
    nn::cross_entropy((*again)(x), labels).backward();
    optimizer.step();
  }
  CHECK(nn::cross_entropy((*again)(x), labels).item() < 0.5 * before);
  // And is written again, by the same names.
  save(dir / "again.onnx", *again, x);
  CHECK(test::same_bits({(*load(dir / "again.onnx"))(x)}, {(*again)(x)}));
  again->to(f64);
  CHECK(again->parameters()[0].dtype() == f64);
}

TEST_CASE("images may be asked for as the file has them") {
  const TempDir dir;
  nn::Sequential net(nn::Conv2d(3, 4), nn::Lambda(relu));
  const Tensor x = randn({2, 8, 8, 3});
  save(dir / "net.onnx", net, x);
  const auto first = load(dir / "net.onnx", {.channels_first = true});
  CHECK(test::same_bits({(*first)(to_first(x))}, {to_first(net(x)).detach()}));
  CHECK(message_of([&] { (*first)(x); }) == "onnx::Graph: got f32 {2, 8, 8, 3} as \"input\", needs f32 {any, 3, 8, 8}");
  CHECK(message_of([&] { (*load(dir / "net.onnx"))(to_first(x)); }) ==
        "onnx::Graph: got f32 {2, 3, 8, 8} as \"input\", needs f32 {any, 8, 8, 3}");
  CHECK(message_of([&] { (*first)(to_first(x).to(f64)); }).starts_with("onnx::Graph: got f64 {2, 3, 8, 8}"));
  CHECK(message_of([&] { (void)first->run({}); }) == "onnx::Graph: got 0 inputs, needs 1");
}

TEST_CASE("a convolution as PyTorch writes it") {
  const Tensor w = randn({4, 3, 3, 3}), b = randn({4}), fc = randn({5, 4}), fb = randn({5});
  Model model(13);
  model.input("x", {-1, 3, -1, -1}).weight("conv.weight", w).weight("conv.bias", b).weight("fc.weight", fc);
  model.weight("fc.bias", fb);
  ints(model.node("Conv", {"x", "conv.weight", "conv.bias"}, "a"), "pads", {1, 0, 1, 2});
  model.node("Relu", {"a"}, "b");
  model.node("GlobalAveragePool", {"b"}, "c");
  model.node("Flatten", {"c"}, "d");
  whole(model.node("Gemm", {"d", "fc.weight", "fc.bias"}, "e"), "transB", 1);
  model.output("e");
  const auto net = model.loaded();
  const Tensor x = randn({2, 6, 6, 3});
  const Tensor y = conv2d(pad(x, {{0, 0}, {1, 1}, {0, 2}, {0, 0}}), permute(w, {2, 3, 1, 0})) + b;
  CHECK(allclose((*net)(x), linear(global_avg_pool(relu(y)), transpose(fc), fb)));
  const auto named = net->named_parameters();
  REQUIRE(named.size() == 4);
  CHECK(named[0].first == "conv.weight");
  CHECK(named[0].second.shape() == Shape{3, 3, 3, 4});
  CHECK(named[2].second.shape() == Shape{4, 5});
}

TEST_CASE("nets that PyTorch has written") {
  const std::string folder = WEFT_SOURCE_DIR "/tests/figures/onnx/";
  for (const std::string file :
       {"residual_12", "residual_16", "unet_11", "unet_13", "transformer_14", "transformer_16"}) {
    CAPTURE(file);
    const std::string figures = folder + file.substr(0, file.find('_')) + ".npz";
    const Tensor x = nn::load_npz(figures, "x"), y = nn::load_npz(figures, "y");
    const auto first = load(folder + file + ".onnx", {.channels_first = true});
    CHECK(allclose((*first)(x), y, 1e-5, 1e-5));
    CHECK(first->parameters().size() > 8);
    if (x.rank() != 4) continue;
    const Tensor last = (*load(folder + file + ".onnx"))(permute(x, {0, 2, 3, 1}));
    CHECK(allclose(last, y.rank() == 4 ? permute(y, {0, 2, 3, 1}) : y, 1e-5, 1e-5));
  }
}

TEST_CASE("shapes may be computed, and older opsets have lists as attributes") {
  Model model(11);
  model.input("x", {-1, 4}).weight("two", tensor({2}, i64));
  model.node("Shape", {"x"}, "shape");
  model.node("Gather", {"shape", "zero"}, "batch");
  model.weight("zero", reshape(tensor({0}, i64), {}));
  ints(model.node("Unsqueeze", {"batch"}, "rows"), "axes", {0});
  whole(model.node("Concat", {"rows", "two", "two"}, "sizes"), "axis", 0);
  model.node("Reshape", {"x", "sizes"}, "cube");
  auto& last = model.node("ReduceSum", {"cube"}, "y");
  ints(last, "axes", {-1});
  whole(last, "keepdims", 0);
  model.output("y");
  const Tensor x = randn({3, 4});
  CHECK(allclose((*model.loaded())(x), sum(reshape(x, {3, 2, 2}), -1)));
}

TEST_CASE("a function of another domain is read as its nodes") {
  Model model;
  auto& set = *model.proto().add_opset_import();
  set.set_domain("somebody");
  set.set_version(1);
  auto& f = *model.proto().add_functions();
  f.set_name("leak");
  f.set_domain("somebody");
  f.add_input("a");
  f.add_output("b");
  f.add_attribute("by");
  auto& inner = *f.add_node() = Model::made("LeakyRelu", {"a"}, "t");
  auto& attribute = *inner.add_attribute();
  attribute.set_name("alpha");
  attribute.set_type(::onnx::AttributeProto::FLOAT);
  attribute.set_ref_attr_name("by");
  *f.add_node() = Model::made("Neg", {"t"}, "b");
  model.input("x", {2, 3});
  for (const auto& [in, out] : {std::pair("x", "y"), std::pair("y", "z")}) {
    auto& call = model.node("leak", {in}, out);
    call.set_domain("somebody");
    real(call, "by", 0.25F);
  }
  model.output("z");
  const Tensor x = randn({2, 3});
  const auto once = [](const Tensor& t) { return neg(leaky_relu(t, 0.25)); };
  CHECK(test::same_bits({(*model.loaded())(x)}, {once(once(x))}));

  *f.add_node() = Model::made("leak", {"a"}, "c");
  f.mutable_node(2)->set_domain("somebody");
  CHECK(model.refusal() == "onnx::load: functions call one another deeper than 16: leak");
}

TEST_CASE("what is not known here is refused by node and operator") {
  Model unknown;
  unknown.input("x", {2, 3}).node("Einsum", {"x"}, "y");
  unknown.output("y");
  CHECK(unknown.refusal() == "onnx::load: Einsum \"the Einsum\": the operator Einsum is not known here");
  Model attribute;
  whole(attribute.input("x", {2, 3}).node("Relu", {"x"}, "y"), "twice", 1);
  attribute.output("y");
  CHECK(attribute.refusal() == "onnx::load: Relu \"the Relu\": the attribute twice is not known here");
  Model type;
  whole(type.input("x", {2, 3}).node("LeakyRelu", {"x"}, "y"), "alpha", 1);
  type.output("y");
  CHECK(type.refusal() ==
        "onnx::load: LeakyRelu \"the LeakyRelu\": the attribute alpha is of another type than ONNX's");
  Model order;
  order.input("x", {2, 3}).node("Relu", {"later"}, "y");
  order.output("y");
  CHECK(order.refusal() == "onnx::load: Relu \"the Relu\" takes \"later\", which nothing before it makes");
  Model missing;
  missing.input("x", {2, 3}).output("nothing");
  CHECK(missing.refusal() == "onnx::load: nothing makes the output \"nothing\"");
  Model few;
  few.input("x", {2, 3}).node("Add", {"x"}, "y");
  few.output("y");
  CHECK(few.refusal() == "onnx::load: Add \"the Add\": it has 1 inputs, needs 2");
  Model old(10);
  old.input("x", {2, 3}).output("x");
  CHECK(old.refusal() == "onnx::load: got opset 10, needs 11 to 17");
  Model mode;
  auto& resize =
      mode.input("x", {1, 3, 4, 4}).weight("scales", tensor({1, 1, 2, 2})).node("Resize", {"x", "", "scales"}, "y");
  resize.add_attribute()->set_name("mode");
  resize.mutable_attribute(0)->set_type(::onnx::AttributeProto::STRING);
  resize.mutable_attribute(0)->set_s("cubic");
  mode.output("y");
  CHECK(mode.refusal() == "onnx::load: Resize \"the Resize\": its mode is cubic");
}

TEST_CASE("numbers in a file make no tensor that is larger than they could mean") {
  Model model;
  model.weight("sizes", tensor({1 << 20, 1 << 20}, i64)).node("ConstantOfShape", {"sizes"}, "y");
  model.output("y");
  CHECK(model.refusal() ==
        "onnx::load: ConstantOfShape \"the ConstantOfShape\": ConstantOfShape: got the shape {1048576, 1048576}, needs "
        "at most 268435456 elements");
  Model raw;
  raw.weight("w", tensor({1, 2})).node("Relu", {"w"}, "y");
  raw.output("y");
  raw.proto().mutable_graph()->mutable_initializer(0)->set_dims(0, std::int64_t{1} << 40);
  CHECK(raw.refusal().starts_with("onnx::load: the tensor \"w\" has 2 elements, needs 1099511627776"));
}

TEST_CASE("names that a module cannot have are changed") {
  Model model;
  model.input("x", {2, 3}).weight("a/b", ones({3})).weight("a", ones({3})).weight("a.c", ones({3}));
  model.node("Add", {"x", "a/b"}, "s");
  model.node("Add", {"s", "a"}, "t");
  model.node("Add", {"t", "a.c"}, "y");
  model.output("y");
  const auto net = model.loaded();
  const auto named = net->named_parameters();
  REQUIRE(named.size() == 3);
  CHECK(named[0].first == "a_b");
  CHECK(named[1].first == "a");
  CHECK(named[2].first == "a_part.c");
  CHECK(message_of([&] { (void)nn::clone(*net); }) != "");
}

TEST_CASE("docs/onnx.md names what is read") {
  const std::string page = file_bytes(WEFT_SOURCE_DIR "/docs/onnx.md");
  const std::string table = page.substr(page.find("## What is read"));
  std::size_t named = 0;
  for (std::size_t at = table.find("\n| "); at != std::string::npos && at < table.find("Functions of other"); ++at)
    named += table[at] == '`' ? 1 : 0;
  CHECK(named == 2 * weft::onnx::detail::operators().read.size());
  for (const auto& known : weft::onnx::detail::operators().read) {
    CAPTURE(known.first);
    CHECK(table.find("`" + known.first + "`") != std::string::npos);
  }
}
