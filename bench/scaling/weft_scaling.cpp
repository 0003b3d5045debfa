// What training on several ranks costs: the time of a step, of one without communication, of what was not hidden, and
// when each bucket of gradients left. Prints JSON; script/scaling makes docs/scaling.md of it.
// usage: [mpirun -n N] weft_scaling NET BATCH STEPS [BUCKET_BYTES [any]]    BATCH: of a rank; any: sums in any order
//        mpirun -n N weft_scaling buckets REPEATS
#include <fmt/format.h>
#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include <weft/nn/addons/mpi/mpi.hpp>
#include <weft/weft.hpp>

using namespace weft;
using nlohmann::json;

namespace {

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

struct Transformer : nn::Module {
  static constexpr std::int64_t symbols = 256, context = 128, width = 256, heads = 8, blocks = 6;
  nn::Child<nn::Embedding> token{this, "token", symbols, width}, position{this, "position", context, width};
  nn::Child<nn::Sequential> stack{this, "stack"};
  nn::Child<nn::LayerNorm> norm{this, "norm", width};
  nn::Child<nn::Linear> head{this, "head", width, symbols};
  Transformer() {
    for (std::int64_t i = 0; i < blocks; ++i)
      stack->append(nn::make<nn::TransformerBlock>(width, heads, {.causal = true}));
  }
  Tensor forward(const Tensor& ids) override {
    return head(norm(stack(token(ids) + position(arange(ids.size(1), i64)))));
  }
};

struct Work {
  nn::ModulePtr net;
  Tensor x, y;
};

Work work_of(const std::string& net, std::int64_t batch) {
  if (net == "resnet20")
    return {nn::resnet_cifar(20, nn::ShortcutOption::B), randn({batch, 32, 32, 3}), randint(0, 10, {batch})};
  if (net == "resnet50") return {nn::resnet(50), randn({batch, 224, 224, 3}), randint(0, 1000, {batch})};
  if (net == "transformer") {
    const Shape text = {batch, Transformer::context};
    return {nn::make<Transformer>(), randint(0, Transformer::symbols, text), randint(0, Transformer::symbols, text)};
  }
  fail("weft_scaling: got net ", net, ", needs resnet20, resnet50 or transformer");
}

json measured(const Work& work, int steps, mpi::DataParallelOptions options) {
  nn::Sgd optimizer(*work.net, {.lr = 1e-3, .momentum = 0.9});
  mpi::DataParallel parallel(*work.net, optimizer, options);
  const auto step = [&](bool communicate) {
    mpi::world().barrier();
    const double from = now();
    const auto held = parallel.accumulate(!communicate);
    optimizer.zero_grad();
    nn::cross_entropy((*work.net)(work.x), work.y).backward();
    optimizer.step();
    return now() - from;
  };
  for (int i = 0; i < 3; ++i) step(true);
  std::vector<double> with, without, waited, packing;
  std::vector<std::vector<double>> sent;
  const mpi::Communication before = parallel.communication();
  for (int i = 0; i < steps; ++i) {
    const mpi::Communication& c = parallel.communication();
    const double waited_before = c.seconds_waited, packing_before = c.seconds_packing;
    with.push_back(step(true));
    waited.push_back(c.seconds_waited - waited_before);
    packing.push_back(c.seconds_packing - packing_before);
    sent.resize(c.last.size());
    for (std::size_t b = 0; b < c.last.size(); ++b) sent[b].push_back(c.last[b].sent);
    without.push_back(step(false));
  }
  const mpi::Communication& after = parallel.communication();
  json buckets = json::array();
  for (std::size_t b = 0; b < sent.size(); ++b)
    buckets.push_back({{"bytes", after.last[b].bytes}, {"sent", median(sent[b])}});
  std::int64_t parameters = 0;
  for (const Tensor& p : work.net->parameters()) parameters += p.size();
  return {{"parameters", parameters},   {"step", median(with)},
          {"alone", median(without)},   {"waited", median(waited)},
          {"packing", median(packing)}, {"bytes_sent", (after.bytes_sent - before.bytes_sent) / steps},
          {"buckets", buckets}};
}

// One gradient of each size, that nothing hides.
json bucket_times(int repeats, bool ordered) {
  struct One : nn::Module {
    nn::Param w;
    explicit One(std::int64_t size) : w{this, "w", zeros({size})} {}
  };
  json times = json::array();
  for (std::int64_t bytes = 4096; bytes <= std::int64_t{16} << 20; bytes *= 4) {
    One net(bytes / 4);
    nn::Sgd optimizer(net, {.lr = 0.1});
    mpi::DataParallel parallel(net, optimizer, {.ordered = ordered});
    std::vector<double> seconds;
    for (int i = 0; i < repeats + 3; ++i) {
      net.zero_grad();
      mpi::world().barrier();
      sum(net.w).backward();
      const mpi::BucketTimes& one = parallel.communication().last[0];
      if (i >= 3) seconds.push_back(one.arrived - one.sent);
    }
    times.push_back({{"bytes", bytes}, {"seconds", median(seconds)}});
  }
  return times;
}

int run(const mpi::World& world, const std::vector<std::string>& args) {
  if (args.size() < 2) fail("weft_scaling: got ", args.size(), " arguments, needs NET BATCH STEPS or buckets REPEATS");
  manual_seed(1);
  json result = {{"ranks", world.size()}, {"threads", num_threads()}};
  if (args[0] == "buckets") {
    result["ordered"] = bucket_times(std::stoi(args[1]), true);
    result["any_order"] = bucket_times(std::stoi(args[1]), false);
  } else {
    if (args.size() < 3) fail("weft_scaling: needs NET BATCH STEPS");
    mpi::DataParallelOptions options;
    if (args.size() > 3) options.bucket_bytes = std::stoll(args[3]);
    options.ordered = args.size() < 5 || args[4] != "any";
    result.update(measured(work_of(args[0], std::stoll(args[1])), std::stoi(args[2]), options));
    result["net"] = args[0];
    result["batch"] = std::stoll(args[1]);
  }
  if (world.is_first()) fmt::print("{}\n", result.dump());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> args(argv + 1, argv + argc);
  return mpi::run([&](const mpi::World& world) { return run(world, args); });
}
