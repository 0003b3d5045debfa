// Ready nets with weights from files in PyTorch's layouts find the outputs that PyTorch's nets of the same weights have
// (tests/figures/pytorch_files.py).
#include <weft/weft.hpp>

#include <doctest/doctest.h>
#include <tests/support/figures.hpp>
#include <tests/support/numbers.hpp>
#include <tests/support/sanitized.hpp>
#include <tests/support/temp_dir.hpp>

using namespace weft;
using nlohmann::json;

namespace {

using Sizes = std::vector<std::int64_t>;

const json& figures(const char* net) {
  static const json all = test::figures_in("pytorch/nets.json");
  return all[net];
}

// Weights are centre + scale * u with u from [-1, 1), as in pytorch_files.py.
struct Range {
  double centre, scale;
};
Range range_of(const std::string& name, const Shape& shape) {
  if (name.ends_with("running_var")) return {1, 0.5};
  if (name.ends_with("running_mean") || name.ends_with("bias")) return {0, 0.25};
  if (shape.rank() == 1) return {1, 0.25};
  double scale = 1;
  while (scale * scale * static_cast<double>(shape.size() / shape[0]) > 6) scale /= 2;
  return {0, scale};
}

// Writes the state dict that PyTorch's net would have, and returns the images: {batch, height, width, 3}.
Tensor write_state_dict(const std::string& path, const json& net, DType dtype) {
  Numbers numbers(20);
  nn::NamedTensors tensors;
  for (const json& entry : net["tensors"]) {
    const std::string name = entry[0];
    const Shape shape = entry[1].get<Sizes>();
    if (name.ends_with("num_batches_tracked")) {
      tensors.emplace_back(name, zeros(shape, i64));
      continue;
    }
    std::vector<double> values = numbers.take(shape.size());
    const Range range = range_of(name, shape);
    for (double& v : values) v = range.centre + range.scale * v;
    tensors.emplace_back(name, tensor(values, shape, dtype));
  }
  nn::write_safetensors(path, tensors);
  const Shape images = net["images"].get<Sizes>();
  return permute(tensor(numbers.take(images.size()), images, dtype), {0, 2, 3, 1});
}

void check_outputs(nn::Module& net, const Tensor& images, const json& expected, double tolerance) {
  net.eval();
  const NoGrad off;
  const Tensor y = flatten(net(images));
  const Tensor by_pytorch = tensor(expected.get<std::vector<double>>(), {-1}, images.dtype());
  REQUIRE(y.shape() == by_pytorch.shape());
  CHECK(max(abs(y - by_pytorch)).item() < tolerance * max(abs(by_pytorch)).item());
}

void compare(const char* name, nn::Module& net, std::size_t transposed) {
  const TempDir dir;
  const json& of_net = figures(name);
  std::size_t counters = 0;
  for (const json& entry : of_net["tensors"]) counters += entry[0].get<std::string>().ends_with("num_batches_tracked");

  const Tensor images = write_state_dict(dir / "f32", of_net, f32);
  nn::LoadReport report = nn::load_pytorch(dir / "f32", net);
  CHECK(report.loaded.size() == of_net["tensors"].size() - counters);
  CHECK(report.transposed.size() == transposed);
  CHECK(report.converted.empty());
  check_outputs(net, images, of_net["outputs"], 1e-5);

  net.to(f64);  // with the same weights, which f32 holds exactly
  check_outputs(net, images.to(f64), of_net["outputs"], 1e-10);
  nn::save_pytorch(dir / "f64", net);
  net.to(f32);
  for (Tensor p : net.parameters()) nn::zeros_(p);
  report = nn::load_pytorch(dir / "f64", net);
  CHECK(report.converted == report.loaded);
  check_outputs(net, images, of_net["outputs"], 1e-5);
}

}  // namespace

TEST_CASE("ResNet-20 for small images") { compare("resnet_cifar20", *nn::resnet_cifar(20), 20); }
TEST_CASE("ResNet-18") { compare("resnet18", *nn::resnet(18, 10), 21); }
TEST_CASE("ResNet-50" * doctest::skip(test::sanitized)) { compare("resnet50", *nn::resnet(50, 10), 54); }
TEST_CASE("DenseNet-121") { compare("densenet121", *nn::densenet121(10), 121); }
