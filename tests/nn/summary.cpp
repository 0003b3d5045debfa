// The table of a net: what is folded, inputs of any number and dtype, what no module owns.
#include <doctest/doctest.h>
#include <weft/weft.hpp>

#include <sstream>

using namespace weft;

namespace {

std::vector<std::string> lines(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> out;
  for (std::string line; std::getline(in, line);) out.push_back(line);
  return out;
}
bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// The number in a column from the right (saved bytes, multiply-adds, parameters), without its commas; 0 if there is
// none.
std::int64_t number(const std::string& line, int from_right) {
  std::istringstream in(line);
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(word);
  std::string word = words[words.size() - 1 - static_cast<std::size_t>(from_right)];
  std::erase(word, ',');
  return word.find_first_not_of("0123456789") == std::string::npos ? std::stoll(word) : 0;
}

struct Embedding : nn::Module {
  nn::Param table{this, "table", randn({10, 4})};
  Tensor forward(const Tensor& ids) override { return index_select(table, 0, ids); }
};
struct Mixer : nn::Module {
  nn::Child<nn::Linear> map{this, "map", 4, 4};
  nn::Param scale{this, "scale", ones({4})};
  using Module::forward;
  Tensor forward(const Tensor& a, const Tensor& b) { return map(a) * scale + b; }
};
struct Halver : nn::Module {  // gives no tensor
  nn::Param offset{this, "offset", ones({4})};
  Tensors forward(const Tensor& a, const Tensor& b) { return {a + offset, b}; }
  using Module::forward;
};
struct TwoInputs : nn::Module {
  nn::Child<Embedding> embedding{this, "embedding"};
  nn::Child<Mixer> mixer{this, "mixer"};
  nn::Child<Halver> halver{this, "halver"};
  nn::Child<nn::Linear> unused{this, "unused", 4, 2};
  Tensor forgotten = parameter(ones({4}));
  using Module::forward;
  Tensor forward(const Tensor& ids, const Tensor& extra) {
    const Tensor h = mixer(embedding(ids), extra);
    return halver(h, extra)[0] * forgotten;
  }
};

}  // namespace

TEST_CASE("blocks like the one before are one line, and the columns still add up") {
  const auto net = nn::resnet_cifar(44);
  const std::string table = nn::summary(*net, {1, 8, 8, 3});
  const std::vector<std::string> all = lines(table);
  REQUIRE(all.size() < 40);
  CHECK(has(table, "stage1.1 .. stage1.6  as stage1.0, x6"));
  CHECK(has(table, "stage2.2 .. stage2.6  as stage2.1, x5"));
  CHECK(has(table, "stage3.1.conv2"));
  CHECK_FALSE(has(table, "stage3.2.conv2"));
  const std::string whole = nn::summary(*net, [&] { return (*net)(zeros({1, 8, 8, 3})); }, {.fold = false});
  CHECK(has(whole, "stage3.6.conv2"));
  CHECK_FALSE(has(whole, "as stage"));
  CHECK(nn::summary(*net, {1, 8, 8, 3}, {.fold = false}) == whole);
  const std::vector<std::string> unfolded = lines(whole);
  CHECK(unfolded.size() == 2 + 4 + 21 * 6);
  for (const int column : {0, 1, 2}) {
    std::int64_t sum = 0, sum_unfolded = 0;
    for (std::size_t i = 1; i + 1 < all.size(); ++i) sum += number(all[i], column);
    for (std::size_t i = 1; i + 1 < unfolded.size(); ++i) sum_unfolded += number(unfolded[i], column);
    CHECK(sum == number(all.back(), column));
    CHECK(sum_unfolded == number(all.back(), column));
    CHECK(number(unfolded.back(), column) == number(all.back(), column));
  }
  std::int64_t parameters = 0;
  for (const Tensor& p : net->parameters()) parameters += p.size();
  CHECK(number(all.back(), 2) == parameters);
}

TEST_CASE("only numbered blocks that are the same are folded") {
  nn::Sequential same(nn::make<nn::Linear>(4, 4), nn::make<nn::Linear>(4, 4), nn::make<nn::Linear>(4, 4));
  const std::vector<std::string> folded = lines(nn::summary(same, {2, 4}));
  REQUIRE(folded.size() == 4);
  CHECK(has(folded[2], "1 .. 2  as 0, x2"));
  CHECK(number(folded[2], 2) == 40);
  CHECK(number(folded[2], 1) == 2 * 2 * 16);
  nn::Sequential pair(nn::make<nn::Linear>(4, 4), nn::make<nn::Linear>(4, 4));  // nothing to be won
  CHECK_FALSE(has(nn::summary(pair, {2, 4}), "as 0"));
  nn::Sequential wider(nn::make<nn::Linear>(4, 4), nn::make<nn::Linear>(4, 5), nn::make<nn::Linear>(5, 5));
  CHECK_FALSE(has(nn::summary(wider, {2, 4}), "as "));
  struct Named : nn::Module {
    nn::Child<nn::Linear> a{this, "a", 4, 4}, b{this, "b", 4, 4}, c{this, "c", 4, 4};
    Tensor forward(const Tensor& x) override { return a(x) + b(x) + c(x); }
  } named;
  CHECK(lines(nn::summary(named, {2, 4})).size() == 5);
  // One module at three places has its parameters once.
  const auto shared = nn::make<nn::Linear>(4, 4);
  nn::Sequential tied(shared, shared, shared);
  const std::vector<std::string> rows = lines(nn::summary(tied, {2, 4}));
  REQUIRE(rows.size() == 5);
  CHECK(has(rows[1], "20"));
  CHECK(has(rows[2], "shared"));
  CHECK(number(rows[4], 2) == 20);
  CHECK(number(rows[4], 1) == 3 * 32);
}

