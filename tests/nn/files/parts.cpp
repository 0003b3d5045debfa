// The parts of a checkpoint: anything that has a state, under a name of its own.
#include <doctest/doctest.h>
#include <tests/support/message_of.hpp>
#include <tests/support/refused.hpp>
#include <tests/support/same.hpp>
#include <tests/support/temp_dir.hpp>

#include <algorithm>
#include <limits>

#include <weft/weft.hpp>

using namespace weft;

namespace {

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

bool same_states(const nn::NamedTensors& a, const nn::NamedTensors& b) {
  return std::ranges::equal(a, b, [](const auto& one, const auto& other) {
    return one.first == other.first && same_bits(one.second, other.second);
  });
}

nn::DataLoader loader_of(std::uint64_t seed) {
  return nn::DataLoader({zeros({10, 2}), arange(10, i64)}, {.batch_size = 3, .shuffle = true, .seed = seed});
}

}  // namespace

TEST_CASE("generators go on with the draws that were next") {
  const TempDir dir;
  const nn::Linear net(2, 2);
  for (const std::uint64_t seed : {std::uint64_t{0}, std::uint64_t{5}, std::numeric_limits<std::uint64_t>::max()}) {
    Generator mine(seed);
    manual_seed(seed / 2);
    mine.set_state({seed, std::numeric_limits<std::uint64_t>::max() - seed / 3});
    const Tensor before = rand({3}), own_before = rand({3}, f32, mine);
    nn::save(dir / "a", net, {{"default", &default_generator()}, {"mine", &mine}});
    const Tensor next = rand({100}), own = rand({100}, f32, mine);
    const GeneratorState state = mine.state();

    Generator again(17);
    manual_seed(18);
    nn::Linear other(2, 2);
    nn::load(dir / "a", other, {{"mine", &again}, {"default", &default_generator()}});
    CHECK(same_bits(rand({100}), next));
    CHECK(same_bits(rand({100}, f32, again), own));
    CHECK(again.state() == state);
  }
}

TEST_CASE("an average, another module, a loader and a standardizer come back") {
  const TempDir dir;
  manual_seed(1);
  const nn::ModulePtr net = nn::make<nn::Linear>(3, 2), net2 = nn::make<nn::Linear>(3, 2);
  nn::Linear critic(2, 1);
  nn::Ema average(*net, 0.5);
  nn::zeros_(net->parameters()[0]);
  average.update();
  nn::DataLoader loader = loader_of(4);
  loader.seek(2, 1);
  nn::Standardizer standardizer(randn({5, 3}));
  nn::save(dir / "a", *net,
           {{"average", &average}, {"critic", &critic}, {"loader", &loader}, {"inputs", &standardizer}},
           {{"note", "kept"}});

  nn::Linear critic2(2, 1);
  nn::Ema average2(*net2);
  nn::DataLoader loader2 = loader_of(4);
  nn::Standardizer standardizer2;
  const nn::LoadReport report =
      nn::load(dir / "a", *net2,
               {{"loader", &loader2}, {"inputs", &standardizer2}, {"critic", &critic2}, {"average", &average2}});
  CHECK(report.loaded == std::vector<std::string>{"weight", "bias"});
  CHECK(report.notes == nn::Notes{{"note", "kept"}});
  CHECK(same_states(nn::state(*net2), nn::state(*net)));
  CHECK(same_states(nn::state(critic2), nn::state(critic)));
  CHECK(same_states(average2.state(), average.state()));
  CHECK(!same_states(nn::state(average.module()), nn::state(*net)));
  CHECK(same_states(loader2.state(), loader.state()));
  CHECK(same_states(standardizer2.state(), standardizer.state()));

  // What is asked for alone, and the average in the place of the net.
  nn::Linear plain(3, 2);
  CHECK(nn::load(dir / "a", plain).unexpected.empty());
  CHECK(same_states(nn::state(plain), nn::state(*net)));
  nn::load(dir / "a", plain, {.prefix = "average/module."});
  CHECK(same_states(nn::state(plain), nn::state(average.module())));
  nn::Linear second_critic(2, 1);
  nn::load(dir / "a", second_critic, {.prefix = "critic/"});
  CHECK(same_states(nn::state(second_critic), nn::state(critic)));
  nn::DataLoader loader3 = loader_of(4);
  nn::load(dir / "a", plain, {{"loader", &loader3}}, {.strict = false});
  CHECK(same_states(loader3.state(), loader.state()));
}

TEST_CASE("an optimiser and a schedule are parts with these names, in files of any age") {
  const TempDir dir;
  nn::Linear net(3, 2);
  nn::Adam adam(net, {.lr = 0.1});
  nn::CosineLr cosine(adam, {.total_steps = 10});
  for (int i = 0; i < 3; ++i) {
    adam.zero_grad();
    sum(square(net(ones({1, 3})))).backward();
    adam.step();
    cosine.step();
  }
  const nn::StatefulParts parts = {{"optimizer", &adam}, {"schedule", &cosine}};
  nn::save(dir / "parts", net, parts, {{"epoch", "1"}});
  nn::save(dir / "pointers", net, &adam, &cosine, {{"epoch", "1"}});
  CHECK(file_bytes(dir / "parts") == file_bytes(dir / "pointers"));

  nn::Linear other(3, 2);
  nn::Adam adam2(other);
  nn::CosineLr cosine2(adam2, {.total_steps = 10});
  nn::load(dir / "pointers", other, {{"schedule", &cosine2}, {"optimizer", &adam2}});
  CHECK(same_states(adam2.state(), adam.state()));
  CHECK(same_states(cosine2.state(), cosine.state()));
}

