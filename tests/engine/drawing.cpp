// Drawings of the tape: constants, shortcuts, frames and boxes by module, text that Graphviz takes as it is.
#include <doctest/doctest.h>
#include <weft/weft.hpp>

#include <map>
#include <regex>
#include <set>
#include <sstream>

using namespace weft;

namespace {

struct Arrow {
  std::string from, to, label;
  bool shortcut = false, constraint = true;
};
// What a drawing says, read back.
struct Drawing {
  std::map<std::string, std::string> labels;  // by id
  std::vector<Arrow> arrows;
  std::vector<std::string> frames;

  explicit Drawing(const std::string& text) {
    static const std::regex arrow(R"re( *(\w+) -> (\w+) \[label="(.*?)"(.*)\];)re"), frame(R"re( *label="(.*)";)re"),
        vertex(R"re( *(\w+) \[.*label="(.*)"\];)re");
    std::istringstream in(text);
    std::smatch found;
    for (std::string line; std::getline(in, line);) {
      if (std::regex_match(line, found, arrow))
        arrows.push_back({found[1], found[2], found[3], found[4].str().find("color=red") != std::string::npos,
                          found[4].str().find("constraint=false") == std::string::npos});
      else if (std::regex_match(line, found, vertex))
        labels[found[1]] = found[2];
      else if (std::regex_match(line, found, frame))
        frames.push_back(found[1]);
    }
  }
  // Ids of the kind whose label begins with that.
  std::vector<std::string> ids(const std::string& kind, const std::string& label = "") const {
    std::vector<std::string> result;
    for (const auto& [id, text] : labels)
      if (id.rfind(kind, 0) == 0 && text.rfind(label, 0) == 0) result.push_back(id);
    return result;
  }
  std::vector<Arrow> shortcuts() const {
    std::vector<Arrow> result;
    for (const Arrow& a : arrows)
      if (a.shortcut) result.push_back(a);
    return result;
  }
  // Whether one vertex leads to another by at least `steps` arrows.
  bool leads(const std::string& from, const std::string& to, int steps) const {
    std::set<std::string> seen;
    std::vector<std::pair<std::string, int>> waiting{{from, 0}};
    while (!waiting.empty()) {
      const auto [at, done] = waiting.back();
      waiting.pop_back();
      for (const Arrow& a : arrows) {
        if (a.from != at) continue;
        if (a.to == to && done + 1 >= steps) return true;
        if (a.to != to && seen.insert(a.to).second) waiting.emplace_back(a.to, done + 1);
      }
    }
    return false;
  }
};

struct Block : nn::Module {
  nn::Child<nn::Linear> inner{this, "inner", 4, 4};
  nn::Child<nn::Linear> outer{this, "outer", 4, 4};
  Tensor forward(const Tensor& x) override { return relu(outer(relu(inner(x))) + x); }
};

}  // namespace

TEST_CASE("a residual block on data is drawn with its shortcut") {
  Block block;
  const Tensor x = randn({3, 4});
  const Drawing d(to_dot(block(x), block.named_parameters()));
  CHECK(d.ids("op").size() == 5);
  CHECK(d.ids("leaf").size() == 4);
  REQUIRE(d.ids("input").size() == 1);
  const std::string input = d.ids("input")[0];
  CHECK(d.labels.at(input) == "input\\n{3, 4}");
  REQUIRE(d.shortcuts().size() == 1);
  CHECK(d.shortcuts()[0].from == input);
  CHECK(d.labels.at(d.shortcuts()[0].to) == "add\\nf32 {3, 4}");
  CHECK_FALSE(d.shortcuts()[0].constraint);
  CHECK(d.frames == std::vector<std::string>{"inner", "outer"});
  // A leaf as data is no different.
  const Drawing leaf(to_dot(block(parameter(x))));
  REQUIRE(leaf.shortcuts().size() == 1);
  CHECK(leaf.labels.at(leaf.shortcuts()[0].from) == "leaf\\n{3, 4}");
}

