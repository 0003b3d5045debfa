// Pictures of the tape in Graphviz's language.
#include <algorithm>
#include <map>

#include <weft/engine/detail/picture.hpp>
#include <weft/engine/graph.hpp>

namespace weft {
namespace {

using detail::Arrow;
using detail::Picture;
using detail::Vertex;

// A string of Graphviz's: it knows escapes, and entities as HTML has them.
std::string in_quotes(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '\n')
      out += "\\n";
    else if (c == '"' || c == '\\')
      out.append({'\\', c});
    else if (c == '&')
      out += "&amp;";
    else if (static_cast<unsigned char>(c) < ' ' || c == '\x7f')
      out += ' ';
    else
      out += c;
  }
  return out + '"';
}

class Writer {
 public:
  explicit Writer(const Picture& picture) : picture_(picture) {}

  std::string text() && { return "digraph tape {\n" + std::move(text_) + "}\n"; }

  void line(const std::string& text) { text_.append(indent_, ' ').append(text).append("\n"); }

  void vertex(std::size_t v) {
    const Vertex& vertex = picture_.vertices[v];
    std::string label = vertex.name, look;
    switch (vertex.kind) {
      case Vertex::Kind::op: break;
      case Vertex::Kind::module: look = "shape=box, style=\"rounded,filled\", fillcolor=white, "; break;
      case Vertex::Kind::leaf: look = "shape=box, style=filled, fillcolor=lightblue, "; break;
      case Vertex::Kind::constant: look = "shape=box, style=filled, fillcolor=lightyellow, "; break;
    }
    if (label.empty() && vertex.kind == Vertex::Kind::leaf) label = "leaf";
    if (label.empty() && vertex.kind == Vertex::Kind::constant) label = "input";
    for (const std::string& more : vertex.lines) label += (label.empty() ? "" : "\n") + more;
    line(id(v) + " [" + look + "label=" + in_quotes(label) + "];");
  }

  void arrow(const Arrow& arrow, bool constraint = true) {
    std::string look;
    if (arrow.shortcut) look = ", color=red, fontcolor=red, penwidth=2";
    if (arrow.shortcut || !constraint) look += ", constraint=false";
    line(id(arrow.from) + " -> " + id(arrow.to) + " [label=" + in_quotes(arrow.shape) + look + "];");
  }

  std::string id(std::size_t v) const {
    const char* const names[] = {"op", "module", "leaf", "input"};
    return names[static_cast<std::size_t>(picture_.vertices[v].kind)] + std::to_string(v);
  }

  // A frame for each name of the modules' paths, with what is inside.
  void frames() {
    Frame root;
    const std::vector<std::string> modules = modules_of_vertices();
    for (std::size_t v = 0; v < modules.size(); ++v) {
      Frame* frame = &root;
      for (std::size_t at = 0; at < modules[v].size();) {
        const std::size_t end = std::min(modules[v].find('.', at), modules[v].size());
        const std::string name = modules[v].substr(at, end - at);
        auto found = std::find_if(frame->inner.begin(), frame->inner.end(), [&](auto& f) { return f.name == name; });
        if (found == frame->inner.end()) found = frame->inner.insert(found, Frame{.name = name});
        frame = &*found;
        at = end + 1;
      }
      frame->vertices.push_back(v);
    }
    write(root);
  }

 private:
  struct Frame {
    std::string name = {};
    std::vector<std::size_t> vertices = {};
    std::vector<Frame> inner = {};
  };

  // A weight is where the ops are that use it, if they are in one module.
  std::vector<std::string> modules_of_vertices() const {
    std::vector<std::string> modules;
    for (const Vertex& vertex : picture_.vertices) modules.push_back(vertex.module);
    std::vector<bool> used(modules.size(), false);
    for (const Arrow& arrow : picture_.arrows) {
      if (picture_.vertices[arrow.from].kind == Vertex::Kind::op) continue;
      std::string& module = modules[arrow.from];
      if (!used[arrow.from] && !arrow.data)
        module = modules[arrow.to];
      else if (arrow.data || module != modules[arrow.to])
        module.clear();
      used[arrow.from] = true;
    }
    return modules;
  }

  void write(const Frame& frame) {
    for (const std::size_t v : frame.vertices) vertex(v);
    for (const Frame& inner : frame.inner) {
      line("subgraph cluster" + std::to_string(frames_++) + " {");
      indent_ += 2;
      line("label=" + in_quotes(inner.name) + ";");
      write(inner);
      indent_ -= 2;
      line("}");
    }
  }

  const Picture& picture_;
  std::string text_;
  std::size_t indent_ = 2, frames_ = 0;
};

constexpr std::size_t longest_column = 10;

// In which column each vertex stands. A column may begin with a vertex through which everything passes.
std::vector<std::size_t> columns_of(const Picture& picture) {
  const std::size_t count = picture.vertices.size();
  std::vector<std::size_t> rank(count, 0), last_use(count, 0);
  std::size_t ranks = 0;
  for (const Arrow& arrow : picture.arrows) {
    rank[arrow.to] = std::max(rank[arrow.to], rank[arrow.from] + 1);
    ranks = std::max(ranks, rank[arrow.to] + 1);
    last_use[arrow.from] = std::max(last_use[arrow.from], arrow.to);
  }
  const std::size_t wanted = (ranks + longest_column - 1) / longest_column;
  const std::size_t length = wanted > 1 ? (ranks + wanted - 1) / wanted : ranks;
  std::vector<std::size_t> columns(count, 0);
  std::size_t column = 0, column_begins = 0, open_until = 0;
  for (std::size_t v = 0; v < count; ++v) {
    const bool alone = open_until <= v;  // nothing before v is used after it
    if (alone && rank[v] >= column_begins + length) {
      ++column;
      column_begins = rank[v];
    }
    columns[v] = column;
    open_until = std::max(open_until, last_use[v]);
  }
  return columns;
}

void write_columns(Writer& out, const Picture& picture) {
  const std::vector<std::size_t> columns = columns_of(picture);
  std::string heads, order;
  for (std::size_t v = 0; v < columns.size(); ++v) {
    if (v == 0 || columns[v] != columns[v - 1]) {
      heads += " " + out.id(v) + ";";
      order += (order.empty() ? "" : " -> ") + out.id(v);
    }
    out.vertex(v);
  }
  if (!columns.empty() && columns.back() > 0) {
    out.line("{ rank=same;" + heads + " }");
    out.line(order + " [style=invis];");
  }
  for (const Arrow& arrow : picture.arrows) out.arrow(arrow, columns[arrow.from] == columns[arrow.to]);
}

}  // namespace

std::string to_dot(const Tensor& result, const std::vector<std::pair<std::string, Tensor>>& names, DotOptions options) {
  if (options.by_module && options.depth < 0) fail("to_dot: got depth ", options.depth, ", needs at least 0");
  const Picture ops = detail::picture_of(result, detail::Names(names));
  const Picture picture = options.by_module ? detail::folded(ops, options.depth) : Picture();
  Writer out(options.by_module ? picture : ops);
  out.line("rankdir=TB;");
  out.line("node [fontname=\"sans-serif\", fontsize=12];");
  out.line("edge [fontname=\"sans-serif\", fontsize=10];");
  if (options.by_module) {
    out.line("ranksep=0.3;");
    out.line("nodesep=0.15;");
    write_columns(out, picture);
  } else {
    out.line("graph [fontname=\"sans-serif\", labeljust=l, style=rounded, color=gray];");
    out.frames();
    for (const Arrow& arrow : ops.arrows) out.arrow(arrow);
  }
  return std::move(out).text();
}

}  // namespace weft
