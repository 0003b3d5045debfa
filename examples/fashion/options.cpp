#include "options.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <cstring>
#include <filesystem>

#include <weft/engine/error.hpp>

namespace {

const char* const about =
    "Trains a plain, residual or densely connected net on Fashion-MNIST or CIFAR-10: SGD with Nesterov momentum 0.9 "
    "and\n"
    "weight decay 5e-4, one-cycle learning rate, images mirrored at random. Writes OUT/metrics.csv, "
    "OUT/checkpoint.safetensors\n"
    "and TensorBoard's OUT/events.out.tfevents.* after each epoch, and OUT/curves.png. Ctrl-C finishes the step, saves "
    "and "
    "ends;\n"
    "--resume goes on from there.";

// A whole number from 0, checked as text: what converts it takes "-1" for the largest there is.
const CLI::Validator whole(
    [](std::string& text) {
      return !text.empty() && text.find_first_not_of("0123456789") == std::string::npos
                 ? ""
                 : "got " + text + ", needs a whole number from 0";
    },
    "");

void declare(CLI::App& app, Options& o) {
  app.option_defaults()->always_capture_default();
  app.add_option("--net", o.net, "kind of net")->check(CLI::IsMember({"plain", "residual", "dense"}))->group("Net");
  app.add_option("--depth", o.depth, "weighted layers: 6n+2 (pre-activation too), for dense nets 6n+4")->group("Net");
  app.add_option("--shortcut", o.shortcut,
                 "residual nets, where the size changes: A pads with zeros, B projects, C projects everywhere")
      ->check(CLI::IsMember({"A", "B", "C"}))
      ->group("Net");
  app.add_flag("--pre-activation", o.pre_activation, "residual nets: normalise and rectify before each convolution")
      ->group("Net");
  app.add_option("--growth", o.growth, "dense nets: channels that each layer adds")
      ->check(CLI::Range(1, 1024))
      ->group("Net");

  app.add_option("--data", o.data, "fashion or cifar10")->check(CLI::IsMember({"fashion", "cifar10"}))->group("Data");
  app.add_option("--dir", o.dir, "where the data's files are [Debian's dataset-fashion-mnist, or data/cifar10]")
      ->group("Data");
  app.add_option("--limit", o.limit, "train on the first so many images only; 0: on all")->check(whole)->group("Data");
  app.add_option("--crop", o.crop, "shift images by up to so many pixels at random")
      ->check(CLI::Range(0, 16))
      ->group("Data");

  app.add_option("--epochs", o.epochs, "times to go over the data")->check(CLI::Range(1, 100000))->group("Training");
  app.add_option("--batch", o.batch, "images a step, of all ranks together")
      ->check(CLI::Range(1, 1000000))
      ->group("Training");
  const CLI::Validator positive(
      [](std::string& text) {
        double value = 0;
        return CLI::detail::lexical_cast(text, value) && value > 0 && value < 1e6 ? "" : text + " is no number above 0";
      },
      "");
  app.add_option("--lr", o.lr, "highest learning rate")->check(positive)->group("Training");
  app.add_option("--seed", o.seed, "of weights, order and mirroring")->check(whole)->group("Training");
  app.add_option("--threads", o.threads, "0: as many as the machine has")
      ->check(CLI::Range(0, 4096))
      ->group("Training");

  app.add_option("--out", o.out, "directory for what the run writes [runs/DATA-NET-DEPTH...]")->group("Files");
  app.add_option("--resume", o.resume, "checkpoint of a run to go on with, with its settings")
      ->check(CLI::ExistingFile)
      ->group("Files");
  app.add_option("--compare", o.compare, "directories of other runs, for the table and the picture")
      ->default_str("")
      ->check(CLI::ExistingDirectory)
      ->group("Files");
}

void check(const Options& o) {
  const int blocks = o.net == "dense" ? o.depth - 4 : o.depth - 2;
  if (blocks < 6 || blocks % 6 != 0 || o.depth > 10000)
    weft::fail("--depth: got ", o.depth, ", needs ",
               o.net == "dense" ? "6n + 4 for a dense net (10, 16, 22...)" : "6n + 2 (8, 14, 20...)");
  if (o.pre_activation && o.net != "residual") weft::fail("--pre-activation: needs --net residual, got ", o.net);
}

// Takes the checkpoint's settings; what the command line says besides must agree.
void take_up(Options& o, const CLI::App& app) {
  const auto file = weft::nn::read_safetensors(o.resume);
  const auto noted = [&](const std::string& name) -> const std::string& {
    const auto note =
        std::find_if(file.notes.begin(), file.notes.end(), [&](const auto& n) { return n.first == name; });
    if (note == file.notes.end()) weft::fail("--resume: ", o.resume, " was not written by this program: no ", name);
    return note->second;
  };
  Options stored;
  CLI::App reader;
  declare(reader, stored);
  const auto given = o.settings();
  std::vector<std::string> arguments;
  for (const auto& [name, value] : given) {
    const std::string& before = noted(name);
    if (app.get_option("--" + name)->count() > 0 && before != value)
      weft::fail("--", name, ": the run of ", o.resume, " has ", before, ", got ", value);
    arguments.insert(arguments.begin(), "--" + name + "=" + before);  // CLI11 takes them from the back
  }
  reader.parse(arguments);
  stored.dir = o.dir.empty() ? noted("dir") : o.dir;
  stored.out = o.out.empty() ? std::filesystem::path(o.resume).parent_path().string() : o.out;
  if (stored.out.empty()) stored.out = ".";
  stored.resume = o.resume;
  stored.compare = o.compare;
  stored.threads = o.threads;
  o = stored;
}

// As one word of a shell's command line.
std::string shell_quoted(const std::string& text) {
  const bool plain = !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || std::strchr("/._-+:,@%", c) != nullptr;
  });
  if (plain) return text;
  std::string result = "'";
  for (const char c : text) result += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return result + "'";
}

}  // namespace

