// Writes a page for page.py, which looks at it in a browser. usage: page FILE [MODULE_NAME]
#include <weft/weft.hpp>

using namespace weft;

int main(int argc, char** argv) {
  if (argc < 2) return 1;
  const nn::ModulePtr net = nn::resnet_cifar(20);
  const Tensor x = randn({8, 32, 32, 3}), labels = randint(0, 10, {8});
  auto names = net->named_parameters();
  names.emplace_back(argc > 2 ? argv[2] : "images", x);

  nn::cross_entropy((*net)(x), labels).backward();  // the first step takes memory and time that others do not
  Profile profile;
  const Tensor loss = nn::cross_entropy((*net)(x), labels);
  loss.backward({.retain_graph = true});
  profile.stop();

  nn::Page page("ResNet-20");
  page.summary(*net, {8, 32, 32, 3});
  page.graph(loss, names);
  page.profile(profile);
  page.write(argv[1]);
}
