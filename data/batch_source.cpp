#include "data/batch_source.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "engine/core/hash.h"

namespace preamble {
namespace {

template <class T>
void hash_vector(std::uint64_t& hash, const std::vector<T>& values) {
  const std::uint64_t size = values.size();
  hash = hash_words(hash, &size, sizeof size);
  hash = hash_words(hash, values.data(), values.size() * sizeof(T));
}

std::uint64_t hash_of_examples(std::span<const Example> examples) {
  std::uint64_t hash = kHashSeed;
  for (const auto& example : examples) {
    for (const auto* ids : {&example.source, &example.target, &example.types, &example.tags, &example.choices}) hash_vector(hash, *ids);
    const std::array numbers = {example.label, example.begin, example.end, example.head, example.slot};
    hash = hash_words(hash, numbers.data(), sizeof numbers);
    hash = hash_words(hash, &example.value, sizeof example.value);
  }
  return hash;
}

}  // namespace

std::vector<std::span<const Example* const>> BatchSource::cut(std::span<const Example* const> batch, std::size_t count, std::size_t first,
                                                              std::size_t wanted) const {
  const std::size_t size = (batch.size() + count - 1) / count;
  std::vector<std::span<const Example* const>> parts;
  for (std::size_t part = first; part < first + wanted; ++part) {
    const std::size_t begin = std::min(batch.size(), part * size);
    parts.push_back(batch.subspan(begin, std::min(size, batch.size() - begin)));
  }
  return parts;
}

ExampleBatches::ExampleBatches(std::vector<Example> examples, std::vector<ExampleLength> lengths, const BatchRules& rules)
    : examples_(std::move(examples)), batcher_(std::move(lengths), rules) {}

std::span<const Example* const> ExampleBatches::next() {
  batch_.clear();
  for (const auto index : batcher_.next()) batch_.push_back(&examples_[index]);
  return batch_;
}

std::string ExampleBatches::describe() const { return describe_content(examples_); }

std::string describe_content(std::span<const Example> examples) {
  return fmt::format("{} examples, {:016x}", examples.size(), hash_of_examples(examples));
}

}  // namespace preamble
