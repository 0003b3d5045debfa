#pragma once
// A net, its graph and where its time goes, as a page for a browser.
#include <weft/engine/profile.hpp>
#include <weft/nn/summary.hpp>

namespace weft::nn {

struct PageGraphOptions {
  int depth = 2;  ///< boxes are the modules that many names below the root, as DotOptions says
};

/// One file of HTML that needs nothing else, no network either: `page.write("run.html")`, and open it in a browser. Its
/// sections are those that were asked for, in that order. What was called something is shown as text, whatever it is.
///   Page page("ResNet-20");
///   page.summary(net, {1, 32, 32, 3});
///   page.graph(loss, net.named_parameters());
///   page.profile(profile);
///   page.write("run.html");
/// On an Error the page is as it was.
class Page {
 public:
  explicit Page(std::string title) : title_(std::move(title)) {}

  /// What nn::summary() says, called as it is: a row a layer, with the sums of the modules around, which can be folded.
  void summary(Module& module, const Shape& shape, SummaryOptions options = {}) {
    add_summary(weft::detail::summary_call(module, shape), options);
  }
  template <std::derived_from<Module> M, std::convertible_to<const Tensor&>... More>
  void summary(M& module, const Tensor& input, const More&... more) {
    add_summary(weft::detail::summary_call(module, input, more...), {});
  }
  template <std::derived_from<Module> M, std::invocable F>
  void summary(M& module, F run, SummaryOptions options = {}) {
    add_summary(weft::detail::summary_call(module, {}, [&run]() -> decltype(auto) { return run(); }), options);
  }

  /// The tape behind `result` by module, shortcuts in red, as to_dot() says of `by_module`: to be zoomed and moved.
  /// Runs Graphviz's program `dot` (the package graphviz); throws Error if that is missing or fails,
  /// or nothing was recorded.
  void graph(const Tensor& result, const NamedTensors& names = {}, PageGraphOptions options = {});

  /// Where the time went: tables by op and by module, to be sorted by a click on a column's head, and all runs along
  /// the time, the first 100,000 if there are more. Throws Error if nothing has run.
  void profile(const Profile& profile);

  /// Throws Error if there is no section, or the file cannot be written.
  void write(const std::string& path) const;

 private:
  void add_summary(const weft::detail::SummaryCall& call, SummaryOptions options);
  void add(const char* id, const std::string& heading, const std::string& body);
  struct Section {
    std::string id, heading, body;
  };
  std::string title_;
  std::vector<Section> sections_;
};

}  // namespace weft::nn
