// Pictures of nets: every op of a small one, and a ResNet-20 by module, as SVG where Graphviz is installed.
#include <weft/weft.hpp>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>

using namespace weft;

struct Block : nn::Module {
  nn::Child<nn::Linear> inner{this, "inner", 8, 8}, outer{this, "outer", 8, 8};
  Tensor forward(const Tensor& x) override { return relu(outer(relu(inner(x))) + x); }
};

bool draw(const std::string& name, const std::string& dot) {
  std::ofstream(name + ".dot") << dot;
  const bool drawn = std::system(("dot -Tsvg " + name + ".dot -o " + name + ".svg").c_str()) == 0;
  std::printf("%s.%s\n", name.c_str(), drawn ? "svg" : "dot (without Graphviz no picture)");
  return dot.find("digraph") == 0;
}

int main() {
  Block block;
  Tensor x = randn({2, 8});
  x.set_name("x");
  Tensor y = block(x);
  std::cout << print_tape(y, block.named_parameters());
  const bool all = draw("block", to_dot(y, block.named_parameters()));

  nn::ModulePtr net = nn::resnet_cifar(20);
  Tensor image = rand({1, 32, 32, 3});
  image.set_name("image");
  Tensor scores = (*net)(image);
  std::cout << nn::summary(*net, image.shape());
  const bool modules = draw("resnet20", to_dot(scores, {}, {.by_module = true}));
  std::printf("%d ops on the tape, %.1f MB kept for backward\n", int(tape_stats(scores).nodes),
              double(tape_stats(scores).bytes) / 1e6);
  return all && modules ? 0 : 1;
}
