// What DataParallel does beside averaging: parameters that are not used everywhere, hooks, batch norm over all ranks,
// and what it counts.
#include <cmath>

#include "ranks.hpp"

using namespace weft;

namespace {

// Uses its second layer only where it is told to.
struct Branches : nn::Module {
  nn::Child<nn::Linear> always{this, "always", 2, 2}, sometimes{this, "sometimes", 2, 2}, never{this, "never", 2, 2};
  bool both = false;
  Tensor forward(const Tensor& x) override { return both ? always(x) + sometimes(x) : always(x); }
};

struct Normalised : nn::Module {
  nn::Child<nn::Linear> in{this, "in", 3, 4};
  nn::Child<nn::BatchNorm> norm{this, "norm", 4};
  nn::Child<nn::Linear> out{this, "out", 4, 1};
  Tensor forward(const Tensor& x) override { return out(norm->relu(in(x))); }
};

const int n = ranks().size(), rank = ranks().rank();

Tensor mine(const Shape& shape, DType dtype = f32) { return full(shape, static_cast<double>(rank + 1), dtype); }

}  // namespace

TEST_CASE("a parameter that some ranks use counts as 0 on the others, one that none uses has no gradient") {
  Branches net;
  net.both = rank == n - 1;
  nn::Sgd optimizer(net, {.lr = 0.1});
  mpi::DataParallel parallel(net, optimizer);
  for (int step = 0; step < 3; ++step) {  // from the second on in the order of the first rank's backward
    net.zero_grad();
    sum(net(mine({1, 2}))).backward();
    const double mean = (n + 1) / 2.0;
    CHECK(allclose(net.always->weight.grad(), full({2, 2}, mean)));
    CHECK(allclose(net.sometimes->weight.grad(), full({2, 2}, static_cast<double>(n) / n)));
    CHECK(allclose(net.sometimes->bias.grad(), full({2}, 1.0 / n)));
    CHECK_FALSE(net.never->weight.grad().defined());
  }
}

TEST_CASE("gradients that were there are in the mean, and hooks see the mean") {
  Branches net;
  net.never->freeze();
  nn::Sgd optimizer(net, {.lr = 0.1});
  double seen = 0;
  net.always->bias.register_hook([&](const Tensor& g) { seen = g.at({0}); });
  mpi::DataParallel parallel(net, optimizer);
  {
    const auto more = parallel.accumulate();
    sum(net(mine({1, 2}))).backward();
    CHECK(net.always->weight.grad().at({0, 0}) == rank + 1);  // still this rank's own
  }
  sum(net(mine({1, 2})) * 2.0).backward();
  CHECK(allclose(net.always->weight.grad(), full({2, 2}, 3 * (n + 1) / 2.0)));
  CHECK(seen == 3);
  CHECK(parallel.communication().backwards == 1);
  CHECK(nn::clip_grad_norm(net.always->parameters(), 1e9) ==
        doctest::Approx(std::sqrt(4 * std::pow(3 * (n + 1) / 2.0, 2) + 2 * 9)));
}

TEST_CASE("what cannot be averaged is refused") {
  struct One : nn::Module {
    nn::Param w{this, "w", ones({2})};
  } net;
  net.w.set_requires_grad(false);
  Tensor other = parameter(ones({2}));
  nn::Sgd optimizer(Tensors{other}, {.lr = 0.1});
  {
    mpi::DataParallel parallel(net, optimizer);
    net.w.set_requires_grad(true);
    CHECK(message_of([&] { sum(net.w * 2.0).backward(); }) ==
          "DataParallel: got a gradient of w, which required none when this was made");
  }
  {
    mpi::DataParallel parallel(net, optimizer);
    CHECK(message_of([&] { sum(square(net.w)).backward({.create_graph = true}); }) ==
          "DataParallel: got create_graph, needs a backward that is not recorded");
  }
  CHECK(message_of([&] { mpi::DataParallel(net, optimizer, {.bucket_bytes = -1}); }) ==
        "DataParallel: got bucket_bytes -1, needs 0 or more");
}

