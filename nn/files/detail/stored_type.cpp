#include <weft/nn/files/detail/stored_type.hpp>

#include <bit>
#include <cmath>
#include <cstring>

namespace weft::detail {
namespace {

static_assert(std::endian::native == std::endian::little, "elements are stored as little-endian");

// IEEE 754's binary16: a sign, five bits of exponent, ten of fraction.
struct Half {
  std::uint16_t bits;
  explicit operator float() const {
    const int exponent = bits >> 10 & 0x1F;
    const auto fraction = static_cast<float>(bits & 0x3FF);
    const float sign = (bits & 0x8000) != 0 ? -1.0F : 1.0F;
    if (exponent == 0) return sign * std::ldexp(fraction, -24);
    if (exponent == 0x1F) return fraction == 0 ? sign * INFINITY : NAN;
    return sign * std::ldexp(1024 + fraction, exponent - 25);
  }
};

// The upper half of an f32.
struct BFloat16 {
  std::uint16_t bits;
  explicit operator float() const { return std::bit_cast<float>(std::uint32_t{bits} << 16); }
};

template <class From, class To>
void read_elements(const std::byte* from, std::int64_t step, std::int64_t count, void* to) {
  auto* out = static_cast<To*>(to);
  for (std::int64_t i = 0; i < count; ++i, from += step * static_cast<std::int64_t>(sizeof(From))) {
    From element;
    std::memcpy(&element, from, sizeof element);
    out[i] = static_cast<To>(element);  // NOLINT(bugprone-signed-char-misuse): an I8 is a number
  }
}

template <class From, class To>
constexpr StoredType type(const char* safetensors, const char* pytorch) {
  return {safetensors, pytorch, sizeof(From), dtype_of<To>, &read_elements<From, To>};
}

// The first of a dtype is the one that it is stored as.
constexpr StoredType types[] = {
    type<float, float>("F32", "FloatStorage"),
    type<double, double>("F64", "DoubleStorage"),
    type<std::int64_t, std::int64_t>("I64", "LongStorage"),
    type<std::uint8_t, std::uint8_t>("U8", "ByteStorage"),
    type<std::uint8_t, std::uint8_t>("BOOL", "BoolStorage"),
    type<Half, float>("F16", "HalfStorage"),
    type<BFloat16, float>("BF16", "BFloat16Storage"),
    type<std::int32_t, std::int64_t>("I32", "IntStorage"),
    type<std::int16_t, std::int64_t>("I16", "ShortStorage"),
    type<std::int8_t, std::int64_t>("I8", "CharStorage"),
};

template <class Is>
const StoredType* find(const Is& is) {
  for (const StoredType& type : types)
    if (is(type)) return &type;
  return nullptr;
}

}  // namespace

const StoredType* stored_type_of_safetensors(std::string_view name) {
  return find([&](const StoredType& type) { return type.safetensors == name; });
}

const StoredType* stored_type_of_pytorch(std::string_view storage) {
  return find([&](const StoredType& type) { return type.pytorch == storage; });
}

const StoredType& stored_type_of(DType dtype) {
  return *find([&](const StoredType& type) { return type.dtype == dtype; });
}

}  // namespace weft::detail
