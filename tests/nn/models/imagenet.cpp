// The nets for ImageNet: the published numbers of parameters, torchvision's names, outputs of the right shape.
#include <doctest/doctest.h>
#include <tests/support/nets.hpp>
#include <tests/support/sanitized.hpp>

#include <cmath>

using namespace weft;

namespace {

using Names = std::vector<std::string>;

// The names of the parameters that begin so.
Names names(const nn::Module& net, const std::string& prefix) {
  Names result;
  for (const auto& [name, p] : net.named_parameters())
    if (name.starts_with(prefix)) result.push_back(name.substr(prefix.size()));
  return result;
}

}  // namespace

TEST_CASE("resnet has the published numbers of parameters") {
  CHECK(parameter_count(*nn::resnet(18)) == 11'689'512);
  CHECK(parameter_count(*nn::resnet(18, 10)) == 11'689'512 - 990 * 513);
  if (test::sanitized) return;
  CHECK(parameter_count(*nn::resnet(34)) == 21'797'672);
  CHECK(parameter_count(*nn::resnet(50)) == 25'557'032);
  CHECK(parameter_count(*nn::resnet(101)) == 44'549'160);
  CHECK(parameter_count(*nn::resnet(152)) == 60'192'808);
}

TEST_CASE("densenet121 has the published number of parameters" * doctest::skip(test::sanitized)) {
  CHECK(parameter_count(*nn::densenet121()) == 7'978'856);
  CHECK(parameter_count(*nn::densenet(121)) == 7'978'856);
  CHECK(parameter_count(*nn::densenet121(10)) == 7'978'856 - 990 * 1025);
}

TEST_CASE("tensors are called as in torchvision" * doctest::skip(test::sanitized)) {
  const nn::ModulePtr basic = nn::resnet(18, 10), bottleneck = nn::resnet(50, 10), dense = nn::densenet121(10);
  CHECK(names(*basic, "layer1.0.") ==
        Names{"conv1.weight", "bn1.weight", "bn1.bias", "conv2.weight", "bn2.weight", "bn2.bias"});
  CHECK(names(*basic, "layer2.0.") == Names{"conv1.weight", "bn1.weight", "bn1.bias", "conv2.weight", "bn2.weight",
                                            "bn2.bias", "downsample.0.weight", "downsample.1.weight",
                                            "downsample.1.bias"});
  CHECK(names(*bottleneck, "layer1.0.") == Names{"conv1.weight", "bn1.weight", "bn1.bias", "conv2.weight", "bn2.weight",
                                                 "bn2.bias", "conv3.weight", "bn3.weight", "bn3.bias",
                                                 "downsample.0.weight", "downsample.1.weight", "downsample.1.bias"});
  CHECK(names(*bottleneck, "conv1") == Names{".weight"});
  CHECK(names(*bottleneck, "bn1") == Names{".weight", ".bias"});
  CHECK(names(*bottleneck, "layer4.2.").size() == 9);
  CHECK(names(*bottleneck, "fc.") == Names{"weight", "bias"});
  CHECK(names(*dense, "features.conv0") == Names{".weight"});
  CHECK(names(*dense, "features.norm0") == Names{".weight", ".bias"});
  CHECK(names(*dense, "features.denseblock4.denselayer16.") ==
        Names{"norm1.weight", "norm1.bias", "conv1.weight", "norm2.weight", "norm2.bias", "conv2.weight"});
  CHECK(names(*dense, "features.transition3.") == Names{"norm.weight", "norm.bias", "conv.weight"});
  CHECK(names(*dense, "features.norm5.") == Names{"weight", "bias"});
  CHECK(names(*dense, "classifier.") == Names{"weight", "bias"});
}

TEST_CASE("convolutions start He-normal: by fan out in residual nets, by fan in in dense ones" *
          doctest::skip(test::sanitized)) {
  manual_seed(4);
  const nn::ModulePtr residual = nn::resnet(18, 10), dense = nn::densenet121(10);
  const auto deviation = [](nn::Module& net, const char* path) {
    return stddev(dynamic_cast<nn::Conv2d&>(net.at(path)).weight).item();
  };
  CHECK(deviation(*residual, "conv1") == doctest::Approx(std::sqrt(2.0 / (49 * 64))).epsilon(0.03));
  CHECK(deviation(*residual, "layer4.0.conv1") == doctest::Approx(std::sqrt(2.0 / (9 * 512))).epsilon(0.01));
  CHECK(deviation(*dense, "features.conv0") == doctest::Approx(std::sqrt(2.0 / (49 * 3))).epsilon(0.03));
  CHECK(deviation(*dense, "features.denseblock1.denselayer1.conv2") ==
        doctest::Approx(std::sqrt(2.0 / (9 * 128))).epsilon(0.02));
}

TEST_CASE("they map images to classes, in training and evaluation") {
  manual_seed(3);
  check_classifies(*nn::resnet(18, 10), {2, 40, 32, 3}, 10);
  if (!test::sanitized) check_classifies(*nn::resnet(50, 7), {2, 40, 32, 3}, 7);
  check_classifies(*nn::densenet121(10), {2, 40, 32, 3}, 10);
}

TEST_CASE("copies are nets of their own") {
  const nn::ModulePtr net = nn::resnet(18, 10), copy = nn::clone(net);
  CHECK(names(*copy, "") == names(*net, ""));
  CHECK(parameter_count(*copy) == parameter_count(*net));
  const nn::ModulePtr dense = nn::clone(nn::densenet121(10));
  dense->eval();
  CHECK((*dense)(zeros({1, 32, 32, 3})).shape() == Shape{1, 10});
}

TEST_CASE("other depths are refused") {
  for (const std::int64_t depth : {-1, 0, 20, 1000})
    CHECK_THROWS_WITH_AS(nn::resnet(depth),
                         ("resnet: got the depth " + std::to_string(depth) + ", needs 18, 34, 50, 101 or 152").c_str(),
                         Error);
  CHECK_THROWS_WITH_AS(nn::densenet(100),
                       "densenet: got the depth 100 alone, needs 121, or a growth as in densenet(40, 12)", Error);
}
