// How tensors look in a stream.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ostream>

#include <weft/engine/detail/node.hpp>

namespace weft {
namespace {

constexpr std::int64_t threshold = 1000;  // elements above which only the edges of each axis are shown
constexpr std::int64_t edge_items = 3;

std::string printed(const char* format, double value, int precision = 0) {
  char buffer[400];  // the longest double without an exponent has 309 digits before the point
  const int n = std::snprintf(buffer, sizeof buffer, format, precision, value);
  return {buffer, static_cast<std::size_t>(n)};
}

class Printer {
 public:
  explicit Printer(const Tensor& t) : tensor_(t), shortened_(t.size() > threshold) {
    if (t.size() == 0) return;
    collect(0, 0);
    choose_format();
    for (double value : shown_) width_ = std::max(width_, format(value).size());
    if (t.dtype() == i64)
      for (std::int64_t at : positions_) width_ = std::max(width_, element(at).size());
  }

  std::string text() const {
    std::string out;
    write(out, 0, 0);
    return out;
  }

 private:
  template <class F>
  void each_index(int axis, F f) const {
    const std::int64_t n = tensor_.shape()[axis];
    const bool skips = shortened_ && n > 2 * edge_items;
    for (std::int64_t i = 0; i < n; ++i) {
      if (skips && i == edge_items) {
        f(i, true);
        i = n - edge_items;
      }
      f(i, false);
    }
  }

  // The elements that will be shown decide the format. The depth of these two is the rank.
  void collect(int axis, std::int64_t at) {
    if (axis == tensor_.rank()) {
      positions_.push_back(at);
      detail::visit_dtype(tensor_.dtype(), [&](auto zero) {
        shown_.push_back(static_cast<double>(detail::data_of<decltype(zero)>(tensor_)[at]));
      });
      return;
    }
    each_index(axis, [&](std::int64_t i, bool skipped) {
      if (!skipped) collect(axis + 1, at * tensor_.shape()[axis] + i);
    });
  }

  void choose_format() {
    if (!is_floating(tensor_.dtype())) return;
    double largest = 0.0, smallest = INFINITY;
    bool whole = true;
    for (double value : shown_) {
      if (!std::isfinite(value)) continue;
      whole = whole && value == std::nearbyint(value);
      largest = std::max(largest, std::abs(value));
      if (value != 0.0) smallest = std::min(smallest, std::abs(value));
    }
    scientific_ = largest >= 1e8 || (!whole && (smallest < 1e-4 || largest / smallest > 1e6));
    if (whole && !scientific_) return;
    // As many digits, up to four, as some element needs.
    for (double value : shown_) {
      if (!std::isfinite(value)) continue;
      std::string digits = printed(scientific_ ? "%.*e" : "%.*f", value, 4);
      digits = digits.substr(0, digits.find('e'));
      const std::size_t point = digits.find('.'), last = digits.find_last_not_of('0');
      precision_ = std::max(precision_, static_cast<int>(last - std::min(point, last)));
    }
  }

  std::string format(double value) const {
    if (std::isnan(value)) return "nan";
    if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
    if (!is_floating(tensor_.dtype())) return printed("%.*f", value);
    std::string text = printed(scientific_ ? "%.*e" : "%.*f", value, precision_);
    return precision_ == 0 && !scientific_ ? text + "." : text;
  }

  std::string element(std::int64_t at) const {
    if (tensor_.dtype() == i64) return std::to_string(detail::data_of<std::int64_t>(tensor_)[at]);
    return detail::visit_dtype(tensor_.dtype(), [&](auto zero) {
      return format(static_cast<double>(detail::data_of<decltype(zero)>(tensor_)[at]));
    });
  }

  void write(std::string& out, int axis, std::int64_t at) const {
    if (axis == tensor_.rank()) {
      const std::string text = element(at);
      out.append(width_ - std::min(width_, text.size()), ' ').append(text);
      return;
    }
    out += '[';
    const auto depth = static_cast<std::size_t>(axis), rest = static_cast<std::size_t>(tensor_.rank() - axis - 1);
    bool first = true;
    each_index(axis, [&](std::int64_t i, bool skipped) {
      if (!first) {
        out += ',';
        if (rest == 0)
          out += ' ';
        else
          out.append(rest, '\n').append(depth + 1, ' ');
      }
      first = false;
      if (skipped)
        out += "...";
      else
        write(out, axis + 1, at * tensor_.shape()[axis] + i);
    });
    out += ']';
  }

  const Tensor& tensor_;
  bool shortened_, scientific_ = false;
  int precision_ = 0;
  std::size_t width_ = 0;
  std::vector<double> shown_;
  std::vector<std::int64_t> positions_;
};

}  // namespace

std::ostream& operator<<(std::ostream& out, DType dtype) { return out << name_of(dtype); }

std::ostream& detail::operator<<(std::ostream& out, const IntList& list) { return out << to_text(list); }

std::ostream& operator<<(std::ostream& out, const Tensor& t) {
  if (!t.defined()) return out << "undefined tensor";
  out << Printer(t).text() << (t.rank() > 1 ? '\n' : ' ') << name_of(t.dtype()) << ' ' << detail::to_text(t.shape());
  if (const std::string name = t.name(); !name.empty()) out << " '" << name << '\'';
  if (const Node* node = t.impl()->node)
    out << " from " << node->op_name();
  else if (t.requires_grad())
    out << " requires gradient";
  return out;
}

}  // namespace weft
