// A U-Net (Ronneberger, Fischer and Brox, arXiv 1505.04597) in miniature: it finds bright discs in noise, pixel by
// pixel. Each level's features go around the levels below it and are concatenated to what comes back from there.
#include <weft/weft.hpp>

#include <cstdio>

using namespace weft;

nn::ModulePtr convolutions(std::int64_t in, std::int64_t out) {
  return nn::make<nn::Sequential>(nn::Conv2d(in, out, {.padding = 1, .bias = false}), nn::BatchNorm(out), nn::ReLU(),
                                  nn::Conv2d(out, out, {.padding = 1, .bias = false}), nn::BatchNorm(out), nn::ReLU());
}

Tensor upsample(const Tensor& x) {  // each pixel twice in both directions
  const auto n = x.size(0), h = x.size(1), w = x.size(2), c = x.size(3);
  return reshape(broadcast_to(reshape(x, {n, h, 1, w, 1, c}), {n, h, 2, w, 2, c}), {n, 2 * h, 2 * w, c});
}

struct UNet : nn::Module {
  nn::Child<nn::Module> down1{this, "down1", convolutions(1, 8)}, down2{this, "down2", convolutions(8, 16)};
  nn::Child<nn::Module> bottom{this, "bottom", convolutions(16, 32)};
  nn::Child<nn::Module> up2{this, "up2", convolutions(32 + 16, 16)}, up1{this, "up1", convolutions(16 + 8, 8)};
  nn::Child<nn::Conv2d> head{this, "head", 8, 1, {.kernel = 1}};

  Tensor forward(const Tensor& x) override {
    Tensor a = down1(x);
    Tensor b = down2(max_pool2d(a, {.kernel = 2}));
    Tensor c = bottom(max_pool2d(b, {.kernel = 2}));
    Tensor d = up2(concat({upsample(c), b}));
    return head(up1(concat({upsample(d), a})));
  }
};

struct Discs {  // images {32, 32, 1} and which pixels are in the disc, the i-th always the same
  std::int64_t size() const { return 96; }
  std::pair<Tensor, Tensor> operator[](std::int64_t i) const {
    Generator generator(static_cast<std::uint64_t>(i));
    Tensor centre = 8 + 16 * rand({2}, f32, generator), at = arange(32);
    Tensor distance = reshape(square(at - centre[0]), {32, 1}) + square(at - centre[1]);
    Tensor disc = reshape((distance < 25.0).to(f32), {32, 32, 1});
    return {disc + randn({32, 32, 1}, f32, generator), disc};
  }
};

int main() {
  manual_seed(0);
  UNet net;
  nn::DataLoader loader(Discs{}, {.batch_size = 16, .shuffle = true});
  nn::Adam optimiser(net, {.lr = 0.01});
  for (int epoch = 0; epoch < 6; ++epoch) {
    double loss = 0;
    for (auto [image, disc] : loader) {
      optimiser.zero_grad();
      Tensor batch_loss = nn::bce_with_logits(net(image), disc);
      batch_loss.backward();
      optimiser.step();
      loss += batch_loss.item() / static_cast<double>(loader.batches());
    }
    std::printf("epoch %d  loss %.3f\n", epoch + 1, loss);
  }
  net.eval();
  NoGrad off;
  double overlap = 0, either = 0;
  for (auto [image, disc] : nn::DataLoader(Discs{})) {
    Tensor found = net(image) > 0.0, wanted = disc > 0.5;
    overlap += sum(logical_and(found, wanted)).item(), either += sum(logical_or(found, wanted)).item();
  }
  std::printf("found and wanted / found or wanted: %.2f\n", overlap / either);
  return overlap > 0.7 * either ? 0 : 1;
}
