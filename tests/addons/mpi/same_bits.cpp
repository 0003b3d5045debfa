// N ranks with batches of B train to the same bits as one process that does the N shares one by one and adds up in the
// same order.
#include "ranks.hpp"

using namespace weft;

namespace {

constexpr int steps = 20;

struct Setting {
  const char* name;
  std::function<nn::ModulePtr()> make;
  Shape image;  // of an example
  DType dtype = f32;
  mpi::DataParallelOptions options = {};
  int pieces = 1;   // backwards a step
  double clip = 0;  // 0: none
};

nn::Dataset examples(const Shape& image, DType dtype) {
  manual_seed(11);
  Shape shape = {96};
  for (const std::int64_t size : image) shape.append(size);
  return {.x = randn(shape, dtype), .y = randint(0, 5, {96})};
}

Tensor loss_of(nn::Module& net, const Tensor& x, const Tensor& y) { return nn::cross_entropy(net(x), y); }

// The rows of the p-th piece.
Tensor piece(const Tensor& t, int p, int pieces) {
  const std::int64_t each = t.size(0) / pieces;
  return slice(t, 0, p * each, (p + 1) * each);
}

Tensors distributed(const Setting& s) {
  manual_seed(5 + static_cast<std::uint64_t>(ranks().rank()));  // the first rank's net counts
  const nn::ModulePtr net = s.make();
  net->to(s.dtype);
  nn::Adam optimizer(*net, {.lr = 1e-2});
  nn::DataLoader loader(examples(s.image, s.dtype), {.batch_size = 4, .shuffle = true, .seed = 2, .drop_last = true});
  mpi::DataParallel parallel(*net, optimizer, loader, s.options);
  for (int step = 0; step < steps;)
    for (const auto& [x, y] : loader) {
      optimizer.zero_grad();
      for (int p = 0; p < s.pieces; ++p) {
        const auto more = parallel.accumulate(p + 1 < s.pieces);
        loss_of(*net, piece(x, p, s.pieces), piece(y, p, s.pieces)).backward();
      }
      if (s.clip > 0) nn::clip_grad_norm(net->parameters(), s.clip);
      optimizer.step();
      if (++step == steps) break;
    }
  CHECK(parallel.communication().backwards == (ranks().size() > 1 ? steps : 0));
  return net->parameters();
}

Tensors alone(const Setting& s) {
  const int n = ranks().size();
  manual_seed(5);
  const nn::ModulePtr net = s.make();
  net->to(s.dtype);
  nn::Adam optimizer(*net, {.lr = 1e-2});
  nn::DataLoader loader(examples(s.image, s.dtype),
                        {.batch_size = 4 * n, .shuffle = true, .seed = 2, .drop_last = true});
  for (int step = 0; step < steps;)
    for (const auto& [x, y] : loader) {
      Tensors sums;
      for (int rank = 0; rank < n; ++rank) {
        optimizer.zero_grad();
        for (int p = 0; p < s.pieces; ++p)
          loss_of(*net, piece(share_of(x, rank), p, s.pieces), piece(share_of(y, rank), p, s.pieces)).backward();
        std::size_t i = 0;
        for (const Tensor& parameter : net->parameters())
          if (rank == 0)
            sums.push_back(parameter.grad().clone());
          else
            sums[i++].add_(parameter.grad());
      }
      std::size_t i = 0;
      for (Tensor parameter : net->parameters()) parameter.set_grad(sums[i++] / static_cast<double>(n));
      if (s.clip > 0) nn::clip_grad_norm(net->parameters(), s.clip);
      optimizer.step();
      if (++step == steps) break;
    }
  return net->parameters();
}

}  // namespace

TEST_CASE("after 20 steps the parameters are the same bits as those of one process") {
  const auto mlp = [] { return nn::skip_mlp(8, {32, 16}, 5); };
  const auto images = [] { return nn::resnet_cifar(8, nn::ShortcutOption::B, false, 3, 5); };
  const Shape image = {8, 8, 3};
  const std::vector<Setting> settings = {
      {.name = "perceptron", .make = mlp, .image = {8}},
      {.name = "perceptron in f64", .make = mlp, .image = {8}, .dtype = f64},
      {.name = "a bucket for each parameter", .make = mlp, .image = {8}, .options = {.bucket_bytes = 1}},
      {.name = "accumulated, clipped", .make = mlp, .image = {8}, .pieces = 2, .clip = 0.1},
      {.name = "residual net", .make = images, .image = image},
      {.name = "residual net in buckets of 40 kB, clipped",
       .make = images,
       .image = image,
       .options = {.bucket_bytes = 40'000},
       .clip = 1.0},
  };
  for (const Setting& setting : settings) {
    CAPTURE(setting.name);
    const Tensors together = distributed(setting), one_by_one = alone(setting);
    REQUIRE(together.size() == one_by_one.size());
    for (std::size_t i = 0; i < together.size(); ++i) {
      CAPTURE(i);
      CHECK(same_bits(together[i].detach(), one_by_one[i].detach()));
      CHECK(same_on_all(together[i].detach()));
    }
  }
}
