// A page's structure, and names that are no HTML; what it looks like in a browser is tests/house/page.py's.
#include <doctest/doctest.h>
#include <tests/support/message_of.hpp>
#include <tests/support/temp_dir.hpp>
#include <weft/weft.hpp>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>

using namespace weft;

namespace {

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size()) ++found;
  return found;
}
bool has(const std::string& text, const std::string& part) { return count(text, part) > 0; }

std::string between(const std::string& text, const std::string& begin, const std::string& end) {
  const std::size_t from = text.find(begin);
  REQUIRE(from != std::string::npos);
  return text.substr(from + begin.size(), text.find(end, from) - from - begin.size());
}

struct Block : nn::Module {
  nn::Child<nn::Linear> inner{this, "inner", 4, 4}, outer{this, "outer", 4, 4};
  Tensor forward(const Tensor& x) override { return relu(outer(relu(inner(x))) + x); }
};

std::string written(const TempDir& dir, const nn::Page& page) {
  page.write(dir / "page.html");
  return file_bytes(dir / "page.html");
}

}  // namespace

TEST_CASE("sections stand in the order of the calls, each with what it shows") {
  const TempDir dir;
  nn::Sequential net(nn::make<Block>(), nn::make<Block>(), nn::make<Block>(), nn::Linear(4, 2));
  const Tensor x = randn({3, 4});
  Profile profile;
  const Tensor loss = mean(square(net(x)));
  loss.backward({.retain_graph = true});
  profile.stop();
  nn::Page page("Three blocks");
  page.profile(profile);
  page.summary(net, {3, 4});
  page.graph(loss, net.named_parameters());
  page.summary(net, x);
  page.summary(net, [&] { net(x); }, {.fold = false});
  const std::string text = written(dir, page);
  CHECK(text.starts_with("<!doctype html>"));
  CHECK(text.ends_with("</html>\n"));
  CHECK(has(text, "<title>Three blocks</title>"));
  CHECK(has(text, "default-src 'none'"));
  CHECK_FALSE(has(text, "http:"));
  CHECK_FALSE(has(text, "https:"));
  CHECK(count(text, "<section ") == 5);
  std::size_t before = 0;
  for (const char* id : {"profile", "summary", "graph", "summary-2", "summary-3"}) {
    const std::size_t at = text.find("<section id=\"" + std::string(id) + "\">");
    CHECK_MESSAGE((at != std::string::npos && at > before), id);
    CHECK(has(text, "<a href=\"#" + std::string(id) + "\">"));
    before = at;
  }
  for (const char* tag : {"section", "table", "thead", "tbody", "tfoot", "tr", "td", "th", "button", "div", "dl", "svg",
                          "script", "style", "a"})
    CHECK_MESSAGE(count(text, "<" + std::string(tag) + ">") + count(text, "<" + std::string(tag) + " ") ==
                      count(text, "</" + std::string(tag) + ">"),
                  tag);

  // The summary's numbers are summary()'s.
  const std::string table = between(text, "<section id=\"summary\">", "</section>");
  const auto parameters = [&](const Tensors& of) {
    std::int64_t sum = 0;
    for (const Tensor& p : of) sum += p.size();
    return sum;
  };
  CHECK(parameters(net.parameters()) == 130);
  CHECK(has(table, "<dt>parameters</dt><dd>130</dd>"));
  CHECK(count(table, "<tr data-level=") ==
        2 * (1 + 3) + 1 + 1);  // two modules with three layers, one like them, the last
  CHECK(count(table, "class=\"module\"") == 2);
  CHECK(has(table, "<button type=\"button\" aria-expanded=\"true\">0</button>"));
  CHECK(has(table,
            "title=\"0.inner\">inner</td><td>Linear</td><td>{3, 4}</td>"
            "<td class=\"bar\" style=\"--share:0.1538\">20</td>"));
  CHECK(has(table, "title=\"0\">(itself)</td><td>Block</td>"));
  CHECK(has(table, "title=\"2\">2</td><td>as 1</td>"));
  const std::string all = between(text, "<section id=\"summary-3\">", "</section>");
  CHECK(count(all, "class=\"module\"") == 3);
  CHECK(has(all, "title=\"2.inner\">inner</td>"));
  CHECK(count(all, "<tr") == 1 + 3 * (1 + 3) + 1 + 1);

  const std::string graph = between(text, "<section id=\"graph\">", "</section>");
  CHECK(has(graph, "<svg class=\"net\""));
  CHECK(count(graph, "stroke=\"red\"") >= 2);
  CHECK_FALSE(has(graph, "<title>"));
  CHECK_FALSE(has(graph, " id="));
  CHECK_FALSE(has(graph, "<?xml"));

  const std::string times = between(text, "<section id=\"profile\">", "</section>");
  CHECK(count(times, "<table class=\"sorted\">") == 2);
  const std::size_t rows = profile.rows().size() + profile.rows(true).size();
  double seconds = 0;
  for (const ProfileRow& row : profile.rows()) seconds += row.seconds;
  std::array<char, 64> in_all{};
  std::snprintf(in_all.data(), in_all.size(), "<dt>in all</dt><dd>%.3f ms</dd>", seconds * 1e3);
  CHECK_MESSAGE(has(times, in_all.data()), in_all.data());
  CHECK(count(times, "<tr>") == 2 + rows);
  const auto timeline = nlohmann::json::parse(between(times, "<script type=\"application/json\">", "</script>"));
  CHECK(timeline["op"].size() == profile.runs().size());
  CHECK(timeline["texts"][timeline["op"][0].get<std::size_t>()] == "linear");
  CHECK(timeline["texts"][timeline["module"][0].get<std::size_t>()] == "0.inner");
  CHECK(timeline["shapes"].size() == timeline["begin"].size());
}

