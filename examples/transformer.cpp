// A transformer (Vaswani et al., arXiv 1706.03762; normalisation first) by hand: after "3 1 4 1 =" it writes "1 4 1 3".
#include <weft/weft.hpp>

#include <cmath>
#include <cstdio>
#include <limits>

using namespace weft;

constexpr std::int64_t digits = 4, length = 2 * digits, vocabulary = 11, width = 32, heads = 4;

struct Attention : nn::Module {
  nn::Child<nn::Linear> in{this, "in", width, 3 * width}, out{this, "out", width, width};
  Tensor heads_of(const Tensor& x) {  // {batch, time, width} to {batch, heads, time, width / heads}
    return permute(reshape(x, {x.size(0), x.size(1), heads, width / heads}), {0, 2, 1, 3});
  }
  Tensor forward(const Tensor& x) override {
    Tensors qkv = chunk(in(x), 3);
    Tensor scores =
        matmul(heads_of(qkv[0]), transpose(heads_of(qkv[1]))) / std::sqrt(static_cast<double>(width / heads));
    Tensor at = arange(x.size(1)), later = unsqueeze(at, 1) < at;  // nobody sees what comes later
    scores = where(later, -std::numeric_limits<double>::infinity(), scores);
    Tensor mixed = permute(matmul(softmax(scores), heads_of(qkv[2])), {0, 2, 1, 3});
    return out(reshape(mixed, x.shape()));
  }
};

struct Block : nn::Module {
  nn::Child<nn::LayerNorm> norm1{this, "norm1", width}, norm2{this, "norm2", width};
  nn::Child<Attention> attention{this, "attention"};
  nn::Child<nn::Linear> wide{this, "wide", width, 4 * width}, narrow{this, "narrow", 4 * width, width};
  Tensor forward(const Tensor& x) override {
    Tensor y = x + attention(norm1(x));
    return y + narrow(gelu(wide(norm2(y))));
  }
};

struct Transformer : nn::Module {
  nn::Param token{this, "token", 0.1 * randn({vocabulary, width})};
  nn::Param position{this, "position", 0.1 * randn({length, width})};
  nn::Child<Block> block1{this, "block1"}, block2{this, "block2"};
  nn::Child<nn::LayerNorm> norm{this, "norm", width};
  nn::Child<nn::Linear> head{this, "head", width, vocabulary};
  Tensor forward(const Tensor& ids) override {  // i64 {batch, time} to logits {batch, time, vocabulary}
    Tensor x = reshape(index_select(token, 0, reshape(ids, {-1})), {ids.size(0), ids.size(1), width});
    return head(norm(block2(block1(x + slice(position, 0, 0, ids.size(1))))));
  }
};

int main() {
  manual_seed(4);
  Transformer net;
  nn::AdamW optimiser(net, {.lr = 0.003});
  constexpr int steps = 500;
  nn::OneCycleLr schedule(optimiser, {.max_lr = 0.005, .total_steps = steps});
  auto sequences = [](std::int64_t n) {
    Tensor number = randint(0, 10, {n, digits});
    return concat({number, full({n, 1}, 10, i64), flip(number, 1)});  // digits, "=", digits backwards
  };
  for (int step = 1; step <= steps; ++step) {
    Tensor text = sequences(64);
    Tensor logits = slice(net(slice(text, 1, 0, length)), 1, digits, length);
    Tensor loss = nn::cross_entropy(logits, slice(text, 1, digits + 1, length + 1));
    optimiser.zero_grad();
    loss.backward();
    optimiser.step();
    schedule.step();
    if (step % 100 == 0) std::printf("step %3d  loss %.3f\n", step, loss.item());
  }
  NoGrad off;
  Tensor wanted = sequences(200), text = slice(wanted, 1, 0, digits + 1);
  for (int i = 0; i < digits; ++i) {  // written one after another, each after what was written before
    Tensor next = argmax(slice(net(text), 1, text.size(1) - 1, text.size(1)), -1);
    text = concat({text, next});
  }
  const double right = mean(all(equal(text, wanted), 1)).item();
  std::printf("%.1f %% of new sequences reversed without a mistake\n", 100 * right);
  return right > 0.9 ? 0 : 1;
}
