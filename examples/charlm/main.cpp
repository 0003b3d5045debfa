// What does the residual stream do for a transformer? A small one learns to write a text byte by byte, with the
// stream, and with the stream cut: the same layers one after another, nothing added. It writes samples on the way.
#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <weft/weft.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

#include "../common/statistics.hpp"
#include "../common/study.hpp"
#include "text.hpp"

using namespace weft;

constexpr std::int64_t width = 64, heads = 4, blocks = 4, context = 64;

// nn::TransformerBlock without its two additions: it has y = x + attention(norm1(x)), and y + linear2(...).
struct CutBlock : nn::Module {
  nn::Child<nn::MultiheadAttention> attention{this, "attention", width, heads, {.causal = true}};
  nn::Child<nn::Linear> linear1{this, "linear1", width, 4 * width}, linear2{this, "linear2", 4 * width, width};
  nn::Child<nn::LayerNorm> norm1{this, "norm1", width}, norm2{this, "norm2", width};
  Tensor forward(const Tensor& x) override {
    Tensor y = attention(norm1(x));
    return linear2(gelu(linear1(norm2(y))));
  }
};

struct CharLm : nn::Module {
  nn::Child<nn::Embedding> token, position{this, "position", context, width};
  nn::Child<nn::Sequential> stack{this, "stack"};
  nn::Child<nn::LayerNorm> norm{this, "norm", width};
  nn::Child<nn::Linear> head;
  CharLm(std::int64_t symbols, bool residual)
      : token{this, "token", symbols, width}, head{this, "head", width, symbols} {
    for (std::int64_t i = 0; i < blocks; ++i)
      stack->append(residual ? nn::make<nn::TransformerBlock>(width, heads, {.causal = true}) : nn::make<CutBlock>());
  }
  Tensor forward(const Tensor& ids) override {  // i64 {batch, time} to logits {batch, time, symbols}
    const Tensor place = arange(ids.size(1), i64);
    return head(norm(stack(token(ids) + position(place))));
  }
};

// Byte after byte, each drawn with the probability that the net gives it, after a first one.
Tensor write(CharLm& net, std::int64_t first, std::int64_t count, Generator& generator) {
  const NoGrad off;
  Tensor text = full({1, 1}, static_cast<double>(first), i64);
  for (std::int64_t i = 0; i < count; ++i) {
    const Tensor seen = slice(text, 1, std::max<std::int64_t>(0, text.size(1) - context), text.size(1));
    const Tensor logits = net(seen), last = slice(logits, 1, seen.size(1) - 1, seen.size(1));
    const Tensor noise = -log(-log(rand_like(last, generator)));  // Gumbel's: the largest sum is a draw from softmax
    text = concat({text, argmax(last + noise, -1)}, 1);
  }
  return reshape(text, {-1});
}

struct Plan {
  const Text& text;
  int steps;
  std::int64_t batch;
  int looks = 20;  ///< how often the loss on the test part is taken
};

double test_bits(CharLm& net, const nn::Dataset& windows) {
  const NoGrad off;
  return nn::cross_entropy(net(windows.x), windows.y).item() / std::log(2.0);
}

// Bits per byte on the test part, at the start and after each of the plan's parts of the steps.
using Curve = std::vector<double>;

Curve train(const Plan& plan, bool residual, double rate, std::uint64_t seed,
            const std::function<void(CharLm&, int step)>& look = nullptr) {
  manual_seed(seed);
  Generator draws(seed);
  CharLm net(plan.text.size(), residual);
  nn::AdamW optimiser(net, {.lr = rate});
  nn::OneCycleLr schedule(optimiser, {.max_lr = rate, .total_steps = plan.steps});
  const nn::Dataset test = plan.text.test_windows(context);
  Curve curve{test_bits(net, test)};
  for (int step = 1; step <= plan.steps; ++step) {
    const nn::Dataset batch = plan.text.draw(plan.batch, context, draws);
    optimiser.zero_grad();
    nn::cross_entropy(net(batch.x), batch.y).backward();
    nn::clip_grad_norm(net.parameters(), 1);
    optimiser.step(), schedule.step();
    if (step % (plan.steps / plan.looks) == 0) curve.push_back(test_bits(net, test));
    if (look) look(net, step);
  }
  return curve;
}

struct Result {
  std::string name;
  bool residual;
  double rate = 0;
  std::vector<Curve> curves = {};  // one a seed
  std::vector<double> at(std::size_t look) const {
    std::vector<double> bits;
    for (const Curve& curve : curves) bits.push_back(curve[look]);
    return bits;
  }
};

