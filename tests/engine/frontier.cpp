// The sweep's queue of waiting nodes, on graphs of every width: each node is visited once, with its whole gradient.
#include <doctest/doctest.h>
#include <weft/engine/backward.hpp>
#include <weft/engine/create.hpp>
#include <weft/engine/op.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/reduce.hpp>
#include <weft/ops/reshape.hpp>

#include <algorithm>
#include <random>

using namespace weft;

namespace {

// Layers of nodes, each node a weighted sum of two of earlier layers. Weights are small whole numbers: all is exact.
class Web {
 public:
  // `reach`: how many nodes back from its layer an input may lie; `gaps`: at most so many stamps go unused between two
  // nodes.
  Web(const std::vector<int>& widths, int reach, int gaps, std::uint32_t seed) : random_(seed) {
    for (int k = 0; k < 3; ++k) add({parameter(full({1}, k + 1, f64)), {}});
    for (const int width : widths) {
      const int newest = static_cast<int>(nodes_.size()) - 1, choices = std::min(reach, newest + 1);
      for (int i = 0; i < width; ++i) {
        for (int skipped = below(gaps + 1); skipped > 0; --skipped) nodes_[0].tensor + 1.0;
        const Input a{newest - below(choices), below(3) + 1}, b{newest - below(choices), below(5) - 2};
        const Tensor joined = tensor(a) * static_cast<double>(a.weight) + tensor(b) * static_cast<double>(b.weight);
        add({joined, {a, b}});
      }
    }
    // The last layer and everything that nothing else uses are the result's.
    std::vector<bool> used(nodes_.size());
    for (const Made& made : nodes_)
      for (const Input& input : made.inputs) used[static_cast<std::size_t>(input.from)] = true;
    Tensors ends;
    adjoint_.resize(nodes_.size());
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      if (used[i] && i + static_cast<std::size_t>(widths.back()) < nodes_.size()) continue;
      ends.push_back(nodes_[i].tensor);
      adjoint_[i] = 1;
    }
    result_ = sum(concat(ends));
    for (std::size_t i = nodes_.size(); i-- > 0;)
      for (const Input& input : nodes_[i].inputs)
        adjoint_[static_cast<std::size_t>(input.from)] += input.weight * adjoint_[i];
  }

  const Tensor& result() const { return result_; }
  std::size_t size() const { return nodes_.size(); }
  Tensor& tensor(std::size_t i) { return nodes_[i].tensor; }
  /// The derivative of the result along a node: the plain loop above.
  double adjoint(std::size_t i) const { return adjoint_[i]; }

 private:
  struct Input {
    int from, weight;
  };
  struct Made {
    Tensor tensor;
    std::vector<Input> inputs;
  };
  const Tensor& tensor(const Input& input) const { return nodes_[static_cast<std::size_t>(input.from)].tensor; }
  void add(const Made& made) { nodes_.push_back(made); }
  int below(int n) { return static_cast<int>(random_() % static_cast<std::uint32_t>(n)); }

  std::mt19937 random_;
  std::vector<Made> nodes_;
  std::vector<double> adjoint_;
  Tensor result_;
};

// The first node whose gradient is not its adjoint, after one backward and one grad; -1 if all are right.
std::int64_t first_wrong(Web& web) {
  std::vector<int> visits(web.size());
  for (std::size_t i = 3; i < web.size(); ++i) {
    web.tensor(i).retain_grad();
    web.tensor(i).register_hook([&visits, i](const Tensor&) { ++visits[i]; });
  }
  web.result().backward({.retain_graph = true});
  for (std::size_t i = 0; i < web.size(); ++i) {
    const Tensor gradient = web.tensor(i).grad();
    if (gradient.defined() ? gradient.item() != web.adjoint(i) : web.adjoint(i) != 0)
      return static_cast<std::int64_t>(i);
    if (i >= 3 && visits[i] != (gradient.defined() ? 1 : 0)) return static_cast<std::int64_t>(i);
  }
  // With a plan, for all leaves and every seventh node; what was saved is freed on the way, so that a second visit of a
  // node would fail.
  Tensors wanted;
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < web.size(); i += i < 3 ? 1 : 7) places.push_back(i);
  for (const std::size_t i : places) wanted.push_back(web.tensor(i));
  const Tensors gradients = grad(web.result(), wanted, {.allow_unused = true});
  for (std::size_t k = 0; k < places.size(); ++k)
    if (gradients[k].defined() ? gradients[k].item() != web.adjoint(places[k]) : web.adjoint(places[k]) != 0)
      return static_cast<std::int64_t>(places[k]);
  return -1;
}

}  // namespace

TEST_CASE("fans of every width up to where the queue's table has grown") {
  std::vector<int> widths;
  for (int width = 1; width <= 70; ++width) widths.push_back(width);
  for (const int width : {127, 128, 129, 130, 255, 256, 257, 500, 512, 513, 1000}) widths.push_back(width);
  for (const int width : widths) {
    INFO("width ", width);
    Web near({width}, 3, 0, 1), far({width, width}, 2 * width + 3, 0, 2), spread({width, width}, width + 3, 5, 3);
    CHECK(first_wrong(near) == -1);
    CHECK(first_wrong(far) == -1);
    CHECK(first_wrong(spread) == -1);
  }
}

TEST_CASE("stamps with many collisions") {
  for (std::uint32_t seed = 0; seed < 150; ++seed) {
    INFO("seed ", seed);
    const int width = 9 + static_cast<int>(seed) * 2 / 5, gaps = static_cast<int>(seed % 7) * 6;
    Web web({width, width}, 2 * width, gaps, seed);
    CHECK(first_wrong(web) == -1);
  }
}

TEST_CASE("widths that grow and shrink on the way") {
  for (std::uint32_t seed = 0; seed < 6; ++seed) {
    INFO("seed ", seed);
    Web pulsing({3, 40, 5, 100, 2, 9, 8, 7, 300, 1, 12, 34, 33, 1}, 30, 3, seed);
    Web edge({8, 9, 10, 9, 8, 7, 8, 9, 31, 32, 33, 34, 33, 9, 8}, 12, 1, seed + 100);
    CHECK(first_wrong(pulsing) == -1);
    CHECK(first_wrong(edge) == -1);
  }
}

TEST_CASE("ops of many outputs, whose parts all wait") {
  for (const int parts : {7, 8, 9, 33, 64, 65, 1000}) {
    INFO(parts, " parts");
    Tensor x = parameter(ones({parts}, f64));
    const Tensors once = split(x, 1);
    Tensors joined;
    for (int i = 0; i < parts; ++i) {
      const Tensors halves = split(concat({once[static_cast<std::size_t>(i)], x}), parts);  // {parts} and {1}
      joined.push_back(reshape(halves[1], {1}) * static_cast<double>(i + 1) + once[static_cast<std::size_t>(i)]);
    }
    sum(concat(joined)).backward();
    // The last element goes into every second half, every element into its own sum.
    for (int i = 0; i < parts; ++i) CHECK(x.grad().at({i}) == 1 + (i + 1 == parts ? parts * (parts + 1) / 2 : 0));
  }
}
