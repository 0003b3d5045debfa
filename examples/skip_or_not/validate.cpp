#include "validate.hpp"

#include <cmath>
#include <limits>
#include <optional>

#include "common/parallel.hpp"

using namespace weft;

namespace {

// What a model is with the choices of the inner loop.
struct Choice {
  std::int64_t hidden = 0;
  std::size_t penalty = 0;
  double inner_error = HUGE_VAL;
};

std::vector<std::int64_t> widths(const Model& model, const Grid& grid) {
  return model.hidden ? grid.hidden : std::vector<std::int64_t>{0};
}

// Calls use(net, penalty's number) after the fit by each penalty of the grid, up to the last one wanted. L1 goes on
// from the net of the smallest L2 penalty, and from each to the next.
void fit_path(const MakeNet& make_net, const Model& model, const Grid& grid, std::int64_t hidden,
              const nn::Dataset& train, std::uint64_t seed, const std::function<void(nn::Module&, std::size_t)>& use,
              std::optional<std::size_t> only = {}) {
  const nn::ModulePtr net = make_net(train.x.size(1), model.skip, hidden);
  const auto start = [&](double l2) {
    draw_weights(*net, seed);
    fit(*net, train, l2);
  };
  if (model.l1) start(grid.l2.front());
  const std::size_t last = only ? *only + 1 : model.l1 ? grid.l1.size() : grid.l2.size();
  for (std::size_t i = model.l1 || !only ? 0 : *only; i < last; ++i) {
    if (model.l1)
      fit_l1(*net, train, grid.l1[i]);
    else
      start(grid.l2[i]);
    use(*net, i);
  }
}

// Columns of mean 0 and deviation 1 on the training rows, and the test rows on that scale.
struct Scaled {
  nn::Standardizer inputs, target;
  nn::Dataset train, test;
  explicit Scaled(const nn::Fold& fold)
      : inputs(fold.train.x), target(fold.train.y), train(scale(fold.train)), test(scale(fold.test)) {}
  nn::Dataset scale(const nn::Dataset& rows) const { return {inputs.apply(rows.x), target.apply(rows.y)}; }
};

// The inner loop sees the training rows alone.
Choice choose(const MakeNet& make_net, const Model& model, const Plan& plan, const nn::Dataset& train,
              std::uint64_t seed) {
  std::vector<Scaled> folds;
  for (const nn::Fold& fold : nn::kfold(train, plan.inner_folds, seed)) folds.emplace_back(fold);
  const std::size_t penalties = model.l1 ? plan.grid.l1.size() : plan.grid.l2.size();
  Choice best;
  for (const std::int64_t hidden : widths(model, plan.grid)) {
    std::vector<double> errors(penalties, 0.0);
    for (const Scaled& fold : folds)
      fit_path(make_net, model, plan.grid, hidden, fold.train, seed, [&](nn::Module& net, std::size_t penalty) {
        errors[penalty] += error_of(net, fold.test) / static_cast<double>(folds.size());
      });
    for (std::size_t penalty = 0; penalty < penalties; ++penalty)
      if (errors[penalty] < best.inner_error) best = {hidden, penalty, errors[penalty]};
  }
  return best;
}

// The linear function of x that is closest to f(x), at these points.
Tensor linear_part_of(const Tensor& x, const Tensor& f) {
  const Tensor with_one = concat({x, ones({x.size(0), 1}, f64)}, 1);
  return matmul(with_one, lstsq(with_one, f));
}

double zero_share(const nn::Module& net) {
  double zero = 0, all = 0;
  for (const auto& [name, p] : net.named_parameters())
    if (name.ends_with("weight")) zero += sum(equal(p, 0.0).to(f64)).item(), all += static_cast<double>(p.size());
  return zero / all;
}

// What one fold of one repeat gives.
struct FoldOutcome {
  std::array<double, 6> errors{}, zeros{};
  std::array<double, 3> family_errors{}, linear_shares{};
  Tensor actual, predicted, linear_part;
};

void note_function(FoldOutcome& result, std::size_t family, nn::Module& net, const Scaled& rows) {
  const NoGrad off;
  const std::int64_t known = rows.train.size();
  const Tensor x = concat({rows.train.x, rows.test.x}, 0), f = net(x);
  const bool enough = x.size(0) > 2 * (x.size(1) + 1);  // of too few rows every function is linear
  const Tensor line = enough ? linear_part_of(x, f) : f;
  const double all = mean(square(f - mean(f))).item();
  result.linear_shares[family] = !enough    ? std::numeric_limits<double>::quiet_NaN()
                                 : all == 0 ? 1
                                            : 1 - mean(square(f - line)).item() / all;
  if (family != both) return;
  const auto in_units = [&](const Tensor& y) { return rows.target.invert(slice(y, 0, known, y.size(0))); };
  result.predicted = in_units(f);
  result.linear_part = in_units(line);
  result.actual = rows.target.invert(rows.test.y);
}

FoldOutcome run_fold(const nn::Fold& fold, const Plan& plan, const MakeNet& make_net, std::uint64_t seed) {
  FoldOutcome result;
  const Scaled rows(fold);
  std::array<double, 3> inner_best{HUGE_VAL, HUGE_VAL, HUGE_VAL};
  for (std::size_t m = 0; m < models.size(); ++m) {
    const Choice choice = choose(make_net, models[m], plan, fold.train, seed);
    if (!std::isfinite(choice.inner_error)) fail("no fit of the model \"", models[m].name, "\" is finite");
    const auto use = [&](nn::Module& net, std::size_t penalty) {
      if (penalty != choice.penalty) return;
      result.errors[m] = error_of(net, rows.test);
      result.zeros[m] = zero_share(net);
      const std::size_t family = m / 2;
      if (choice.inner_error >= inner_best[family]) return;
      inner_best[family] = choice.inner_error;
      result.family_errors[family] = result.errors[m];
      note_function(result, family, net, rows);
    };
    fit_path(make_net, models[m], plan.grid, choice.hidden, rows.train, seed, use, choice.penalty);
  }
  return result;
}

void append(std::vector<double>& to, const Tensor& values) {
  const auto all = values.data<double>();
  to.insert(to.end(), all.begin(), all.end());
}

}  // namespace