TEST_CASE("batch norm over all ranks is that of one process with the whole batch, gradients and all") {
  manual_seed(3);
  const Tensor x = randn({4 * n, 3}, f64), target = randn({4 * n, 1}, f64);
  Normalised one, many;
  one.to(f64);
  many.to(f64);
  nn::load_state(many, nn::state(one));
  nn::Sgd optimizer(many, {.lr = 0.1}), its_optimizer(one, {.lr = 0.1});
  {
    mpi::DataParallel parallel(many, optimizer, {.sync_batch_norm = true});
    for (int step = 0; step < 3; ++step) {
      one.zero_grad();
      many.zero_grad();
      const Tensor loss = nn::mse(many(share_of(x, rank)), share_of(target, rank)), whole = nn::mse(one(x), target);
      CHECK(ranks().sum(loss.item()) / n == doctest::Approx(whole.item()).epsilon(1e-12));
      loss.backward();
      whole.backward();
      const auto expected = one.named_parameters(), got = many.named_parameters();
      for (std::size_t i = 0; i < got.size(); ++i) {
        CAPTURE(got[i].first);
        CHECK(allclose(got[i].second.grad(), expected[i].second.grad(), 1e-9, 1e-12));
        CHECK(same_on_all(got[i].second.grad()));
      }
      optimizer.step();
      its_optimizer.step();
    }
    CHECK(allclose(many.norm->running_mean, one.norm->running_mean, 1e-9, 1e-12));
    CHECK(allclose(many.norm->running_var, one.norm->running_var, 1e-9, 1e-12));
    CHECK(same_on_all(many.norm->running_var));
    many.eval();
    one.eval();
    CHECK(allclose(many(x), one(x), 1e-9, 1e-12));  // no rank waits for another
  }
  many.train();
  many(share_of(x, rank));
  CHECK_FALSE(same_on_all(many.norm->running_mean));  // its own again
}

TEST_CASE("without the order of the ranks the mean is the same but for rounding, and on all ranks the same bits") {
  manual_seed(4);
  const nn::ModulePtr net = nn::skip_mlp(6, {40}, 5);
  const Tensor x = randn({2 * n, 6}), y = randint(0, 5, {2 * n});
  Tensors ordered;
  for (const bool in_order : {true, false}) {
    nn::Sgd optimizer(*net, {.lr = 0.1});
    mpi::DataParallel parallel(*net, optimizer, {.ordered = in_order});
    net->zero_grad();
    nn::cross_entropy((*net)(share_of(x, rank)), share_of(y, rank)).backward();
    for (std::size_t i = 0; i < net->parameters().size(); ++i) {
      const Tensor gradient = net->parameters()[i].grad();
      CHECK(same_on_all(gradient));
      if (in_order)
        ordered.push_back(gradient.clone());
      else
        CHECK(allclose(gradient, ordered[i], 1e-5, 1e-7));
    }
  }
}

TEST_CASE("it counts backwards, buckets and bytes") {
  Branches net;
  nn::Sgd optimizer(net, {.lr = 0.1});
  mpi::DataParallel parallel(net, optimizer, {.bucket_bytes = 1});
  for (int step = 0; step < 2; ++step) sum(net(mine({1, 2}))).backward();
  const mpi::Communication& c = parallel.communication();
  CHECK(c.backwards == 2);
  CHECK(c.buckets == 2 * 6);
  // A flag and the elements, to a multiple of the ranks; a part to every other rank, twice.
  const auto bytes = [](std::int64_t elements) { return 2 * ((elements + 1 + n - 1) / n) * (n - 1) * 4; };
  CHECK(c.bytes_sent == 2 * 3 * (bytes(4) + bytes(2)));
  REQUIRE(c.last.size() == 6);
  std::int64_t gradients = 0;
  for (const mpi::BucketTimes& times : c.last) {
    gradients += times.bytes;
    CHECK(times.sent < times.arrived);
  }
  CHECK(gradients == 3 * (4 + 2) * 4);
  CHECK(c.last.back().arrived > 0);  // the last is sent when all gradients are there, as some parameters had none
}

TEST_CASE("buffers come from the first rank when they are asked for") {
  Normalised net;
  nn::Sgd optimizer(net, {.lr = 0.1});
  mpi::DataParallel parallel(net, optimizer);
  net(mine({4, 3}) * randn({4, 3}));
  CHECK_FALSE(same_on_all(net.norm->running_mean));
  parallel.broadcast_buffers();
  CHECK(same_on_all(net.norm->running_mean));
}

TEST_CASE("broadcast gives all ranks the first one's net and the state of what trains it") {
  manual_seed(static_cast<std::uint64_t>(rank));
  nn::Linear net(3, 2);
  nn::Adam optimizer(net, {.lr = 0.01 * (rank + 1)});
  for (int step = 0; step <= rank; ++step) {
    net.zero_grad();
    sum(square(net(mine({1, 3})))).backward();
    optimizer.step();
  }
  CHECK_FALSE(same_on_all(net.weight.detach()));
  mpi::broadcast(net, optimizer);
  CHECK(same_on_all(net.weight.detach()));
  for (const auto& [name, t] : optimizer.state()) {
    CAPTURE(name);
    CHECK(same_on_all(t.detach()));
  }
  CHECK(optimizer.lr() == 0.01);
}
