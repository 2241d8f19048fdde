#include "engine/ops/cached_attention.h"

#include "engine/backend/cpu/attention_scores.h"

namespace preamble::PREAMBLE_ISA {
namespace {

/// What one row attends to: prefix keys lie one behind the other, cached keys where the table says.
struct History {
  std::int64_t prefix_first = 0, prefixes = 0;
  const std::int32_t* cached = nullptr;
  std::int64_t length = 0;
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
    const std::int64_t column = head / group * dim;
    const History h = history_of(args, row);
    T* s = reinterpret_cast<T*>(args.workspace + scratch.fixed + lane * scratch.lane);
    const T* query = q.as<const T>() + row * q.width + head * dim;
    // row j of the prefix, then of the cache
    const auto place = [&](const View& prefix, const View& cache, std::int64_t j) {
      if (j < h.prefixes) return prefix.as<const T>() + (h.prefix_first + j) * kv_width + column;
      return cache.as<const T>() + std::int64_t{h.cached[j - h.prefixes]} * kv_width + column;
    };
    const std::int64_t keys = h.prefixes + h.length;
    for (std::int64_t j = 0; j < keys; ++j)
      s[j] = static_cast<T>(options.scale) * dot(query, place(prefix_k, args.in[Op::kCacheKey], j), dim);
    if (relative.bias != nullptr) {
      if (options.prefix_has_positions) relative.add(head, {nullptr, -h.prefixes}, h.length - 1, h.prefixes, s);
      relative.add(head, {}, h.length - 1, h.length, s + h.prefixes);
    }
    T* o = args.out[0].as<T>() + row * q.width + head * dim;
    std::fill_n(o, dim, T(0));
    if (keys == 0) return;
    const T normal = T(1) / exp_row(s, keys, max_of(s, keys));
    for (std::int64_t j = 0; j < keys; ++j) add_scaled(s[j] * normal, place(prefix_v, args.in[Op::kCacheValue], j), o, dim);
  });
}

template void cached_attention<float>(const KernelArguments&);
template void cached_attention<double>(const KernelArguments&);

}  // namespace preamble::PREAMBLE_ISA
