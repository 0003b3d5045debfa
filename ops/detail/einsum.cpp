#include <weft/ops/detail/einsum.hpp>

#include <bit>
#include <limits>

#include <weft/engine/error.hpp>

namespace weft::detail {
namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// Letters, and 0 once where "..." stands.
Labels parsed(std::string_view term, std::string_view equation) {
  Labels labels;
  for (std::size_t i = 0; i < term.size(); ++i) {
    if (term[i] == ' ') continue;
    if (is_letter(term[i])) {
      labels.push_back(term[i]);
    } else if (term.substr(i, 3) == "..." && !contains(labels, 0)) {
      labels.push_back(0);
      i += 2;
    } else {
      fail("einsum: got '", equation, "', needs terms of letters and at most one '...' each, and one '->' at most");
    }
  }
  return labels;
}

// The same with labels for the axes that "..." stands for.
Labels spread(const Labels& parsed, std::int64_t dots) {
  Labels labels;
  for (const int label : parsed) {
    if (label != 0) labels.push_back(label);
    for (std::int64_t k = dots; label == 0 && k > 0; --k) labels.push_back(static_cast<int>(-k));
  }
  return labels;
}

// Sets of labels, or of operands, as bits.
using Bits = std::uint64_t;

constexpr double infinity = std::numeric_limits<double>::infinity();

class Order {
 public:
  using Pairs = std::vector<std::pair<std::size_t, std::size_t>>;

  Order(const std::vector<Labels>& operands, const Labels& output, const std::map<int, std::int64_t>& sizes) {
    std::map<int, Bits> bits;
    for (const auto& [label, size] : sizes) {
      bits[label] = Bits{1} << sizes_.size();
      sizes_.push_back(static_cast<double>(size));
    }
    const auto set = [&](const Labels& labels) {
      Bits all = 0;
      for (const int label : labels) all |= bits.at(label);
      return all;
    };
    for (const Labels& operand : operands) operands_.push_back(set(operand));
    output_ = set(output);
  }

  // Multiplications and additions, and elements written, of the cheapest way to each set of operands.
  Pairs cheapest() {
    const std::size_t count = operands_.size(), all = (std::size_t{1} << count) - 1;
    kept_.assign(all + 1, 0);
    cost_.assign(all + 1, 0);
    part_.assign(all + 1, 0);
    for (std::size_t set = 1; set <= all; ++set) {
      Bits inside = 0, outside = output_;
      for (std::size_t k = 0; k < count; ++k) (((set >> k) & 1U) != 0 ? inside : outside) |= operands_[k];
      kept_[set] = inside & outside;
      if (std::has_single_bit(set)) continue;
      cost_[set] = infinity;
      const std::size_t lowest = set & (~set + 1);
      for (std::size_t part = (set - 1) & set; part > 0; part = (part - 1) & set) {
        if ((part & lowest) == 0) continue;
        const std::size_t rest = set ^ part;
        const double cost = cost_[part] + cost_[rest] + size(kept_[part] | kept_[rest]) + size(kept_[set]);
        if (cost < cost_[set] || part_[set] == 0) cost_[set] = cost, part_[set] = part;
      }
    }
    Pairs pairs;
    list(all, pairs);
    return pairs;
  }

  // Always the pair whose product takes up least compared to its factors; of several, the one that is least work.
  Pairs greedy() {
    Pairs pairs;
    std::vector<std::size_t> left;
    for (std::size_t k = 0; k < operands_.size(); ++k) left.push_back(k);
    while (left.size() > 1) {
      std::pair<std::size_t, std::size_t> chosen = {0, 1};
      std::pair<double, double> best = {infinity, infinity};
      for (std::size_t i = 0; i < left.size(); ++i)
        for (std::size_t j = i + 1; j < left.size(); ++j) {
          const Bits a = operands_[left[i]], b = operands_[left[j]];
          const double grown = size((a | b) & needed_without(left, i, j)) - size(a) - size(b);
          const std::pair<double, double> cost = {grown, size(a | b)};
          if (cost < best) best = cost, chosen = {i, j};
        }
      const auto [i, j] = chosen;
      const std::size_t one = left[i], other = left[j];
      pairs.emplace_back(one, other);
      operands_[one] = (operands_[one] | operands_[other]) & needed_without(left, i, j);
      left.erase(left.begin() + static_cast<std::ptrdiff_t>(j));
    }
    return pairs;
  }

