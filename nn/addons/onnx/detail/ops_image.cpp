// Convolutions, pooling and resampling: channels first in the file.
#include <algorithm>
#include <cmath>

#include <weft/nn/addons/onnx/detail/elementwise.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/conv.hpp>
#include <weft/ops/pool.hpp>
#include <weft/ops/reduce.hpp>
#include <weft/ops/resample.hpp>
#include <weft/ops/reshape.hpp>

namespace weft::onnx::detail {
namespace {

using List = std::vector<std::int64_t>;

// {out, in, height, width} of {height, width, in, out}: which axis of ours each is; the same for {length, in, out}.
Axes weight_order(int rank) { return rank == 4 ? Axes{3, 2, 0, 1} : Axes{2, 1, 0}; }

// Of height and width, what belongs to the spatial axes of so many: a sequence has the width only.
List spatial(const List& pair, int dimensions) { return dimensions == 2 ? pair : List{pair[1]}; }
List twice(const List& list) {
  List both = list;
  both.insert(both.end(), list.begin(), list.end());
  return both;
}

Attributes conv_attributes(const TracedOp& op, int dimensions) {
  return {{"strides", spatial(op.list("stride"), dimensions)},
          {"pads", twice(spatial(op.list("padding"), dimensions))},
          {"dilations", spatial(op.list("dilation"), dimensions)},
          {"group", op.whole("groups")}};
}

// The op that adds a bias of a constant to each channel of what `op` gives, and nobody else takes that; or null.
const TracedOp* bias_after(Writer& w, const TracedOp& op, std::int64_t channels, int& bias) {
  const TracedOp* next = w.only_user(op.out());
  if (next == nullptr || next->name != "add" || next->inputs.size() != 2) return nullptr;
  bias = next->in(0) == op.out() ? next->in(1) : next->in(0);
  if (bias < 0 || !w.is_constant(bias) || w.shape(bias) != Shape{channels}) return nullptr;
  return next;
}

void write_conv(Writer& w, const TracedOp& op, const char* type, Attributes attributes, std::int64_t channels) {
  const int rank = w.rank(op.in(0)), weight = op.in(1);
  Names in{w.get(op.in(0), Layout::first), w.permuted(weight, weight_order(rank))};
  int bias = -1;
  const TracedOp* const next = bias_after(w, op, channels, bias);
  if (next != nullptr) {
    in.push_back(w.get(bias));
    w.skip(*next);
  }
  w.give(next != nullptr ? next->out() : op.out(), w.node(type, in, attributes), Layout::first);
}

void write_transposed(Writer& w, const TracedOp& op) {
  const int rank = w.rank(op.in(0)), dimensions = rank - 2;
  const Shape &x = w.shape(op.in(0)), &y = w.shape(op.out()), &k = w.shape(op.in(1));
  Attributes attributes = conv_attributes(op, dimensions);
  const List strides = std::get<List>(attributes[0].value), pads = std::get<List>(attributes[1].value),
             dilations = std::get<List>(attributes[2].value);
  List extra;
  for (int i = 0; i < dimensions; ++i) {
    const auto at = static_cast<std::size_t>(i);
    extra.push_back(y[i + 1] - ((x[i + 1] - 1) * strides[at] - 2 * pads[at] + dilations[at] * (k[i] - 1) + 1));
  }
  attributes.push_back({"output_padding", extra});
  write_conv(w, op, "ConvTranspose", attributes, y[-1]);
}

// What convolutions and pools are told of their windows.
struct Windows {
  List kernel, strides, pads, dilations;
  bool uneven;  // padding at the end is another than at the start: done apart
};
List checked(NodeReader& node, const char* name, const List& list, std::size_t count, std::int64_t least) {
  if (list.size() != count) node.refuse(std::string(name) + " has another length than there are axes");
  for (const std::int64_t i : list)
    if (i < least || i > most_elements) node.refuse(std::string(name) + " is out of range");
  return list;
}
Windows windows_of(NodeReader& node, const List& kernel) {
  const std::size_t n = kernel.size();
  Windows found;
  found.kernel = checked(node, "kernel_shape", kernel, n, 1);
  found.strides = checked(node, "strides", node.list("strides").value_or(List(n, 1)), n, 1);
  found.dilations = checked(node, "dilations", node.list("dilations").value_or(List(n, 1)), n, 1);
  found.pads = checked(node, "pads", node.list("pads").value_or(List(2 * n, 0)), 2 * n, 0);
  const std::string automatic = node.text("auto_pad", "NOTSET");
  if (automatic != "NOTSET" && automatic != "VALID") node.refuse("its auto_pad is " + automatic);
  found.uneven = !std::equal(found.pads.begin(), found.pads.begin() + static_cast<std::ptrdiff_t>(n),
                             found.pads.begin() + static_cast<std::ptrdiff_t>(n));
  return found;
}
// The image with the padding around it, channels last.
Tensor padded(const Tensor& image, const Windows& by, double value) {
  const std::size_t n = by.strides.size();
  std::vector<std::pair<std::int64_t, std::int64_t>> amounts(n + 2);
  List sizes;
  for (std::size_t i = 0; i < n; ++i) {
    amounts[i + 1] = {by.pads[i], by.pads[i + n]};
    sizes.push_back(image.size(static_cast<int>(i + 1)) + by.pads[i] + by.pads[i + n]);
  }
  sizes.push_back(image.size(0) * image.size(-1));
  (void)checked_shape("padding", sizes);
  return pad(image, amounts, value);
}

// Conv and ConvTranspose begin alike: the sizes of the kernel are those of the weight, which may not be known yet.
Run read_conv(NodeReader& node, bool transposed) {
  node.needs(2, 3);
  List kernel = node.list("kernel_shape").value_or(List());
  if (kernel.empty() && node.list("strides")) kernel = List(node.list("strides")->size(), 1);
  if (kernel.empty() && node.list("pads")) kernel = List(node.list("pads")->size() / 2, 1);
  if (kernel.empty()) kernel = List(2, 1);
  const std::size_t n = kernel.size();
  if (n != 1 && n != 2) node.refuse("it has " + std::to_string(n) + " spatial axes, needs 1 or 2");
  const Windows by = windows_of(node, kernel);
  const std::int64_t groups = node.whole("group", 1);
  List extra(n, 0);
  if (transposed) {
    extra = checked(node, "output_padding", node.list("output_padding").value_or(extra), n, 0);
    if (by.uneven) node.refuse("its pads differ at start and end");
    if (node.list("output_shape")) node.refuse("it has an output_shape");
  }
  const bool bias = node.has(2);
  return [=](Call& call) {
    const int rank = static_cast<int>(n) + 2;
    if (call.rank(0) != rank || call.rank(1) != rank)
      fail("got x and w of ", call.rank(0), " and ", call.rank(1), " axes, needs ", rank);
    const Tensor w = call.weight(1, inverse(weight_order(rank)));
    Tensor x = call.image(0);
    Windows now = by;
    if (by.uneven) {
      x = padded(x, by, 0);
      now.pads = List(2 * n, 0);
    }
    const auto pair = [&](const List& list) { return n == 2 ? Pair(list[0], list[1]) : Pair(1, list[0]); };
    Tensor y;
    if (n == 2 && !transposed)
      y = conv2d(x, w, {pair(now.strides), pair(now.pads), pair(now.dilations), groups});
    else if (n == 2)
      y = conv_transpose2d(x, w, {pair(now.strides), pair(now.pads), pair(extra), pair(now.dilations), groups});
    else if (!transposed)
      y = conv1d(x, w, {now.strides[0], now.pads[0], now.dilations[0], groups});
    else
      y = conv_transpose1d(x, w, {now.strides[0], now.pads[0], extra[0], now.dilations[0], groups});
    call.give_image(bias ? y + call.in(2) : y);
  };
}

void add_convolutions(Operators& all) {
  const auto weight = [](const pb::NodeProto&, int rank) {
    return rank == 3 || rank == 4 ? inverse(weight_order(rank)) : Axes();
  };
  for (const char* name : {"conv2d", "conv1d"})
    all.write[name] = {[](Writer& w, const TracedOp& op) {
                         const int rank = w.rank(op.in(0));
                         write_conv(w, op, "Conv", conv_attributes(op, rank - 2), w.shape(op.out())[-1]);
                       },
                       WriteOp::images};
  for (const char* name : {"conv_transpose2d", "conv_transpose1d"})
    all.write[name] = {write_transposed, WriteOp::images};
  all.read["Conv"] = {[](NodeReader& node) { return read_conv(node, false); }, ReadOp::images, weight};
  all.read["ConvTranspose"] = {[](NodeReader& node) { return read_conv(node, true); }, ReadOp::images, weight};
}

Run read_pool(NodeReader& node, bool largest) {
  node.needs(1, 1);
  const std::optional<List> kernel = node.list("kernel_shape");
  if (!kernel || kernel->size() != 2) node.refuse("it has no kernel_shape of two axes");
  const Windows by = windows_of(node, *kernel);
  if (node.whole("ceil_mode", 0) != 0) node.refuse("its ceil_mode is 1");
  if (by.dilations != List{1, 1}) node.refuse("it is dilated");
  if (largest) node.ignore("storage_order");
  const bool counted = largest || node.whole("count_include_pad", 0) != 0 || by.pads == List(4, 0);
  if (!counted) node.refuse("its count_include_pad is 0 and it is padded");
  return [=](Call& call) {
    const bool apart = by.uneven || 2 * by.pads[0] > by.kernel[0] || 2 * by.pads[1] > by.kernel[1];
    const Tensor x = apart ? padded(call.image(0), by, largest ? -HUGE_VAL : 0) : call.image(0);
    PoolOptions options{.kernel = {by.kernel[0], by.kernel[1]}, .stride = OptionalPair(by.strides[0], by.strides[1])};
    if (!apart) options.padding = {by.pads[0], by.pads[1]};
    call.give_image(largest ? max_pool2d(x, options) : avg_pool2d(x, options));
  };
}

void add_pools(Operators& all) {
  const auto write = [](const char* type) {
    return WriteOp{[=](Writer& w, const TracedOp& op) {
                     Attributes attributes{{"kernel_shape", op.list("kernel")},
                                           {"strides", op.list("stride")},
                                           {"pads", twice(op.list("padding"))}};
                     if (op.name == "avg_pool2d") attributes.push_back({"count_include_pad", 1});
                     w.give(op.out(), w.node(type, {w.get(op.in(0), Layout::first)}, attributes), Layout::first);
                   },
                   WriteOp::images};
  };
  all.write["max_pool2d"] = write("MaxPool");
  all.write["avg_pool2d"] = write("AveragePool");
  all.read["MaxPool"] = {[](NodeReader& node) { return read_pool(node, true); }, ReadOp::images};
  all.read["AveragePool"] = {[](NodeReader& node) { return read_pool(node, false); }, ReadOp::images};

  all.write["global_avg_pool"] = {[](Writer& w, const TracedOp& op) {
                                    const std::string mean = w("GlobalAveragePool", {w.get(op.in(0), Layout::first)});
                                    w.give(op.out(), w.node("Flatten", {mean}, {{"axis", 1}}));
                                  },
                                  WriteOp::images};
  all.read["GlobalAveragePool"] = {[](NodeReader& node) -> Run {
                                     node.needs(1, 1);
                                     return [](Call& call) {
                                       const Tensor& x = call.image(0);
                                       const Tensor y = global_avg_pool(x);
                                       call.give(reshape(y, {x.size(0), x.size(3), 1, 1}));
                                       call.give_image(reshape(y, {x.size(0), 1, 1, x.size(3)}));
                                     };
                                   },
                                   ReadOp::images};
  all.read["GlobalMaxPool"] = {[](NodeReader& node) -> Run {
                                 node.needs(1, 1);
                                 return [](Call& call) { call.give_image(max(call.image(0), {1, 2}, true)); };
                               },
                               ReadOp::images};
}

// The matrix {to, from} of the means of windows that cover an axis.
Tensor window_means(std::int64_t from, std::int64_t to, DType dtype) {
  std::vector<double> values(static_cast<std::size_t>(from * to));
  for (std::int64_t o = 0; o < to; ++o) {
    const std::int64_t begin = o * from / to, end = ((o + 1) * from + to - 1) / to;
    for (std::int64_t i = begin; i < end; ++i)
      values[static_cast<std::size_t>(o * from + i)] = 1.0 / static_cast<double>(end - begin);
  }
  return tensor(values, {to, from}, dtype);
}

void add_adaptive_pool(Operators& all) {
  all.write["adaptive_avg_pool2d"] = {
      [](Writer& w, const TracedOp& op) {
        const List &from = op.list("from"), &to = op.list("to");
        const DType dtype = w.dtype(op.out());
        const auto body = [&](Nodes& n, const Names& in) {
          if (from[0] % to[0] == 0 && from[1] % to[1] == 0) {
            const List kernel{from[0] / to[0], from[1] / to[1]};
            return Names{n("AveragePool", {in[0]}, {{"kernel_shape", kernel}, {"strides", kernel}})};
          }
          const std::string columns = n.constant(transpose(window_means(from[1], to[1], dtype)));
          const std::string rows = n.constant(window_means(from[0], to[0], dtype));
          return Names{n("MatMul", {rows, n("MatMul", {in[0], columns})})};
        };
        w.give(op.out(), w.function(op.name, {w.get(op.in(0), Layout::first)}, {{"size", to}}, 1, body)[0],
               Layout::first);
      },
      WriteOp::images};
  all.functions["adaptive_avg_pool2d"] = {[](NodeReader& node) -> Run {
                                            node.needs(1, 1);
                                            const List size = node.list("size").value_or(List());
                                            (void)checked(node, "size", size, 2, 1);
                                            return [=](Call& call) {
                                              const Tensor& x = call.image(0);
                                              (void)checked_shape("size", {x.size(0) * x.size(3), size[0], size[1]});
                                              call.give_image(adaptive_avg_pool2d(x, {size[0], size[1]}));
                                            };
                                          },
                                          ReadOp::images};
}

void write_upsample(Writer& w, const TracedOp& op) {
  const int rank = w.rank(op.in(0));
  const bool nearest = op.text("mode") == "nearest", corners = op.whole("align_corners") != 0;
  Attributes attributes{{"mode", nearest ? "nearest" : "linear"},
                        {"coordinate_transformation_mode", nearest   ? "asymmetric"
                                                           : corners ? "align_corners"
                                                                     : "half_pixel"}};
  if (nearest) attributes.push_back({"nearest_mode", "floor"});
  Names in{w.get(op.in(0), Layout::first), ""};
  const double height = op.real("scale_height"), width = op.real("scale_width");
  if (width != 0) {
    std::vector<double> scales{1, 1, width};
    if (rank == 4) scales = {1, 1, height, width};
    in.push_back(w.constant(tensor(scales, f32)));
  } else {
    const List& to = op.list("to");
    const Dims& out = w.dims(op.out());
    Dims sizes{out[0], out.back(), {to[1], 0}};
    if (rank == 4) sizes.insert(sizes.begin() + 2, {to[0], 0});
    in.push_back("");
    in.push_back(w.list(sizes));
  }
  w.give(op.out(), w.node("Resize", in, attributes), Layout::first);
}

Run read_resize(NodeReader& node) {
  node.needs(1, 4);
  const std::string mode = node.text("mode", "nearest"), at = node.text("coordinate_transformation_mode", "half_pixel");
  const bool nearest = mode == "nearest";
  if (!nearest && mode != "linear") node.refuse("its mode is " + mode);
  if (nearest && (at != "asymmetric" || node.text("nearest_mode", "round_prefer_floor") != "floor"))
    node.refuse("it takes another nearest pixel than asymmetric, floor");
  if (!nearest) node.ignore("nearest_mode");
  if (!nearest && at != "half_pixel" && at != "pytorch_half_pixel" && at != "align_corners")
    node.refuse("its coordinate_transformation_mode is " + at);
  if (node.whole("exclude_outside", 0) != 0) node.refuse("its exclude_outside is 1");
  node.ignore("cubic_coeff_a");
  node.ignore("extrapolation_value");
  UpsampleOptions options;
  options.mode = nearest ? UpsampleMode::nearest : UpsampleMode::bilinear;
  options.align_corners = at == "align_corners";
  return [=](Call& call) {
    const Tensor& x = call.image(0);
    const bool image = x.rank() == 4;
    UpsampleOptions now = options;
    List sizes;
    if (call.has(3) && call.in(3).size() > 0) {
      sizes = call.list(3);
    } else {
      const Tensor scales = call.in(2).to(f32);
      if (scales.size() != x.rank() || scales.at({0}) != 1 || scales.at({1}) != 1)
        fail("got scales ", scales.shape(), " for ", x.shape(), ", needs 1 for batch and channels");
      now.scale = {image ? digits_of(scales.data<float>()[2]) : 1.0, digits_of(scales.data<float>().back())};
      for (int i = 0; i < x.rank(); ++i)
        sizes.push_back(static_cast<std::int64_t>(std::min(std::max(scales.at({i}), 0.0), 1e6) *
                                                  static_cast<double>(i < 2 ? 1 : x.size(i - 1))));
      sizes[0] = x.size(0), sizes[1] = x.size(-1);
    }
    if (static_cast<int>(sizes.size()) != x.rank() || sizes[0] != x.size(0) || sizes[1] != x.size(-1))
      fail("got sizes for another batch or other channels than ", x.shape());
    (void)checked_shape("sizes", sizes);
    if (now.scale.width == 0) now.size = OptionalPair(image ? sizes[2] : 1, sizes.back());
    call.give_image(upsample(x, now));
  };
}

}  // namespace

void add_images(Operators& all) {
  add_convolutions(all);
  add_pools(all);
  add_adaptive_pool(all);
  all.write["upsample"] = {write_upsample, WriteOp::images};
  all.read["Resize"] = {read_resize, ReadOp::images};
}

}  // namespace weft::onnx::detail
