// The state of a module in memory: taking it, putting it back, and loading parts of it.
#include <weft/weft.hpp>

#include <doctest/doctest.h>

using namespace weft;

namespace {

using Names = std::vector<std::string>;

struct Net : nn::Module {
  nn::Child<nn::Linear> body{this, "body", 3, 4};
  nn::Child<nn::BatchNorm> norm{this, "norm", 4};
  nn::Child<nn::Linear> head;
  explicit Net(std::int64_t classes = 2) : head{this, "head", 4, classes} {}
  Tensor forward(const Tensor& x) override { return head(relu(norm(body(x)))); }
};

const Names all_names{"body.weight", "body.bias", "norm.weight",       "norm.bias",
                      "head.weight", "head.bias", "norm.running_mean", "norm.running_var"};

Names names_of(const nn::NamedTensors& tensors) {
  Names names;
  for (const auto& [name, t] : tensors) names.push_back(name);
  return names;
}

const Tensor& find(const nn::NamedTensors& tensors, const std::string& wanted) {
  for (const auto& [name, t] : tensors)
    if (name == wanted) return t;
  fail("no ", wanted);
}

bool same(const nn::NamedTensors& a, const nn::NamedTensors& b) {
  if (names_of(a) != names_of(b)) return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (!allclose(a[i].second, b[i].second, 0, 0)) return false;
  return true;
}

void train_a_step(Net& net) {
  nn::Sgd optimizer(net.parameters(), {.lr = 0.5});
  sum(square(net(randn({5, 3})))).backward();
  optimizer.step();
}

nn::NamedTensors prefixed(const std::string& prefix, nn::NamedTensors tensors) {
  for (auto& [name, t] : tensors) name = prefix + name;
  return tensors;
}

}  // namespace

TEST_CASE("a state is a copy: training goes on without it, and it brings the module back") {
  Net net;
  train_a_step(net);
  const nn::NamedTensors best = nn::state(net);
  CHECK(names_of(best) == all_names);
  for (const auto& [name, t] : best) CHECK_FALSE(t.requires_grad());
  CHECK(allclose(find(best, "body.weight"), net.body->weight, 0, 0));
  CHECK(allclose(find(best, "norm.running_mean"), net.norm->running_mean, 0, 0));
  const Tensor x = randn({5, 3});
  net.eval();
  const Tensor then = net(x).detach();
  net.train();
  const Tensor weight = net.body->weight;
  train_a_step(net);
  CHECK_FALSE(same(nn::state(net), best));

  const nn::LoadReport report = nn::load_state(net, best);
  CHECK(report.loaded == all_names);
  CHECK(report.missing.empty());
  CHECK(report.unexpected.empty());
  CHECK(report.misshapen.empty());
  CHECK(same(nn::state(net), best));
  CHECK(weight.impl() == net.body->weight.impl());  // an optimiser's handles are still those of the net
  CHECK(weight.requires_grad());
  net.eval();
  CHECK(allclose(net(x), then, 0, 0));
}

TEST_CASE("strict: what does not fit is named, and nothing has changed") {
  Net net;
  const nn::NamedTensors before = nn::state(net);
  const nn::NamedTensors other = nn::state(Net());
  const auto refused = [&](const nn::NamedTensors& saved, const char* part, const nn::LoadOptions& options = {}) {
    CHECK_THROWS_WITH_AS(nn::load_state(net, saved, options), doctest::Contains(part), Error);
    CHECK(same(nn::state(net), before));
  };
  nn::NamedTensors fewer = other;
  fewer.pop_back();
  refused(fewer, "has no tensor \"norm.running_var\", needs one of f32 {4}");
  nn::NamedTensors more = other;
  more.emplace_back("tail.weight", ones({1}));
  refused(more, "has a tensor \"tail.weight\", there is no place for it");
  refused(nn::state(Net(5)), "has \"head.weight\" as f32 {4, 5}, needs f32 {4, 2}");
  nn::NamedTensors wide = other;
  wide[0].second = wide[0].second.to(f64);
  refused(wide, "has \"body.weight\" as f64 {3, 4}, needs f32 {3, 4}");
  nn::NamedTensors twice = other;
  twice.push_back(twice[0]);
  refused(twice, "which are both \"body.weight\"");
  refused(twice, "which are both \"body.weight\"", {.strict = false});
  nn::NamedTensors hollow = other;
  hollow[1].second = Tensor();
  refused(hollow, "\"body.bias\" as an undefined tensor");
  refused({}, "has no tensor \"body.weight\"");
}