TEST_CASE("several inputs of any dtype, and modules that are called in any way") {
  TwoInputs net;
  net.mixer->eval();
  const Tensor ids = tensor({1, 2, 3}, {3}, i64), extra = ones({3, 4});
  const std::string table = nn::summary(net, ids, extra);
  const std::vector<std::string> all = lines(table);
  CAPTURE(table);
  REQUIRE(all.size() == 9);
  CHECK(has(all[1], "embedding    Embedding  {3, 4}"));
  CHECK(number(all[1], 2) == 40);
  CHECK(has(all[2], "mixer.map    Linear     {3, 4}"));
  CHECK(number(all[2], 1) == 3 * 16);
  CHECK(has(all[3], "mixer        Mixer      {3, 4}"));  // a forward of two tensors
  CHECK(number(all[3], 2) == 4);
  CHECK(has(all[4], "halver       Halver     {3, 4}"));  // by its ops
  CHECK(has(all[5], "(itself)     TwoInputs  {3, 4}"));  // saves what it multiplies
  CHECK(has(all[6], "unused       Linear     not called"));
  CHECK(has(all[7], "total        TwoInputs  {3, 4}"));
  CHECK(number(all[7], 2) == 40 + 20 + 4 + 4 + 10);
  CHECK(has(all[8], "(no module)  leaf       {4}"));
  CHECK(net.is_training());
  CHECK_FALSE(net.mixer->is_training());
  CHECK(nn::summary(net, [&] { return net.forward(ids, extra); }) == table);
  CHECK(has(nn::summary(net, [&] { net.forward(ids, extra); }), "total        TwoInputs"));
  // An input that requires a gradient is not forgotten; a name is shown.
  net.forgotten.set_name("temperature");
  const std::string named = nn::summary(net, ids, parameter(extra));
  CHECK(has(named, "temperature"));
  CHECK_FALSE(has(named, "leaf"));
  CHECK_THROWS_AS(nn::summary(net, {3, 4}), Error);
  CHECK(net.is_training());
}

TEST_CASE("forward hooks of a module whose forward takes several tensors") {
  TwoInputs net;
  Shape seen;
  auto hook = net.register_forward_hook("mixer", [&](nn::Module&, const Tensor& x, const Tensor&) {
    seen = x.shape();
    return zeros({3, 4});
  });
  const Tensor y = net.forward(tensor({1, 2, 3}, {3}, i64), ones({3, 4}));
  CHECK(seen == Shape{3, 4});
  CHECK(y.at({0, 0}) == 1);  // zero from the hook, and the offset
  hook.remove();
  CHECK(net.forward(tensor({1, 2, 3}, {3}, i64), ones({3, 4})).at({0, 0}) != 1);
}

TEST_CASE("the summary of a part of a net") {
  const auto net = nn::resnet_cifar(8);
  const std::string table = nn::summary(net->at("stage1"), ones({1, 8, 8, 16}));
  CHECK(has(table, "0.conv1"));
  CHECK(has(lines(table).back(), "Sequential"));
  CHECK(lines(table).size() == 8);
}

TEST_CASE("the bytes that are saved for backward") {
  nn::Sequential net(nn::Linear(4, 5), nn::Tanh(), nn::Linear(5, 5), nn::ReLU(), nn::Identity());
  const std::vector<std::string> all = lines(nn::summary(net, {3, 4}));
  REQUIRE(all.size() == 7);
  CHECK(number(all[1], 0) == 3 * 4 * 4);  // its input
  CHECK(number(all[2], 0) == 3 * 5 * 4);  // its output, which the next layer saves too
  CHECK(number(all[3], 0) == 0);
  CHECK(number(all[4], 0) == 3 * 5 * 4);
  CHECK(number(all[5], 0) == 0);
  CHECK(number(all[6], 0) == 3 * (4 + 5 + 5) * 4);
  net.to(f64);
  CHECK(number(lines(nn::summary(net, {3, 4}))[6], 0) == 3 * (4 + 5 + 5) * 8);
  net.freeze();  // nothing is to be differentiated
  CHECK(number(lines(nn::summary(net, {3, 4}))[6], 0) == 0);
}
