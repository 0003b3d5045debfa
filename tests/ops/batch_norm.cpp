// Batch norm with what follows it in the same pass: the bits of the plain code, whatever is wanted, and nobody's
// gradient is written over.
#include <doctest/doctest.h>
#include <tests/support/mistakes.hpp>
#include <tests/support/same.hpp>
#include <weft/weft.hpp>

using namespace weft;

namespace {

struct Inputs {
  Tensor x, weight, bias, shortcut;

  static Inputs drawn(const Shape& shape, DType dtype, bool affine) {
    const Shape width{shape[shape.rank() - 1]};
    const auto made = [&](const Shape& s) { return parameter(randn(s, dtype)); };
    return {made(shape), affine ? made(width) : Tensor(), affine ? made(width) : Tensor(), made(shape)};
  }
  Tensors wanted(bool with_shortcut) const {
    Tensors all{x};
    if (weight.defined()) all.insert(all.end(), {weight, bias});
    if (with_shortcut) all.push_back(shortcut);
    return all;
  }
};

BatchNormStatistics statistics(const Tensor& x, bool training) {
  const Shape width{x.size(-1)};
  return {
      .running_mean = full(width, 0.25, x.dtype()), .running_var = full(width, 1.5, x.dtype()), .training = training};
}

Tensor plain(const Inputs& in, bool training, bool with_shortcut) {
  const Tensor y = batch_norm(in.x, in.weight, in.bias, statistics(in.x, training));
  return relu(with_shortcut ? y + in.shortcut : y);
}
Tensor in_one_pass(const Inputs& in, bool training, bool with_shortcut) {
  return batch_norm_relu(in.x, in.weight, in.bias, statistics(in.x, training), with_shortcut ? in.shortcut : Tensor());
}

void check_same(const Tensors& a, const Tensors& b) {
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) CHECK(same_bits(a[i], b[i]));
}

template <class F>
void for_all_kinds(F&& f) {
  for (const DType dtype : {f32, f64})
    for (const bool affine : {true, false})
      for (const bool training : {true, false})
        for (const bool with_shortcut : {true, false}) f(dtype, affine, training, with_shortcut);
}

}  // namespace

TEST_CASE("batch_norm_relu has the bits of the plain code, forward and backward") {
  manual_seed(1);
  for_all_kinds([](DType dtype, bool affine, bool training, bool with_shortcut) {
    for (const Shape& shape :
         {Shape{4, 9, 7, 16}, Shape{37, 5}, Shape{3, 600}, Shape{2, 1}, Shape{11'503, 19}, Shape{5, 7, 4'099}}) {
      const Inputs in = Inputs::drawn(shape, dtype, affine);
      const Tensor y = plain(in, training, with_shortcut), z = in_one_pass(in, training, with_shortcut);
      CHECK(same_bits(y.detach(), z.detach()));
      const Tensor g = randn(shape, dtype);
      const Tensors all = in.wanted(with_shortcut);
      check_same(grad(y, all, {.grad_outputs = {g}, .retain_graph = true}),
                 grad(z, all, {.grad_outputs = {g}, .retain_graph = true}));
      for (const Tensor& one : all)  // each by itself, others not being computed
        check_same(grad(y, {one}, {.grad_outputs = {g}, .retain_graph = true}),
                   grad(z, {one}, {.grad_outputs = {g}, .retain_graph = true}));
    }
  });
}

TEST_CASE("batch_norm_relu moves running statistics as batch_norm does") {
  manual_seed(2);
  const Inputs in = Inputs::drawn({5, 3, 8}, f32, true);
  const BatchNormStatistics a = statistics(in.x, true), b = statistics(in.x, true);
  (void)batch_norm(in.x, in.weight, in.bias, a);
  (void)batch_norm_relu(in.x, in.weight, in.bias, b, in.shortcut);
  CHECK(same_bits(a.running_mean, b.running_mean));
  CHECK(same_bits(a.running_var, b.running_var));
}

