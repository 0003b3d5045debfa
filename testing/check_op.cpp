#include <weft/testing/check_op.hpp>

#include <algorithm>
#include <cstring>

#include <weft/testing/detail/check.hpp>

namespace weft::testing {
namespace detail {

Tensors converted(Tensors tensors, DType dtype) {
  for (Tensor& t : tensors)
    if (is_wanted(t)) t = t.to(dtype);
  return tensors;
}

std::string different_bits(const Tensor& a, const Tensor& b) {
  if (a.defined() != b.defined()) return "only one is defined";
  if (!a.defined()) return {};
  if (a.dtype() != b.dtype() || a.shape() != b.shape()) return "another dtype or shape";
  const auto bytes = static_cast<std::size_t>(a.size()) * size_of(a.dtype());
  return std::memcmp(a.impl()->storage->data(), b.impl()->storage->data(), bytes) == 0 ? "" : "other bits";
}

void Check::fail(const std::string& why) const {
  throw Failure{"check_op: " + what_ + " of " + row_.title() + (at_.empty() ? "" : ", " + at_) + ": " + why};
}

void Check::at(const Tensors& inputs) {
  at_.clear();
  for (const Tensor& t : inputs)
    at_ += (at_.empty() ? "" : " ") + std::string(name_of(t.dtype())) + " " + to_text(t.shape());
}

Tensors Check::drawn(const Inputs& inputs, DType dtype) {
  Tensors made = make_inputs(inputs, dtype, options_.seed);
  at(made);
  return made;
}

template <class F>
void Check::once(const std::string& what, F f) {
  what_ = what;
  at_.clear();
  try {
    f();
  } catch (const Error& e) {
    fail(e.what());
  }
  result_.checked.push_back(what);
}

void Check::each_case(const std::string& what, void (Check::*f)(const Inputs& inputs)) {
  once(what, [&] {
    for (const Inputs& inputs : row_.cases) (this->*f)(inputs);
  });
}

void Check::all() {
  each_case("values", &Check::values);
  if (row_.integers) each_case("integers", &Check::integers);
  if (row_.non_finite) once("non-finite values", [&] { special_values(); });
  if (options_.draws > 0) once("values of random sizes, seed " + to_text(options_.seed), [&] { random_sizes(); });
  if (row_.drawn && options_.draws > 0) once("random axes, seed " + to_text(options_.seed), [&] { random_axes(); });
  each_case("several threads at once", &Check::at_once);
  once("mixed dtypes", [&] { mixed_dtypes(); });
  if (row_.differentiable) {
    each_case("gradients to order " + to_text(options_.order), &Check::by_differences);
    each_case("f32 gradients", &Check::f32_gradients);
    each_case("gradients of some of the inputs", &Check::subsets);
    each_case("one tensor given twice", &Check::given_twice);
    each_case("inputs that an op made", &Check::with_history);
    each_case("checkpoint", &Check::under_checkpoint);
    each_case("inputs changed in place", &Check::changed_in_place);
  }
  if (!options_.large) return;
  once("values of large inputs", [&] { large_values(); });
  if (row_.differentiable) once("gradients of large inputs", [&] { large_gradients(); });
}

}  // namespace detail

CheckResult check_op(const OpRow& row, const CheckOptions& options) {
  if (!row.function || !row.reference || row.cases.empty())
    fail("check_op: the row \"", row.title(), "\" needs a function, a reference and cases");
  CheckResult result;
  try {
    detail::Check(row, options, result).all();
  } catch (const detail::Failure& failure) {
    result.ok = false;
    result.message = failure.message;
  }
  return result;
}

}  // namespace weft::testing