 private:
  double size(Bits labels) const {
    double n = 1;
    for (; labels != 0; labels &= labels - 1) n *= sizes_[static_cast<std::size_t>(std::countr_zero(labels))];
    return n;
  }
  Bits needed_without(const std::vector<std::size_t>& left, std::size_t i, std::size_t j) const {
    Bits needed = output_;
    for (std::size_t k = 0; k < left.size(); ++k)
      if (k != i && k != j) needed |= operands_[left[k]];
    return needed;
  }
  // Returns which operand then stands for the set.
  std::size_t list(std::size_t set, Pairs& pairs) const {
    if (std::has_single_bit(set)) return static_cast<std::size_t>(std::countr_zero(set));
    const std::size_t one = list(part_[set], pairs), other = list(set ^ part_[set], pairs);
    pairs.emplace_back(one, other);
    return one;
  }

  std::vector<double> sizes_;   // of each label
  std::vector<Bits> operands_;  // their labels
  Bits output_ = 0;
  std::vector<Bits> kept_;         // of a set of operands: the labels that its product keeps
  std::vector<double> cost_;       // what it costs to make that
  std::vector<std::size_t> part_;  // and the one of its two factors
};

}  // namespace

EinsumEquation::EinsumEquation(std::string_view text, const Tensors& operands) {
  if (operands.empty()) fail("einsum: got no operands, needs at least one");
  for (const Tensor& operand : operands) {
    check_same_dtype("einsum", operands.front(), operand);
    check_floating("einsum", operand);
  }
  const std::size_t arrow = text.find("->");
  std::string_view left = text.substr(0, arrow);
  std::vector<Labels> terms;
  for (bool last = false; !last;) {
    const std::size_t comma = left.find(',');
    last = comma == std::string_view::npos;
    terms.push_back(parsed(left.substr(0, comma), text));
    if (!last) left.remove_prefix(comma + 1);
  }
  if (terms.size() != operands.size())
    fail("einsum: got ", operands.size(), " operands for '", text, "', needs ", terms.size());

  std::int64_t most_dots = 0;
  for (std::size_t k = 0; k < terms.size(); ++k) {
    const bool has_dots = contains(terms[k], 0);
    const auto letters = static_cast<std::int64_t>(terms[k].size()) - (has_dots ? 1 : 0);
    const std::int64_t dots = operands[k].rank() - letters;
    if (dots < 0 || (dots > 0 && !has_dots))
      fail("einsum: got an operand of shape ", operands[k].shape(), " for term ", k, " of '", text, "', needs ",
           letters, has_dots ? " axes or more" : " axes");
    inputs.push_back(spread(terms[k], dots));
    most_dots = std::max(most_dots, dots);
    for (std::size_t i = 0; i < inputs[k].size(); ++i) {
      const int label = inputs[k][i];
      const std::int64_t size = operands[k].shape()[static_cast<int>(i)];
      const auto [known, is_new] = sizes.try_emplace(label, size);
      const auto first = static_cast<int>(std::find(inputs[k].begin(), inputs[k].end(), label) - inputs[k].begin());
      const bool differs = operands[k].shape()[first] != size;  // a diagonal is not broadcast
      if (differs || (known->second != size && known->second != 1 && size != 1))
        fail("einsum: got sizes ", differs ? operands[k].shape()[first] : known->second, " and ", size,
             label < 0 ? std::string(" for an axis of '...'")
                       : " for '" + std::string(1, static_cast<char>(label)) + "'",
             " in '", text, "', needs the same", differs ? "" : " or 1");
      if (known->second == 1) known->second = size;
    }
  }

  if (arrow != std::string_view::npos) {
    output = spread(parsed(text.substr(arrow + 2), text), most_dots);
    for (const int label : output)
      if (std::count(output.begin(), output.end(), label) != 1 || sizes.count(label) == 0)
        fail("einsum: got '", text, "', needs every letter of the result once, and in a term");
    return;
  }
  for (const auto& [label, size] : sizes) {  // in alphabetical order, those of "..." first
    std::ptrdiff_t count = 0;
    for (const Labels& input : inputs) count += std::count(input.begin(), input.end(), label);
    if (label < 0 || count == 1) output.push_back(label);
  }
}

std::vector<std::pair<std::size_t, std::size_t>> contraction_order(const std::vector<Labels>& operands,
                                                                   const Labels& output,
                                                                   const std::map<int, std::int64_t>& sizes) {
  constexpr std::size_t few = 8;
  Order order(operands, output, sizes);
  return operands.size() <= few ? order.cheapest() : order.greedy();
}

}  // namespace weft::detail