TEST_CASE("not strict: what fits is loaded, and the report says what became of the rest") {
  Net net;
  const nn::NamedTensors before = nn::state(net);
  nn::NamedTensors saved = nn::state(Net(5));
  saved.erase(saved.begin() + 1);  // body.bias
  saved.emplace_back("tail.weight", ones({1}));
  const nn::LoadReport report = nn::load_state(net, saved, {.strict = false});
  CHECK(report.loaded == Names{"body.weight", "norm.weight", "norm.bias", "norm.running_mean", "norm.running_var"});
  CHECK(report.missing == Names{"body.bias"});
  CHECK(report.unexpected == Names{"tail.weight"});
  CHECK(report.misshapen == Names{"head.weight", "head.bias"});
  const nn::NamedTensors after = nn::state(net);
  CHECK(allclose(find(after, "body.weight"), find(saved, "body.weight"), 0, 0));
  for (const char* kept : {"body.bias", "head.weight", "head.bias"})
    CHECK(allclose(find(after, kept), find(before, kept), 0, 0));

  CHECK_THROWS_WITH_AS(nn::load_state(net, {{"tail.weight", ones({1})}}, {.strict = false}),
                       doctest::Contains("nothing to load: of the module's 8 tensors 8 are missing"), Error);
  CHECK_THROWS_WITH_AS(nn::load_state(net, {{"body.weight", ones({1})}}, {.strict = false}),
                       doctest::Contains("1 of another shape or dtype"), Error);
  nn::ReLU empty;  // there is nothing that could be loaded, and nothing is left over
  CHECK(nn::load_state(empty, nn::state(empty)).loaded.empty());
}

TEST_CASE("a prefix picks one part, strictly, and other names are brought to the module's") {
  const Net trained;
  const nn::NamedTensors saved = prefixed("model.", nn::state(trained));
  Net net;
  const nn::LoadReport whole = nn::load_state(net, saved, {.prefix = "model."});
  CHECK(whole.loaded == all_names);
  CHECK(whole.sources.front() == "model.body.weight");
  CHECK(whole.sources.size() == all_names.size());
  CHECK_THROWS_WITH_AS(
      nn::load_state(net, saved),
      doctest::Contains(
          "has no tensor \"body.weight\", needs one of f32 {3, 4}; \"model.body.weight\" needs .prefix = \"model.\""),
      Error);
  CHECK(same(nn::state(net), nn::state(trained)));

  nn::Linear head(4, 2);
  const nn::LoadReport part = nn::load_state(head, saved, {.prefix = "model.head."});
  CHECK(part.loaded == Names{"weight", "bias"});
  CHECK(part.unexpected.empty());
  CHECK(allclose(head.weight, trained.head->weight, 0, 0));
  CHECK_THROWS_WITH_AS(nn::load_state(head, saved, {.prefix = "model.norm."}),
                       doctest::Contains("has \"model.norm.weight\" as f32 {4}, needs f32 {4, 2}"), Error);
  CHECK_THROWS_WITH_AS(nn::load_state(head, saved, {.strict = false, .prefix = "nowhere."}),
                       doctest::Contains("nothing to load"), Error);
}

TEST_CASE("names are changed one by one, and an empty one leaves a tensor out") {
  const Net trained;
  nn::NamedTensors saved;
  for (const auto& [name, t] : nn::state(trained))
    saved.emplace_back("old." + (name.starts_with("body.") ? "trunk." + name.substr(5) : name), t);
  const auto rename = [](const std::string& name) -> std::string {
    if (name.starts_with("head.")) return "";
    return name.starts_with("trunk.") ? "body." + name.substr(6) : name;
  };
  Net net;
  const Tensor head = net.head->weight.detach().clone();
  const nn::LoadReport report = nn::load_state(net, saved, {.strict = false, .prefix = "old.", .rename = rename});
  CHECK(report.loaded.size() == 6);
  CHECK(report.missing == Names{"head.weight", "head.bias"});
  CHECK(report.unexpected.empty());
  CHECK(allclose(net.body->weight, trained.body->weight, 0, 0));
  CHECK(allclose(net.head->weight, head, 0, 0));
  CHECK_THROWS_WITH_AS(nn::load_state(net, saved, {.prefix = "old.", .rename = rename}),
                       doctest::Contains("has no tensor \"head.weight\""), Error);
  CHECK_THROWS_WITH_AS(
      nn::load_state(net, saved, {.rename = [](const std::string&) { return std::string("body.bias"); }}),
      doctest::Contains("which are both \"body.bias\""), Error);
  // What is not in the module is reported as it was saved.
  CHECK(nn::load_state(net, saved, {.strict = false, .prefix = "old."}).unexpected ==
        Names{"old.trunk.bias", "old.trunk.weight"});
}
