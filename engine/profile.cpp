#include <weft/engine/profile.hpp>

#include <algorithm>
#include <chrono>
#include <map>
#include <tuple>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <weft/engine/detail/output_file.hpp>

namespace weft {
namespace {

using Clock = std::chrono::steady_clock;

const char* name_of(Pass pass) { return pass == Pass::forward ? "forward" : "backward"; }

std::int64_t size_in_bytes(const Tensor& t) {
  return t.defined() ? t.size() * static_cast<std::int64_t>(size_of(t.dtype())) : 0;
}

std::string shape_text(const Tensor& t) { return t.defined() ? detail::to_text(t.shape()) : "-"; }

struct Event : ProfileRun {
  Clock::time_point from = {}, to = {};  // `to` is not set before it has ended
};

}  // namespace

class Profile::Recorder : public Observer {
 public:
  void before(const OpCall& call) override {
    Event event;
    event.op = call.op(), event.module = call.module(), event.fields = to_text(call.fields());
    event.pass = call.pass();
    for (const Tensor* t : call.inputs()) {
      event.bytes += size_in_bytes(*t);
      event.shapes += (event.shapes.empty() ? "" : ", ") + shape_text(*t);
    }
    event.depth = open_.size();
    open_.push_back(events.size());
    events.push_back(std::move(event));
    events.back().from = Clock::now();
  }

  void after(const OpCall& call) override {
    const auto now = Clock::now();
    if (open_.empty()) return;  // it began before the profile
    Event& event = events[open_.back()];
    open_.pop_back();
    event.to = now;
    event.seconds = std::chrono::duration<double>(event.to - event.from).count();
    event.shapes += " -> ";
    for (std::size_t k = 0; k < call.outputs().size(); ++k) {
      event.bytes += size_in_bytes(call.outputs()[k]);
      event.shapes += (k == 0 ? "" : ", ") + shape_text(call.outputs()[k]);
    }
  }

  // Those that have ended.
  template <class F>
  void each(F f) const {
    for (const Event& event : events)
      if (event.to != Clock::time_point()) f(event);
  }

  std::vector<Event> events;

 private:
  std::vector<std::size_t> open_;
};

Profile::Profile() : recorder_(std::make_unique<Recorder>()), observe_(std::make_unique<Observe>(*recorder_)) {}

Profile::~Profile() = default;

void Profile::stop() { observe_.reset(); }

std::vector<ProfileRow> Profile::rows(bool by_module) const {
  std::map<std::tuple<std::string, std::string, Pass>, ProfileRow> found;
  recorder_->each([&](const Event& event) {
    if (event.depth > 0) return;
    const std::string module = by_module ? event.module : std::string();
    ProfileRow& row = found[{event.op, module, event.pass}];
    row.op = event.op, row.pass = event.pass, row.module = module;
    row.calls += 1;
    row.seconds += event.seconds;
    row.bytes += event.bytes;
  });
  std::vector<ProfileRow> rows;
  for (auto& [key, row] : found) rows.push_back(std::move(row));
  std::stable_sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.seconds > b.seconds; });
  return rows;
}

std::string Profile::table(bool by_module) const {
  const std::vector<ProfileRow> all = rows(by_module);
  double seconds = 0;
  std::size_t widest_op = 2, widest_module = 6;
  for (const ProfileRow& row : all) {
    seconds += row.seconds;
    widest_op = std::max(widest_op, row.op.size());
    widest_module = std::max(widest_module, row.module.size());
  }
  const auto module = [&](const std::string& text) {
    return by_module ? fmt::format("{:<{}}  ", text, widest_module) : std::string();
  };
  std::string text = fmt::format("{}{:<{}}  {:<8} {:>8} {:>10} {:>6} {:>10} {:>8}\n", module("module"), "op", widest_op,
                                 "pass", "calls", "ms", "%", "us a call", "GB/s");
  for (const ProfileRow& row : all)
    text += fmt::format("{}{:<{}}  {:<8} {:>8} {:>10.3f} {:>6.1f} {:>10.2f} {:>8.1f}\n", module(row.module), row.op,
                        widest_op, name_of(row.pass), row.calls, row.seconds * 1e3, 100 * row.seconds / seconds,
                        row.seconds * 1e6 / static_cast<double>(row.calls),
                        static_cast<double>(row.bytes) / 1e9 / row.seconds);
  return text + fmt::format("{:.3f} ms in all\n", seconds * 1e3);
}

std::vector<ProfileRun> Profile::runs() const {
  std::vector<ProfileRun> runs;
  Clock::time_point start;
  recorder_->each([&](const Event& event) {
    if (runs.empty()) start = event.from;
    runs.push_back(event);
    runs.back().begin = std::chrono::duration<double>(event.from - start).count();
  });
  return runs;
}

void Profile::write_chrome_trace(const std::string& path) const {
  nlohmann::json events = nlohmann::json::array();
  for (const ProfileRun& run : runs())
    events.push_back({{"name", run.op},
                      {"cat", name_of(run.pass)},
                      {"ph", "X"},
                      {"ts", run.begin * 1e6},
                      {"dur", run.seconds * 1e6},
                      {"pid", 1},
                      {"tid", 1},
                      {"args",
                       {{"pass", name_of(run.pass)},
                        {"module", run.module},
                        {"fields", run.fields},
                        {"shapes", run.shapes},
                        {"bytes", run.bytes}}}});
  // Names are the user's: what is no UTF-8 is replaced.
  const std::string text =
      nlohmann::json{{"traceEvents", std::move(events)}}.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  detail::OutputFile file("write_chrome_trace", path);
  file.write(text.data(), text.size());
  file.commit();
}

}  // namespace weft