TEST_CASE("a module's sums are those of its rows, parameters that are shared counted once") {
  const TempDir dir;
  const auto layer = nn::make<nn::Linear>(4, 4);
  nn::Sequential net(nn::make<nn::Sequential>(layer, layer, nn::make<nn::Sequential>(nn::Linear(4, 4), nn::ReLU())),
                     nn::Linear(4, 4));
  nn::Page page("shared");
  page.summary(net, {2, 4});
  const std::string table = written(dir, page);
  const auto row = [&](const std::string& path) { return between(table, "title=\"" + path + "\">", "</tr>"); };
  const auto number = [](double share, const char* text) {
    std::array<char, 64> cell{};
    std::snprintf(cell.data(), cell.size(), "<td class=\"bar\" style=\"--share:%.4f\">%s</td>", share, text);
    return std::string(cell.data());
  };
  CHECK(has(row("0"), "</td><td></td><td>{2, 4}</td>" + number(40. / 60, "40") + number(96. / 128, "96")));
  CHECK(has(row("0.2"), "</td><td></td><td>{2, 4}</td>" + number(20. / 60, "20") + number(32. / 128, "32")));
  CHECK(count(table, "title=\"0.0\">0</td><td>Linear</td><td>{2, 4}</td>") == 2);  // called twice, under one name
  CHECK(has(table, "<td class=\"bar\">shared</td>" + number(32. / 128, "32")));
  CHECK(has(row("1"), "1</td><td>Linear</td><td>{2, 4}</td>" + number(20. / 60, "20")));
  CHECK(has(table, "<tr data-level=\"2\"><td style=\"--level:2\" title=\"0.2.0\">0</td>"));
  CHECK(has(table, "<tr data-level=\"0\"><td style=\"--level:0\" title=\"1\">1</td>"));
}

