// Checkpoints of modules and what trains them: exact continuation, and nothing changed by what does not fit.
#include <doctest/doctest.h>
#include <tests/support/message_of.hpp>
#include <tests/support/temp_dir.hpp>

#include <algorithm>
#include <cmath>

#include <weft/weft.hpp>

using namespace weft;

namespace {

struct Net : nn::Module {
  nn::Child<nn::Linear> first;
  nn::Child<nn::BatchNorm> norm;
  nn::Child<nn::Linear> last;
  Net() : first{this, "first", 4, 6}, norm{this, "norm", 6}, last{this, "last", 6, 3} {}
  Tensor forward(const Tensor& x) override { return last(relu(norm(first(x)))); }
};

template <class Optimizer, class Options>
struct Trained {
  Net net;
  Optimizer optimizer;
  nn::OneCycleLr schedule;
  explicit Trained(const Options& options)
      : optimizer(net.parameters(), options), schedule(optimizer, {.max_lr = 0.1, .total_steps = 20}) {}
  void steps(int from, int to) {
    for (int i = from; i < to; ++i) {
      Generator generator(static_cast<std::uint64_t>(i));
      optimizer.zero_grad();
      nn::cross_entropy(net(randn({8, 4}, f32, generator)), randint(0, 3, {8}, i64, generator)).backward();
      optimizer.step();
      schedule.step();
    }
  }
  std::vector<double> values() {
    std::vector<double> all;
    for (const auto& list : {net.named_parameters(), net.named_buffers()})
      for (const auto& [name, t] : list) visit(t, [&](double v) { all.push_back(v); });
    return all;
  }

 private:
  template <class F>
  static void visit(const Tensor& t, F f) {
    detail::visit_dtype(t.dtype(), [&](auto kind) {
      for (const auto v : t.template data<decltype(kind)>()) f(static_cast<double>(v));
    });
  }
};

using WithSgd = Trained<nn::Sgd, nn::SgdOptions>;
using WithAdam = Trained<nn::Adam, nn::AdamOptions>;

template <class T, class Options>
void check_continuation(const Options& options) {
  const TempDir dir;
  manual_seed(1);
  T whole(options);
  whole.steps(0, 7);
  nn::save(dir / "a", whole.net, &whole.optimizer, &whole.schedule, {{"epoch", "2"}});
  whole.steps(7, 15);

  manual_seed(2);
  T resumed(options);
  const nn::LoadReport report = nn::load(dir / "a", resumed.net, &resumed.optimizer, &resumed.schedule);
  CHECK(report.notes == nn::Notes{{"epoch", "2"}});
  resumed.steps(7, 15);
  CHECK(resumed.values() == whole.values());

  manual_seed(3);
  T used(options);  // state of its own is replaced
  used.steps(3, 6);
  nn::load(dir / "a", used.net, &used.optimizer, &used.schedule);
  used.steps(7, 15);
  CHECK(used.values() == whole.values());
}

}  // namespace

TEST_CASE("training goes on from a checkpoint bit for bit") {
  check_continuation<WithSgd>(nn::SgdOptions{.lr = 0.1, .momentum = 0.9, .nesterov = true});
  check_continuation<WithAdam>(nn::AdamOptions{.lr = 0.01});
}

