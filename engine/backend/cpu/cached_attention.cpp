#include "engine/ops/cached_attention.h"

#include "engine/backend/cpu/attention_lanes.h"
#include "engine/backend/cpu/attention_scores.h"

namespace preamble::PREAMBLE_ISA {
namespace {

/// What one row attends to: prefix keys lie one behind the other, cached keys where the table says.
struct History {
  std::int64_t prefix_first = 0, prefixes = 0;
  const std::int32_t* cached = nullptr;
  std::int64_t length = 0;

  /// Leaves behind what stands further back than the last `window` keys.
  void keep_last(std::int64_t window) noexcept {
    const std::int64_t left = std::max<std::int64_t>(prefixes + length - window, 0);
    const std::int64_t of_prefix = std::min(left, prefixes);
    prefix_first += of_prefix, prefixes -= of_prefix;
    cached += left - of_prefix, length -= left - of_prefix;
  }
};

History history_of(const KernelArguments& args, std::int64_t row) noexcept {
  using Op = CachedAttention;
  const View& table = args.in[Op::kTable];
  History h;
  h.cached = table.as<const std::int32_t>() + row * table.width;
  h.length = std::clamp<std::int64_t>(args.in[Op::kLengths].as<const std::int32_t>()[row], 0, table.width);
  const View prefix = operand(args, Op::kPrefixKey);
  if (!prefix) return h;
  const View slots = operand(args, Op::kSlots);
  const std::int32_t slot = slots ? slots.as<const std::int32_t>()[row] : 0;
  if (slot < 0 || slot >= prefix.layout->segments) return h;
  h.prefix_first = prefix.layout->offsets[slot];
  h.prefixes = prefix.layout->length(slot);
  return h;
}

/// One head of the keys or of the values of a history.
template <class T>
struct Rows {
  const T* prefix;
  const T* cache;
  std::int64_t stride;
};

template <class T>
Rows<T> rows_of(const History& h, const View& prefix, const View& cache, std::int64_t stride, std::int64_t column) noexcept {
  return {h.prefixes > 0 ? prefix.as<const T>() + h.prefix_first * stride + column : nullptr, cache.as<const T>() + column, stride};
}

/// s[j] = alpha · query · row j
template <class T>
void multiply(const Rows<T>& rows, const History& h, const T* query, T alpha, std::int64_t dim, T* s) noexcept {
  for (std::int64_t j = 0; j < h.prefixes; ++j) s[j] = alpha * dot(query, rows.prefix + j * rows.stride, dim);
  s += h.prefixes;
  for (std::int64_t j = 0; j < h.length; ++j) s[j] = alpha * dot(query, rows.cache + h.cached[j] * rows.stride, dim);
}

/// o += alpha · Σ_j s[j] · row j
template <class T>
void add_weighted(const Rows<T>& rows, const History& h, const T* s, T alpha, std::int64_t dim, T* o) noexcept {
  for (std::int64_t j = 0; j < h.prefixes; ++j) add_scaled(alpha * s[j], rows.prefix + j * rows.stride, o, dim);
  s += h.prefixes;
  for (std::int64_t j = 0; j < h.length; ++j) add_scaled(alpha * s[j], rows.cache + h.cached[j] * rows.stride, o, dim);
}

}  // namespace

template <class T>
void cached_attention(const KernelArguments& args) {
  using Op = CachedAttention;
  const AttentionOptions& options = static_cast<const Op&>(args.op).options;
  const View& q = args.in[Op::kQuery];
  const View prefix_k = operand(args, Op::kPrefixKey);
  const View prefix_v = operand(args, Op::kPrefixValue);
  const View table = operand(args, Op::kBiasTable);
  const std::int64_t dim = q.width / options.heads;
  const std::int64_t group = options.heads / options.kv_heads;
  const std::int64_t kv_width = dim * options.kv_heads;

  AttentionSizes sizes;
  sizes.keys = args.in[Op::kTable].width + (prefix_k ? prefix_k.rows : 0);
  sizes.buckets = table ? (*table.dims)[0] : 0;
  sizes.element = sizeof(T);
  const AttentionScratch scratch = AttentionScratch::cached(options, sizes);
  const auto relative = RelativeBias<T>::make(table, options, scratch, args.workspace);

  run_lanes(lanes_of(scratch, args.workspace_bytes), q.rows * options.heads, [&](std::int64_t lane, std::int64_t task) {
    const std::int64_t row = task / options.heads;
    const std::int64_t head = task % options.heads;
    History h = history_of(args, row);
    if (options.window > 0) h.keep_last(options.window);
    T* s = reinterpret_cast<T*>(args.workspace + scratch.fixed + lane * scratch.lane);
    const Rows<T> keys = rows_of<T>(h, prefix_k, args.in[Op::kCacheKey], kv_width, head / group * dim);
    multiply(keys, h, q.as<const T>() + row * q.width + head * dim, static_cast<T>(options.scale), dim, s);
    if (relative.bias != nullptr) {
      if (options.prefix_has_positions) relative.add(head, {nullptr, -h.prefixes}, h.length - 1, h.prefixes, s);
      relative.add(head, {}, h.length - 1, h.length, s + h.prefixes);
    }
    T* o = args.out[0].as<T>() + row * q.width + head * dim;
    std::fill_n(o, dim, T(0));
    const std::int64_t count = h.prefixes + h.length;
    if (count == 0) return;
    const T normal = T(1) / exp_row(s, count, max_of(s, count));
    const Rows<T> values = rows_of<T>(h, prefix_v, args.in[Op::kCacheValue], kv_width, head / group * dim);
    add_weighted(values, h, s, normal, dim, o);
  });
}

template void cached_attention<float>(const KernelArguments&);
template void cached_attention<double>(const KernelArguments&);

}  // namespace preamble::PREAMBLE_ISA
