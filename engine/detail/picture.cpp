#include <weft/engine/detail/picture.hpp>

#include <algorithm>
#include <utility>

#include <weft/engine/scope.hpp>

namespace weft::detail {
namespace {

// Whether what is no op's output seems to be data, by its shape: it has as many axes as what the op made of it and as
// many rows. Weights, biases and statistics do not; integers are labels or indices.
bool seems_data(const Edge& edge, const Node* node) {
  const Meta& output = node->output(0);
  if (!is_floating(edge.dtype) || output.rank == 0) return true;
  return edge.rank == output.rank && edge.sizes()[0] == output.sizes()[0];
}

class Builder {
 public:
  Builder(const Tensor& result, const Names& names) : names_(names) {
    const std::vector<const Node*> nodes = nodes_behind({result});
    for (const Node* node : nodes) add(node);
    if (nodes.empty() && result.requires_grad()) leaf(Names(names).of_leaf(result.impl()), result.shape());
  }
  Picture picture;

 private:
  void add(const Node* node) {
    const std::size_t first_arrow = picture.arrows.size();
    for (int i = 0; i < node->input_count(); ++i) {
      const Edge& edge = node->edge(i);
      if (edge.target == 0 && edge.output == 0) continue;  // an absent input
      const bool computed = edge.target != 0 && !edge.is_leaf();
      picture.arrows.push_back({.from = computed ? ops_.at(edge.node()) : source(edge),
                                .shape = to_text(edge.shape()),
                                .data = computed || seems_data(edge, node)});
    }
    const std::size_t here = picture.vertices.size();
    for (std::size_t a = first_arrow; a < picture.arrows.size(); ++a) picture.arrows[a].to = here;
    Vertex vertex{.name = names_.of_node(node), .lines = {node->op_name()}, .module = path_of_scope(node->scope())};
    if (std::string fields = to_text(node->fields()); !fields.empty()) vertex.lines.push_back(std::move(fields));
    vertex.lines.push_back(outputs_text(node));
    picture.vertices.push_back(std::move(vertex));
    if (node->kind().halves != nullptr) split(node);
    ops_.try_emplace(node, picture.vertices.size() - 1);
  }

  // Draws the node that was drawn last as two.
  void split(const Node* node) {
    const std::size_t first = picture.vertices.size() - 1;
    const Edge& last = node->edge(node->input_count() - 1);
    if (last.target != 0 || last.output != 0) picture.arrows.back().to = first + 1;
    Vertex& before = picture.vertices.back();
    Vertex after{.name = std::exchange(before.name, {}),
                 .lines = {node->kind().halves[1], before.lines.back()},
                 .module = before.module.substr(0, before.module.rfind('.') + 1)};
    if (!after.module.empty()) after.module.pop_back();
    before.lines[0] = node->kind().halves[0];
    picture.arrows.push_back({.from = first, .to = first + 1, .shape = to_text(node->output(0).shape())});
    picture.vertices.push_back(std::move(after));
  }

  // Edges to the same leaf or constant begin at one vertex.
  std::size_t source(const Edge& edge) {
    const auto key = edge.is_leaf() ? edge.target : std::uintptr_t{edge.output} << 1U;
    const auto [at, fresh] = sources_.try_emplace(key, picture.vertices.size());
    if (!fresh) return at->second;
    if (edge.is_leaf())
      leaf(names_.of_input(edge), edge.shape());
    else
      picture.vertices.push_back(
          {.kind = Vertex::Kind::constant, .name = names_.of_input(edge), .lines = {to_text(edge.shape())}});
    return at->second;
  }
  void leaf(std::string name, const Shape& shape) {
    picture.vertices.push_back({.kind = Vertex::Kind::leaf, .name = std::move(name), .lines = {to_text(shape)}});
  }

  const Names& names_;
  std::unordered_map<const Node*, std::size_t> ops_;
  std::unordered_map<std::uintptr_t, std::size_t> sources_;  // leaves have odd keys, constants even ones
};

}  // namespace

Picture picture_of(const Tensor& result, const Names& names) {
  Picture picture = std::move(Builder(result, names).picture);
  find_shortcuts(picture);
  return picture;
}

void find_shortcuts(Picture& picture) {
  const std::size_t count = picture.vertices.size();
  std::vector<std::size_t> first_use(count, count), last_use(count, 0);
  for (const Arrow& arrow : picture.arrows) {
    if (!arrow.data) continue;
    first_use[arrow.from] = std::min(first_use[arrow.from], arrow.to);
    last_use[arrow.from] = std::max(last_use[arrow.from], arrow.to);
  }
  // Of each vertex: those on the way to it whose last use is still to come, in order.
  std::vector<std::vector<std::size_t>> open(count);
  std::vector<std::size_t> passing, joined;
  for (std::size_t a = 0; a < picture.arrows.size();) {
    const std::size_t to = picture.arrows[a].to, begin = a;
    for (; a < picture.arrows.size() && picture.arrows[a].to == to; ++a) {
      const auto& before = open[picture.arrows[a].from];
      joined.clear();
      std::set_union(passing.begin(), passing.end(), before.begin(), before.end(), std::back_inserter(joined));
      passing.swap(joined);
    }
    for (std::size_t k = begin; k < a; ++k) {
      Arrow& arrow = picture.arrows[k];
      arrow.shortcut = arrow.data && std::binary_search(passing.begin(), passing.end(), arrow.from);
    }
    for (std::size_t k = begin; k < a; ++k) {
      const std::size_t from = picture.arrows[k].from;
      const auto place = std::lower_bound(passing.begin(), passing.end(), from);
      if (first_use[from] < last_use[from] && (place == passing.end() || *place != from)) passing.insert(place, from);
    }
    std::erase_if(passing, [&](std::size_t u) { return last_use[u] <= to; });
    open[to] = std::move(passing);
    passing.clear();
  }
}

}  // namespace weft::detail
