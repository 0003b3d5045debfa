#include <weft/nn/detail/html.hpp>

#include <algorithm>

#include <fmt/format.h>

namespace weft::detail {

std::string html_escaped(std::string_view text) {
  std::string result;
  for (const char c : text) switch (c) {
      case '&': result += "&amp;"; break;
      case '<': result += "&lt;"; break;
      case '>': result += "&gt;"; break;
      case '"': result += "&quot;"; break;
      case '\'': result += "&#39;"; break;
      default: result += static_cast<unsigned char>(c) < ' ' || c == '\x7f' ? ' ' : c;
    }
  return result;
}

std::string html_fact(const std::string& term, const std::string& value) {
  return fmt::format("<div><dt>{}</dt><dd>{}</dd></div>", html_escaped(term), html_escaped(value));
}

std::string html_bar_cell(const std::string& number, double part, double whole) {
  const double share = whole > 0 ? std::clamp(part / whole, 0.0, 1.0) : 0;
  return fmt::format("<td class=\"bar\" style=\"--share:{:.4f}\">{}</td>", share, number);
}

std::string html_view(double in, double out, const std::string& hint, const std::string& content) {
  const auto button = [](double factor, const char* text) {
    return fmt::format("<button type=\"button\" data-zoom=\"{}\">{}</button>", factor, text);
  };
  return "<div class=\"view\"><div class=\"tools\">" + button(in, "+") + button(out, "&minus;") + button(0, "whole") +
         "<span>drag to move, Ctrl and wheel to zoom; " + html_escaped(hint) + "</span></div>\n" + content + "</div>\n";
}

}  // namespace weft::detail
