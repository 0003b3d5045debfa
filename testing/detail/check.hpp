#pragma once
// The parts of check_op, and what they share.
#include <weft/engine/backward.hpp>
#include <weft/testing/check_op.hpp>
#include <weft/testing/threads.hpp>

#include <set>

namespace weft::testing::detail {

using weft::detail::to_text;

/// What ends a check.
struct Failure {
  std::string message;
};

inline constexpr Domain around_zero = {Domain::uniform, -1, 1};

inline bool is_wanted(const Tensor& t) { return is_floating(t.dtype()); }
inline bool is_free(const Input& input) { return is_floating(input.dtype); }

/// The same values, the floating ones in another dtype.
Tensors converted(Tensors tensors, DType dtype);
/// Empty if both have the same dtype, shape and bits, or both are undefined.
std::string different_bits(const Tensor& a, const Tensor& b);

class Check {
 public:
  Check(const OpRow& row, const CheckOptions& options, CheckResult& result)
      : row_(row), options_(options), result_(result) {}

  void all();

 private:
  struct Result {
    Tensors outputs, gradients;  // of the weighted outputs for the floating inputs, in their order
  };

  [[noreturn]] void fail(const std::string& why) const;
  void require(const std::string& difference) const {
    if (!difference.empty()) fail(difference);
  }
  template <class F>
  void once(const std::string& what, F f);
  void each_case(const std::string& what, void (Check::*f)(const Inputs& inputs));
  // Where the check is: dtypes and shapes of the inputs.
  void at(const Tensors& inputs);
  Tensors drawn(const Inputs& inputs, DType dtype);

  // Values.
  void values(const Inputs& inputs);
  void integers(const Inputs& inputs);
  void special_values();
  void random_sizes();
  void random_axes();
  void at_once(const Inputs& inputs);
  void mixed_dtypes();
  void large_values();
  void same(const Tensors& got, const Arrays& expected, double tolerance, double* worst = nullptr) const;
  // The values on one thread and on two; raises `worst` to the largest error.
  void compare(const Tensors& inputs, double tolerance, double* worst = nullptr);
  void compare(const Tensors& inputs, const Arrays& expected, double tolerance, double* worst);

  // Gradients.
  void by_differences(const Inputs& inputs);
  void f32_gradients(const Inputs& inputs);
  void subsets(const Inputs& inputs);
  void given_twice(const Inputs& inputs);
  void with_history(const Inputs& inputs);
  void under_checkpoint(const Inputs& inputs);
  void changed_in_place(const Inputs& inputs);
  void large_gradients();
  void slope(const Tensors& inputs, const Tensors& weights, std::size_t k, const Tensor& gradient) const;
  static Tensors weights_of(const Tensors& outputs);
  // Results, and gradients for those floating inputs that `wanted` has (null: all).
  static Result run(const std::function<Tensors(const Tensors&)>& f, const Tensors& inputs, const Tensors& weights,
                    const std::set<std::size_t>* wanted = nullptr, bool record = false);
  Result run(const Tensors& inputs, const Tensors& weights) const { return run(row_.function, inputs, weights); }
  void same_tensors(const Tensors& got, const Tensors& expected, double tolerance, const char* what) const;
  void same_results(const Result& got, const Result& expected, const char* how) const;

  const OpRow& row_;
  const CheckOptions& options_;
  CheckResult& result_;
  std::string what_, at_;
};

}  // namespace weft::testing::detail