common::Comparison Outcome::compare(Family a, Family b) const {
  std::vector<double> differences;
  for (std::size_t i = 0; i < family_errors[a].size(); ++i)
    differences.push_back(family_errors[a][i] - family_errors[b][i]);
  return common::corrected_paired(differences, test_over_train);
}

common::Comparison Outcome::compare_models(std::size_t a, std::size_t b) const {
  std::vector<double> differences;
  for (std::size_t i = 0; i < errors[a].size(); ++i) differences.push_back(errors[a][i] - errors[b][i]);
  return common::corrected_paired(differences, test_over_train);
}

Outcome cross_validate(const std::string& name, const nn::Dataset& data, const Plan& plan, const MakeNet& make_net) {
  const std::int64_t count = std::ssize(plan.seeds) * plan.folds;
  std::vector<FoldOutcome> found(static_cast<std::size_t>(count));
  common::in_parallel(name, count, [&](std::int64_t i) {
    const std::uint64_t seed = plan.seeds[static_cast<std::size_t>(i / plan.folds)];
    const std::vector<nn::Fold> folds = nn::kfold(data, plan.folds, seed);
    const auto fold = static_cast<std::size_t>(i % plan.folds);
    found[static_cast<std::size_t>(i)] = run_fold(folds[fold], plan, make_net, seed * 1000 + fold);
  });
  Outcome all{name, data.size(), data.x.size(1), 1 / static_cast<double>(plan.folds - 1), {}, {}, {}, {}, {}, {}, {}};
  for (std::int64_t i = 0; i < count; ++i) {
    const FoldOutcome& one = found[static_cast<std::size_t>(i)];
    for (std::size_t m = 0; m < 6; ++m) all.errors[m].push_back(one.errors[m]), all.zeros[m].push_back(one.zeros[m]);
    for (std::size_t f = 0; f < 3; ++f) {
      all.family_errors[f].push_back(one.family_errors[f]);
      all.linear_shares[f].push_back(one.linear_shares[f]);
    }
    if (i >= plan.folds) continue;
    append(all.actual, one.actual), append(all.predicted, one.predicted), append(all.linear_part, one.linear_part);
  }
  return all;
}