TEST_CASE("a part that is missing, incomplete or of another thing is named, and nothing changes") {
  const TempDir dir;
  manual_seed(3);
  nn::Linear net(3, 2);
  nn::Adam adam(net);
  nn::DataLoader loader = loader_of(4);
  Generator generator(9);
  const nn::StatefulParts parts = {{"optimizer", &adam}, {"loader", &loader}, {"generator", &generator}};
  nn::save(dir / "good", net, parts);
  nn::save(dir / "weights", net);
  nn::save(dir / "old", net, &adam);

  nn::Linear other(3, 2);
  nn::Adam adam2(other);
  nn::DataLoader loader2 = loader_of(4), reseeded = loader_of(5);
  loader2.seek(1, 1);
  Generator generator2(10);
  const nn::NamedTensors before = nn::state(other), loader_before = loader2.state();
  const auto error_of = [&](const char* file, const nn::StatefulParts& wanted) {
    const std::string text = refused(dir / file, [&](const std::string& path) { nn::load(path, other, wanted); });
    CHECK(same_states(nn::state(other), before));
    CHECK(same_states(loader2.state(), loader_before));
    CHECK(generator2.state() == GeneratorState{10, 0});
    return text;
  };
  const nn::StatefulParts wanted = {{"generator", &generator2}, {"loader", &loader2}, {"optimizer", &adam2}};
  CHECK(error_of("weights", wanted) == "load: " + (dir / "weights") + " has no part \"generator\", has none");
  CHECK(error_of("old", {{"optimizer", &adam2}, {"loader", &loader2}}) ==
        "load: " + (dir / "old") + " has no part \"loader\", has \"optimizer\"");
  CHECK(error_of("good", {{"generator", &generator2}, {"optimiser", &adam2}}) ==
        "load: " + (dir / "good") + " has no part \"optimiser\", has \"generator\", \"loader\", \"optimizer\"");
  CHECK(error_of("good", {{"loader", &loader2}, {"generator", &adam2}}) ==
        "load: " + (dir / "good") +
            ": \"generator\": Adam: the saved state has no tensor \"lr\", needs one of f64 {1}");
  CHECK(error_of("good", {{"generator", &generator2}, {"loader", &reseeded}}) ==
        "load: " + (dir / "good") + ": \"loader\": DataLoader: the saved state has seed 4, needs 5");
  nn::Linear wide(4, 2);
  CHECK(error_of("good", {{"generator", &generator2}, {"loader", &wide}})
            .ends_with("\"loader\": the saved state has no tensor \"weight\", needs one of f32 {4, 2}"));

  const nn::TensorFile good = nn::read_safetensors(dir / "good");
  for (std::size_t i = 0; i < good.tensors.size(); ++i) {
    const std::string name = good.tensors[i].first.substr(good.tensors[i].first.rfind('/') + 1);
    nn::NamedTensors less = good.tensors;
    less.erase(less.begin() + static_cast<std::ptrdiff_t>(i));
    nn::write_safetensors(dir / "bad", less);
    CHECK(holds(error_of("bad", wanted), "no tensor \"" + name + "\""));
    nn::NamedTensors wrong = good.tensors;
    wrong[i].second = zeros({7}, f64);
    nn::write_safetensors(dir / "bad", wrong);
    CHECK(holds(error_of("bad", wanted), "\"" + name + "\" as f64 {7}"));
  }
  nn::NamedTensors more = good.tensors;
  more.emplace_back("loader/stranger", zeros({1}));
  nn::write_safetensors(dir / "bad", more);
  CHECK(holds(error_of("bad", wanted), "\"stranger\""));
  nn::load(dir / "bad", other, {{"generator", &generator2}});  // the loader is not asked for
  CHECK(generator2.state() == generator.state());
}

TEST_CASE("names and parts that cannot be are refused before a file is written") {
  const TempDir dir;
  nn::Linear net(2, 2);
  Generator generator;
  const auto error_of = [&](const nn::StatefulParts& parts) {
    const std::string message = message_of([&] { nn::save(dir / "a", net, parts); });
    CHECK(dir.count() == 0);
    return message;
  };
  CHECK(error_of({{"", &generator}}) == "save: got \"\" as a part's name, needs one without slashes");
  CHECK(error_of({{"a/b", &generator}}) == "save: got \"a/b\" as a part's name, needs one without slashes");
  CHECK(error_of({{"a", &generator}, {"a", &net}}) == "save: got two parts \"a\", needs names that differ");
  nn::save(dir / "a", net, {{"a", &generator}});
  CHECK_THROWS_WITH_AS(nn::load(dir / "a", net, {{"a", &generator}, {"a", &generator}}),
                       doctest::Contains("load: got two parts \"a\""), Error);
  CHECK_THROWS_WITH_AS(nn::StatefulPart(static_cast<Generator*>(nullptr)), doctest::Contains("null pointer"), Error);
  CHECK_THROWS_WITH_AS(nn::StatefulPart(static_cast<nn::Stateful*>(nullptr)), doctest::Contains("null pointer"), Error);
}
