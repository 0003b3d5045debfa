// Weights from and to PyTorch: what each layer's tensors become, and what a report says of them. The files are
// PyTorch's own, tests/figures/pytorch_files.py.
#include <weft/weft.hpp>

#include <doctest/doctest.h>
#include <tests/support/figures.hpp>
#include <tests/support/same.hpp>
#include <tests/support/temp_dir.hpp>

#include <algorithm>

using namespace weft;
using nlohmann::json;

namespace {

using Names = std::vector<std::string>;

const std::string figures = WEFT_SOURCE_DIR "/tests/figures/pytorch/";

struct Layers : nn::Module {
  nn::Child<nn::Linear> linear{this, "linear", 3, 2};
  nn::Child<nn::Conv1d> conv1d{this, "conv1d", 4, 6, {.stride = 2, .padding = 1, .groups = 2}};
  nn::Child<nn::Conv2d> conv2d{
      this, "conv2d", 4, 6, {.kernel = {2, 3}, .stride = {1, 2}, .padding = {1, 0}, .groups = 2}};
  nn::Child<nn::Projection> pointwise{this, "pointwise", 3, 5, {.stride = 2}};
  nn::Child<nn::ConvTranspose2d> transposed{
      this, "transposed", 4, 6, {.kernel = {2, 3}, .stride = {1, 2}, .padding = {1, 0}, .groups = 2}};
  nn::Child<nn::Bilinear> bilinear{this, "bilinear", 2, 3, 4};
  nn::Child<nn::Embedding> embedding{this, "embedding", 5, 3};
  nn::Child<nn::BatchNorm> batch_norm{this, "batch_norm", 3};
  nn::Child<nn::LayerNorm> layer_norm{this, "layer_norm", 4};
  nn::Child<nn::GroupNorm> group_norm{this, "group_norm", 2, 4};
  nn::Child<nn::Rnn> rnn{this, "rnn", 3, 4, {.layers = 2, .bidirectional = true}};
  nn::Child<nn::Lstm> lstm{this, "lstm", 3, 4, {.layers = 2, .bidirectional = true}};
  nn::Child<nn::Gru> gru{this, "gru", 3, 4};
  nn::Child<nn::GruCell> gru_cell{this, "gru_cell", 3, 4};
  nn::Child<nn::MultiheadAttention> attention{this, "attention", 6, 2};
  nn::Child<nn::TransformerBlock> transformer{this, "transformer", 6, 2, {.hidden = 7}};
};

// A module of one tensor, and a way to load that from among others.
struct Holder : nn::Module {
  nn::Buffer value;
  explicit Holder(const Tensor& start) : value{this, "value", start} {}
};

nn::LoadOptions only(const std::string& wanted) {
  return {.rename = [=](const std::string& name) { return name == wanted ? std::string("value") : std::string(); }};
}

nn::NamedTensors sorted(nn::NamedTensors tensors) {
  std::sort(tensors.begin(), tensors.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  return tensors;
}

bool same(const nn::NamedTensors& a, const nn::NamedTensors& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const auto& x, const auto& y) { return x.first == y.first && same_bits(x.second, y.second); });
}

}  // namespace

TEST_CASE("every kind of layer computes what PyTorch's does with the same weights") {
  const json figured = test::figures_in("pytorch/layers.json");
  for (const char* file : {"layers.pt", "layers.safetensors"}) {
    CAPTURE(file);
    Layers net;
    const nn::LoadReport report = nn::load_pytorch(figures + file, net);
    CHECK(report.loaded.size() == nn::state(net).size());
    CHECK(report.sources == report.loaded);
    for (const char* name : {"linear.weight", "conv1d.weight", "conv2d.weight", "pointwise.weight", "transposed.weight",
                             "bilinear.weight", "rnn.weight_hh_l0", "lstm.weight_ih_l1_reverse", "gru_cell.weight_ih",
                             "attention.in_proj_weight", "transformer.linear1.weight"})
      CHECK(std::count(report.transposed.begin(), report.transposed.end(), name) == 1);
    for (const std::string& name : report.transposed) CHECK(name.find("weight") != std::string::npos);
    for (const char* name : {"embedding.weight", "layer_norm.weight"})
      CHECK(std::count(report.transposed.begin(), report.transposed.end(), name) == 0);
    CHECK(report.converted.empty());
    CHECK(report.unexpected.empty());  // num_batches_tracked is none
    net.eval();
    for (const auto& item : figured.items()) {
      const std::string& name = item.key();
      const json& figure = item.value();
      CAPTURE(name);
      const json& inputs = figure["inputs"];
      const Tensor x = test::tensor_of(inputs[0], name == "embedding" ? i64 : f32);
      const Tensor expected = test::tensor_of(figure["output"], f32);
      const Tensor y = name == "bilinear"   ? net.bilinear(x, test::tensor_of(inputs[1], f32))
                       : name == "gru_cell" ? net.gru_cell(x, test::tensor_of(inputs[1], f32))
                                            : net.at(name)(x);
      REQUIRE(y.shape() == expected.shape());
      CHECK(allclose(y, expected, 1e-6, 1e-6));
    }
  }
}

