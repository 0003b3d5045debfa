// Mistakes that people make. Each must cost few lines of a compiler's message until one names it: mistakes.py takes the
// file apart at "//!", whose line gives the mistake's name and a pattern of what names it, and compiles the parts one
// by one, each after the part before the first.
#include <weft/weft.hpp>

#include <vector>

using namespace weft;

struct Net : nn::Module {
  nn::Child<nn::Linear> a{this, "a", 3, 4}, b{this, "b", 3, 4};
  Tensor forward(const Tensor& x) override { return a(x) + b(x); }
};

//! a method that is a function, in a generic lambda for gradcheck | no member named .tanh|has no member named .tanh
void f() {
  gradcheck([](auto x) { return x.tanh(); }, randn({3}, f64));
}

//! a generic lambda without a result for hessian | must return a Tensor
void f() {
  hessian([](auto x) { sum(x); }, randn({3}, f64));
}

//! a function of two tensors for jacobian | must be callable with one const Tensor&
void f() {
  jacobian([](const Tensor& a, const Tensor& b) { return a + b; }, randn({3}, f64));
}

//! a function of one tensor for a list of inputs | no matching function for call to .hvp
void f() {
  hvp([](const Tensor& x) { return sum(x); }, Tensors{randn({3})}, Tensors{randn({3})});
}

//! a function of numbers for checkpoint | must be callable with one const Tensor&
void f() {
  checkpoint([](std::vector<int> x) { return x; }, randn({3}));
}

//! a misspelt function in a generic lambda for checkpoint | tahn
void f() {
  checkpoint([](auto x) { return weft::tahn(x); }, randn({3}));
}

//! inputs before the function | no matching function|cannot convert|could not convert
void f() {
  jacobian(randn({3}), [](const Tensor& x) { return x; });
}

//! a method in a generic Lambda | no member named .relu|has no member named .relu
auto f() {
  return nn::Lambda([](auto x) { return x.relu(); });
}

//! a Lambda of a number | must be callable with one const Tensor&
auto f() { return nn::Lambda(3); }

//! a named module in Sequential | a named module over only by std::move
auto f() {
  nn::Linear first(3, 4);
  return nn::Sequential(first, nn::Linear(4, 1));
}

//! a function in Sequential | takes modules
auto f() {
  return nn::Sequential(nn::Linear(3, 4), [](const Tensor& x) { return tanh(x); });
}

//! tying weights by = | deleted
void f(Net& net) { net.a->weight = net.b->weight; }

//! a weight changed by += | deleted
void f(Net& net) { net.a->weight += net.b->weight; }

//! a tensor assigned to a weight | operator=|overloaded '='
void f(Net& net) { net.a->weight = ones({3, 4}); }

//! the kernel as a number | \.kernel
auto f() { return nn::Conv2d(3, 8, 3); }

//! the kernel as a number, in a Child | \.kernel
struct Image : nn::Module {
  nn::Child<nn::Conv2d> conv{this, "conv", 3, 8, 3};
};

//! the kernel as a number, by make | \.kernel
auto f() { return nn::make<nn::Conv2d>(3, 8, 3); }

//! a misspelt option | kernal
auto f() { return nn::Conv2d(3, 8, {.kernal = 3}); }

//! a misspelt option in a Child | kernal
struct Image : nn::Module {
  nn::Child<nn::Conv2d> conv{this, "conv", 3, 8, {.kernal = 3}};
};

//! a misspelt option by make | kernal
auto f() { return nn::make<nn::Conv2d>(3, 8, {.kernal = 3}); }

//! a misspelt option of an optimiser | learning_rate
auto f(Net& net) { nn::Adam adam(net.parameters(), {.learning_rate = 0.1}); }

//! a misspelt option of an optimiser of a module | momentun
auto f(Net& net) { nn::Sgd sgd(net, {.lr = 0.1, .momentun = 0.9}); }

//! a misspelt option of a loader | batchsize
auto f(nn::Dataset data) { nn::DataLoader loader(data, {.batchsize = 3}); }

//! a misspelt option of pooling | kernl
auto f(const Tensor& x) { return max_pool2d(x, {.kernl = 3}); }

//! too few arguments in a Child | no constructor that takes what follows the name
struct Short : nn::Module {
  nn::Child<nn::Linear> line{this, "line", 3};
};

//! too few arguments for make | no constructor that takes these
auto f() { return nn::make<nn::Linear>(3); }

//! a Child without its owner | the owner, this, comes before the name
struct Lost : nn::Module {
  nn::Child<nn::Linear> line{"line", 3, 4};
};

//! a Param without a name | Param
struct Nameless : nn::Module {
  nn::Param scale{this, ones({3})};
};

//! a forward with another signature | override
struct Other : nn::Module {
  Tensor forward(Tensor& x) override { return x; }
};

//! two inputs for a module of one | operator\(\)|no matching function|no match for call
void f(nn::Module& net, const Tensor& x) { net(x, x); }

//! text among numbers | tensor
auto f() { return tensor({1, "two"}); }

//! a fraction as a size | zeros
auto f() { return zeros({2.5, 3}); }

//! sizes one by one | Shape
auto f() { return zeros(2, 3); }

//! a method that is a function | sum
auto f(const Tensor& x) { return x.sum(); }

//! a comparison as a condition | operator>|contextually convertible
void f(const Tensor& x) {
  if (x > 0) return;
}

//! a tensor as a number | double
double f(const Tensor& x) { return sum(x); }

//! a number as a tensor | double
Tensor f() { return 3.0; }

//! keepdims in the place of axes | deleted
auto f(const Tensor& x) { return sum(x, true); }

//! stride as a number | ConvOptions
auto f(const Tensor& x, const Tensor& w) { return conv2d(x, w, 2, 1); }

//! data of another type | DTypeOf<int>|elements of a tensor are
auto f(const Tensor& x) { return x.data<int>(); }

//! an op without forward | apply\(Nothing|forward
struct Nothing {
  static constexpr const char* name = "nothing";
};
auto f(const Tensor& x) { return apply(Nothing{}, x); }

//! an op without a name | apply\(Anonymous|name
struct Anonymous {
  Tensor forward(Context&, const Tensor& x) const { return x; }
};
auto f(const Tensor& x) { return apply(Anonymous{}, x); }

//! a backward with too few gradients | backward
struct Pair2 {
  static constexpr const char* name = "pair2";
  Tensor forward(Context&, const Tensor& a, const Tensor& b) const { return a + b; }
  int backward(Context&, const Tensor& g) const { return 0; }
};
auto f(const Tensor& x) { return apply(Pair2{}, x, x); }

//! three names for a batch of two | decomposes|structured binding
void f(nn::DataLoader& loader) {
  for (auto [x, y, z] : loader) (void)x;
}

//! a hook of two arguments | register_hook
void f(Tensor& x) {
  x.register_hook([](const Tensor& g, int) { return g; });
}
