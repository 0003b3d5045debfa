#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>

#include <fmt/format.h>

#include <weft/engine/error.hpp>
#include <weft/nn/detail/html.hpp>

namespace weft::detail {
namespace {

using TemporaryFile = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

// Without a name: gone with the last who has it open.
TemporaryFile temporary_file(const char* op) {
  TemporaryFile file(std::tmpfile(), &std::fclose);
  if (!file) fail(op, ": cannot make a temporary file: ", std::strerror(errno));
  return file;
}

struct SpawnActions {
  posix_spawn_file_actions_t actions{};
  SpawnActions() { posix_spawn_file_actions_init(&actions); }
  ~SpawnActions() { posix_spawn_file_actions_destroy(&actions); }
  SpawnActions(const SpawnActions&) = delete;
  SpawnActions& operator=(const SpawnActions&) = delete;
};

// Takes out what stands between two marks, with them.
void remove_between(std::string& text, std::string_view begin, std::string_view end) {
  std::string kept;
  std::size_t at = 0;
  for (std::size_t from = 0; (from = text.find(begin, at)) != std::string::npos;) {
    const std::size_t to = text.find(end, from + begin.size());
    if (to == std::string::npos) break;
    kept.append(text, at, from - at);
    at = to + end.size();
  }
  text = kept.append(text, at);
}

struct ViewBox {
  double x = 0, y = 0, width = 0, height = 0;
};

// Nothing if there is none.
std::optional<ViewBox> view_box(std::string_view svg_tag) {
  constexpr std::string_view attribute = "viewBox=\"";
  const std::size_t at = svg_tag.find(attribute);
  if (at == std::string_view::npos) return std::nullopt;
  ViewBox box;
  const char* next = svg_tag.data() + at + attribute.size();
  for (double* const number : {&box.x, &box.y, &box.width, &box.height}) {
    const char* const limit = svg_tag.data() + svg_tag.size();
    const auto [end, error] = std::from_chars(next, limit, *number);
    if (error != std::errc() || end == limit) return std::nullopt;
    next = end + 1;  // a space, or the quote
  }
  return box;
}

std::string svg_of(const std::string& dot) {
  constexpr const char* op = "Page: graph";
  // The program reads and writes files, not pipes: so neither waits for the other.
  const TemporaryFile in = temporary_file(op), out = temporary_file(op);
  if (std::fwrite(dot.data(), 1, dot.size(), in.get()) != dot.size() || std::fflush(in.get()) != 0)
    fail(op, ": cannot write a temporary file: ", std::strerror(errno));
  std::rewind(in.get());
  SpawnActions files;
  posix_spawn_file_actions_t* const actions = &files.actions;
  posix_spawn_file_actions_adddup2(actions, fileno(in.get()), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(actions, fileno(out.get()), STDOUT_FILENO);
  posix_spawn_file_actions_addopen(actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  char program[] = "dot", format[] = "-Tsvg", background[] = "-Gbgcolor=transparent";
  char* const arguments[] = {program, format, background, nullptr};
  pid_t child = 0;
  if (const int error = posix_spawnp(&child, program, actions, nullptr, arguments, environ); error != 0)
    fail(op, ": cannot run the program dot: ", std::strerror(error), "; needs the package graphviz");
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  std::string svg;
  std::rewind(out.get());
  char buffer[1 << 14];
  while (const std::size_t got = std::fread(buffer, 1, sizeof buffer, out.get())) svg.append(buffer, got);
  if (status != 0 || svg.find("</svg>") == std::string::npos) fail(op, ": the program dot failed on the graph");
  return svg;
}

}  // namespace

std::string html_of_graph(const std::string& dot) {
  std::string svg = svg_of(dot);
  // Its names of nodes and comments say nothing that is not there, and their ids are those of every graph.
  remove_between(svg, "<title>", "</title>\n");
  remove_between(svg, "<!--", "-->\n");
  remove_between(svg, " id=\"", "\"");
  const std::size_t head = svg.find("<svg"), begin = svg.find('>', head) + 1, end = svg.rfind("</svg>");
  const std::optional<ViewBox> box = view_box(std::string_view(svg).substr(0, begin));
  if (!box) fail("Page: graph: the program dot gave no SVG");
  const double margin = std::max(0.0, (700 - box->width) / 2);  // what is small is not blown up
  return html_view(0.8, 1.25, "shortcuts are red",
                   fmt::format("<svg class=\"net\" role=\"img\" aria-label=\"graph by module\" "
                               "viewBox=\"{:.2f} {:.2f} {:.2f} {:.2f}\">{}</svg>",
                               box->x - margin, box->y, box->width + 2 * margin, box->height,
                               std::string_view(svg).substr(begin, end - begin)));
}

}  // namespace weft::detail