TEST_CASE("gradients of gradients of batch_norm_relu are those of the plain code") {
  manual_seed(3);
  for (const bool training : {true, false})
    for (const bool with_shortcut : {true, false}) {
      const Inputs in = Inputs::drawn({3, 4, 5}, f64, true);
      const Tensors all = in.wanted(with_shortcut);
      const auto second = [&](const Tensor& y) {
        const Tensors first = grad(sum(exp(y)), all, {.create_graph = true});
        Tensor total = zeros({}, f64);
        for (const Tensor& g : first) total = total + sum(square(g));
        return grad(total, all);
      };
      const Tensors a = second(plain(in, training, with_shortcut)),
                    b = second(in_one_pass(in, training, with_shortcut));
      for (std::size_t i = 0; i < a.size(); ++i) CHECK(allclose(a[i], b[i], 1e-11, 1e-12));
    }
}

TEST_CASE("a gradient that somebody else sees is not written over") {
  manual_seed(4);
  for (const bool with_shortcut : {true, false}) {
    const Inputs in = Inputs::drawn({6, 5, 8}, f32, true);
    const Tensor seed = randn({6, 5, 8}), before = seed.clone();
    Tensor y = in_one_pass(in, true, with_shortcut), kept;
    y.retain_grad();
    y.register_hook([&](const Tensor& g) {
      kept = g;
      return Tensor();
    });
    const Tensor doubled = y * 2.0;
    doubled.backward(seed);
    CHECK(same_bits(seed, before));
    CHECK(same_bits(kept, before * 2.0));
    CHECK(same_bits(y.grad(), before * 2.0));
    struct Watch : Observer {
      Tensor before_norm;
      bool unharmed = false;
      static bool at(const OpCall& call) {
        return call.pass() == Pass::backward && std::string_view(call.op()).starts_with("batch_norm");
      }
      void before(const OpCall& call) override {
        if (at(call)) before_norm = call.inputs()[0]->clone();
      }
      void after(const OpCall& call) override {
        if (at(call)) unharmed = same_bits(*call.inputs()[0], before_norm);
      }
    } watch;
    {
      const Observe observed(watch);
      (in_one_pass(in, true, with_shortcut) * 2.0).backward(seed);
    }
    CHECK(watch.unharmed);
    // One gradient that reaches two norms.
    const Inputs other = Inputs::drawn({6, 5, 8}, f32, true);
    const auto both = [&](auto norm) {
      const Tensor total = norm(in, true, with_shortcut) + norm(other, true, with_shortcut);
      return grad(sum(square(total)), {in.x, other.x});
    };
    check_same(both(plain), both(in_one_pass));
  }
}

TEST_CASE("batch_norm_relu refuses a shortcut that does not fit") {
  const Tensor x = zeros({4, 3}), w = ones({3}), b = zeros({3});
  test::check_all({
      {"batch_norm_add_relu",
       [&] {
         (void)batch_norm_relu(x, w, b, {.training = true}, zeros({4, 2}));
       },
       {"{4, 2}"}},
      {"batch_norm_add_relu", [&] { (void)batch_norm_relu(x, w, b, {.training = true}, zeros({3})); }, {"{3}"}},
      {"batch_norm_add_relu",
       [&] {
         (void)batch_norm_relu(x, w, b, {.training = true}, zeros({4, 3}, f64));
       },
       {"f64"}},
      {"batch_norm_relu", [&] { (void)batch_norm_relu(zeros({3}), w, b, {.training = true}); }, {"{3}"}},
      {"batch_norm_relu", [&] { (void)batch_norm_relu(x, w, b, {}); }, {"running statistics"}},
  });
}

TEST_CASE("BatchNorm::relu is the plain code, and is taken apart where a hook looks at the norm") {
  manual_seed(5);
  nn::BatchNorm norm(8);
  const Tensor x = randn({4, 3, 8}), beside = randn({4, 3, 8});
  const Tensor alone = norm.relu(x), added = norm.relu(x, beside);
  CHECK(same_bits(alone.detach(), relu(norm(x)).detach()));
  CHECK(same_bits(added.detach(), relu(norm(x) + beside).detach()));
  Tensor seen;
  nn::ModuleHookHandle hook =
      norm.register_forward_hook("", [&](nn::Module&, const Tensor&, const Tensor& y) { seen = y.detach(); });
  CHECK(same_bits(norm.relu(x, beside).detach(), added.detach()));
  CHECK(same_bits(seen, norm(x).detach()));
  seen = Tensor();
  hook.remove();
  (void)norm.relu(x, beside);
  CHECK_FALSE(seen.defined());
}
