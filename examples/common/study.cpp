#include "study.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <thread>

#include <weft/engine/error.hpp>

#include "statistics.hpp"

namespace common {
namespace {

std::string short_number(double value) {
  if (value == 0) return "0";
  const double size = std::abs(value);
  return size >= 1e5 || size < 1e-3 ? fmt::format("{:.2e}", value) : fmt::format("{:.4g}", value);
}

std::string text_of(const Spread& spread) {
  return spread.values.size() < 2 ? short_number(spread.mean)
                                  : fmt::format("{} ± {}", short_number(spread.mean), short_number(spread.deviation));
}

// Columns on a terminal: bytes that go on a character are none.
std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

void print(const Table& table) {
  std::vector<std::size_t> width;
  for (const std::string& column : table.columns) width.push_back(width_of(column));
  for (const auto& row : table.rows)
    for (std::size_t c = 0; c < row.size(); ++c) width[c] = std::max(width[c], width_of(row[c].text));
  const auto line = [&](auto&& text) {
    for (std::size_t c = 0; c < width.size(); ++c) {
      const std::string cell = text(c), space(width[c] - width_of(cell), ' ');
      fmt::print("{}{}", c == 0 ? cell + space : space + cell, c + 1 < width.size() ? "  " : "\n");
    }
  };
  fmt::print("\n{}\n", table.title);
  line([&](std::size_t c) { return table.columns[c]; });
  for (const auto& row : table.rows) line([&](std::size_t c) { return row[c].text; });
}

// In lines of a terminal's width.
void print_wrapped(const std::string& text) {
  std::size_t column = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    if (column > 0 && column + end - at >= 96) {
      fmt::print("\n");
      column = 0;
    }
    fmt::print("{}{}", column > 0 ? " " : "", text.substr(at, end - at));
    column += end - at + 1;
    at = end + 1;
  }
  fmt::print("\n");
}

std::string machine() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);)
    if (line.rfind("model name", 0) == 0 && line.find(": ") != std::string::npos)
      return fmt::format("{}, {} cores", line.substr(line.find(": ") + 2), std::thread::hardware_concurrency());
  return fmt::format("{} cores", std::thread::hardware_concurrency());
}

std::string today() {
  const std::time_t now = std::time(nullptr);
  char text[16];
  std::tm utc{};
  std::strftime(text, sizeof text, "%Y-%m-%d", gmtime_r(&now, &utc));
  return text;
}

}  // namespace

Spread::Spread(const std::vector<double>& of) : mean(common::mean(of)), deviation(standard_deviation(of)), values(of) {}

Series with_spread(std::string label, std::vector<double> x, const std::vector<Spread>& y, Series::Look look) {
  Series series{.label = std::move(label), .x = std::move(x), .y = {}, .look = look};
  for (const Spread& at : y) {
    series.y.push_back(at.mean);
    series.low.push_back(at.mean - at.deviation);
    series.high.push_back(at.mean + at.deviation);
  }
  return series;
}

Cell::Cell(std::int64_t number) : value(number), text(std::to_string(number)) {}
Cell::Cell(const Spread& spread) : text(text_of(spread)) {
  value = spread.values.size() < 2
              ? nlohmann::json(spread.mean)
              : nlohmann::json{{"mean", spread.mean}, {"deviation", spread.deviation}, {"values", spread.values}};
}

Study::Study(std::string name, std::string question, std::string about)
    : name_(std::move(name)),
      question_(std::move(question)),
      app_(std::make_unique<CLI::App>(question_ + "\n" + about, name_)),
      start_(std::chrono::steady_clock::now()) {
  app_->option_defaults()->always_capture_default();
}
Study::~Study() = default;

CLI::App& Study::app() { return *app_; }

std::vector<std::uint64_t> Study::all_seeds() const {
  std::vector<std::uint64_t> all;
  for (int i = 0; i < seeds; ++i) all.push_back(seed + static_cast<std::uint64_t>(i));
  return all;
}

void Study::add(Table table) {
  print(table);
  tables_.push_back(std::move(table));
}

template <class Picture>
void Study::draw_and_note(const Picture& picture) {
  if (draw(picture, out)) {
    fmt::print("Picture: {}/{}.svg\n", out, picture.name);
    pictures_.emplace_back(picture.name, picture.title);
  } else {
    fmt::print(stderr, "{}: no picture: gnuplot is missing or failed on {}/{}.gp\n", name_, out, picture.name);
  }
}
void Study::add(const Figure& figure) { draw_and_note(figure); }
void Study::add(const HeatMap& map) { draw_and_note(map); }
void Study::add(const Contours& contours) { draw_and_note(contours); }
void Study::add(Effect effect) { effects_.push_back(std::move(effect)); }

void Study::verdict(const std::string& text) {
  fmt::print("\n");
  print_wrapped(text);
  verdict_ = text;
}

nlohmann::json Study::result() const {
  nlohmann::json tables = nlohmann::json::array(), pictures = tables, effects = tables;
  for (const Table& table : tables_) {
    nlohmann::json rows = nlohmann::json::array();
    for (const auto& row : table.rows) {
      nlohmann::json cells = nlohmann::json::array();
      for (const Cell& cell : row) cells.push_back(cell.value);
      rows.push_back(std::move(cells));
    }
    tables.push_back({{"title", table.title}, {"columns", table.columns}, {"rows", std::move(rows)}});
  }
  for (const auto& [name, title] : pictures_) pictures.push_back({{"name", name}, {"title", title}});
  for (const Effect& e : effects_)
    effects.push_back({{"claim", e.claim}, {"published", e.published}, {"here", e.here}, {"appeared", e.appeared}});
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  return {{"program", name_},     {"question", question_}, {"verdict", verdict_},  {"settings", settings_},
          {"seeds", all_seeds()}, {"tables", tables},      {"pictures", pictures}, {"effects", effects},
          {"seconds", seconds},   {"machine", machine()},  {"date", today()},      {"more", more_}};
}

void Study::write() const {
  const std::string path = out + "/result.json", aside = path + ".tmp";
  std::ofstream file(aside);
  file << result().dump(1) << "\n";
  file.close();
  if (!file) weft::fail(name_, ": cannot write ", aside);
  std::filesystem::rename(aside, path);
}

int Study::run(int argc, char** argv, const std::function<void()>& work) {
  out = "build/lab/" + name_;
  app_->add_flag("--quick", quick, "a small version of it, under two minutes on two cores")->group("Study");
  app_->add_option("--seed", seed, "the first seed; results of the same seeds have the same bits")->group("Study");
  auto* const many = app_->add_option("--seeds", seeds, "how many seeds, each one's results going into mean and spread")
                         ->check(CLI::Range(1, 10000))
                         ->group("Study");
  app_->add_option("--out", out, "directory for result.json and the pictures")->group("Study");
  try {
    app_->parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) return app_->exit(e);
    fmt::print(stderr, "{}: {}\n", name_, e.what());
    return 1;
  }
  try {
    if (quick && many->count() == 0) seeds = quick_seeds;
    for (const CLI::Option* option : app_->get_options())
      if (!option->get_name().empty() && option->get_name() != "--help")
        settings_[option->get_name().substr(option->get_name().find_first_not_of('-'))] =
            option->count() > 0 ? nlohmann::json(option->results()) : nlohmann::json(option->get_default_str());
    std::filesystem::create_directories(out);
    fmt::print("{}\n", question_);
    work();
    write();
    return 0;
  } catch (const std::exception& e) {
    fmt::print(stderr, "{}: {}\n", name_, e.what());
    return 1;
  }
}

}  // namespace common