std::string Options::label() const {
  std::string text = fmt::format("{}-{}", net, depth);
  if (net == "residual") text += "-" + shortcut;
  if (pre_activation) text += "-pre";
  return text;
}

weft::nn::Notes Options::settings() const {
  return {{"net", net},
          {"depth", std::to_string(depth)},
          {"shortcut", shortcut},
          {"pre-activation", pre_activation ? "true" : "false"},
          {"growth", std::to_string(growth)},
          {"data", data},
          {"epochs", std::to_string(epochs)},
          {"batch", std::to_string(batch)},
          {"limit", std::to_string(limit)},
          {"crop", std::to_string(crop)},
          {"lr", fmt::format("{}", lr)},
          {"seed", std::to_string(seed)}};
}

std::optional<Options> read_options(int argc, const char* const* argv) {
  Options o;
  CLI::App app(about, "fashion");
  declare(app, o);
  try {
    app.parse(argc, argv);
    if (!o.resume.empty()) take_up(o, app);
  } catch (const CLI::CallForHelp& help) {
    app.exit(help);
    return std::nullopt;
  } catch (const CLI::ParseError& e) {
    weft::fail(e.what(), " (--help shows the options)");
  }
  check(o);
  if (o.dir.empty()) o.dir = o.data == "fashion" ? "/usr/share/datasets/fashion-mnist" : "data/cifar10";
  if (o.out.empty()) o.out = "runs/" + o.data + "-" + o.label();
  return o;
}

std::string resume_command(const std::string& program, const Options& o) {
  std::string text = shell_quoted(program) + " --resume " + shell_quoted(o.checkpoint());
  if (o.threads > 0) text += fmt::format(" --threads {}", o.threads);
  if (!o.compare.empty()) text += " --compare";
  for (const std::string& dir : o.compare) text += " " + shell_quoted(dir);
  return text;
}
