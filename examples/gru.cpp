// A GRU (Cho et al., arXiv 1406.1078) by hand learns to add the two marked numbers of a sequence (Hochreiter and
// Schmidhuber 1997).
#include <weft/weft.hpp>

#include <cstdio>

using namespace weft;

struct Gru : nn::Module {
  nn::Child<nn::Linear> from_input, from_state;
  std::int64_t hidden;
  Gru(std::int64_t in, std::int64_t width)
      : from_input(this, "from_input", in, 3 * width),
        from_state(this, "from_state", width, 3 * width),
        hidden(width) {}

  Tensor forward(const Tensor& x) override {  // {batch, time, in} to the last state {batch, hidden}
    Tensor state = zeros({x.size(0), hidden});
    for (Tensor input : swap_axes(from_input(x), 0, 1)) {  // all products with the inputs at once
      Tensors a = chunk(input, 3), b = chunk(from_state(state), 3);
      Tensor reset = sigmoid(a[0] + b[0]), update = sigmoid(a[1] + b[1]);
      Tensor candidate = tanh(a[2] + reset * b[2]);
      state = update * state + (1.0 - update) * candidate;
    }
    return state;
  }
};

nn::Dataset additions(std::int64_t n, std::int64_t time) {
  Tensor numbers = rand({n, time}), marks = zeros({n, time});
  const Tensor first = randint(0, time / 2, {n, 1}), second = randint(time / 2, time, {n, 1});
  marks = scatter_add(marks, 1, concat({first, second}), ones({n, 2}));
  return {stack({numbers, marks}, 2), sum(numbers * marks, 1, true)};
}

int main() {
  manual_seed(2);
  struct Net : nn::Module {
    nn::Child<Gru> gru{this, "gru", 2, 24};
    nn::Child<nn::Linear> out{this, "out", 24, 1};
    Tensor forward(const Tensor& x) override { return out(gru(x)); }
  } net;
  nn::Adam optimiser(net, {.lr = 0.01});
  for (int step = 1; step <= 400; ++step) {
    const nn::Dataset batch = additions(64, 16);
    optimiser.zero_grad();
    Tensor loss = nn::mse(net(batch.x), batch.y);
    loss.backward();
    optimiser.step();
    if (step % 100 == 0) std::printf("step %3d  squared error %.4f\n", step, loss.item());
  }
  NoGrad off;
  const nn::Dataset test = additions(256, 16);
  const double error = nn::mse(net(test.x), test.y).item(), guess = var(test.y).item();
  std::printf("on new sequences %.4f, always guessing the mean %.4f\n", error, guess);
  return error < 0.2 * guess ? 0 : 1;
}