TEST_CASE("names are text, whatever they are") {
  const TempDir dir;
  const std::string name = "<b>&\"'</script><!--\x01";
  struct Named : nn::Module {
    explicit Named(const std::string& of) { add_child(of, nn::make<nn::Linear>(2, 2)); }
    Tensor forward(const Tensor& x) override { return (*named_modules()[1].second)(x); }
  };
  Named net("<b>&\"'<!--");
  Tensor x = randn({1, 2});
  Profile profile;
  const Tensor y = net(x);
  const Scope scope("</script><img src=x>");
  const Tensor z = relu(y);
  profile.stop();
  nn::Page page(name);
  page.summary(net, {1, 2});
  page.graph(z, {{name, x}});
  page.profile(profile);
  const std::string text = written(dir, page);
  CHECK(has(text, "<title>&lt;b&gt;&amp;&quot;&#39;&lt;/script&gt;&lt;!-- </title>"));
  CHECK(has(text, "title=\"&lt;b&gt;&amp;&quot;&#39;&lt;!--\""));
  CHECK_FALSE(has(text, "<b>"));
  CHECK_FALSE(has(text, "<img"));
  CHECK_FALSE(has(text, "<!--"));
  CHECK(count(text, "</script>") == 2);
  const auto timeline = nlohmann::json::parse(between(text, "<script type=\"application/json\">", "</script>"));
  CHECK(timeline["texts"][timeline["module"].back().get<std::size_t>()] == "</script><img src=x>");
  CHECK(has(text, "<td>&lt;/script&gt;&lt;img src=x&gt;</td>"));

  nn::Page bytes("\xff\xfe");  // no UTF-8: a browser's business
  profile.stop();
  bytes.profile(profile);
  CHECK(has(written(dir, bytes), "\xff\xfe"));
}

TEST_CASE("pages that cannot be are refused") {
  const TempDir dir;
  nn::Page page("x");
  CHECK_THROWS_WITH_AS(page.write(dir / "x.html"), "Page: has no section, needs a summary, a graph or a profile",
                       Error);
  CHECK(dir.count() == 0);
  Profile none;
  none.stop();
  CHECK_THROWS_WITH_AS(page.profile(none), "Page: profile: nothing has run, needs at least one op", Error);
  nn::Linear layer(2, 2);
  CHECK_THROWS_AS(page.summary(layer, {1, 3}), Error);
  const Tensor y = layer(ones({1, 2}));
  CHECK_THROWS_AS(page.graph(y, {}, {.depth = -1}), Error);
  CHECK_THROWS_WITH_AS(page.graph(ones({2})), doctest::Contains("nothing was recorded"), Error);
  CHECK_THROWS_AS(page.graph(Tensor()), Error);

  const std::string path = std::getenv("PATH");
  setenv("PATH", dir.path().c_str(), 1);
  const std::string message = message_of([&] { page.graph(y); });
  std::vector<std::string> failed;
  for (const char* commands : {"echo '<svg viewBox=\"0 0 9 9\"></svg>'; exit 3", "exit 0", "echo '<svg></svg>'"}) {
    put_file(dir / "dot", "#!/bin/sh\n" + std::string(commands) + "\n");
    std::filesystem::permissions(dir / "dot", std::filesystem::perms::owner_all);
    failed.push_back(message_of([&] { page.graph(y); }));
  }
  setenv("PATH", path.c_str(), 1);
  CHECK(message == "Page: graph: cannot run the program dot: No such file or directory; needs the package graphviz");
  for (const std::size_t i : {0U, 1U}) CHECK(failed[i] == "Page: graph: the program dot failed on the graph");
  CHECK(failed[2] == "Page: graph: the program dot gave no SVG");
  CHECK_THROWS_AS(page.write(dir / "x.html"), Error);  // still no section

  page.summary(layer, {1, 2});
  CHECK_THROWS_WITH_AS(page.write(dir / "no/x.html"), doctest::Contains("Page: cannot write"), Error);
  CHECK_NOTHROW(page.write(dir / "x.html"));
  CHECK(has(file_bytes(dir / "x.html"), "<title>x</title>"));
  CHECK_FALSE(has(file_bytes(dir / "x.html"), "<nav>"));  // one section needs none
}

TEST_CASE("of many runs the first are drawn, and the page says so") {
  const TempDir dir;
  const NoGrad off;
  const Tensor x = ones({1});
  Profile profile;
  for (int i = 0; i < 100'005; ++i) relu(x);
  profile.stop();
  nn::Page page("many");
  page.profile(profile);
  const std::string text = written(dir, page);
  CHECK(has(text, "the first 100,000 of 100,005 runs"));
  CHECK(has(text, "<td>100,005</td>"));
  CHECK(nlohmann::json::parse(between(text, "<script type=\"application/json\">", "</script>"))["op"].size() ==
        100'000);
  CHECK(text.size() < 8'000'000);
}
