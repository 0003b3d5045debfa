// A picture by module: consecutive ops of a module become one box.
#include <algorithm>
#include <map>
#include <numeric>
#include <span>
#include <tuple>
#include <unordered_set>

#include <weft/engine/detail/picture.hpp>

namespace weft::detail {
namespace {

// The first `depth` names of a dotted path, all if there are fewer.
std::string_view shortened(std::string_view path, int depth) {
  std::size_t end = 0;
  for (int i = 0; i < depth && end < path.size(); ++i) end = std::min(path.find('.', end + (i > 0)), path.size());
  return path.substr(0, end);
}
int depth_of(std::string_view path) {
  return path.empty() ? 0 : 1 + static_cast<int>(std::count(path.begin(), path.end(), '.'));
}

// What several paths begin with, by whole names.
std::string common(std::string_view a, std::string_view b) {
  const int depth = std::min(depth_of(a), depth_of(b));
  for (int d = depth; d > 0; --d)
    if (shortened(a, d) == shortened(b, d)) return std::string(shortened(a, d));
  return {};
}

class Folder {
 public:
  Folder(const Picture& from, int depth)
      : from_(from), depth_(depth), run_of_(from.vertices.size(), 0), group_(from.vertices.size()) {
    find_runs();
    place();
    draw();
  }
  Picture result;

 private:
  bool is_op(std::size_t v) const { return from_.vertices[v].kind == Vertex::Kind::op; }

  // Ops that follow each other in the same module, and in the order of the tape: folding them makes no circle. What a
  // module with children does itself is shown apart above the depth, and at it from the op on that joins what nothing
  // else in the box does: a body and the shortcut around it, or the projection beside it.
  void find_runs() {
    std::unordered_set<std::string_view> with_children;
    for (const Vertex& v : from_.vertices)
      for (int d = depth_of(v.module) - 1; d >= 0; --d) with_children.insert(shortened(v.module, d));
    std::iota(group_.begin(), group_.end(), std::size_t{0});
    std::size_t arrow = 0;
    bool own = false;
    std::string_view key;
    for (std::size_t v = 0; v < from_.vertices.size(); ++v) {
      const std::size_t begin = arrow;
      while (arrow < from_.arrows.size() && from_.arrows[arrow].to == v) ++arrow;
      if (!is_op(v)) continue;
      const std::span inputs(from_.arrows.data() + begin, arrow - begin);
      const std::string_view path = from_.vertices[v].module;
      const int depth = depth_of(path);
      const bool joins = depth <= depth_ && joins_parts(inputs);
      if (!(own && key == path && !joins)) {
        const bool now_own = (depth < depth_ && with_children.contains(path)) || path.empty() || joins;
        const std::string_view now_key = now_own ? path : shortened(path, depth_);
        if (joins || runs_ == 0 || now_own != own || now_key != key) ++runs_, own_.push_back(now_own);
        own = now_own;
        key = now_key;
      }
      run_of_[v] = runs_;
      // Parts of a run that no arrow joins are boxes of their own.
      for (const Arrow& a : inputs)
        if (is_op(a.from) && run_of_[a.from] == runs_) {
          const std::size_t one = root(a.from), other = root(v);
          group_[std::max(one, other)] = std::min(one, other);
        }
    }
  }

  // Whether these lead from several parts of the last run, or from there and around it.
  bool joins_parts(std::span<const Arrow> inputs) {
    std::size_t part = from_.vertices.size();  // none
    bool around = false;
    for (const Arrow& a : inputs) {
      if (is_op(a.from) && run_of_[a.from] == runs_) {
        if (part != from_.vertices.size() && part != root(a.from)) return true;
        part = root(a.from);
      } else {
        around = around || a.shortcut;
      }
    }
    return around;
  }

  std::size_t root(std::size_t v) {
    while (group_[v] != v) v = group_[v] = group_[group_[v]];
    return v;
  }

  // Data are shown beside the boxes, before the run that first uses them; weights are not.
  void place() {
    std::vector<std::size_t> run_of_data(from_.vertices.size(), 0);
    for (auto a = from_.arrows.rbegin(); a != from_.arrows.rend(); ++a)
      if (!is_op(a->from) && a->data) run_of_data[a->from] = run_of_[a->to];
    std::vector<std::tuple<std::size_t, bool, std::size_t>> order;
    std::vector<int> boxes_in(runs_ + 1, 0);
    for (std::size_t v = 0; v < from_.vertices.size(); ++v) {
      if (is_op(v) && root(v) == v) order.emplace_back(run_of_[v], true, v), ++boxes_in[run_of_[v]];
      if (!is_op(v) && run_of_data[v] > 0) order.emplace_back(run_of_data[v], false, v);
    }
    std::sort(order.begin(), order.end());
    for (const auto& [run, op, v] : order) {
      place_of_.emplace(v, result.vertices.size());
      result.vertices.push_back(op ? box_of(v, boxes_in[run] > 1) : from_.vertices[v]);
    }
  }

  // The box of all ops of a group, of which `first` is the oldest.
  Vertex box_of(std::size_t first, bool beside_others) {
    const bool own = own_[run_of_[first] - 1];
    Vertex box{.kind = own ? Vertex::Kind::op : Vertex::Kind::module, .module = from_.vertices[first].module};
    std::vector<std::pair<std::string, int>> ops;
    for (std::size_t v = first; v < from_.vertices.size() && (!is_op(v) || run_of_[v] == run_of_[first]); ++v) {
      if (!is_op(v) || root(v) != first) continue;
      const Vertex& op = from_.vertices[v];
      box.module = common(box.module, op.module);
      if (!op.name.empty()) box.name += (box.name.empty() ? "" : ", ") + op.name;
      const auto known = std::find_if(ops.begin(), ops.end(), [&](const auto& o) { return o.first == op.lines[0]; });
      if (known == ops.end())
        ops.emplace_back(op.lines[0], 1);
      else
        ++known->second;
    }
    if (!own) box.lines.emplace_back(beside_others ? box.module : std::string(shortened(box.module, depth_)));
    std::string text;
    for (const auto& [op, times] : ops)
      text += (text.empty() ? "" : ", ") + (times > 1 ? std::to_string(times) + " " : "") + op;
    box.lines.push_back(std::move(text));
    return box;
  }

  void draw() {
    std::map<std::pair<std::size_t, std::size_t>, std::vector<std::string>> shapes;
    for (const Arrow& a : from_.arrows) {
      const auto from = place_of_.find(is_op(a.from) ? root(a.from) : a.from);
      const std::size_t to = place_of_.at(root(a.to));
      if (!a.data || from == place_of_.end() || from->second == to) continue;
      auto& list = shapes[{to, from->second}];
      if (std::find(list.begin(), list.end(), a.shape) == list.end()) list.push_back(a.shape);
    }
    for (const auto& [ends, list] : shapes) {
      std::string text;
      for (const std::string& shape : list) text += (text.empty() ? "" : ", ") + shape;
      result.arrows.push_back({.from = ends.second, .to = ends.first, .shape = text});
    }
  }

  const Picture& from_;
  const int depth_;
  std::vector<std::size_t> run_of_;  // of each op, from 1
  std::size_t runs_ = 0;
  std::vector<bool> own_;           // of each run: ops of a module itself
  std::vector<std::size_t> group_;  // of each op: another of its box, itself for the first
  std::unordered_map<std::size_t, std::size_t> place_of_;
};

}  // namespace

Picture folded(const Picture& picture, int depth) {
  Picture result = std::move(Folder(picture, depth).result);
  find_shortcuts(result);
  return result;
}

}  // namespace weft::detail
