// Where a DataLoader is: a loop that is taken up again goes on with the next batch, whatever was prepared already.
#include <doctest/doctest.h>
#include <tests/support/message_of.hpp>

#include <limits>

#include <weft/engine/create.hpp>
#include <weft/nn/data/loader.hpp>

using namespace weft;

namespace {

using Labels = std::vector<std::int64_t>;

nn::DataLoader shuffled_loader(int prefetch, int threads = 1) {
  return nn::DataLoader({zeros({23, 2}), arange(23, i64)},
                        {.batch_size = 4, .shuffle = true, .seed = 11, .prefetch = prefetch, .threads = threads});
}

Labels labels_of(const nn::Batch& batch) {
  const auto y = batch.y.data<std::int64_t>();
  return {y.begin(), y.end()};
}

// All batches of the loops that are left of so many epochs.
std::vector<Labels> rest(nn::DataLoader& loader, std::int64_t epochs) {
  std::vector<Labels> seen;
  for (auto epoch = loader.epoch(); epoch < epochs; ++epoch)
    for (const auto& batch : loader) seen.push_back(labels_of(batch));
  return seen;
}

std::int64_t number(const nn::NamedTensors& state, const std::string& wanted) {
  for (const auto& [name, t] : state)
    if (name == wanted) return static_cast<std::int64_t>(t.item());
  return -1;
}

bool is_at(const nn::DataLoader& loader, std::int64_t epoch, std::int64_t batch) {
  const nn::NamedTensors state = loader.state();
  return number(state, "epoch") == epoch && number(state, "batch") == batch;
}

}  // namespace

TEST_CASE("a state saved at any batch gives the batches that were left, in order") {
  nn::DataLoader whole = shuffled_loader(0);
  const std::vector<Labels> all = rest(whole, 3);
  REQUIRE(all.size() == 18);
  for (const auto& [prefetch, threads] : {std::pair(0, 1), std::pair(1, 1), std::pair(2, 1), std::pair(5, 2)}) {
    std::vector<nn::NamedTensors> states;
    std::size_t given = 0;
    nn::DataLoader loader = shuffled_loader(prefetch, threads);
    states.push_back(loader.state());
    for (int epoch = 0; epoch < 3; ++epoch)
      for (const auto& batch : loader) {
        CHECK(labels_of(batch) == all[given++]);
        states.push_back(loader.state());
      }
    for (std::size_t done = 0; done < states.size(); ++done) {
      nn::DataLoader again = shuffled_loader(2);
      again.load_state(states[done]);
      CHECK(rest(again, 3) == std::vector<Labels>(all.begin() + static_cast<std::ptrdiff_t>(done), all.end()));
    }
  }
}

TEST_CASE("inside a loop the batch that it has counts as done, after it the next epoch comes") {
  nn::DataLoader loader = shuffled_loader(2);
  CHECK(is_at(loader, 0, 0));
  std::int64_t done = 0;
  for ([[maybe_unused]] const auto& batch : loader) CHECK(is_at(loader, 0, ++done));
  CHECK(done == 6);
  CHECK(is_at(loader, 1, 0));
  for ([[maybe_unused]] const auto& batch : loader) break;
  CHECK(is_at(loader, 2, 0));

  auto kept = loader.begin();  // an iterator that outlives its loop's end
  CHECK(is_at(loader, 2, 1));
  nn::DataLoader copy = loader;
  CHECK(is_at(copy, 2, 1));
  while (!(kept == loader.end())) ++kept;
  CHECK(is_at(loader, 3, 0));

  auto outer = loader.begin();
  ++outer;
  {
    auto inner = loader.begin();  // the loop that was begun last
    CHECK(is_at(loader, 4, 1));
  }
  CHECK(is_at(loader, 5, 0));
  ++outer;
  for ([[maybe_unused]] const auto& batch : loader) {
    loader.seek(7, 3);  // says where the next loop begins, though this one runs
    CHECK(is_at(loader, 7, 3));
    break;
  }
  CHECK(is_at(loader, 7, 3));
  loader.load_state(copy.state());
  CHECK(is_at(loader, 3, 0));

  nn::DataLoader pairs(std::vector<std::pair<Tensor, Tensor>>(5, {zeros({2}), ones({1})}), {.batch_size = 2});
  for ([[maybe_unused]] const auto& batch : pairs.as<2>()) {
    CHECK(is_at(pairs, 0, 1));
    break;
  }
  CHECK(is_at(pairs, 1, 0));
}

TEST_CASE("a state of other batches is refused, and changes nothing") {
  nn::DataLoader loader = shuffled_loader(2);
  loader.seek(4, 2);
  const nn::NamedTensors good = loader.state();
  nn::DataLoader taker = shuffled_loader(0);
  taker.seek(1, 1);
  const auto error_of = [&](const nn::NamedTensors& state) {
    const std::string message = message_of([&] { taker.load_state(state); });
    if (!message.empty()) CHECK(is_at(taker, 1, 1));
    return message;
  };
  const auto with = [&](const char* name, const Tensor& value) {
    nn::NamedTensors state = good;
    for (auto& [other, t] : state)
      if (other == name) t = value;
    return state;
  };
  const auto one = [](std::int64_t n) { return tensor(std::vector<std::int64_t>{n}, {}, i64); };
  CHECK(error_of(with("batch_size", one(5))) == "DataLoader: the saved state has batch_size 5, needs 4");
  CHECK(error_of(with("examples", one(22))) == "DataLoader: the saved state has examples 22, needs 23");
  CHECK(error_of(with("shuffle", one(0))) == "DataLoader: the saved state has shuffle 0, needs 1");
  CHECK(error_of(with("seed", one(12))) == "DataLoader: the saved state has seed 12, needs 11");
  constexpr auto least = std::numeric_limits<std::int64_t>::min(), most = std::numeric_limits<std::int64_t>::max();
  for (const std::int64_t bad : {std::int64_t{-1}, std::int64_t{7}, least, most})
    CHECK(error_of(with("batch", one(bad))).find("needs 0 to 2^53 and 0 to 6") != std::string::npos);
  for (const std::int64_t bad : {std::int64_t{-1}, least, most})
    CHECK(error_of(with("epoch", one(bad))).find("needs 0 to 2^53") != std::string::npos);
  CHECK(error_of(with("epoch", ones({}))).find("\"epoch\" as f32") != std::string::npos);
  for (std::size_t i = 0; i < good.size(); ++i) {
    nn::NamedTensors less = good;
    less.erase(less.begin() + static_cast<std::ptrdiff_t>(i));
    CHECK(error_of(less).find("no tensor \"" + good[i].first + "\"") != std::string::npos);
  }
  CHECK(error_of(good).empty());
  CHECK(is_at(taker, 4, 2));
}