TEST_CASE("what is saved is what PyTorch would have saved, and comes back") {
  const TempDir dir;
  Layers net, other;
  nn::load_pytorch(figures + "layers.pt", net);
  nn::save_pytorch(dir / "ours", net);
  nn::TensorFile ours = nn::read_safetensors(dir / "ours"),
                 theirs = nn::read_safetensors(figures + "layers.safetensors");
  std::erase_if(theirs.tensors, [](const auto& named) { return named.first == "batch_norm.num_batches_tracked"; });
  CHECK(same(sorted(ours.tensors), sorted(theirs.tensors)));
  CHECK(ours.notes == nn::Notes{{"format", "pt"}});
  CHECK(nn::load_pytorch(dir / "ours", other).loaded.size() == ours.tensors.size());
  CHECK(same(nn::state(other), nn::state(net)));
  nn::ReLU empty;
  CHECK_THROWS_WITH_AS(nn::save_pytorch(dir / "empty", empty),
                       doctest::Contains("save_pytorch: got a ReLU without parameters or buffers"), Error);
  CHECK(dir.count() == 1);
}

TEST_CASE("a checkpoint is its dictionaries, by names joined with dots") {
  Layers net, plain;
  nn::load_pytorch(figures + "layers.pt", plain);
  const std::string path = figures + "checkpoint.pt";
  const nn::LoadReport report = nn::load_pytorch(path, net, {.prefix = "model."});
  CHECK(same(nn::state(net), nn::state(plain)));
  CHECK(report.loaded.front() == "linear.weight");
  CHECK(report.sources.front() == "model.linear.weight");
  const auto note = [&](const std::string& wanted) {
    for (const auto& [name, text] : report.notes)
      if (name == wanted) return text;
    return std::string("none");
  };
  CHECK(note("epoch") == "3");
  CHECK(note("best") == "-0.5");
  CHECK(note("name") == "caf\xc3\xa9");
  CHECK(note("done") == "True");
  CHECK(note("history.1.0") == "2");
  CHECK(note("optimizer.param_groups.0.lr") == "0.01");
  CHECK(note("nothing") == "none");
  CHECK(note("seed") == "none");  // beyond 64 bits

  nn::Linear head(3, 2);
  CHECK(nn::load_pytorch(path, head, {.prefix = "model.linear."}).loaded == Names{"weight", "bias"});
  CHECK(same_bits(head.weight, net.linear->weight));
  const nn::LoadReport all = nn::load_pytorch(path, net, {.strict = false, .rename = [](const std::string& name) {
                                                            return name.starts_with("model.") ? name.substr(6) : name;
                                                          }});
  CHECK(all.unexpected == Names{"optimizer.state.0.exp_avg", "optimizer.state.0.exp_avg_sq", "optimizer.state.0.step",
                                "optimizer.state.1.exp_avg", "optimizer.state.1.exp_avg_sq", "optimizer.state.1.step"});
  CHECK_THROWS_WITH_AS(
      nn::load_pytorch(path, head),
      doctest::Contains("has no tensor \"weight\", needs one of f32 {2, 3}; \"model.linear.weight\" needs .prefix"),
      Error);
}

TEST_CASE("tensors of every dtype, and views of others, are what PyTorch has") {
  const std::string path = figures + "kinds.pt";
  const json figured = test::figures_in("pytorch/kinds.json");
  for (const auto& item : figured.items()) {
    const std::string& name = item.key();
    CAPTURE(name);
    const bool whole = name == "i64" || name == "i32" || name == "i16" || name == "i8";
    const DType dtype = whole ? i64 : name == "f64" ? f64 : name == "u8" || name == "bool" ? u8 : f32;
    const Tensor expected = test::tensor_of(item.value(), dtype);
    Holder holder(zeros(expected.shape(), dtype));
    CHECK(nn::load_pytorch(path, holder, only(name)).sources == Names{name});
    CHECK(same_bits(holder.value, expected));
  }
  Holder one(zeros({1})), two(ones({2}));
  nn::load_pytorch(path, one, only("list.0"));
  CHECK(one.value.item() == 1);
  nn::load_pytorch(path, two, only("list.1.inner"));
  CHECK(sum(two.value).item() == 0);
  const nn::LoadReport report = nn::load_pytorch(path, one, only("7"));
  CHECK(one.value.item() == 7);
  CHECK(report.notes == nn::Notes{{"size.0", "2"}, {"size.1", "3"}});
}

