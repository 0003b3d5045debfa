#pragma once
// The nodes that a sweep over the tape has reached but not yet visited.
#include <weft/engine/detail/node.hpp>

#include <algorithm>
#include <bit>
#include <vector>

namespace weft::detail {

/// A priority queue of nodes, newest first, with a Value kept for each while it waits. Newest first is a topological
/// order (inputs are older than outputs), so nothing is ever stored for visited nodes: what a sweep holds grows with
/// the graph's width, not its length.
template <class Value>
class Frontier {
 public:
  bool empty() const { return heap_.empty(); }

  /// The value of a waiting node and false, or of one that is added now and true. Valid until the next call.
  std::pair<Value*, bool> find_or_add(Node* node) {
    // Most graphs are narrow: a few waiting nodes are found faster by looking at each.
    std::size_t slot = heap_.size() <= few ? look_through(node) : look_up(node);
    if (slot != none) return {&values_[slot], false};
    if (free_.empty()) {
      slot = values_.size();
      values_.emplace_back();
    } else {
      slot = free_.back();
      free_.pop_back();
    }
    heap_.push_back({node->stamp(), node, slot});
    std::push_heap(heap_.begin(), heap_.end());
    if (heap_.size() > few) insert(node, slot);
    return {&values_[slot], true};
  }

  /// Takes the newest node and its value out.
  std::pair<Node*, Value> pop() {
    std::pop_heap(heap_.begin(), heap_.end());
    const Entry top = heap_.back();
    heap_.pop_back();
    if (heap_.size() >= few) erase(top.node);
    if (heap_.size() == few) cells_.clear();
    Value value = std::move(values_[top.slot]);
    values_[top.slot] = Value{};
    free_.push_back(top.slot);
    return {top.node, std::move(value)};
  }

 private:
  static constexpr std::size_t few = 8;
  static constexpr std::size_t none = static_cast<std::size_t>(-1);

  struct Entry {
    std::uint64_t stamp;
    Node* node;
    std::size_t slot;
    bool operator<(const Entry& other) const { return stamp < other.stamp; }
  };

  std::size_t look_through(const Node* node) const {
    for (const Entry& entry : heap_)
      if (entry.node == node) return entry.slot;
    return none;
  }

  // A hash table with linear probing, by stamp; used while more than `few` nodes wait.
  struct Cell {
    Node* node = nullptr;
    std::size_t slot = 0;
  };
  std::size_t home(const Node* node) const {
    return static_cast<std::size_t>(node->stamp() * 0x9E3779B97F4A7C15U >> 20) & (cells_.size() - 1);
  }
  std::size_t next(std::size_t at) const { return (at + 1) & (cells_.size() - 1); }

  std::size_t look_up(const Node* node) const {
    for (std::size_t at = home(node); cells_[at].node != nullptr; at = next(at))
      if (cells_[at].node == node) return cells_[at].slot;
    return none;
  }
  void insert(Node* node, std::size_t slot) {
    if (heap_.size() * 2 > cells_.size()) {  // half full, or just grown past few: fill anew
      cells_.assign(std::bit_ceil(std::max<std::size_t>(64, heap_.size() * 4)), {});
      for (const Entry& entry : heap_) place(entry.node, entry.slot);
    } else {
      place(node, slot);
    }
  }
  void place(Node* node, std::size_t slot) {
    std::size_t at = home(node);
    while (cells_[at].node != nullptr) at = next(at);
    cells_[at] = {node, slot};
  }
  void erase(const Node* node) {
    std::size_t hole = home(node);
    while (cells_[hole].node != node) hole = next(hole);
    // Moves later cells of the run back, so that no search stops at the hole.
    for (std::size_t at = next(hole); cells_[at].node != nullptr; at = next(at)) {
      const std::size_t mask = cells_.size() - 1;
      if (((at - home(cells_[at].node)) & mask) < ((at - hole) & mask)) continue;
      cells_[hole] = cells_[at];
      hole = at;
    }
    cells_[hole] = {};
  }

  std::vector<Entry> heap_;
  std::vector<Value> values_;
  std::vector<std::size_t> free_;
  std::vector<Cell> cells_;
};

}  // namespace weft::detail
