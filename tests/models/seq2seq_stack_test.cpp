#include "models/seq2seq_stack.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "engine/runtime/compile.h"
#include "tests/support/graphs.h"
#include "tests/support/t5_models.h"

namespace seq2seq_stack_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

std::vector<LayerCache> caches_for(const T5& model, std::int64_t cache_rows, std::int64_t encoder_rows) {
  const auto self = make_caches(model, Site::decoder_self, cache_rows);
  const auto cross = make_caches(model, Site::cross, encoder_rows);
  std::vector<LayerCache> caches;
  for (std::size_t layer = 0; layer < self.size(); ++layer) caches.push_back({self[layer], cross[layer]});
  return caches;
}

}  // namespace

TEST_CASE("seq2seq stack: the prefill graph writes keys and values of the source into the caches, and decodes nothing") {
  const auto model = golden_t5();
  auto caches = caches_for(*model, 8, 15);
  Graph graph;
  model->prefill(graph, {}, {3, 15, 1, 0}, caches);
  const auto program = compile(std::move(graph));
  CHECK(count_ops(program->graph(), "append_rows") == 6);
  CHECK(count_ops(program->graph(), "cached_attention") == 0);
  Session session(program);
  const Seq2SeqBatch batch = small_batch();
  feed_sources(session, batch, {}, model->limits());
  std::vector<std::int32_t> places(15);
  for (std::size_t i = 0; i < places.size(); ++i) places[i] = static_cast<std::int32_t>(i);
  session.set<std::int32_t>(seq2seq::kEncoderRows, places);
  session.run();
  for (const auto& cache : caches) {
    CHECK(cache.cross.key.values<float>()[14 * 40] != 0);
    CHECK(cache.cross.value.values<float>()[14 * 40] != 0);
    CHECK(cache.self.key.values<float>()[0] == 0);
  }
}

TEST_CASE("seq2seq stack: the step graph computes one row for each beam and nothing of the encoder") {
  const auto model = golden_t5();
  auto caches = caches_for(*model, 40, 15);
  Graph graph;
  model->step(graph, {}, {.sequences = 3, .source_rows = 15, .target_rows = 6}, 10, caches);
  const auto program = compile(std::move(graph));
  for (const auto& node : program->graph().nodes()) {
    if (!node.op) continue;
    CHECK(node.scope.starts_with("decoder"));
    if (node.op->name() != "append_rows") CHECK(program->graph().rows(node.outputs[0].rows).name == seq2seq::kDecoder);
  }
  CHECK(count_ops(program->graph(), "cached_attention") == 3);
  CHECK(count_ops(program->graph(), "attention") == 3);
  CHECK(program->graph().output(seq2seq::kLogits).type().width() == 113);
}

}  // namespace seq2seq_stack_test