TEST_CASE("what does not fit names the tensor and changes nothing") {
  const TempDir dir;
  manual_seed(1);
  WithSgd saved(nn::SgdOptions{.lr = 0.1, .momentum = 0.9});
  saved.steps(0, 3);
  nn::save(dir / "good", saved.net, &saved.optimizer, &saved.schedule);
  const nn::TensorFile good = nn::read_safetensors(dir / "good");

  const auto refused = [&](const nn::NamedTensors& tensors, const char* name) {
    nn::write_safetensors(dir / "bad", tensors);
    manual_seed(2);
    WithSgd other(nn::SgdOptions{.lr = 0.1, .momentum = 0.9});
    other.steps(5, 7);
    WithSgd twin(nn::SgdOptions{.lr = 0.1, .momentum = 0.9});
    nn::save(dir / "before", other.net, &other.optimizer, &other.schedule);
    nn::load(dir / "before", twin.net, &twin.optimizer, &twin.schedule);
    const std::string text = message_of([&] { nn::load(dir / "bad", other.net, &other.optimizer, &other.schedule); });
    CAPTURE(text);
    CHECK(text.find(name) != std::string::npos);
    CHECK(text.find('\n') == std::string::npos);
    CHECK(other.schedule.steps() == twin.schedule.steps());
    CHECK(other.optimizer.lr() == twin.optimizer.lr());
    other.steps(7, 9);
    twin.steps(7, 9);
    CHECK(other.values() == twin.values());
  };
  for (std::size_t i = 0; i < good.tensors.size(); ++i) {  // each one missing, and each one of another shape
    nn::NamedTensors tensors = good.tensors;
    const std::string name = tensors[i].first.substr(tensors[i].first.rfind('/') + 1);
    tensors[i].second = zeros({3, 5, 7}, tensors[i].second.dtype());
    refused(tensors, name.c_str());
    tensors.erase(tensors.begin() + static_cast<std::ptrdiff_t>(i));
    refused(tensors, name.c_str());
  }
  const auto with = [&](const char* name, double value) {
    nn::NamedTensors tensors = good.tensors;
    for (auto& [other, t] : tensors)
      if (other == name) t = full_like(t, value);
    return tensors;
  };
  for (const double bad : {-1.0, static_cast<double>(INFINITY)}) {
    refused(with("schedule/base_lr", bad), "base_lr");
    refused(with("optimizer/lr", bad), "lr");
    refused(with("optimizer/momenta", bad), "momentum");
  }
  refused(with("schedule/steps", -1), "steps");
  refused(with("optimizer/steps", -1), "steps");
  nn::NamedTensors more = good.tensors;
  more.emplace_back("stranger", zeros({1}));
  refused(more, "stranger");
  nn::NamedTensors wide = good.tensors;
  for (auto& [name, t] : wide)
    if (name == "first.weight") t = t.to(f64);
  refused(wide, "first.weight");
  CHECK_THROWS_AS(nn::load(dir / "none", saved.net), Error);
}

TEST_CASE("an optimiser's state is saved and loaded in the dtype that its module has by then") {
  const TempDir dir;
  for (const bool stepped : {false, true}) {
    const nn::AdamOptions options{.lr = 0.01};
    WithAdam saved(options), other(options);
    if (stepped) saved.steps(0, 2);
    saved.net.to(f64);
    nn::save(dir / "a", saved.net, &saved.optimizer);
    for (const auto& [name, t] : saved.optimizer.state())
      if (name.starts_with("mean")) CHECK(t.dtype() == f64);
    other.net.to(f64);
    nn::load(dir / "a", other.net, &other.optimizer);
    CHECK(other.values() == saved.values());
  }
}

TEST_CASE("weights alone, into modules that have the same names") {
  const TempDir dir;
  Net net, other;
  nn::save(dir / "a", net);
  CHECK(dir.count() == 1);
  nn::load(dir / "a", other);
  CHECK(allclose(other.parameters()[0], net.parameters()[0], 0, 0));
  nn::load(dir / "a", other, nullptr, nullptr, {.strict = true});

  nn::Linear stranger(4, 6);
  CHECK_THROWS_WITH_AS(nn::load(dir / "a", stranger), doctest::Contains("\"weight\""), Error);
  CHECK_THROWS_WITH_AS(nn::load(dir / "a", stranger, {.strict = false}), doctest::Contains("nothing to load"), Error);
  CHECK_THROWS_AS(nn::save(dir / "no/a", net), Error);
}

TEST_CASE("a part of a checkpoint, beside an optimiser's state and notes") {
  const TempDir dir;
  WithSgd saved(nn::SgdOptions{.lr = 0.1, .momentum = 0.9});
  saved.steps(0, 2);
  nn::save(dir / "a", saved.net, &saved.optimizer, &saved.schedule, {{"epoch", "2"}});
  nn::Linear last(6, 3);
  const nn::LoadReport report = nn::load(dir / "a", last, {.prefix = "last."});
  CHECK(report.loaded == std::vector<std::string>{"weight", "bias"});
  CHECK(report.notes == nn::Notes{{"epoch", "2"}});
  CHECK(allclose(last.weight, saved.net.last->weight, 0, 0));

  // The weights are there but not the optimiser's: nothing changes.
  nn::save(dir / "b", saved.net);
  Net other;
  nn::Sgd optimizer(other.parameters(), {.lr = 0.1, .momentum = 0.9});
  const nn::NamedTensors before = nn::state(other);
  CHECK_THROWS_AS(nn::load(dir / "b", other, &optimizer, nullptr, {.strict = false}), Error);
  for (std::size_t i = 0; i < before.size(); ++i) CHECK(allclose(nn::state(other)[i].second, before[i].second, 0, 0));
}

TEST_CASE("a module without anything to save is refused") {
  struct Forgetful : nn::Module {
    nn::Linear plain_member{3, 2};
  };
  const TempDir dir;
  CHECK_THROWS_WITH_AS(nn::save(dir / "empty.safetensors", Forgetful()),
                       doctest::Contains("Forgetful without parameters or buffers"), Error);
  CHECK(dir.count() == 0);
}