TEST_CASE("constants are known again, and called by their names") {
  const Tensor w = parameter(ones({3}, f64));
  Tensor c = ones({3}, f64), other = ones({3}, f64);
  c.set_name("own");
  Tensor y = (w * c + other) * c;
  for (int i = 0; i < 5; ++i) y = y + ones({3}, f64) * 2.0;  // freed at once: the next may be at the same place
  const Drawing d(to_dot(y));
  CHECK(d.ids("input").size() == 7);
  REQUIRE(d.ids("input", "own").size() == 1);
  const auto uses = [](const Drawing& drawing, const std::string& id) {
    return std::count_if(drawing.arrows.begin(), drawing.arrows.end(), [&](const Arrow& a) { return a.from == id; });
  };
  CHECK(uses(d, d.ids("input", "own")[0]) == 2);
  CHECK(d.ids("input", "input\\n{3}").size() == 6);
  // A name given here goes first; one that was set later counts; after backward, too.
  other.set_name("later");
  sum(y).backward();
  const Drawing named(to_dot(y, {{"given", c}}));
  CHECK(named.ids("input", "given").size() == 1);
  CHECK(named.ids("input", "own").empty());
  CHECK(named.ids("input", "later").size() == 1);
  CHECK(named.ids("input", "input\\n").size() == 5);
  // Of one that is gone nothing is left but the box.
  other = Tensor();
  CHECK(Drawing(to_dot(y)).ids("input", "later").empty());
  CHECK(Drawing(to_dot(y)).ids("input").size() == 7);
  // Many named ones, to be forgotten.
  Tensor many = w;
  for (int i = 0; i < 1000; ++i) {
    Tensor passing = ones({3}, f64);
    passing.set_name("passing");
    many = many + passing;
  }
  Tensor last = ones({3}, f64);
  last.set_name("last");
  const Drawing long_one(to_dot(many + last + c));
  CHECK(long_one.ids("input", "passing").empty());
  CHECK(long_one.ids("input", "last").size() == 1);
  CHECK(long_one.ids("input", "own").size() == 1);
  CHECK(long_one.ids("input").size() == 1002);
}

TEST_CASE("an edge is a shortcut where another path leads around it: compared with plain search on random graphs") {
  manual_seed(3);
  int shortcuts = 0, others = 0;
  for (int round = 0; round < 20; ++round) {
    Tensors made{parameter(ones({2})), ones({2})};
    for (int i = 0; i < 25; ++i) {
      const auto pick = [&] {
        const auto back = static_cast<std::size_t>(rand({1}).item() * (round % 2 == 0 ? 4 : 26));
        return made[made.size() - 1 - std::min(back, made.size() - 1)];
      };
      const Tensor a = pick(), b = pick();
      made.push_back(i % 4 == 0 ? tanh(made.back()) : a.requires_grad() || b.requires_grad() ? a + b : a + made[0]);
    }
    const Drawing d(to_dot(made.back()));
    for (const Arrow& a : d.arrows) {
      CHECK(a.shortcut == d.leads(a.from, a.to, 2));
      ++(a.shortcut ? shortcuts : others);
    }
  }
  CHECK(shortcuts > 50);
  CHECK(others > 50);
}

TEST_CASE("dense and highway connections have shortcuts; weights, products and projections have none") {
  const Tensor x = randn({3, 4});
  const auto marked = [](const Tensor& y) { return Drawing(to_dot(y)).shortcuts().size(); };
  nn::Concat dense(nn::make<nn::Linear>(4, 2));
  CHECK(marked(dense(x)) == 1);
  const Tensor w = parameter(randn({4, 4})), v = parameter(randn({4, 4}));
  const Tensor gate = sigmoid(matmul(x, w));
  CHECK(marked(gate * tanh(matmul(x, v)) + (1.0 - gate) * x) == 1);  // x around its gate
  CHECK(marked(matmul(tanh(matmul(x, w)), w)) == 0);
  const Tensor h = matmul(x, w);
  CHECK(marked(h * h) == 0);
  nn::Residual projected(nn::make<nn::Sequential>(nn::make<nn::Linear>(4, 4), nn::make<nn::ReLU>()),
                         nn::make<nn::Linear>(4, 4));
  CHECK(marked(projected(x)) == 0);
}

TEST_CASE("frames are modules inside each other, with their weights") {
  nn::Sequential net(nn::make<nn::Residual>(nn::make<nn::Sequential>(nn::make<nn::BatchNorm>(4))));
  const std::string text = to_dot(net(randn({3, 4})));
  CHECK(Drawing(text).frames == std::vector<std::string>{"0", "body", "0"});
  // Statistics stand beside their op, data outside of all.
  const std::size_t innermost = text.rfind("label=\"0\"");
  CHECK(text.find("label=\"running_mean\\n{4}\"") > innermost);
  CHECK(text.find("label=\"input\\n{3, 4}\"") < text.find("subgraph"));
}

