// What a loader costs: augmentation by the image, and training steps whose examples take their time.
#include <benchmark/benchmark.h>
#include <weft/engine/create.hpp>
#include <weft/engine/random.hpp>
#include <weft/engine/threads.hpp>
#include <weft/nn/data/loader.hpp>
#include <weft/nn/losses.hpp>
#include <weft/nn/models/resnet.hpp>
#include <weft/nn/train/sgd.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <thread>

namespace {

using namespace weft;

// An epoch of images that are shifted, mirrored and normalised, on the thread that reads them.
void BM_augment(benchmark::State& state) {
  set_num_threads(1);
  manual_seed(0);
  const std::int64_t images = 2048, side = state.range(0), channels = state.range(1);
  const std::vector<double> each(static_cast<std::size_t>(channels), 0.5);
  nn::DataLoader loader(
      {rand({images, side, side, channels}), zeros({images}, i64)},
      {.batch_size = 128, .augment = {.crop_padding = 4, .flip = true, .mean = each, .stddev = each}, .prefetch = 0});
  for (auto _ : state)
    for (const auto& batch : loader) benchmark::DoNotOptimize(batch.x.impl());
  state.SetItemsProcessed(state.iterations() * images);
  state.SetBytesProcessed(state.iterations() * images * side * side * channels * 8);
}
BENCHMARK(BM_augment)->Name("data/augment")->Args({32, 3})->Args({28, 1});

// Photographs that are turned, then made small: 320 x 320 to 32 x 32.
struct Turned {
  static constexpr std::int64_t large = 320, small = 32, factor = large / small;
  Tensor photograph = rand({large, large, 3});

  std::int64_t size() const { return 32 * 1000; }
  std::pair<Tensor, Tensor> operator[](std::int64_t number) const {
    const float* const from = photograph.data<float>().data();
    Tensor image = zeros({small, small, 3});
    float* const to = image.mutable_data<float>().data();
    const double angle = 0.001 * static_cast<double>(number % 500);
    const double cosine = std::cos(angle), sine = std::sin(angle), middle = 0.5 * large;
    for (std::int64_t i = 0; i < large * large; ++i) {
      const double y = static_cast<double>(i / large) - middle, x = static_cast<double>(i % large) - middle;
      const double row = cosine * y - sine * x + middle, column = sine * y + cosine * x + middle;
      if (!(row >= 0 && row < large - 1 && column >= 0 && column < large - 1)) continue;
      const auto r = static_cast<std::int64_t>(row), c = static_cast<std::int64_t>(column);
      const auto down = static_cast<float>(row - static_cast<double>(r));
      const auto right = static_cast<float>(column - static_cast<double>(c));
      const float* const at = from + (r * large + c) * 3;
      float* const pixel = to + (i / large / factor * small + i % large / factor) * 3;
      for (std::int64_t k = 0; k < 3; ++k) {
        const float upper = at[k] + right * (at[k + 3] - at[k]);
        const float lower = at[k + large * 3] + right * (at[k + large * 3 + 3] - at[k + large * 3]);
        pixel[k] += (upper + down * (lower - upper)) / (factor * factor);
      }
    }
    return {image, scalar(static_cast<double>(number % 10), i64)};
  }
};

// Images that have to be waited for, as for a disk: most of a millisecond each.
struct Awaited {
  Tensor image = rand({32, 32, 3});

  std::int64_t size() const { return 32 * 1000; }
  std::pair<Tensor, Tensor> operator[](std::int64_t number) const {
    std::this_thread::sleep_for(std::chrono::microseconds(700));
    return {image, scalar(static_cast<double>(number % 10), i64)};
  }
};

// A step of ResNet-8 on 32 such images, one thread; 0 threads that prepare batches: the training loop does.
template <class Data>
void BM_step(benchmark::State& state) {
  set_num_threads(1);
  manual_seed(0);
  const auto threads = static_cast<int>(state.range(0));
  nn::ModulePtr net = nn::resnet_cifar(8);
  nn::Sgd optimizer(*net, {.lr = 0.01});
  nn::DataLoader loader(Data{}, {.batch_size = 32, .prefetch = threads == 0 ? 0 : 2, .threads = std::max(threads, 1)});
  auto batch = loader.begin();
  for (auto _ : state) {
    optimizer.zero_grad();
    nn::cross_entropy((*net)(batch->x), batch->y).backward();
    optimizer.step();
    ++batch;
    if (batch == loader.end()) batch = loader.begin();
  }
}
BENCHMARK(BM_step<Turned>)->Name("data/step/computed/threads")->DenseRange(0, 2)->UseRealTime();
BENCHMARK(BM_step<Awaited>)->Name("data/step/awaited/threads")->Arg(0)->Arg(1)->Arg(2)->Arg(4)->UseRealTime();

}  // namespace
