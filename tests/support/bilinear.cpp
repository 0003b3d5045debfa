#include <tests/support/bilinear.hpp>
#include <weft/engine/backward.hpp>
#include <weft/engine/create.hpp>
#include <weft/engine/error.hpp>

namespace weft::test {
namespace {

struct Named {
  const char* name;
  Sums expected;
};

// y, the gradients of a and b for g, and to order 2 the gradients of these for a, b and g.
Tensors results(const BilinearOp& op, const std::vector<Array>& arrays, DType dtype, int order) {
  const Tensor a = parameter(to_tensor(arrays[0], dtype)), b = parameter(to_tensor(arrays[1], dtype)),
               g = parameter(to_tensor(arrays[2], dtype));
  const Tensor y = op(a, b);
  Tensors all{y};
  if (y.shape() != g.shape()) return all;
  const Tensors first = grad(y, {a, b}, {.grad_outputs = {g}, .create_graph = order > 1});
  all.insert(all.end(), first.begin(), first.end());
  if (order == 1) return all;
  const Tensors weights{to_tensor(arrays[3], dtype), to_tensor(arrays[4], dtype)};
  const Tensors second = grad(first, {a, b, g}, {.grad_outputs = weights});
  all.insert(all.end(), second.begin(), second.end());
  return all;
}

}  // namespace

std::string check_bilinear(const BilinearOp& op, const PlainProducts& plain, const Array& a, const Array& b,
                           const Array& g, int order) {
  std::mt19937_64 engine(7);
  const Array u = drawn(shape_of(a), engine), v = drawn(shape_of(b), engine);
  const Products first = plain(a, b, g);
  std::vector<Named> wanted{{"the value", first.y}, {"the gradient of a", first.a}, {"the gradient of b", first.b}};
  if (order > 1) {
    const Products through_a = plain(u, b, g), through_b = plain(a, v, g);
    wanted.push_back({"the second gradient of a", through_b.a});
    wanted.push_back({"the second gradient of b", through_a.b});
    wanted.push_back({"the second gradient of g", through_a.y + through_b.y});
  }
  for (const DType dtype : {f64, f32}) {
    for (const int threads : {1, 2}) {
      const testing::Threads count(threads);
      const std::string setting = " (" + detail::to_text(dtype) + ", threads: " + std::to_string(threads) + ")";
      const Tensors got = results(op, {a, b, g, u, v}, dtype, order);
      const Tensors again = results(op, {a, b, g, u, v}, dtype, order);
      for (std::size_t k = 0; k < wanted.size(); ++k) {
        if (k == got.size()) return "the gradients were not reached" + setting;
        const std::string wrong = difference(got[k], wanted[k].expected);
        if (!wrong.empty()) return wanted[k].name + (": " + wrong) + setting;
        if (got[k].dtype() != dtype) return wanted[k].name + (" has another dtype" + setting);
        if (!same_bits(got[k], again[k])) return wanted[k].name + (" has other bits the second time" + setting);
      }
    }
  }
  return {};
}

}  // namespace weft::test
