// DenseNet and highway layers written by hand, and what they do to depth: 30 layers, plain, highway, dense, on two
// spirals. The plain net does not learn, the others do.
#include <weft/weft.hpp>

#include <cstdio>

using namespace weft;

struct HighwayLayer : nn::Module {  // Srivastava, Greff and Schmidhuber, arXiv 1505.00387
  nn::Child<nn::Linear> body, gate;
  explicit HighwayLayer(std::int64_t width) : body(this, "body", width, width), gate(this, "gate", width, width) {
    nn::constant_(gate->bias, -2);  // closed at first: x goes through
  }
  Tensor forward(const Tensor& x) override {
    Tensor open = sigmoid(gate(x));
    return open * tanh(body(x)) + (1.0 - open) * x;
  }
};

struct DenseLayer : nn::Module {  // Huang et al., arXiv 1608.06993: what is new stands beside all that was there
  nn::Child<nn::Linear> body;
  DenseLayer(std::int64_t in, std::int64_t growth) : body(this, "body", in, growth) {}
  Tensor forward(const Tensor& x) override { return concat({x, tanh(body(x))}); }
};

struct PlainLayer : nn::Module {
  nn::Child<nn::Linear> body;
  explicit PlainLayer(std::int64_t width) : body(this, "body", width, width) {}
  Tensor forward(const Tensor& x) override { return tanh(body(x)); }
};

nn::Dataset spirals(std::int64_t n) {
  Tensor label = randint(0, 2, {n, 1}), t = 0.5 + 2.5 * rand({n, 1});
  Tensor angle = 3.0 * t + 3.14159 * label.to(f32);
  return {concat({t * cos(angle), t * sin(angle)}) + 0.05 * randn({n, 2}), reshape(label, {-1})};
}

double accuracy(nn::Sequential& net, const nn::Dataset& train, const nn::Dataset& test) {
  nn::Adam optimiser(net, {.lr = 0.003});
  for (int step = 0; step < 250; ++step) {
    optimiser.zero_grad();
    nn::cross_entropy(net(train.x), train.y).backward();
    optimiser.step();
  }
  NoGrad off;
  return mean(equal(argmax(net(test.x), 1), test.y)).item();
}

int main() {
  manual_seed(5);
  const nn::Dataset train = spirals(256), test = spirals(256);
  nn::Sequential plain(nn::Linear(2, 16)), highway(nn::Linear(2, 16)), dense;
  for (int i = 0; i < 30; ++i) {
    plain.append(nn::make<PlainLayer>(16));
    highway.append(nn::make<HighwayLayer>(16));
    dense.append(nn::make<DenseLayer>(2 + 4 * i, 4));
  }
  plain.append(nn::make<nn::Linear>(16, 2)), highway.append(nn::make<nn::Linear>(16, 2));
  dense.append(nn::make<nn::Linear>(2 + 4 * 30, 2));
  const double p = accuracy(plain, train, test), h = accuracy(highway, train, test), d = accuracy(dense, train, test);
  std::printf("30 layers, accuracy on unseen points\n  plain    %.3f\n  highway  %.3f\n  dense    %.3f\n", p, h, d);
  return h > 0.9 && d > 0.9 ? 0 : 1;
}