// The rate is the best of a grid on a seed of its own; the first seed's net writes samples as it trains.
Result measure(common::Study& study, const Plan& plan, const std::string& name, bool residual,
               const std::function<void()>& progress) {
  Result result{name, residual};
  double least = std::numeric_limits<double>::infinity();
  for (const double rate : {0.003, 0.01, 0.03}) {
    const double bits = train(plan, residual, rate, study.seed + 1'000'000).back();
    if (bits < least) least = bits, result.rate = rate;
    progress();
  }
  const auto sample = [&](CharLm& net, int step) {
    if (step != plan.steps / 10 && step != plan.steps / 2 && step != plan.steps) return;
    Generator draws(study.seed);
    const auto newline = plan.text.symbols.find('\n');
    const auto first = static_cast<std::int64_t>(newline == std::string::npos ? 0 : newline);
    const std::string text = plan.text.shown(write(net, first, study.quick ? 120 : 300, draws));
    fmt::print("\n---- {}, after {} steps ----{}\n", name, step, text);
    study.more()["samples"].push_back({{"net", name}, {"step", step}, {"text", text}});
  };
  for (const std::uint64_t seed : study.all_seeds()) {
    const bool first = result.curves.empty();
    result.curves.push_back(
        train(plan, residual, result.rate, seed, first ? sample : std::function<void(CharLm&, int)>()));
    progress();
  }
  return result;
}

common::Series series(const Result& result, const Plan& plan) {
  common::Series line{result.name, {}, {}};
  for (std::size_t look = 0; look < result.curves.front().size(); ++look) {
    const std::vector<double> bits = result.at(look);
    line.x.push_back(static_cast<double>(look) * (plan.steps / plan.looks));
    line.y.push_back(common::mean(bits));
    line.low.push_back(*std::min_element(bits.begin(), bits.end()));
    line.high.push_back(*std::max_element(bits.begin(), bits.end()));
  }
  return line;
}

void conclude(common::Study& study, const Plan& plan, const Result& whole, const Result& cut) {
  const double frequencies = plan.text.bits_by_frequency();
  const auto last = static_cast<std::size_t>(plan.looks);
  common::Table table{"Bits per byte on the last tenth of the text, which was not learned from",
                      {"net", "rate", "at the start", "halfway", "at the end"}};
  common::Figure figure{"loss", "A transformer of 4 blocks on a text", {"steps"}, {"bits per byte on unseen text"}, {}};
  for (const Result* result : {&whole, &cut}) {
    table.add({result->name, result->rate, common::Spread(result->at(0)), common::Spread(result->at(last / 2)),
               common::Spread(result->at(last))});
    figure.series.push_back(series(*result, plan));
  }
  table.add({"frequencies of bytes alone", "", "", "", frequencies});
  const double end = plan.steps;
  figure.series.push_back(
      {"frequencies alone", {0, end}, {frequencies, frequencies}, {}, {}, common::Series::Look::line});
  study.add(table);
  study.add(figure);

  study.more()["frequencies"] = frequencies;
  study.more()["residual"] = whole.at(last), study.more()["cut"] = cut.at(last);
  const double whole_bits = common::mean(whole.at(last)), cut_bits = common::mean(cut.at(last));
  std::vector<double> differences;
  for (std::size_t i = 0; i < whole.curves.size(); ++i)
    differences.push_back(cut.curves[i].back() - whole.curves[i].back());
  const bool clear = *std::min_element(differences.begin(), differences.end()) > 0;
  study.add(common::Effect{
      "attention without shortcuts learns badly: its output tends to one rank (Dong, Cordonnier, "
      "Loukas, arXiv 2103.03404)",
      "no figure for such a task", fmt::format("{:.2f} bits with, {:.2f} without", whole_bits, cut_bits), clear});
  study.verdict(fmt::format(
      "After {} steps the transformer with its residual stream needs {:.2f} bits per byte of unseen text, the same "
      "layers "
      "with the stream cut {:.2f}, and one who knows only how frequent the bytes are {:.2f}. {}",
      plan.steps, whole_bits, cut_bits, frequencies,
      clear ? "With the stream it is better for every seed." : "The order of the two is not the same for every seed."));
}

int main(int argc, char** argv) {
  common::Study study("charlm", "What does the residual stream do for a transformer?",
                      "A causal transformer of 4 blocks learns a text byte by byte, with its residual stream and with "
                      "the stream cut, each at the best learning rate of a grid, and writes samples as it trains.");
  std::string path = "/usr/share/common-licenses/GPL-3";
  study.app().add_option("text", path, "the file to learn");
  return study.run(argc, argv, [&] {
    const Text text(path, 20 * context);
    const Plan plan{text, study.quick ? 120 : 400, study.quick ? 16 : 32};
    nn::Progress bar("nets", 2 * (3 + study.seeds));
    std::int64_t done = 0;
    const auto progress = [&] { bar.update(++done); };
    const Result whole = measure(study, plan, "with residual stream", true, progress);
    const Result cut = measure(study, plan, "stream cut", false, progress);
    conclude(study, plan, whole, cut);
  });
}