TEST_CASE("by module a ResNet-20 is a box a block, with the shortcuts around") {
  manual_seed(1);
  const auto net = nn::resnet_cifar(20);
  const Tensor images = randn({2, 8, 8, 3}), labels = zeros({2}, i64);
  const Tensor logits = (*net)(images), loss = nn::cross_entropy(logits, labels);
  const auto names =
      std::vector<std::pair<std::string, Tensor>>{{"images", images}, {"labels", labels}, {"loss", loss}};
  const Drawing d(to_dot(loss, names, {.by_module = true}));
  CHECK(d.ids("leaf").empty());
  CHECK(d.ids("input").size() == 2);
  CHECK(d.ids("input", "images").size() == 1);
  CHECK(d.ids("input", "labels").size() == 1);
  CHECK(d.ids("module", "conv\\nconv2d").size() == 1);
  CHECK(d.ids("module", "bn\\nbatch_norm").size() == 1);
  CHECK(d.ids("module", "stage").size() == 11);
  CHECK(d.ids("module", "stage1.1\\n2 conv2d, 2 batch_norm, relu").size() == 1);
  CHECK(d.ids("module", "stage2.0.shortcut\\n").size() == 1);
  CHECK(d.ids("op", "add, relu").size() == 9);
  CHECK(d.ids("op", "loss\\n").size() == 1);
  CHECK(d.shortcuts().size() == 7);
  for (const Arrow& a : d.shortcuts()) CHECK(d.labels.at(a.to) == "add, relu");
  for (const Arrow& a : d.arrows) CHECK(a.shortcut == d.leads(a.from, a.to, 2));
  const std::string first = d.ids("module", "stage2.0\\n")[0], second = d.ids("module", "stage2.0.shortcut")[0];
  const auto shape_from = [&](const std::string& id) {
    for (const Arrow& a : d.arrows)
      if (a.from == id) return a.label;
    return std::string();
  };
  CHECK(shape_from(first) == "{2, 4, 4, 32}");
  CHECK(shape_from(second) == "{2, 4, 4, 32}");
  const Drawing stages(to_dot(loss, names, {.by_module = true, .depth = 1}));
  CHECK(stages.ids("module", "stage").size() == 3);
  CHECK(stages.shortcuts().empty());
  const Drawing layers(to_dot(loss, {}, {.by_module = true, .depth = 3}));
  CHECK(layers.ids("module", "stage1.0.conv1\\nconv2d").size() == 1);
  CHECK(layers.shortcuts().size() == 7);
  const Drawing all(to_dot(loss, {}, {.by_module = true, .depth = 0}));
  CHECK(all.ids("op").size() + all.ids("module").size() < 10);
  CHECK_THROWS_WITH_AS(to_dot(loss, {}, {.by_module = true, .depth = -1}), "to_dot: got depth -1, needs at least 0",
                       Error);
}

TEST_CASE("by module there are no circles, however modules are called") {
  manual_seed(2);
  struct Loop : nn::Module {
    nn::Child<Block> a{this, "a"}, b{this, "b"};
    Tensor forward(const Tensor& x) override {
      const Tensor first = a(x), second = b(first);
      return a(second + first) * b(a(second));
    }
  } loop;
  const auto dense = nn::densenet(10, 4, false, 0.5);
  for (const Tensor& y : {loop(randn({2, 4})), (*dense)(randn({2, 8, 8, 3}))})
    for (int depth = 0; depth < 5; ++depth) {
      const Drawing d(to_dot(y, {}, {.by_module = true, .depth = depth}));
      for (const auto& [id, label] : d.labels) CHECK_FALSE(d.leads(id, id, 1));
      for (const Arrow& a : d.arrows) {
        CHECK(d.labels.count(a.from) == 1);
        CHECK(d.labels.count(a.to) == 1);
      }
    }
}

TEST_CASE("any name is a label") {
  Tensor x = parameter(ones({2}));
  const Scope part("a \"part\" <b>");
  const Tensor y = exp(x);
  const std::string text = to_dot(y, {{"\"x\" \\N <i>&lt;\nnext\tone\x01", x}});
  CHECK(text.find("label=\"\\\"x\\\" \\\\N <i>&amp;lt;\\nnext one \\n{2}\"") != std::string::npos);
  CHECK(text.find("label=\"a \\\"part\\\" <b>\"") != std::string::npos);
  CHECK(to_dot(y, {}, {.by_module = true}).find("label=\"a \\\"part\\\" <b>\\nexp\"") != std::string::npos);
}

TEST_CASE("print_tape takes names") {
  Tensor x = ones({2}, f64), noise = ones({2}, f64), w = parameter(ones({2}, f64));
  noise.set_name("noise");
  const Tensor h = x * w, y = h + noise;
  const std::string text = print_tape(y, {{"x", x}, {"w", w}, {"hidden", h}});
  CHECK(text.find("mul                 (x {2}, w {2}) -> hidden f64 {2}") != std::string::npos);
  CHECK(text.find("add                 (#0 {2}, noise {2}) -> f64 {2}") != std::string::npos);
}