TEST_CASE("floating numbers are converted to the module's, whole ones are not") {
  Layers net, wide;
  nn::load_pytorch(figures + "layers.pt", net);
  wide.to(f64);
  const nn::LoadReport report = nn::load_pytorch(figures + "layers.pt", wide);
  CHECK(report.converted == report.loaded);
  CHECK(wide.linear->weight.dtype() == f64);
  CHECK(allclose(wide.conv2d->weight, net.conv2d->weight.to(f64), 0, 0));
  Holder narrow(zeros({2})), whole(zeros({2}, i64)), bytes(zeros({3}, i64));
  CHECK(nn::load_pytorch(figures + "kinds.pt", narrow, only("f64")).converted == Names{"value"});
  CHECK(same_bits(narrow.value, tensor({0.1, -1e300}, f64).to(f32)));
  CHECK_THROWS_WITH_AS(nn::load_pytorch(figures + "kinds.pt", whole, only("parameter")),
                       doctest::Contains("has \"parameter\" as f32 {2}, needs i64 {2}"), Error);
  CHECK_THROWS_WITH_AS(nn::load_pytorch(figures + "kinds.pt", narrow, only("i64")),
                       doctest::Contains("has \"i64\" as i64 {2}, needs f32 {2}"), Error);
  CHECK_THROWS_WITH_AS(nn::load_pytorch(figures + "kinds.pt", bytes, only("u8")),
                       doctest::Contains("has \"u8\" as u8 {3}, needs i64 {3}"), Error);
}

TEST_CASE("what does not fit is named with PyTorch's shapes, and changes nothing") {
  struct Wrong : nn::Module {
    nn::Child<nn::Linear> linear{this, "linear", 3, 5};
    nn::Child<nn::Conv1d> conv1d{this, "conv1d", 4, 6, {.kernel = 2, .groups = 2}};
    nn::Child<nn::Linear> more{this, "more", 1, 1};
  } net;
  const nn::NamedTensors before = nn::state(net);
  const std::string path = figures + "layers.pt";
  CHECK_THROWS_WITH_AS(nn::load_pytorch(path, net),
                       ("load_pytorch: " + path + " has \"linear.weight\" as f32 {2, 3}, needs f32 {5, 3}").c_str(),
                       Error);
  CHECK(same(nn::state(net), before));
  const nn::LoadReport report = nn::load_pytorch(path, net, {.strict = false});
  CHECK(report.loaded == Names{"conv1d.bias"});
  CHECK(report.misshapen == Names{"linear.weight", "linear.bias", "conv1d.weight"});
  CHECK(report.missing == Names{"more.weight", "more.bias"});
  CHECK(report.unexpected.size() == nn::state(Layers()).size() - 4);
  CHECK(report.transposed.empty());
}

TEST_CASE("a 1x1 convolution, a projection and a linear layer are one matrix") {
  const TempDir dir;
  nn::Projection projection(3, 5);
  nn::load_pytorch(figures + "layers.pt", projection, {.prefix = "pointwise."});
  nn::Linear linear(3, 5, {.bias = false}), again(3, 5, {.bias = false});
  nn::load_pytorch(figures + "layers.pt", linear, {.prefix = "pointwise."});
  CHECK(same_bits(linear.weight, projection.weight));
  nn::Conv2d conv(3, 5, {.kernel = 1, .bias = false});
  nn::save_pytorch(dir / "linear", linear);
  nn::load_pytorch(dir / "linear", conv);
  CHECK(same_bits(reshape(conv.weight, {3, 5}), linear.weight));
  nn::save_pytorch(dir / "projection", projection);
  CHECK(nn::read_safetensors(dir / "projection").tensors[0].second.shape() == Shape{5, 3, 1, 1});
  nn::load_pytorch(dir / "projection", again);
  CHECK(same_bits(again.weight, linear.weight));
}

TEST_CASE("a layer of one's own says how PyTorch orders its axes") {
  struct Own : nn::Module {
    nn::Param weight{this, "weight", randn({2, 3, 4})};
    nn::Param other{this, "other", randn({2, 3})};
    std::vector<int> axes;
    explicit Own(std::vector<int> order) : axes(std::move(order)) {}
    std::vector<int> pytorch_axes(std::string_view parameter) const override {
      return parameter == "weight" ? axes : std::vector<int>();
    }
  };
  const TempDir dir;
  Own own({2, -1, 0, 1}), copy({2, -1, 0, 1});
  nn::save_pytorch(dir / "own", own);
  const auto file = sorted(nn::read_safetensors(dir / "own").tensors);
  CHECK(same_bits(file[0].second, own.other.detach()));
  CHECK(same_bits(file[1].second, reshape(permute(own.weight.detach(), {2, 0, 1}), {4, 1, 2, 3})));
  CHECK(nn::load_pytorch(dir / "own", copy).transposed == Names{"weight"});
  CHECK(same(nn::state(copy), nn::state(own)));
  for (const std::vector<int>& wrong : {std::vector{0, 1}, {0, 1, 1}, {0, 1, 3}, {0, 1, 2, 2}}) {
    Own bad(wrong);
    const char* text = "for \"weight\" of {2, 3, 4}, needs each of its axes once, and -1 for others";
    CHECK_THROWS_WITH_AS(nn::save_pytorch(dir / "bad", bad), doctest::Contains(text), Error);
    CHECK_THROWS_WITH_AS(nn::load_pytorch(dir / "own", bad), doctest::Contains(text), Error);
  }
}
