#include "peft/tasks/predictor.h"

#include <algorithm>
#include <numeric>
#include <string>
#include <utility>

#include "engine/core/error.h"
#include "engine/distributed/shared_out.h"
#include "engine/runtime/compile.h"
#include "peft/loss_model.h"

namespace preamble {
namespace {

constexpr std::int64_t kMostSequences = 128;

std::shared_ptr<const Program> compile_logits(const HeadedEncoder& encoder, const Method& method, const EncoderCapacity& capacity,
                                              Conditioning& conditioning) {
  require<ConfigError>(!encoder.heads.empty(), "prediction: an encoder without a head was given; wanted one at least");
  Graph graph = encoder.model.parameters().graph();
  conditioning = method.condition(graph);
  add_label_logits(encoder, graph, conditioning, capacity);
  return compile(std::move(graph));
}

/// Rows of a head's result that belong to an example.
std::size_t labelled_rows(const Example& example, HeadKind kind) {
  switch (kind) {
    case HeadKind::sequence: return 1;
    case HeadKind::choice: return example.choices.size();
    case HeadKind::span: return example.source.size();
    case HeadKind::tokens:
    case HeadKind::masked_lm:
      return static_cast<std::size_t>(std::ranges::count_if(example.tags, [](std::int32_t tag) { return tag != kNoTag; }));
  }
  return 0;
}

}  // namespace

Predictor::Predictor(HeadedEncoder encoder, const Method& method, std::int64_t longest, std::int64_t batch_rows)
    : limits_(encoder.limits()),
      capacity_{kMostSequences, std::max(longest, batch_rows)},
      session_(compile_logits(encoder, method, capacity_, conditioning_)) {}

std::vector<std::vector<std::size_t>> Predictor::batches_of(std::span<const Example> examples) const {
  // neighbours of equal length fill the batches best
  std::vector<std::size_t> order(examples.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, {}, [&](std::size_t i) { return examples[i].source.size(); });
  std::vector<std::vector<std::size_t>> batches;
  std::int64_t rows = 0, sequences = 0;
  for (const std::size_t i : order) {
    const auto length = static_cast<std::int64_t>(examples[i].source.size());
    if (batches.empty() || rows + length > capacity_.tokens || sequences + examples[i].sequences() > capacity_.sequences) {
      batches.emplace_back();
      rows = sequences = 0;
    }
    batches.back().push_back(i);
    rows += length;
    sequences += examples[i].sequences();
  }
  return batches;
}

std::vector<HeadLogits> Predictor::predict(std::span<const Example> examples) {
  const auto batches = batches_of(examples);
  const auto compute = [&](std::size_t begin, std::size_t end) {
    std::vector<HeadLogits> logits;
    for (std::size_t batch = begin; batch < end; ++batch) {
      std::vector<const Example*> members;
      for (const std::size_t i : batches[batch]) members.push_back(&examples[i]);
      run(members, logits);
      world().still_here();
    }
    return logits;
  };
  auto computed = shared_out(world(), batches.size(), examples.size(), "logits", compute);
  std::vector<HeadLogits> logits(examples.size());
  std::size_t next = 0;
  for (const auto& batch : batches) {
    for (const std::size_t i : batch) logits[i] = std::move(computed[next++]);
  }
  return logits;
}

void Predictor::run(std::span<const Example* const> examples, std::vector<HeadLogits>& logits) {
  feed(session_, encoder_batch_of(examples), conditioning_, limits_, 1.0);
  session_.run();
  std::vector<std::span<const float>> of_head;
  for (std::size_t head = 0; head < limits_.heads.size(); ++head)
    of_head.push_back(session_.result<float>(headed::name(head, headed::kLabelLogits)));
  for (std::size_t i = 0; i < examples.size(); ++i) {
    const auto head = static_cast<std::size_t>(examples[i]->head);
    const auto& shape = limits_.heads.at(head);
    const std::size_t count = labelled_rows(*examples[i], shape.kind) * static_cast<std::size_t>(shape.classes);
    require<ShapeError>(count <= of_head[head].size(), "prediction: the logits of example {} are missing", i);
    logits.emplace_back(of_head[head].begin(), of_head[head].begin() + static_cast<std::ptrdiff_t>(count));
    of_head[head] = of_head[head].subspan(count);
  }
}

}  // namespace preamble
